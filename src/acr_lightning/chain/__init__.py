"""The chain: what a stage is, experiment files, manifests, and the runner that skips, continues and records stages."""
