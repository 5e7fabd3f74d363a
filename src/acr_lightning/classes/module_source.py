"""Source files of modules, found without importing them."""

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path


def module_file(module: str) -> Path | None:
    """The source of a module that Python would find, or None where there is none."""
    folder = search_folder(module)
    return None if folder is None else file_below(folder, module)


def search_folder(module: str) -> Path | None:
    """The folder in which Python finds a module's top package; None where it finds none."""
    top = module.partition(".")[0]
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).parent
    return Path(spec.origin).parent if spec.has_location and spec.origin else None


def file_below(folder: Path, module: str) -> Path | None:
    """The source of a module in a folder that Python would search, or None where there is none."""
    path = folder.joinpath(*module.split("."))
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


def reached(folder: Path, module: str, within: str = "") -> dict[str, Path]:
    """A module with those that it imports, at any depth, as far as they lie in a folder.

    Args:
        folder: that Python would search.
        module: where to begin.
        within: a package of the folder that is not left; "" for all of the folder.

    Returns:
        The files by the modules' names.
    """
    files: dict[str, Path] = {}
    queue = [module]
    while queue:
        name = queue.pop()
        if name in files or not f"{name}.".startswith(f"{within}." if within else ""):
            continue
        if file := file_below(folder, name):
            files[name] = file
            queue += _imports(file, name)
        queue += [name.rpartition(".")[0]] if "." in name else []  # a package's __init__ runs, too
    return files


def _imports(file: Path, module: str) -> Iterator[str]:
    """The modules that a file may import; what `from package import name` names may be one as well."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # importing it will say so
        return
    package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}".strip(".") for alias in node.names)
            if base:
                yield base
