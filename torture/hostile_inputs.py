"""What a user is sent and puts in by hand: experiments, lists and tags, archives that lead outside."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from torture.attack import CLASSES, RAN, Attack, node
from torture.chain import experiment
from torture.inputs import CHAIN, PREDICTIONS

NAMES = (
    "../ran",
    "../../ran",
    "/tmp/../ran",
    "a/../../ran",
    "..\\ran",
    "C:ran",
    "\x00ran",
    "~/ran",
    "link/ran",
    "-ran",
)


def experiments() -> Iterator[Attack]:
    """YAML that makes objects, and slips in an experiment of one's own."""
    for tag in ("python/object/apply:os.system", "python/object/new:os.system", "python/name:os.system"):
        text = f"run: !!{tag} ['touch {RAN}']\n"
        for words in (("fit", *CHAIN), ("ablation", *CHAIN), ("data", "check", *CHAIN)):

            def plant(folder: Path, text: str = text) -> None:
                (folder / "chain.yaml").write_text(text)

            yield Attack(f"!!{tag} in an experiment of acr {words[0]}", plant, words)
    for class_path in CLASSES[:5]:

        def slip(folder: Path, class_path: str = class_path) -> None:
            content = {**experiment(), "dataset": node(class_path)}
            (folder / "chain.yaml").write_text(yaml.safe_dump(content))

        yield Attack(f"an experiment's data set {class_path!r}", slip, ("data", "check", *CHAIN))


def names() -> Iterator[Attack]:
    """Ids that lead out of every folder that is written to."""
    for name in NAMES:

        def plant(folder: Path, name: str = name) -> None:
            (folder / "shapes" / "link").symlink_to("..")
            with (folder / "tags.csv").open("a") as file:
                file.write(f"{name}.jpg,a\n")

        words = ("evaluate", "--pred", PREDICTIONS, "--config", "tags.yaml", "--split=train", "--output", "scores")
        yield Attack(f"tags of the id {name!r}", plant, words)

        def plant_list(folder: Path, name: str = name) -> None:
            (folder / "shapes" / "ImageSets" / "Segmentation" / "val.txt").write_text(f"{name}\n")
            (folder / "run" / "cam" / "manifest.json").unlink()

        yield Attack(f"a list with the id {name!r}", plant_list, ("cam", *CHAIN))


def archives() -> Iterator[Attack]:
    """Archives whose members lead out of their folder."""
    members: dict[str, dict[str, Any]] = {
        "../ran": {}, "/tmp/ran-of-torture": {}, "top/../../ran": {},
        "top/a": {"type": tarfile.SYMTYPE, "linkname": "/etc"},
        "top/b": {"type": tarfile.LNKTYPE, "linkname": "../ran"},
        "top/c": {"type": tarfile.CHRTYPE},
    }  # fmt: skip
    for name, fields in members.items():

        def plant(folder: Path, name: str = name, fields: dict[str, Any] = fields) -> None:
            with tarfile.open(folder / "archive", "w") as archive:
                member = tarfile.TarInfo(name)
                for key, field in fields.items():
                    setattr(member, key, field)
                archive.addfile(member, io.BytesIO())

        yield Attack(f"a tar with the member {name}, {fields}", plant, (), _unpack)
    for name in (*NAMES[:6], "top/link"):

        def plant_zip(folder: Path, name: str = name) -> None:
            with zipfile.ZipFile(folder / "archive", "w") as archive:
                member = zipfile.ZipInfo(name)
                member.external_attr = (stat.S_IFLNK | 0o777) << 16 if name == "top/link" else 0
                archive.writestr(member, "/etc")

        yield Attack(f"a zip with the member {name!r}", plant_zip, (), _unpack)


def _unpack(folder: Path) -> int:
    """What `acr data download` does once an archive has the right checksum."""
    from acr_lightning.cli.exit_status import exit_status
    from acr_lightning.data_care.unpack import unpack

    def work() -> int:
        unpack(folder / "archive", folder / "data", {"top": "place"})
        return 0

    return exit_status("data download", work)
