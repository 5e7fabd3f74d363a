"""Every shipped experiment: each section parses as it is, and both trainings take two steps on tiny data."""

import gc
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml

from acr_lightning.artefacts.palette import write_mask
from acr_lightning.chain import experiment_file
from acr_lightning.chain.check import check
from acr_lightning.chain.trainer_section import build
from acr_lightning.data.id_list import read_ids, shipped
from acr_lightning.data.samples import photo_sample
from acr_lightning.data.shapes import Shapes
from acr_lightning.plans.plan import cells_of, read_plan
from acr_lightning.report.run_scores import ids_of
from acr_lightning.stages.chain import CHAIN

AFFINITY = CHAIN.chosen_by("affinity")
CONFIGS = [name for name in experiment_file.shipped_configs() if "/" not in name]
FROZEN = ("demo.yaml", "voc6.yaml", "voc6_supervised.yaml", "tag_folder_small.yaml", "tag_folder_parts_small.yaml")
WITH_VIT = ("voc_vit.yaml", "coco_vit.yaml", "voc_dino.yaml")
# Not `fast_dev_run: 2`: it sets `max_steps`, and Lightning counts the steps of both optimisers.
TINY_TRAINER = {
    "max_epochs": 1, "limit_train_batches": 2, "accelerator": "cpu", "devices": 1, "precision": "32-true",
    "logger": False, "enable_checkpointing": False,
}  # fmt: skip


def load(config, overrides):
    return experiment_file.load(CHAIN, config, dict(overrides))


@pytest.fixture(autouse=True)
def _nothing_kept():
    """Networks of a gigabyte hang in cycles with their trainers until someone collects them."""
    yield
    gc.collect()


def test_no_two_shipped_files_have_one_name():
    files = [path for path in shipped("").rglob("*.yaml") if path.parent.name not in ("presets", "wandb")]
    assert sorted(experiment_file.shipped_configs().values()) == sorted(files)


def test_there_are_configs():
    assert {*WITH_VIT, "coco.yaml", "coco_mini.yaml", "demo.yaml", "voc.yaml", "voc6.yaml", "tag_folder.yaml"} <= set(
        CONFIGS
    )


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("preset", ["none", *CHAIN.presets["affinity"]])
def test_every_section_parses(name, preset):
    experiment = load(name, [("affinity", preset)])
    if "stages" not in experiment.values:
        left_out = {*CHAIN.chosen_by("proposals"), *(AFFINITY if preset == "none" else ())}
        assert experiment.stages == [stage for stage in CHAIN.stages if stage not in left_out]
    check(experiment, experiment.stages, thorough=True)


METHODS = [name for name in experiment_file.shipped_configs() if name.startswith("methods/")]


@pytest.mark.parametrize("name", METHODS)
def test_every_method_parses(name):
    experiment = load(name, [("from", {})])  # what another run has to do first is not there
    check(experiment, ["fit", "cam"], thorough=True)


@pytest.mark.parametrize("name", CONFIGS)
def test_affinity_is_asked_for_but_where_its_small_network_was_tried(name):
    assert ("affinity_walk" in load(name, []).stages) == (
        name in ("voc6.yaml", "voc6_finetuned.yaml", "tag_folder.yaml", "tag_folder_small.yaml")
    )


ABLATIONS = [f"plans/{name}.yaml" for name in ("ablation", "chain", "demo_seeds")]


def variants(name):
    """The experiments of a plan."""
    return [load(cell.base, cell.values) for cell in cells_of(read_plan(shipped(name), {"seeds": [0]}), shipped(name))]


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_variant_parses(name):
    found = variants(name)
    assert len(found) == {"plans/ablation.yaml": 13}.get(name, 2)
    fits = {experiment.folder("fit") for experiment in found}  # those that others read are there by then
    for number, experiment in enumerate(found):
        # The others differ in the stage that they begin with alone.
        stages = experiment.stages if number == 0 else experiment.stages[:1]
        check(experiment, stages, fits, thorough=True)


@pytest.mark.parametrize("name", [*CONFIGS, *ABLATIONS])
def test_crops_fit_their_decoders(name):
    experiments = variants(name) if name in ABLATIONS else [load(name, [])]
    defaults = {"stride": 1, "depth": 8}
    for experiment in experiments:
        fit = experiment.section("fit")
        decoder = {**defaults, **fit["model"]["init_args"]["reconstructor"]["init_args"]}
        data = fit["data"]["init_args"]
        size = data.get("size", data.get("crop", 256)) / decoder["stride"]
        assert size % 2 ** decoder["depth"] == 0


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("stage", ["fit", "segment"])
def test_two_steps(name, stage, shapes_root, coco_root, tmp_path):
    if load(name, []).values["dataset"]["class_path"].endswith("COCO"):
        dataset = {"dataset.root": str(coco_root), "dataset.cache": str(tmp_path / "cache")}
    else:
        scenes = {"root": str(shapes_root), "num_train": 16, "num_val": 6, "size": 64, "seed": 3}
        dataset = {"dataset": {"class_path": "Shapes", "init_args": scenes}}
    values = {
        "run": str(tmp_path),
        **dataset,
        f"{stage}.data.crop": 32,
        f"{stage}.data.batch_size": 2,
        f"{stage}.data.num_workers": 0,
        **{f"{stage}.trainer.{key}": value for key, value in TINY_TRAINER.items()},
    }
    if stage == "fit":
        # The crop is too small for the configs' decoders; the warm-up would keep two steps from being RU and CU.
        values |= {"fit.model.reconstructor.depth": 2, "fit.model.reconstructor.stride": 1}
        values |= {"fit.model.classifier.weights": None, "fit.data.long_side": [40, 48]}
        values |= {"fit.model.classifier_epochs": 0, "fit.model.reconstructor_epochs": 0}
        if name in FROZEN:  # no crop, but maps that are kept
            del values["fit.data.crop"], values["fit.data.long_side"]
            values |= {"fit.data.size": 32, "fit.data.cache": str(tmp_path / "features")}
            values["fit.model.reconstructor.stride"] = 4
        if name == "voc_release.yaml":  # its ResNet38d is that of voc.yaml, and takes half a minute
            values["fit.model.classifier.backbone"] = "test_resnet"
        if name in WITH_VIT:
            values |= {"fit.model.classifier.backbone": "test_vit", "fit.model.step.micro_batches": 1}
            values |= {"fit.model.encoder.backbone": "test_resnet", "fit.model.encoder.weights": None}
    else:
        if name in ("voc_release.yaml", *WITH_VIT):  # likewise
            values["segment.model.backbone"] = "test_vit" if name == "voc_dino.yaml" else "test_resnet"
        values |= {"segment.model.weights": None, "segment.data.labels": "masks", "segment.data.long_side": None}
    parts = build(load(name, list(values.items())).section(stage), stage)
    convolutions = [part for part in parts.model.modules() if isinstance(part, torch.nn.Conv2d)]
    classes = 80 if "coco" in name else 4
    part = parts.model.classifier.classify if stage == "fit" else convolutions[-1]
    assert parts.model.classifier.num_classes == classes if stage == "fit" else part.out_channels == classes + 1
    before = part.weight.detach().clone()
    parts.trainer.fit(parts.model, parts.data)
    assert parts.trainer.fit_loop.total_batch_idx == 1
    assert not torch.equal(part.weight, before)
    assert all(value.isfinite() for value in parts.trainer.callback_metrics.values())


@pytest.mark.parametrize(
    ("name", "base", "variants"),
    [("plans/benchmark.yaml", "voc6.yaml", 27), ("plans/own_photos.yaml", "tag_folder_small.yaml", 10)],
)
def test_two_steps_and_a_photo_of_every_method_of_a_plan(name, base, variants, shapes_root, tmp_path):
    scenes = {"root": str(shapes_root), "num_train": 16, "num_val": 6, "size": 64, "seed": 3}
    own = {"seeds": [0], "run": str(tmp_path), "datasets": {"one": {"base": base}}}
    plan, dataset = read_plan(shipped(name), own), Shapes(**scenes)
    features, tried = str(tmp_path / "features"), []
    for cell in cells_of(plan, shipped(name)):
        values = {**cell.values, "dataset": {"class_path": "Shapes", "init_args": scenes}}
        values |= {f"fit.trainer.{key}": value for key, value in TINY_TRAINER.items()}
        values |= {"fit.model.classifier.weights": None, "fit.data.batch_size": 4}
        is_cda = "PastedCrops" in str(cell.values)
        values |= {"fit.data.crop": 32, "fit.data.long_side": [40, 48]} if is_cda else {"fit.data.size": 96}
        values |= {} if is_cda else {"fit.data.cache": features}
        experiment = load(cell.base, values)
        run, stages = Path(experiment.run), experiment.stages
        if "fit" in stages:
            for image_id in ids_of(dataset, experiment.splits("cam")):  # as stage label would, for a later one
                write_mask(run / "label" / "labels" / f"{image_id}.png", dataset.mask(image_id))
            parts = build(experiment.section("fit"), "fit")
            parts.trainer.fit(parts.model, parts.data)
            assert parts.trainer.fit_loop.total_batch_idx == 1
            assert all(value.isfinite() for value in parts.trainer.callback_metrics.values())
            parts.trainer.save_checkpoint(run / "fit" / "last.ckpt")
        parts = build(load(cell.base, {**values, "cam.data.num_workers": 0}).section("cam"), "cam")
        if hasattr(parts.model, "finetuning"):
            parts.model._trainer = SimpleNamespace(datamodule=SimpleNamespace(dataset=dataset))
        with torch.inference_mode():
            ((_, classes, scores),) = parts.model.predict_step([photo_sample(dataset, dataset.ids("seed")[0])], 0)
        assert scores.shape == (len(classes), 64, 64)
        assert scores.isfinite().all()
        tried.append(cell.variant)
    assert len(tried) == variants


# Those that set values of their own there; the others have the presets as they are, of which one will do.
WITH_AFFINITY = [
    name
    for name in CONFIGS
    if {"affinity", "fit"} <= {*load(name, []).values}
    and "base" not in yaml.safe_load(experiment_file.find(name).read_text())
]


@pytest.mark.parametrize("name", [*WITH_AFFINITY, "voc.yaml"])
@pytest.mark.parametrize("preset", ["psa", "irn"])
def test_two_steps_of_affinity(name, preset, shapes_root, tmp_path):
    values = {
        "run": str(tmp_path),
        "affinity": preset,
        "dataset": {
            "class_path": "Shapes",
            "init_args": {"root": str(shapes_root), "num_train": 16, "num_val": 6, "size": 64, "seed": 3},
        },
        "affinity_train.model.weights": None,
        "affinity_train.data.crop": 64,
        "affinity_train.data.batch_size": 2,
        "affinity_train.data.num_workers": 0,
        "affinity_train.data.long_side": None,
        "affinity_train.data.labels": "masks",
        **{f"affinity_train.trainer.{key}": value for key, value in TINY_TRAINER.items()},
    }
    parts = build(load(name, list(values.items())).section("affinity_train"), "affinity_train")
    before = parts.model.network.mix.weight.detach().clone()
    parts.trainer.fit(parts.model, parts.data)
    assert parts.trainer.fit_loop.total_batch_idx == 1
    assert not torch.equal(parts.model.network.mix.weight, before)
    assert all(value.isfinite() for value in parts.trainer.callback_metrics.values())


def test_voc6_lists_are_disjoint_where_they_must_be():
    train, seed, val = (set(read_ids(shipped(f"voc6/{split}.txt"))) for split in ("train_aug", "train", "val"))
    assert (len(train), len(seed), len(val)) == (800, 437, 250)
    assert seed <= train
    assert not train & val
