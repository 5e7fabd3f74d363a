"""From CAMs to pseudo-labels, arrays in, arrays out: threshold, dense CRF, confident labels.

docs/method.md says which paper each comes from.
"""
