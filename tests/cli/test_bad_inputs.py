"""Bad input of every command: exit status 2, at most three lines that name what is wrong, no traceback."""

import re

import pytest
import yaml
from commands import here

FILES = {
    "file": "x",
    "sequence.yaml": "- 1\n- 2",
    "empty.yaml": "",
    "open.yaml": "fit: [1, 2\nrun: x",
    "tab.yaml": "fit:\n\tmodel: 1",
    "typo.yaml": "base: tiny.yaml\nfti: {}",
    "loop.yaml": "base: loop.yaml",
    "orphan.yaml": "base: gone.yaml",
    "plan.yaml": "run: x\nseeds: [0]\nstages: [fit]\ndatasets: {one: {base: tiny.yaml}}\ntabels: {}",
}
# After `acr`; TINY is `--config tiny.yaml`.
BAD = """
rnu                                             | no such command 'rnu'. Did you mean 'run'?
data chek                                       | Did you mean 'data check'?
fit                                             | dataset: needs a class_path
segment                                         | dataset: needs a class_path
run                                             | dataset: needs a class_path
fit --config                                    | --config: needs a value
fit --config gone.yaml                          | gone.yaml: no such experiment file
fit --config folder                             | folder: no such experiment file
fit --config file                               | file: expected a mapping
fit --config sequence.yaml                      | sequence.yaml: expected a mapping
fit --config empty.yaml                         | empty.yaml: expected a mapping
fit --config open.yaml                          | open.yaml: not YAML .* line 2, column 4
fit --config tab.yaml                           | tab.yaml: not YAML .* line 2, column 1
fit --config typo.yaml                          | typo.yaml: fti: no such key. Did you mean 'fit'?
fit --config loop.yaml                          | is its own base
fit --config orphan.yaml                        | gone.yaml: no such experiment file
fit TINY --modle.srf=1                          | fit.modle: no such key. Did you mean 'model'?
fit TINY --data.batch_size=-4                   | fit.data.batch_size: Expected int above 0. Got value: -4
fit TINY --data.batch_size=0                    | fit.data.batch_size: Expected int above 0
fit TINY --data.batch_size=many                 | fit.data.batch_size: .*'many'
fit TINY --data.crop=-1                         | fit.data.crop: .*-1
fit TINY --data.num_workers=-1                  | fit.data.num_workers: Expected int, 0 or more
fit TINY --trainer.max_epochs=soon              | fit.trainer.max_epochs: .*soon
fit TINY --trainer.precision=12                 | fit.trainer.precision: .*12
fit TINY --trainer.accelerator=gpux             | fit.trainer: .*'gpux'
fit TINY --trainer.devices=0                    | fit.trainer: .*devices=0
fit TINY --model.strategy=adverserial           | Did you mean 'adversarial'?
fit TINY --model.classifier_epochs=-1           | fit.model.classifier_epochs: Expected int, 0 or more
fit TINY --model.srf.start=x                    | fit.model.srf.start: Expected float
fit TINY --model.step.micro_batches=0           | fit.model.step.micro_batches: Expected int above 0
fit TINY --model.cu.mean_over=pixel             | fit.model.cu.mean_over: Expected one of 'image', 'region'
fit TINY --model.optimizer.name=adamm           | timm knows no 'adamm'. Did you mean 'adam'?
fit TINY --model.classifier.backbone=resnet999  | timm knows no model 'resnet999'
fit TINY --model.initial=gone                   | gone: no such checkpoint; run `acr fit` first
fit TINY --model.class_path=os.system           | fit.model: write either class_path and init_args
fit TINY --run=file/run                         | file/run: Not a directory
fit TINY --seed=x                               | seed: Expected int, 0 to 4294967295
fit TINY --seed=-1                              | seed: Expected int, 0 to
run                                             | `acr init FOLDER` writes one
run tiny.yaml                                   | did you mean --config tiny.yaml?
run --config tny.yml                            | Did you mean 'tiny.yaml'?
run TINY --seed=99999999999                     | seed: Expected int, 0 to
fit TINY --seed=-1                              | seed: Expected int, 0 to
fit TINY --dataset.root=folder                  | folder: holds other data than these Shapes
run TINY --stages=fit,cma                       | no stage 'cma'. Did you mean 'cam'?
run TINY --stage=fit                            | Did you mean 'stages'?
run TINY --trainer.devices=2                    | Did you mean 'fit.trainer.devices'?
run TINY --fit.model.lr=0.1                     | fit.model.lr: no such key
run TINY --fit.model.sfr=8                      | fit.model.sfr: no such key. Did you mean 'srf'?
run TINY --fit.model.srf.gird=8                 | fit.model.srf.gird: no such key. Did you mean 'grid'?
run TINY --fit.trainer.max_epoch=8              | fit.trainer.max_epoch: no such key. Did you mean 'max_epochs'?
run TINY --fit.data.crop=wide --check           | fit.data.crop: .*wide
run TINY --fit.model.classifier.weights=/nowhere.pth --check | no file /nowhere.pth
run TINY --fit.model.reconstructor.depth=7 --check | 48 is not a multiple of 256; change crop
run TINY --fit.data.batch_size=5 --fit.trainer.devices=2 --check | 5 photos cannot be shared evenly by 2 devices
run TINY --fit.data.class_path=Nothing          | write either class_path and init_args, or the arguments alone
run TINY --dataset.class_path=Nothing           | no class 'Nothing'
run TINY --dataset.root=/nowhere --dataset=VOC2012 --dataset.root=/nowhere | not a VOC 2012 folder
run TINY --affinity=iran                        | no preset 'iran'. Did you mean 'irn'?
run TINY --segment=deeplab                      | no preset 'deeplab'
run TINY --from.fti=gone                        | from.fti: no such stage. Did you mean 'fit'?
run TINY --label.threshold=much --check         | label.threshold: .*much
run TINY --label.threshold=2 --check            | label.threshold: .*2
run TINY --cam.model.scales=[0] --check         | cam.model.scales: .*above 0
run TINY --label.refiner=hard_lable --check     | Did you mean 'hard_label'?
run TINY --label.workers=-1 --check             | label.workers: .*-1
run TINY --cam.data.splits=[sede] --check       | cam.data.splits: .*sede
run TINY --evaluate.model.refiner=x --check     | evaluate.model.refiner: no refiner 'x'
run TINY --segment.model.head=v4 --check        | segment.model.head: .*v4
cam TINY                                        | run `acr fit` with the same --config
score folder                                    | --config is missing
score gone TINY                                 | gone: 6 of 6 label maps are missing
report                                          | give the folders of runs
report gone                                     | gone: not a run
report file                                     | file: not a run
predict                                         | --run, images is missing; usage: acr predict --run RUN
predict --run gone --images folder              | run `acr segment` first
export                                          | --run is missing
export --run folder --height=x                  | --height: Expected int
init                                            | give the folder of the photos: acr init FOLDER, or --good
init folder --good=folder --bad=folder          | --good and --bad go together, and instead of the FOLDER
init --good=folder --bad=gone                   | gone: no such folder of photos
init --good=folder --bad=/tmp                   | beside each other in one folder
init a b                                        | too many positional arguments; usage: acr init
init gone                                       | gone: no such folder of photos
init folder                                     | folder: no tags found
score . TINY --dataset.root=5                   | dataset.root: Expected str. Got value: 5
score . TINY --dataset.rot=x                    | dataset.rot: no such key. Did you mean 'root'?
data check TINY --labels=. --dataset.root=1.5   | dataset.root: Expected str. Got value: 1.5
run TINY --dataset.class_path=pathlib.Path      | 'pathlib.Path' is no TaggedDataset
list bakcbones                                  | Did you mean 'backbones'?
data check                                      | --config is missing
data download voc2013                           | Did you mean 'voc2012'?
compare                                         | --config is missing
compare --config plan.yaml                      | tabels: no such key. Did you mean 'tables'?
compare --config plans/ablatio.yaml             | Did you mean 'plans/ablation.yaml'?
compare --config plans/ablation.yaml --seeds [] | asks for no run
compare --config plans/ablation.yaml --seeds 0  | seeds: Expected list
compare --config tiny.yaml                      | cam: no such key
"""
CASES = [tuple(part.strip() for part in line.split("|")) for line in BAD.strip().splitlines()]


@pytest.fixture
def folder(config, tmp_path, monkeypatch):
    """The working folder, with `tiny.yaml` and bad files."""
    content = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({**content, "run": "run"}))
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("words", "message"), CASES, ids=[words for words, _ in CASES])
def test_bad_input_gets_a_line(words, message, capsys):
    assert here(*words.replace("TINY", "--config tiny.yaml").split()) == 2
    said = capsys.readouterr().err
    lines = said.splitlines()
    assert sum(line.startswith("acr ") for line in lines) == 1
    assert len(lines) <= 3
    assert "Traceback" not in said
    assert re.search(message.replace("?", r"\?"), said), said
