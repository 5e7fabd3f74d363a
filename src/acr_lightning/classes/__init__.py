"""Classes and values that experiments and other people's files name: found, judged, bounded."""
