"""CAMs of any classifier: normalised, over many scales, written for the stages that follow."""
