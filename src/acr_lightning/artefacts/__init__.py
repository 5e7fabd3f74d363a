"""What stages leave for each other: safe files, written whole or not at all."""
