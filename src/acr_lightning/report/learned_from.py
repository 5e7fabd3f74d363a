"""What weights behind a score learned from beside tags: masks, captions, or photos that no one has labelled.

It is said wherever the score is.
"""

import json
import re
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.manifest import part, read, stages_of

KEY = "weights learned from"
# By what a section names: SAM, CLIP or DINO, a class of this project or a backbone of timm.
TEACHERS = {
    "masks": r'\bSam(Proposals|Refiner)\b|"backbone": "sam',
    "captions": r'\.(CLIMS|CLIPES|NACLIP)"|"backbone": "[^"]*(clip|siglip)',
    "photos without labels": r'"backbone": "[^"]*dino',
}


def learned_from(folder: Path, *settings: Any) -> dict[str, str]:
    """`{"weights learned from": "masks, captions"}`, or nothing where tags were all.

    Args:
        folder: of the stage whose result was scored; those that it was made from, in other runs perhaps, count, too.
        settings: of the score itself.
    """
    queue, folders, text = [folder], {folder}, json.dumps(settings, default=str)
    while queue:
        folder = queue.pop()
        manifest = read(folder) or {}
        text += json.dumps(part(manifest, "config"))
        sources = {path for name, path in stages_of(folder.parent).items() if name in part(manifest, "inputs")}
        queue += sources - folders
        folders |= sources
    kinds = [kind for kind, pattern in TEACHERS.items() if re.search(pattern, text)]
    return {KEY: ", ".join(kinds)} if kinds else {}
