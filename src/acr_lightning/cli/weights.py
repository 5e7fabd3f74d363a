"""`acr weights convert`: getting pretrained weights into the form that `weights:` takes."""

import re
from pathlib import Path

from acr_lightning.errors import UserError


def convert(source: str, target: str, /, *, sha256: str | None = None, force: bool = False) -> int:
    """ResNet38d's ImageNet weights from MXNet's format, for `weights: TARGET`; MXNet is not needed.

    SOURCE is Model A1 of github.com/itijyou/ademxapp: ilsvrc-cls_rna-a1_cls1000_ep-0001.params, which others pass on
    as resnet_38d.params. Fields, names and shapes are checked, and its MD5 is compared with the published one. TARGET
    ends in .safetensors.

    Args:
        source: the file of MXNet.
        target: the file that is written.
        sha256: refuse a SOURCE with another SHA-256 (64 hexadecimal digits).
        force: replace TARGET.

    Raises:
        UserError: what `nets.resnet38d_weights.convert` raises, or `sha256` is none.
    """
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise UserError(f"--sha256: {sha256} is not 64 hexadecimal digits")
    from acr_lightning.nets import resnet38d_weights

    digests = resnet38d_weights.convert(Path(source), Path(target), sha256, force)
    print(target)
    print(f"of {source}: SHA-256 {digests.sha256}, MD5 {digests.md5}", end="")
    print(" (the published file)" if digests.md5 == resnet38d_weights.PUBLISHED_MD5 else "")
    return 0
