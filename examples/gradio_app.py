"""A page on which somebody drops a photo and sees what a network makes of it.

    acr export --run runs/photos --height 480 --width 640
    pip install gradio onnxruntime
    python examples/gradio_app.py runs/photos/network.onnx

The file holds one pass of the network; scales, mirror images and the refiner of its test are `acr_lightning.load`'s.
"""

import json
import sys
from functools import partial

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from PIL import Image

Region = tuple[NDArray[np.bool_], str]


def annotate(session: InferenceSession, photo: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], list[Region]]:
    """A photo `[H, W, 3]`, RGB, and for each class in it a mask `[H, W]` with the class's name."""
    [entry] = session.get_inputs()
    height, width = entry.shape[2:]
    small = Image.fromarray(photo).resize((width, height), Image.Resampling.BILINEAR)
    image = np.asarray(small, np.float32).transpose(2, 0, 1)[None] / 255
    probabilities = session.run(None, {entry.name: image})[0][0]
    labels = Image.fromarray(probabilities.argmax(axis=0).astype(np.uint8))
    labels = np.asarray(labels.resize((photo.shape[1], photo.shape[0]), Image.Resampling.NEAREST))
    names = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
    return photo, [(labels == label, names[label]) for label in np.unique(labels) if label]


def main() -> None:
    """Serve the page on this computer alone."""
    import gradio as gr

    page = partial(annotate, InferenceSession(sys.argv[1]))
    gr.Interface(page, gr.Image(), gr.AnnotatedImage(), flagging_mode="never").launch(server_name="127.0.0.1")


if __name__ == "__main__":
    main()
