"""Masks of a photo's things, whatever they are: superpixels, or what SAM finds. `labels` lets them vote."""
