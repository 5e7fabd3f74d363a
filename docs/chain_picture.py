"""The README's picture: held-out scenes of the demo, from photo to mask. `make picture` writes docs/chain.jpg."""

import base64
import io
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from acr_lightning.report.notes import Notes
from acr_lightning.report.pictures import pictures
from acr_lightning.report.stranger import dataset_of

# Of the held-out scenes the first ones with one tag, so that no one chose them.
SCENES, SIDE, GAP, LINE = 4, 150, 6, 26
TITLES = ("photo", "scores", "pseudo-label", "network", "true mask")


def main(run: Path, output: Path) -> None:
    """Draw a row for each scene."""
    scenes = dataset_of(run, (), Notes())
    assert scenes is not None, f"{run} is not a run"
    ids = [image_id for image_id in scenes.ids("val") if len(scenes.tags(image_id)) == 1][:SCENES]
    sheet = Image.new("RGB", (len(TITLES) * (SIDE + GAP) - GAP, LINE + SCENES * (SIDE + GAP) - GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for column, title in enumerate(TITLES):
        draw.text((column * (SIDE + GAP) + SIDE // 2, 4), title, "black", font, anchor="ma")
    for row, image_id in enumerate(ids):
        found = pictures(image_id, scenes, [run], Notes())
        shown = [picture for picture in found if not picture.title.endswith("thresholded")]
        for column, picture in zip(range(len(TITLES)), shown, strict=True):
            file = io.BytesIO(base64.b64decode(picture.source.partition(",")[2]))
            small = Image.open(file).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            sheet.paste(small, (column * (SIDE + GAP), LINE + row * (SIDE + GAP)))
    sheet.save(output, quality=88)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
