"""Kills, damaged input and hostile input for the real commands; not part of the package. `make torture` runs it."""
