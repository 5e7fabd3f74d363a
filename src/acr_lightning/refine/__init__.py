"""Arrays in, arrays out: multi-scale CAM, threshold, dense CRF, pseudo-labels."""
