"""How a classifier is trained: one folder a method; none imports another."""
