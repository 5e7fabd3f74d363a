"""The shipped experiment files, and the lists of ids beside them."""
