"""What a user is sent and puts in by hand: experiments, plans, lists, tags and folders, archives that lead outside."""

import io
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from torture.attack import RAN, Attack, node, own_data, plant_modules, strangers
from torture.chain import experiment
from torture.commands import Outcome, command, function, in_order
from torture.tally import EXPERIMENTS, PLANS, TAGS, TARGETS
from torture.whole import CHAIN, begin, plan

OUTSIDE = (
    f"../{RAN}", f"../../{RAN}", f"/tmp/../{RAN}", f"a/../../{RAN}", f"..\\{RAN}", f"C:{RAN}", f"\x00{RAN}",
)  # fmt: skip
# What ends a comment or a line somewhere.
BREAKS = {"a newline": "\n", "U+0085": "\x85", "U+2028": "\u2028", "U+2029": "\u2029", "a carriage return": "\r"}
# What means something in YAML, and is a name like others.
ODD = "{b} # 'c' \"é\" - !!x"


def experiments() -> Iterator[Attack]:
    """YAML that makes objects; classes of any kind at every key that takes one."""
    tags = {
        tag: f"!!{tag} ['touch {RAN}']"
        for tag in ("python/object/apply:os.system", "python/object/new:os.system", "python/name:os.system")
    }

    def plant(folder: Path, payload: str) -> None:
        (folder / "chain.yaml").write_text(yaml.safe_dump({**experiment(), "run": "RUN"}).replace("RUN", payload))

    yield Attack(
        "a tag in an experiment", EXPERIMENTS, plant, command("cam", *CHAIN, "--print_config"), tags, "!!str other",
        reached=lambda folder, payload, outcome: "other/fit/last.ckpt" in outcome.said,
    )  # fmt: skip

    def plant_plan(folder: Path, payload: str) -> None:
        (folder / "plan.yaml").write_text(yaml.safe_dump(plan({"base": {}}, run="RUN")).replace("RUN", payload))

    yield Attack(
        "a tag in a plan", PLANS, plant_plan, command("compare", "--config", "plan.yaml"), tags, f"!!str {RAN}"
    )
    refiner = node("torture.harmless.Refiner")
    kinds = {
        "dataset": own_data(), "label.refiner": refiner, "evaluate.model.refiner": refiner,
        "fit.model.classifier": node("torture.harmless.Network", backbone="test_resnet", freeze_batchnorm=False),
        "fit.trainer.callbacks": node("torture.harmless.Talk"),
    }  # fmt: skip
    for key, harmless in kinds.items():

        def slip(folder: Path, payload: Any, key: str = key) -> None:
            plant_modules(folder)
            content = experiment()
            *above, last = key.split(".")
            place = content
            for name in above:
                place = place[name]
            place[last] = [payload] if last == "callbacks" else payload
            (folder / "chain.yaml").write_text(yaml.safe_dump(content))

        # A user's own class may be of any package, so what is of the right kind in `stranger.py` would be no attack.
        hostile = {path: one for path, one in strangers().items() if "stranger." not in path}
        yield Attack(f"an experiment's {key}", EXPERIMENTS, slip, command("run", *CHAIN, "--check"), hostile, harmless)


def plans() -> Iterator[Attack]:
    """Cells that differ, of which a plan could make one run: two rows of the table would be one score."""
    side = "evaluate.model.long_side"

    def plant(folder: Path, payload: Any) -> None:
        (folder / "plan.yaml").write_text(yaml.safe_dump(payload))

    def runs(folder: Path, payload: Any, outcome: Outcome) -> int:
        """How many runs its tables are of; none where there are no tables."""
        return len([*(folder / "plan").rglob("scores.json")]) if outcome.status == 0 else 0

    def fewer(folder: Path, payload: Any, outcome: Outcome) -> bool:
        return runs(folder, payload, outcome) == 1

    def all_there(folder: Path, payload: Any, outcome: Outcome) -> bool:
        return runs(folder, payload, outcome) == 2

    flip = "evaluate.model.flip"
    hostile = {
        "names that differ by a sign": plan({"ACR": {side: 32}, "ACR+": {side: 48}}),
        "names that differ in case": plan({"ACR": {side: 32}, "acr": {side: 48}}),
        "data sets that differ by a sign": plan({"ACR": {side: 32}}, datasets=("one", "one!")),
        "one name in two tables": plan({"ACR": {side: 32}}, {"ACR": {side: 48}}),
        "a number and a text": plan({"ACR": {side: 32}}, {"ACR": {side: "32"}}),
        "true and a text": plan({"ACR": {flip: True}}, {"ACR": {flip: "True"}}),
    }
    yield Attack(
        "the cells of a plan", PLANS, plant, command("compare", "--config", "plan.yaml"), hostile,
        plan({"ACR": {side: 32}, "SEAM": {side: 48}}), fewer, all_there,
    )  # fmt: skip


def ids() -> Iterator[Attack]:
    """Ids that lead out of every folder that is written to; their photos are there."""
    hostile = {repr(name): name for name in (*OUTSIDE, f"link/{RAN}")}

    def place(folder: Path, photos: Path, name: str, output: str) -> None:
        """The photo of the id, and a link in the folder that results go to."""
        (folder / output).mkdir(parents=True, exist_ok=True)
        (folder / output / "link").symlink_to(folder.parent)
        path = photos / f"{name}.jpg"
        if "\x00" not in name:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / "pictures" / "val_00001.jpg", path)

    def plant(folder: Path, name: str) -> None:
        place(folder, folder / "shapes" / "JPEGImages", name, "run/evaluate/predictions")
        with (folder / "tags.csv").open("a") as file:
            file.write(f"{name}.jpg,a\n")
        begin(folder, "evaluate", {"evaluate.data.splits": ["train"]}, "tags.yaml")

    yield Attack(
        "an id of a tags file", TAGS, plant,
        command("evaluate", "--config", "tags.yaml", "--data.splits=[train]"), hostile, f"inside/{RAN}",
        reached=_has(f"run/evaluate/predictions/inside/{RAN}.png"),
    )  # fmt: skip

    def plant_list(folder: Path, name: str) -> None:
        place(folder, folder / "shapes" / "JPEGImages", name, "run/cam/cams")
        if "\x00" not in name:
            annotation = folder / "shapes" / "Annotations" / f"{name}.xml"
            annotation.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / "shapes" / "Annotations" / "val_00001.xml", annotation)
        (folder / "shapes" / "ImageSets" / "Segmentation" / "val.txt").write_text(f"{name}\n")
        begin(folder, "cam", {})

    yield Attack(
        "an id of a list", TAGS, plant_list, command("cam", *CHAIN), hostile, f"inside/{RAN}",
        reached=_has(f"run/cam/cams/inside/{RAN}.npz"),
    )  # fmt: skip


def folder_names() -> Iterator[Attack]:
    """Names that `acr init` writes into an experiment file, where they could become YAML."""
    section = f"label: {{refiner: {{class_path: subprocess.Popen, init_args: {{args: touch {RAN}, shell: true}}}}}}"
    hostile = {name: f"photos{sign}{section}{sign}#" for name, sign in BREAKS.items()}
    hostile |= {f"{name} alone": f"a{sign}b" for name, sign in BREAKS.items()}
    net = "{class_path: CamClassifier, init_args: {backbone: test_resnet, freeze_batchnorm: false, weights: null}}"
    small = (f"--fit.model.classifier={net}", "--stages=[fit, cam, label]", "--label.workers=1", "--affinity=none")

    def photos(folder: Path, below: str) -> None:
        for number in range(2):
            path = folder / below / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / "pictures" / "val_00001.jpg", path)

    def plant(folder: Path, name: str) -> None:
        photos(folder, f"{name}/a")
        (folder / "name.txt").write_bytes(name.encode())

    def init(folder: Path, log: Path) -> Outcome:
        name = (folder / "name.txt").read_bytes().decode()
        check = command("run", "--config=written.yaml", "--check", *small)
        return in_order(command("init", name, "--output=written.yaml"), check)(folder, log)

    def other_keys(folder: Path, name: str, outcome: Outcome) -> bool:
        written = folder / "written.yaml"
        return written.is_file() and yaml.safe_load(written.read_text()).keys() != {"base", "run", "dataset"}

    def root_is(folder: Path, name: str, outcome: Outcome) -> bool:
        written = folder / "written.yaml"
        root = yaml.safe_load(written.read_text())["dataset"]["init_args"]["root"] if written.is_file() else None
        return outcome.status == 0 and root == name

    yield Attack("the name of a folder of photos", TAGS, plant, init, hostile, f"a: {ODD}", other_keys, root_is)

    def plant_class(folder: Path, name: str) -> None:
        photos(folder, f"photos/{name}")
        photos(folder, "photos/other")
        (folder / "name.txt").write_text("photos")

    def class_is(folder: Path, name: str, outcome: Outcome) -> bool:
        written = folder / "written.yaml"
        names = yaml.safe_load(written.read_text())["dataset"]["init_args"]["classes"] if written.is_file() else []
        return outcome.status == 0 and name in names

    def another_class(folder: Path, name: str, outcome: Outcome) -> bool:
        return outcome.status == 0 and not class_is(folder, name, outcome)

    yield Attack("the name of a class", TAGS, plant_class, init, hostile, ODD, another_class, class_is)


def archives() -> Iterator[Attack]:
    """Archives whose members lead out of their folder."""
    members: dict[str, tuple[str, dict[str, Any]]] = {
        "a folder up": (f"../{RAN}", {}), "an absolute name": (f"/tmp/{RAN}", {}),
        "up again": (f"top/../../{RAN}", {}),
        "a link": (f"top/{RAN}", {"type": tarfile.SYMTYPE, "linkname": "/etc"}),
        "a hard link": (f"top/{RAN}", {"type": tarfile.LNKTYPE, "linkname": "../chain.yaml"}),
        "a device": (f"top/{RAN}", {"type": tarfile.CHRTYPE}),
        "a pipe": (f"top/{RAN}", {"type": tarfile.FIFOTYPE}),
    }  # fmt: skip

    def plant(folder: Path, payload: tuple[str, dict[str, Any]]) -> None:
        name, fields = payload
        with tarfile.open(folder / "archive", "w") as archive:
            archive.addfile(tarfile.TarInfo("top/other"), io.BytesIO())
            member = tarfile.TarInfo(name)
            for key, field in fields.items():
                setattr(member, key, field)
            archive.addfile(member, io.BytesIO())

    yield Attack("a member of a tar", TARGETS, plant, function(_unpack), members, (f"top/{RAN}", {}))

    def plant_zip(folder: Path, payload: str) -> None:
        with zipfile.ZipFile(folder / "archive", "w") as archive:
            archive.writestr("top/other", "")
            archive.writestr(payload, "/etc")

    zipped = {repr(name): name for name in OUTSIDE[:-1]}
    yield Attack("a member of a zip", TARGETS, plant_zip, function(_unpack), zipped, f"top/{RAN}")


def _unpack(folder: Path) -> int:
    """What `acr data download` does once an archive has the right checksum."""
    from acr_lightning.data_care.unpack import unpack

    unpack(folder / "archive", folder / "data", "top", "place")
    return 0


def _has(place: str) -> Any:
    """An effect: a file is there."""
    return lambda folder, payload, outcome: (folder / place).is_file()
