"""`acr weights`: pretrained weights for `weights:`, and published classifiers."""

from pathlib import Path

from acr_lightning.artefacts.atomic import require_replaceable
from acr_lightning.errors import UserError


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

    _report(file, *unused_tensors(backbone, file))
    return 0


def mctformer(source: str, target: str, /, *, force: bool = False) -> int:
    """A checkpoint that MCTformer's authors published (V2 or +), as one of stage `fit`.

    TARGET then makes CAMs, `acr cam --model.checkpoint=TARGET`, or is where a training starts, `fit.model.initial:
    TARGET` with the same classifier.

    Args:
        source: the authors' file.
        target: the checkpoint that is written.
        force: replace TARGET.

    Raises:
        UserError: SOURCE is none, or TARGET exists.
    """
    from acr_lightning.nets.vit.published_weights import read_published, write_as_fit

    require_replaceable(Path(target), "a file")
    if Path(target).exists() and not force:
        raise UserError(f"{target}: exists; --force replaces it")
    published = read_published(Path(source))
    write_as_fit(published.network, Path(target))
    print(target)
    _report(source, published.used, published.unused)
    return 0


def _report(file: str, used: int, unused: list[str]) -> None:
    """Say what was used of a file, and what was not."""
    print(f"of {file}: {used} tensors are used; not used: {', '.join(unused) or 'none'}")
