"""`acr init`: an experiment file for a folder of photos."""

import os
import shlex
from pathlib import Path

import yaml

from acr_lightning.artefacts.atomic import write_text
from acr_lightning.data.tag_sources import TagSource, find_tags
from acr_lightning.errors import UserError

# Fewer photos than this teach little about a class.
FEW = 10
# How many faults are printed; `acr data check` prints all.
SHOWN = 5


def init(folder: str, /, *, output: str | None = None, small: bool = False, negatives: bool = False) -> int:
    """Look at a folder of photos and its tags, and write an experiment file for it; the photos are only read.

    Tags come from a CSV or JSON file in the FOLDER, else from the subfolders that the photos lie in (dog/1.jpg).

    Args:
        folder: of the photos.
        output: the experiment file; FOLDER.yaml in the working folder if not given.
        small: settings for a computer without a GPU.
        negatives: also train on photos without a tag, as photos that show none of the classes.

    Raises:
        UserError: there are no tags, or the file is there already.
    """
    root = Path(folder)
    source = find_tags(root)
    path = Path(output or f"{root.resolve().name}.yaml")
    if os.path.lexists(path):
        raise UserError(f"{path}: is there already; remove it, or give another --output")
    write_text(path, _experiment(root, path, source, small, negatives))
    print(f"{sum(source.photos.values())} tags in {source.tags or 'the names of subfolders'}:")
    for name, count in source.photos.items():
        print(f"  {name}: {count} photos{', which is few' if count < FEW else ''}")
    if source.untagged:
        print(f"{source.untagged} photos without a tag: the network is tried on them")
    faults = [fault for fault in source.faults if not (negatives and "has no tag" in fault)]
    for fault in faults[:SHOWN]:
        print(f"to mend: {fault}")
    if len(faults) > SHOWN:
        print(f"to mend: {len(faults) - SHOWN} more; see acr data check --config {shlex.quote(str(path))}")
    print(f"wrote {path}; next: acr run --config {shlex.quote(str(path))}")
    return 0


def _experiment(root: Path, path: Path, source: TagSource, small: bool, negatives: bool) -> str:
    """The text of the experiment file."""
    base = "tag_folder_small.yaml" if small else "tag_folder.yaml"
    values = {"root": os.fspath(root), "tags": source.tags, "classes": sorted(source.photos), "negatives": negatives}
    arguments = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    # Indented below `init_args`.
    lines = "".join(f"    {line}\n" for line in arguments.splitlines())
    run = yaml.safe_dump({"run": f"runs/{path.stem}"}, allow_unicode=True)
    command = f"acr run --config {shlex.quote(str(path))}"
    return f"""# Photos in {root.name}. Start with: {command}
# All values of all stages: {command} --print_config; what one means: acr fit --help
base: {base}
{run}
dataset:
  class_path: TagFolder
  init_args:
{lines}    # masks: a folder of <photo>.png (0 background, 1 the first class …), if there are any: only to score with

# Often changed; these are the values of {base}, uncomment what you want to set:
# affinity: none # leave the walk out: labels sooner, and less exact
# fit.trainer.max_epochs, fit.data.batch_size, segment.model.backbone …: {command} --KEY=VALUE
"""
