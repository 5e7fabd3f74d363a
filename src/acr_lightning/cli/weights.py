"""`acr weights`: pretrained weights for `weights:`."""


def check(file: str, /, *, backbone: str) -> int:
    """Which tensors of FILE a backbone takes, when `weights: FILE` is set; and that they are all that it needs.

    FILE is of torch or safetensors: timm's own, DeiT's (`{"model": …}`), or of anyone who keeps timm's names.

    Args:
        file: of weights.
        backbone: timm's name of the network.

    Raises:
        UserError: the file does not fit, or is none of weights.
    """
    from acr_lightning.nets.weights import unused_tensors

    count, others = unused_tensors(backbone, file)
    print(f"of {file}: {count} tensors are used; not used: {', '.join(others) or 'none'}")
    return 0
