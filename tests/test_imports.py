"""Who imports whom in the package, imports inside functions included."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]


def modules():
    """Files by module name; `stages/` is `acr_lightning.stages`."""
    found = {}
    for folder, package in (
        (ROOT / "src" / "acr_lightning", "acr_lightning"),
        (ROOT / "stages", "acr_lightning.stages"),
    ):
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join((package, *parts)).removesuffix(".__init__")] = path
    return found


def imported(name, path, known):
    """The package's modules that a file imports, wherever the import stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            names = [full if (full := f"{node.module}.{alias.name}") in known else node.module for alias in node.names]
        else:
            continue
        yield from (target for target in names if target in known and target != name)


def circles(graph):
    """Strongly connected parts of more than one module: each from the modules that reach each other."""
    reached = {}
    for start in graph:
        seen, left = set(), [start]
        while left:
            for target in graph[left.pop()] - seen:
                seen.add(target)
                left.append(target)
        reached[start] = seen
    return {
        frozenset(other for other in reached[name] if name in reached[other]) | {name}
        for name in graph
        if name in reached[name]
    }


def test_no_modules_import_each_other_in_a_circle():
    files = modules()
    assert {
        "acr_lightning.stages.training",
        "acr_lightning.cli.main",
        "acr_lightning.methods.acr.module",
    } <= files.keys()
    graph = {name: set(imported(name, path, files)) for name, path in files.items()}
    assert "acr_lightning.report.run_scores" in graph["acr_lightning.stages.inference"]  # an import inside a function
    assert not circles(graph)
    folders = defaultdict(set)  # nor do the folders
    for name, targets in graph.items():
        for target in targets:
            if (one := name.split(".")[1:2]) != (other := target.split(".")[1:2]):
                folders[tuple(one)].add(tuple(other))
                folders[tuple(other)] |= set()
    assert not circles(folders)


def test_a_circle_is_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == {frozenset("abc")}
