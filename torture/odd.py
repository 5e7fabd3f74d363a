"""What a person types or has lying about: values of options, pictures and tags of every kind."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from torture.commands import Run, command, in_order
from torture.tally import EXPORT, FOLDERS, ODD_VALUES, PREDICT, TAGS
from torture.whole import CHAIN, PREDICTIONS, SCORE

VALUES = (
    "0", "-1", "0.5", "1e9", "1e400", "nan", ".inf", "10000000000000000000", "", "x", "[]", "[0]", "[1, x]", "[1e9]",
    "[[1]]", "null", "true", "{}", "{a: 1}", "é", "'1'", "2001-01-01", "&a [*a]", "!!python/name:os.system", "{1: 2}",
)  # fmt: skip
PLACES = ("", "nowhere", ".", "chain.yaml", "chain.yaml/x", "run", "pictures", "[]", "x" * 300, "\x1b[2J", "*")
NAMES = (
    "a",
    "dög",
    "A",
    "a b",
    "-x",
    "#",
    "null",
    "1",
    "background",
    " ",
    "a;b",
    "a\nb",
    "x" * 250,
    "{a: b}",
    ".a",
    "é",
)


@dataclass(frozen=True)
class Options:
    """A command, and options of it that get odd values, of which one stands in a trial.

    Attributes:
        area: of the table.
        words: the command.
        values: of each option; the key "" takes words without an option.
    """

    area: str
    words: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]]

    def prepare(self, folder: Path, rng: random.Random) -> tuple[Run, str]:
        """The command with one odd value, and what is said of it."""
        option = rng.choice([*self.values])
        value = rng.choice(self.values[option])
        words = (*self.words, f"--{option}={value}" if option else value)
        return command(*words), f"acr {' '.join(map(repr, words))}"


OPTIONS = (
    Options(
        PREDICT, ("predict", "--run=run", "--images=pictures/val_00001.jpg", "--output=out"),
        {
            **dict.fromkeys(("scales", "flip", "long_side", "window", "overlay", "soft"), VALUES),
            **dict.fromkeys(("images", "output", "run"), PLACES),
            "device": ("banana", "", "cuda:99", "cpu:1", "meta", "null"),
            "refiner": ("none", "x", "", "{}", "os.system", "{class_path: os.system}", "DenseCrf", "[]", "5"),
        },
    ),
    Options(FOLDERS, SCORE, {
        "classes": (*VALUES, "1000000000", "255", "a,a", "a,,b", "1,2,3,4", "3", "5"), "list": PLACES, "pred": PLACES,
        "gt": PLACES, "output": PLACES,
    }),
    Options(
        EXPORT, ("export", "--run=run", "--height=32", "--width=32", "--output=out.onnx"),
        {
            **dict.fromkeys(("height", "width", "dynamic"), VALUES), "format": ("", "ONNX", "onnx", "x", "null"),
            "output": PLACES, "run": PLACES,
        },
    ),
    Options(ODD_VALUES, ("run", *CHAIN, "--check"), {
        "seed": (*VALUES, "99999999999"), "stages": VALUES, "run": PLACES, "from": VALUES, "from.fit": PLACES,
        "affinity": VALUES, "dataset": VALUES, "config": PLACES,
    }),
    Options(ODD_VALUES, ("cam", *CHAIN), {
        "seed": (*VALUES, "99999999999"), "shard": (*VALUES, "1/2", "3/2", "0/0", "1/0"),
    }),
    Options(ODD_VALUES, ("data", "download", "voc2012", "data"), {"mirror": (
        "http://127.0.0.1:9", "HTTP://127.0.0.1:9", "file:///etc", "ftp://127.0.0.1", "http://[", "http://", "x", "",
        "http://127.0.0.1:99999", "http://é.invalid", "javascript:x",
    )}),
    Options(ODD_VALUES, ("data", "download"), {"": ("", "voc", "coco", "../x", "-", "é", "VOC2012")}),
)  # fmt: skip


@dataclass(frozen=True)
class Pictures:
    """A command, and folders in which one picture becomes an odd one.

    Attributes:
        area: of the table.
        words: the command.
        files: patterns.
    """

    area: str
    words: tuple[str, ...]
    files: tuple[str, ...]

    def prepare(self, folder: Path, rng: random.Random) -> tuple[Run, str]:
        """The odd picture, and the command."""
        path = rng.choice(sorted(folder.glob(rng.choice(self.files))))
        mode, form = rng.choice(("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F")), rng.choice(FORMS)
        size = rng.choice(((64, 64), (1, 1), (1, 500), (3000, 2), (63, 64), (2, 2)))
        odd_picture(path, mode, form, size, rng)
        said = f"{path.relative_to(folder)} as {form} {mode} {size}"
        return command(*self.words), f"acr {' '.join(self.words)}: {said}"


FORMS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "ICO")
PICTURES = (
    Pictures(PREDICT, ("predict", "--run=run", "--images=pictures", "--output=out"), ("pictures/*",)),
    Pictures(FOLDERS, SCORE, (f"{PREDICTIONS}/*", "shapes/SegmentationClass/val*")),
    Pictures(TAGS, ("data", "check", "--config=tags.yaml"), ("shapes/JPEGImages/*", "shapes/SegmentationClass/*")),
)


def odd_picture(path: Path, mode: str, form: str, size: tuple[int, int], rng: random.Random) -> None:
    """Write a picture of a mode in a form that may not be its name's; a PNG where that form has no such picture."""
    values = np.random.default_rng(rng.randrange(1 << 30)).integers(0, 256, (size[1], size[0], 3), np.uint8)
    picture = Image.fromarray(values)
    try:
        picture.convert(mode).save(
            path, form, exif=b"" if form == "TIFF" or rng.random() < 0.8 else bytes([0x4D, 0x4D, 0, 42])
        )
    except (OSError, ValueError):
        picture.save(path, "PNG")


@dataclass(frozen=True)
class TaggedFolder:
    """`acr init` of a folder with odd names and tags, and a check of what it wrote."""

    area: str = TAGS

    def prepare(self, folder: Path, rng: random.Random) -> tuple[Run, str]:
        """The folder, and the command."""
        photo = (folder / "pictures" / "val_00001.jpg").read_bytes()
        names = [rng.choice(NAMES) for _ in range(4)]
        for number, name in enumerate(names):
            path = folder / "photos" / (f"{name}/{number}.jpg" if number % 2 else f"{name}{number}.jpg")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(photo)
        kind = rng.choice([*TAG_FILES, "none"])
        if kind != "none":
            suffix, text = TAG_FILES[kind]
            (folder / "photos" / f"tags.{suffix}").write_text(text(names), errors="surrogatepass")
        words = ("init", "photos", "--output=new.yaml", rng.choice(("--negatives", "--small=false")))
        check = command("data", "check", "--config=new.yaml")
        return in_order(command(*words), check), f"acr {' '.join(words)}: {kind}, {names}"


TAG_FILES: dict[str, tuple[str, Callable[[list[str]], str]]] = {
    "tags": ("csv", lambda names: "image,tags\n" + "".join(f'"{one}0.jpg","{one}"\n' for one in names)),
    "columns": ("csv", lambda names: f"image,{','.join(names)}\n{names[0]}0.jpg,1,0,,1\n"),
    "many columns": ("csv", lambda names: f"image,{','.join(map(str, range(20_000)))}\n{names[0]}0.jpg,1\n"),
    "many classes": ("csv", lambda names: f"image,tags\n{names[0]}0.jpg,{';'.join(map(str, range(300)))}\n"),
    "empty classes": ("csv", lambda names: f"image,a,,\n{names[0]}0.jpg,1,1,0\n"),
    "JSON": ("json", lambda names: f'{{"{names[0]}0.jpg": ["a", 1, true]}}'),
    "a photo twice": ("json", lambda names: f'{{"{names[0]}0.jpg": ["a"], "{names[0]}0.jpg": ["b"]}}'),
    "half a character": ("json", lambda names: f'{{"{names[0]}0.jpg": ["\\ud800"]}}'),
    "JSON of text": ("json", lambda names: '{"a": "b"}'),
    "tabs": ("tsv", lambda names: f"image\ttags\n{names[0]}0.jpg\ta\n"),
}  # fmt: skip
