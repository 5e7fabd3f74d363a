"""CVAT's XML "for images": the labels of a photo's tags and shapes."""

from pathlib import Path
from xml.parsers import expat

from acr_lightning.data.tags.tagged_photo import TaggedPhoto, Tags, split_of
from acr_lightning.errors import UserError


def read_cvat(path: Path) -> Tags:
    """Photos and their labels. The file is read as a stream, and none of its own entities is: they may grow for ever.

    Raises:
        UserError: it is no XML, no export of CVAT's, or declares entities.
    """
    lines: list[TaggedPhoto] = []
    around: list[str] = []
    parser = expat.ParserCreate()

    def start(name: str, attributes: dict[str, str]) -> None:
        if not around and name != "annotations":
            raise UserError(f"{path}: XML of another root than CVAT's, <annotations>")
        if around == ["annotations"] and name == "image":
            where, split = f"{path}: line {parser.CurrentLineNumber}", split_of(attributes.get("subset", ""))
            lines.append(TaggedPhoto(where, attributes.get("name", ""), [], split))
        if around == ["annotations", "image"] and (label := attributes.get("label")) not in (None, *lines[-1].tags):
            lines[-1].tags.append(str(label))
        around.append(name)

    def end(_: str) -> None:
        around.pop()

    def refuse(*_: object) -> None:
        raise UserError(f"{path}: declares a document type, which CVAT does not; take it out")

    parser.StartElementHandler, parser.EndElementHandler, parser.StartDoctypeDeclHandler = start, end, refuse
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except expat.ExpatError as error:
        raise UserError(f"{path}: not XML ({error})") from None
    return Tags("XML of CVAT", lines)
