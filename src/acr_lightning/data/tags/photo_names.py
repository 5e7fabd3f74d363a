"""The photos of a folder, by whatever a tags file may call them."""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from acr_lightning.artefacts.item_path import id_fault
from acr_lightning.data.images import SUFFIXES

# What stands before a photo's path in Label Studio's addresses, and in others before its name.
ADDRESS = r"/data/local-files/\?d=|/data/upload/\d+/([0-9a-f]{8}-)?|\w+://.*/"


class PhotoNames:
    """The photos below a folder, `photos`: their paths from it, in their order."""

    def __init__(self, folder: Path, photos: Iterable[str]) -> None:
        self.folder, self.photos = folder, dict.fromkeys(photos)

    def find(self, name: str) -> str:
        """The photo that a name means, by its path from the folder; a name that means none is given back.

        It is the whole path, relative or absolute; or the path behind folders that are not here, as on another
        machine; or its end, with or without suffix, where one photo alone ends so; or an address of these.
        """
        if address := re.match(ADDRESS, name):
            name = unquote(name[address.end() :])
        for root in (os.path.abspath(self.folder), os.path.realpath(self.folder)):
            if PurePosixPath(name).is_relative_to(root):
                return str(PurePosixPath(name).relative_to(root))
        path = str(PurePosixPath(name)) if name else name
        parts = [part for part in path.split("/") if part]
        if path in self.photos or os.path.isfile(self.folder / path) or id_fault("/".join(parts), ""):
            return path
        ends = ("/".join(parts[at:]) for at in range(1, len(parts)))
        photos = [end for end in ends if end in self.photos][:1] or self._ending_in(path)
        return photos[0] if len(photos) == 1 else path

    def below(self, folder: str) -> "PhotoNames":
        """Those in a folder of this folder."""
        inside = [one.removeprefix(f"{folder}/") for one in self.photos if one.startswith(f"{folder}/")]
        return PhotoNames(self.folder / folder, inside)

    def near(self, name: str) -> str:
        """The photos that a name may mean, or the one that differs in case, suffix or slashes alone, as a question."""
        photos = self._ending_in(name)[:2] or [self._by_plain_name.get(_plain_name(name), "")]
        return f" Did you mean {' or '.join(map(repr, photos))}?" if photos[0] else ""

    def _ending_in(self, name: str) -> list[str]:
        photos = self._by_last.get(name.rpartition("/")[2], [])
        return [one for one in photos if f"/{one}".endswith((f"/{name}", f"/{name}{PurePosixPath(one).suffix}"))]

    @cached_property
    def _by_last(self) -> dict[str, list[str]]:
        """Photos by the last part of their path, with and without suffix."""
        photos = defaultdict(list)
        for photo in self.photos:
            for last in {PurePosixPath(photo).name, PurePosixPath(photo).stem}:
                photos[last].append(photo)
        return photos

    @cached_property
    def _by_plain_name(self) -> dict[str, str]:
        return {_plain_name(photo): photo for photo in self.photos}


def without_suffix(photo: str) -> str:
    """A photo's id: its path without the suffix."""
    path = PurePosixPath(photo)
    return str(path.with_suffix("")) if path.name else photo


def _plain_name(photo: str) -> str:
    """What a name is on another system, or without its suffix."""
    path = unicodedata.normalize("NFKC", photo).replace("\\", "/")
    return (without_suffix(path) if PurePosixPath(path).suffix.lower() in SUFFIXES else path).casefold()
