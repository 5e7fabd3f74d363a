"""The segmentation network: trained on pseudo-labels, tested with scales and mirror images."""
