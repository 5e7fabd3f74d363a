"""A picture may come from anyone, and Pillow hands some formats to other programs."""

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from acr_lightning.artefacts.palette import read_mask
from acr_lightning.data.images import SUFFIXES, image_size, read_image
from acr_lightning.errors import UserError

EPS = '%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%ImageData: 4 4 8 1 0 1 1 "image"\n%%EndComments\nshowpage\n'


@pytest.mark.parametrize("read", [read_image, image_size, read_mask])
def test_postscript_is_not_run(tmp_path, monkeypatch, read):
    ran = tmp_path / "ran"
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {ran}\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    (tmp_path / "a.png").write_text(EPS)
    with pytest.raises(UserError, match=r"a\.png"):
        read(tmp_path / "a.png")
    assert not ran.exists()


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".gif", ".tiff"])
def test_a_picture_of_any_usual_format_is_read(tmp_path, suffix):
    pixels = np.full((3, 5, 3), 200, np.uint8)
    path = tmp_path / f"a{suffix}"
    Image.fromarray(pixels).save(path)
    assert image_size(path) == (3, 5)
    assert np.abs(read_image(path).astype(int) - pixels).max() <= 3
