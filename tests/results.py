"""What stages have written."""


def contents(folder, pattern="*"):
    """The bytes of each file of a folder, by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob(pattern))}
