"""Vision transformers: patch tokens as feature maps, and a classifier that reads its own attention."""
