"""Timings of label making against straightforward implementations; not part of the package."""
