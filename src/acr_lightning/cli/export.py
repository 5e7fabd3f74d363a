"""`acr export`: a trained network as one file."""

from pathlib import Path

from acr_lightning.artefacts.manifest import network_of
from acr_lightning.artefacts.own_files import require_own, write_own
from acr_lightning.classes.bounded import Side


def export(
    *,
    run: str,
    output: str | None = None,
    height: Side = 512,
    width: Side = 512,
    dynamic: bool = False,
) -> int:
    """The network as an ONNX file, preprocessing included, compared with torch before it is written, and a model card.

    The file takes `image`, float32 `[B, 3, height, width]`, RGB in 0..1 (not normalised; any B), and gives
    `probabilities`, `[B, K + 1, height, width]`, label 0 is background.
    `MODEL_CARD.md` beside the file says classes, input, scores with their conditions, how it was trained, and limits.
    An earlier export's two files are replaced; what you wrote or changed by hand is not.

    Args:
        run: folder of a run whose stage `segment` is done.
        output: the file; null is `network.onnx` in the run.
        height: that the file takes, pixels.
        width: that the file takes, pixels.
        dynamic: the file takes any height and width that are multiples of a ViT's patch, or of 32 with a CNN.
    """
    network_of(Path(run))  # before what takes seconds to import
    from acr_lightning.report.model_card import NAME, model_card
    from acr_lightning.segment.export import export as write

    path = Path(output or Path(run) / "network.onnx")
    card = path.parent / NAME
    require_own([path, card])
    network = write(Path(run), path, (height, width), dynamic)
    write_own(
        card, model_card(Path(run), path.name, network.labels, (height, width), network.step, network.normalisation)
    )
    print(f"{path}: probabilities differ from torch's by {network.difference:.1e} at the most")
    print(f"{card}: what whoever gets the file has to know")
    return 0
