"""What is watched, against sums with loops."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from PIL import Image
from tiny_acr import tiny_acr

import acr_lightning
from acr_lightning.data.datamodule import TaggedCrops
from acr_lightning.methods.acr.monitor import COLUMNS, ReconstructionMonitor, watch
from acr_lightning.methods.acr.step_input import StepInput


@pytest.mark.usefixtures("double")
def test_values_by_loops():
    acr = tiny_acr().eval()
    torch.nn.init.uniform_(acr.classifier.classify.weight, 0, 0.1)
    step = StepInput(
        torch.rand(2, 3, 32, 32), torch.tensor([[1.0, 0, 1, 0], [0, 1, 0, 0]]), target=torch.tensor([2, 1])
    )
    with torch.no_grad():
        values, picture = watch(acr, step)
        inputs = acr.classifier.normalise(step.image)
        logits = acr.classifier(inputs).cam_logits
        features, _ = acr.reconstructor.encode(inputs)
        painted = []
        for i, target in enumerate((2, 1)):
            a = logits[i, target].clamp(min=0)
            s = (a - a.min() - 1e-5).clamp(min=0) / (a.max() - a.min() + 1e-5)
            s = torch.nn.functional.interpolate(s[None, None], (16, 16), mode="bilinear", align_corners=False)
            one = [side[i : i + 1] for side in features]
            outside, inside = (acr.reconstructor.decode((one, [keep]))[0] for keep in (1 - s, s))
            painted.append((s, outside, inside, acr.reconstructor.pixels(step.image[i : i + 1])))
    wanted = {"cam_area": 0.0, "inferability": 0.0, "error_outside": 0.0}
    area = sum(float(s.sum()) for s, *_ in painted)
    for s, outside, inside, x in painted:
        wanted["cam_area"] += float(s.sum()) / (2 * 16 * 16)
        wanted["inferability"] += float((s * (outside - x)).abs().sum()) / (3 * area)
        wanted["error_outside"] += float(((1 - s) * (inside - x)).abs().sum()) / (3 * (2 * 16 * 16 - area))
    for name, value in wanted.items():
        assert values[name] == pytest.approx(value, abs=1e-10), name
    assert picture.shape == (2 * 16, len(COLUMNS) * 16, 3)


def test_the_page_of_a_report_names_the_columns():
    page = (Path(acr_lightning.__file__).parent / "report" / "page.html").read_text()
    assert " · ".join(COLUMNS) in " ".join(page.split())


@pytest.mark.parametrize("strategy", ["adversarial", "baseline"])
def test_watching_changes_nothing(tmp_path, shapes, strategy):
    states, watched = [], [ReconstructionMonitor(tmp_path / "monitor", photos=3)]
    for callbacks in ([], watched):
        torch.manual_seed(0)
        acr = tiny_acr(strategy=strategy, freeze_batchnorm=False)
        trainer = Trainer(
            default_root_dir=tmp_path, max_epochs=2, accelerator="cpu", devices=1, logger=False, callbacks=callbacks,
            enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
        )  # fmt: skip
        torch.manual_seed(1)
        trainer.fit(acr, TaggedCrops(shapes, 32, (32, 40), batch_size=4, num_workers=0))
        states.append(acr.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert ("monitor/inferability" in trainer.callback_metrics) == (strategy == "adversarial")
    pictures = sorted(path.name for path in (tmp_path / "monitor").iterdir())
    assert pictures == ["epoch_000.jpg", "epoch_001.jpg"]
    with Image.open(tmp_path / "monitor" / pictures[0]) as picture:
        columns, side = (len(COLUMNS), 16) if strategy == "adversarial" else (2, 32)
        assert picture.size == (columns * side, 3 * side)
