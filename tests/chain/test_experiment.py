import pytest

from acr_lightning.chain import experiment_file
from acr_lightning.chain.values import set_value
from acr_lightning.errors import UserError
from acr_lightning.stages.chain import CHAIN


def load(config, overrides):
    return experiment_file.load(CHAIN, config, dict(overrides))


def write(path, text):
    path.write_text(text)
    return str(path)


@pytest.fixture
def config(tmp_path):
    return write(
        tmp_path / "mine.yaml",
        """
run: runs/mine
seed: 7
dataset: {class_path: Shapes, init_args: {root: data/x}}
fit:
  model: {srf: {grid: 4}, optimizer: {lr: 0.5}}
  data: {crop: 48}
  trainer: {max_epochs: 3}
label: {refiner: none}
""",
    )


def test_sections_are_defaults_then_file_then_command_line(config):
    experiment = load(config, [("fit.model.srf", None), ("dataset.root", "elsewhere"), ("run", "runs/other")])
    section = experiment.section("fit")
    assert section["model"]["class_path"] == "acr_lightning.methods.acr.module.ACR"
    model = section["model"]["init_args"]
    assert (model["srf"], model["optimizer"], [*model]) == (
        None, {"lr": 0.5}, ["classifier", "reconstructor", "srf", "optimizer"]
    )  # fmt: skip
    assert section["data"]["init_args"]["crop"] == 48
    assert section["data"]["init_args"]["seed"] == section["seed"] == 7
    assert section["data"]["init_args"]["dataset"]["init_args"]["root"] == "elsewhere"
    assert section["data"]["init_args"]["dataset"]["class_path"] == "acr_lightning.data.shapes.Shapes"
    assert section["trainer"]["default_root_dir"] == "runs/other/fit"
    assert experiment.section("label")["cams"] == "runs/other/cam/cams"
    assert experiment.section("label")["dataset"]["init_args"]["root"] == "elsewhere"


def test_one_word_makes_every_training_and_inference_deterministic(config):
    trainers = {
        name: load(config, {"deterministic": True, "affinity": "psa", "cam.trainer.deterministic": False}).section(name)
        for name, stage in CHAIN.stages.items()
        if stage.function is None and name != "proposals"
    }
    assert {name: section["trainer"]["deterministic"] for name, section in trainers.items()} == {
        "fit": True, "cam": False, "affinity_train": True, "affinity_walk": True, "segment": True, "evaluate": True
    }  # fmt: skip
    assert "deterministic" not in load(config, {}).section("fit")["trainer"]
    with pytest.raises(UserError, match="deterministic"):
        load(config, {"deterministic": "perhaps"})


def test_init_args_may_be_left_out_of_a_key():
    node = {"dataset": {"class_path": "VOC2012", "init_args": {"root": "a"}}}
    set_value(node, ["dataset", "root"], "b")
    set_value(node, ["dataset", "init_args", "classes"], ["cat"])
    assert node["dataset"]["init_args"] == {"root": "b", "classes": ["cat"]}
    set_value(node, ["dataset"], "Shapes")
    assert node["dataset"] == {"class_path": "Shapes"}


def test_stages_are_done_in_the_chains_order(config):
    assert load(config, [("stages", "evaluate,fit,cam")]).stages == ["fit", "cam", "evaluate"]
    experiment = load(config, [("stages", "lable")])
    with pytest.raises(UserError, match=r"no stage 'lable'.*Did you mean 'label'"):
        _ = experiment.stages


def test_a_preset_lies_between_defaults_and_file(tmp_path):
    text = "run: runs/x\nseed: 4\naffinity: none\naffinity_walk: {model: {beta: 3}}\n"
    text += "affinity_train: {model: {optimizer: {lr: 0.5}}}"
    config = write(tmp_path / "c.yaml", text)
    assert load(config, []).presets == {}
    assert load(config, []).section("label")["cams"] == "runs/x/cam/cams"
    experiment = load(config, [("affinity", "psa"), ("affinity_walk.model.exponent", 6), ("label.refiner", "none")])
    walk, train = (experiment.section(f"affinity_{part}")["model"]["init_args"] for part in ("walk", "train"))
    # As published (docs/labels.md); 3, 6 and 0.5 are the file's and the command line's.
    assert (walk["beta"], walk["exponent"], walk["background_alpha"], walk["radius"]) == (3, 6, 16, 5)
    assert train["optimizer"] == {"lr": 0.5, "new_layer_factor": 10, "momentum": 5e-4, "weight_decay": 5e-4}
    assert (train["backbone"], train["kind"]) == ("resnet38d", "features")
    labels = experiment.section("affinity_labels")
    assert (labels["strong_alpha"], labels["weak_alpha"]) == (4, 32)
    assert experiment.section("affinity_train")["data"]["init_args"]["seed"] == 4
    assert experiment.section("affinity_walk")["seed"] == 4
    label = experiment.section("label")
    assert (label["cams"], label["threshold"], label["refiner"]) == ("runs/x/affinity_walk/cams", "walked", "none")


def test_irn_and_rib_differ_in_their_published_numbers():
    irn, rib = (load(None, [("affinity", preset)]) for preset in ("irn", "rib"))
    for experiment, strong, weak, power, threshold in ((irn, 0.30, 0.05, 1.0, 0.25), (rib, 0.35, 0.17, 1.3, 0.27)):
        labels = experiment.section("affinity_labels")
        assert (labels["strong_threshold"], labels["weak_threshold"], labels["refiner"]) == (strong, weak, "hard_label")
        walk = experiment.section("affinity_walk")["model"]["init_args"]
        assert (walk["cam_power"], walk["beta"], walk["exponent"]) == (power, 10, 8)
        assert experiment.section("affinity_train")["data"]["init_args"]["crop"] == 512
        assert experiment.section("label")["threshold"] == threshold


def test_affinity_takes_part_only_with_a_preset(tmp_path):
    short = write(tmp_path / "short.yaml", "affinity: irn")
    assert load(short, []).stages == [stage for stage in CHAIN.stages if stage != "proposals"]
    assert load(short, [("affinity", "none")]).stages == ["fit", "cam", "label", "segment", "evaluate", "report"]
    assert load(short, [("affinity", None)]).presets == {}
    assert load(short, [("affinity_walk.model.beta", 5)]).presets == {"affinity": "irn"}
    assert load(None, [("affinity.preset", "rib")]).presets == {"affinity": "rib"}
    with pytest.raises(UserError, match=r"no preset 'spa'.*Did you mean 'psa'"):
        load(short, [("affinity", "spa")])
    with pytest.raises(UserError, match=r"add --affinity=psa\|irn\|rib"):
        load(None, []).section("affinity_walk")


def test_presets_of_the_network_have_the_published_numbers():
    wanted = {  # docs/segment.md: network, head, loss, crop, batch, lr, CRF at the test, iterations on so many photos
        "deeplabv1_resnet38d": (
            "resnet38d",
            "v1_large_fov",
            "cross_entropy",
            448,
            10,
            1e-3,
            "test_deeplabv1",
            10582,
            2e4,
        ),
        "deeplabv2_resnet101": ("resnet101.tv_in1k", "v2", "balanced", 321, 10, 2.5e-4, "test_deeplabv2", 10582, 2.5e4),
        "coco": ("resnet101.tv_in1k", "v2", "balanced", 321, 20, 2e-4, "test_deeplabv2", 82081, 1e5),
    }
    for preset, (backbone, head, loss, crop, batch, lr, crf, photos, iterations) in wanted.items():
        experiment = load(None, [("segment", preset), ("segment.model.optimizer.momentum", 0.8)])
        section = experiment.section("segment")
        model, data = section["model"]["init_args"], section["data"]["init_args"]
        assert (model["backbone"], model["head"], model["loss"]) == (backbone, head, loss)
        assert (data["crop"], data["batch_size"], data["scale"]) == (crop, batch, [0.5, 1.5])
        rates = {"lr": lr, "new_layer_factor": 10, "weight_decay": 5e-4}
        assert model["optimizer"] == {**rates, "momentum": 0.8}
        assert section["trainer"]["max_epochs"] * (photos // batch) == pytest.approx(iterations, rel=0.02)
        test = experiment.section("evaluate")["model"]["init_args"]
        assert (test["refiner"], test["scales"]) == (crf, [0.5, 0.75, 1.0, 1.25, 1.5, 1.75])
        assert "preset" not in section


def test_a_base_may_name_a_class_without_arguments(tmp_path):
    base = write(tmp_path / "base.yaml", "dataset: {class_path: Shapes}")
    experiment = load(write(tmp_path / "c.yaml", f"base: {base}\ndataset: {{root: x}}"), [])
    assert experiment.dataset_node() == {"class_path": "acr_lightning.data.shapes.Shapes", "init_args": {"root": "x"}}


def test_a_file_changes_its_base(tmp_path):
    write(
        tmp_path / "base.yaml", "run: a\nseed: 4\naffinity: psa\nfit: {model: {srf: {grid: 8}, optimizer: {lr: 0.1}}}"
    )
    text = f"base: {tmp_path / 'base.yaml'}\nrun: b\naffinity: none\nfit: {{model: {{optimizer: {{lr: 0.2}}}}}}"
    experiment = load(write(tmp_path / "c.yaml", text), [("fit.model.srf.grid", 4)])
    fit = experiment.section("fit")["model"]["init_args"]
    assert (fit["srf"]["grid"], fit["optimizer"]["lr"], experiment.values["seed"], str(experiment.run)) == (
        4,
        0.2,
        4,
        "b",
    )
    assert experiment.presets == {}
    third = load(write(tmp_path / "d.yaml", f"base: {tmp_path / 'c.yaml'}\nseed: 5"), [])
    assert (third.values["seed"], third.section("fit")["model"]["init_args"]["optimizer"]["lr"]) == (5, 0.2)
    write(tmp_path / "base.yaml", f"base: {tmp_path / 'c.yaml'}")
    with pytest.raises(UserError, match=r"c\.yaml: is its own base \(.*c\.yaml → .*base\.yaml → .*c\.yaml\)"):
        load(str(tmp_path / "c.yaml"), [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ftt: {}", r"ftt: no such key\. Did you mean 'fit'"),
        ("fit: 3", "fit: Expected dict"),
        ("- a", "expected a mapping"),
        ("a: [", "not YAML"),
    ],
)
def test_bad_files_are_named(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        load(write(tmp_path / "bad.yaml", text), [])


def test_missing_file_names_the_nearest_shipped_one():
    with pytest.raises(UserError, match=r"Did you mean 'voc6\.yaml'"):
        load("vco6.yaml", [])


def test_a_name_takes_the_place_of_a_class_and_a_class_is_named_in_full(tmp_path):
    crf = "{class_path: DenseCrf, init_args: {preset: hard_label, scale: 0.5}}"
    config = write(tmp_path / "c.yaml", f"label: {{refiner: {crf}}}\nevaluate: {{model: {{refiner: {crf}}}}}")
    path = "acr_lightning.labels.refiner.DenseCrf"
    wanted = {"class_path": path, "init_args": {"preset": "hard_label", "scale": 0.25}}
    scaled = load(config, [("label.refiner.scale", 0.25), ("evaluate.model.refiner.scale", 0.25)])
    assert scaled.section("label")["refiner"] == wanted
    assert scaled.section("evaluate")["model"]["init_args"]["refiner"] == wanted
    assert load(config, [("label.refiner", "none")]).section("label")["refiner"] == "none"
    own = load(config, [("evaluate.model.refiner", "own.Sharpen")])
    assert own.section("evaluate")["model"]["init_args"]["refiner"] == {"class_path": "own.Sharpen"}
