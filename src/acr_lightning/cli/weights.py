"""`acr weights`: getting pretrained weights into the form that `weights:` takes."""

import re
from pathlib import Path

from acr_lightning.cli.arguments import parse
from acr_lightning.errors import UserError, nearest

HELP = """usage: acr weights convert FILE.params OUT.safetensors [--sha256 HEX] [--force]

ResNet38d's ImageNet weights from MXNet's format, for `weights: OUT.safetensors`; MXNet is not needed.

FILE.params is Model A1 of github.com/itijyou/ademxapp: ilsvrc-cls_rna-a1_cls1000_ep-0001.params, which others pass on
as resnet_38d.params. Fields, names and shapes are checked, and its MD5 is compared with the published one.

options:
  --sha256 HEX  refuse a FILE.params with another SHA-256
  --force       replace OUT.safetensors
"""


def weights(words: list[str]) -> int:
    """`acr weights convert FILE.params OUT.safetensors`.

    Raises:
        UserError: a wrong command line, or what `nets.resnet38d_weights.convert` raises.
    """
    found = parse(words)
    if "--help" in found.flags or not words:
        print(HELP)
        return 0
    command, *files = found.words or [""]
    if command != "convert":
        raise UserError(
            f"'{command}' is no command of acr weights.{nearest(command, ['convert'])} See acr weights --help"
        )
    options = dict(found.values)
    wrong = [*(f"--{key}" for key in options if key != "sha256"), *sorted(found.flags - {"--force"})]
    if wrong or found.config:
        raise UserError(f"{(wrong or ['--config'])[0]}: no such option. See acr weights --help")
    if len(files) != 2:
        raise UserError(f"convert takes two files, FILE.params and OUT.safetensors, not {len(files)}")
    sha256 = str(options["sha256"]) if "sha256" in options else None
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise UserError(f"--sha256: {sha256} is not 64 hexadecimal digits")
    from acr_lightning.nets.resnet38d_weights import PUBLISHED_MD5, convert

    source, target = map(Path, files)
    digests = convert(source, target, sha256, force="--force" in found.flags)
    print(target)
    print(f"of {source}: SHA-256 {digests.sha256}, MD5 {digests.md5}", end="")
    print(" (the published file)" if digests.md5 == PUBLISHED_MD5 else "")
    return 0
