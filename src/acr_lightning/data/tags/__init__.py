"""The tags of a folder of photos, in whatever form people keep them: a reader for each form, one result for all."""
