"""Ways in which a file is damaged."""

import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

# What stands where something else is expected.
ODD: tuple[Any, ...] = (None, True, -1, 1e308, "", "x", "\x00", "../..", [], {}, [[]], {"a": 1}, "é" * 300, 10**30)


def truncate(path: Path, rng: random.Random, others: list[Path]) -> None:
    """Cut its tail, as a full disk or a cut download does."""
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content) + 1)])


def flip(path: Path, rng: random.Random, others: list[Path]) -> None:
    """Change one to eight bytes."""
    content = bytearray(path.read_bytes() or b"\0")
    for _ in range(rng.randint(1, 8)):
        content[rng.randrange(len(content))] ^= rng.randint(1, 255)
    path.write_bytes(content)


def empty(path: Path, rng: random.Random, others: list[Path]) -> None:
    """Leave nothing in it."""
    path.write_bytes(b"")


def retype(path: Path, rng: random.Random, others: list[Path]) -> None:
    """Put something else in its place: a folder, a link to itself or to nothing, noise, or nothing."""
    path.unlink()
    kind = rng.choice(["folder", "loop", "dangling", "noise", "gone", "deep"])
    if kind == "folder":
        path.mkdir()
    elif kind in ("loop", "dangling"):
        path.symlink_to(path.name if kind == "loop" else "nowhere")
    elif kind == "noise":
        path.write_bytes(rng.randbytes(rng.randrange(1, 3000)))
    elif kind == "deep":
        path.write_bytes(rng.choice([b"[", b'{"a":', b"<a>", b"- "]) * 100_000)


def swap(path: Path, rng: random.Random, others: list[Path]) -> None:
    """Put another file's content into it."""
    shutil.copyfile(rng.choice(others), path)


def value(path: Path, rng: random.Random, others: list[Path]) -> None:
    """Replace a value inside it by one of another type; a file without values loses its tail."""
    if path.suffix == ".csv":
        rows = [line.split(",") for line in path.read_text().splitlines()]
        row = rng.choice(rows)
        row[rng.randrange(len(row))] = rng.choice(["", "x", "nan", '"', "-1", "é", ";;"])
        path.write_text("\n".join(",".join(cells) for cells in rows))
    elif path.suffix in (".json", ".yaml"):
        content = json.loads(path.read_text()) if path.suffix == ".json" else yaml.safe_load(path.read_text())
        change(content, rng)
        path.write_text(json.dumps(content) if path.suffix == ".json" else yaml.safe_dump(content))
    else:
        truncate(path, rng, others)


def change(content: Any, rng: random.Random) -> None:
    """Replace something inside lists and mappings, at any depth, in place."""
    while content:
        keys = list(content) if isinstance(content, dict) else list(range(len(content)))
        key = rng.choice(keys)
        if not isinstance(content[key], dict | list) or not content[key] or rng.random() < 0.2:
            content[key] = rng.choice(ODD)
            if isinstance(content, dict) and rng.random() < 0.2:
                del content[key]
            return
        content = content[key]


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]" + "".join(
    f"\n{{indent}}a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]" for at in range(1, 9)
)
# What YAML and JSON allow, or other readers of them, and nobody writes.
YAML_LINES = (
    BOMB, "1: 2", "null: 3", "true: x", ".inf: 1", "2001-01-01: x", "? [a]\n{indent}: b", "x: &x [*x]", "<<: 5",
    "seed: 1\n{indent}seed: 2", "base: [1]", "base: 5", "base: {a: b}", "base: chain.yaml", "run: !!binary x",
    "a: !!set {x}", "x: !y z", "b: &b {<<: *b}", "\ta: b", "--- {}", "%YAML 9.9",
)  # fmt: skip
JSON_VALUE = re.compile(r"(?<=: )(?:[^\[{,}\n]+|\[\]|\{\})")
JSON_VALUES = ("1e999", "-Infinity", "NaN", "9" * 400, "9" * 5000, r'"\ud800"', '{"a": 1, "a": 2}', "[[[]]]", "1e-999")


def trick(path: Path, rng: random.Random, others: list[Path]) -> None:
    """Add a line to a YAML file, or put a value into a JSON file, that means something else than it seems to."""
    if path.suffix == ".yaml":
        lines = path.read_text().splitlines()
        at = rng.randrange(len(lines) + 1)
        indent = lines[at][: len(lines[at]) - len(lines[at].lstrip(" -"))].replace("-", " ") if at < len(lines) else ""
        lines.insert(at, indent + rng.choice(YAML_LINES).replace("{indent}", indent))
        path.write_text("\n".join(lines) + "\n")
    elif path.suffix == ".json" and (values := [*JSON_VALUE.finditer(text := path.read_text())]):
        found = rng.choice(values)
        path.write_text(text[: found.start()] + rng.choice(JSON_VALUES) + text[found.end() :])
    else:
        flip(path, rng, others)


MUTATIONS: tuple[Callable[[Path, random.Random, list[Path]], None], ...] = (
    truncate, flip, empty, retype, swap, value, trick,
)  # fmt: skip
