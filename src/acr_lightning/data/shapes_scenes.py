"""Drawn scenes of the embedded data set "Shapes".

Every object is an elongated body in a colour of its own. Its head wears the pattern of its class, which fades towards
the tail; bodies without a pattern belong to the background, as do the two or three fields behind them. So the premise
of ACR can be seen: the parts of a body tell each other's colour, and nothing tells what lies around it. A class
activation map trained with tags only has reason to stay near the head, while the mask of an object is the whole body.
"""

from __future__ import annotations

import colorsys
from typing import NamedTuple

import cv2
import numpy as np

# Of what is drawn: other scenes get another number, and scenes that were written before are not taken for them.
VERSION = 2
CLASS_NAMES: tuple[str, ...] = ("red_stripes", "blue_checks", "green_stripes", "black_checks")

_SUPERSAMPLING = 2
_PATTERN_COLORS: tuple[tuple[int, int, int], ...] = ((214, 30, 40), (25, 70, 210), (10, 140, 60), (20, 20, 20))
# How strong a pattern is at the tail.
_FAINTEST = 0.15


class Scene(NamedTuple):
    """One drawn scene.

    Attributes:
        image: RGB image, uint8, height x width x 3.
        mask: Class map, uint8, height x width: 0 is background, class index k is stored as k + 1.
        tags: Sorted class indices (from 0) of the objects in the scene.
    """

    image: np.ndarray
    mask: np.ndarray
    tags: tuple[int, ...]


class _Body(NamedTuple):
    """Outline of a body `[N, 2]`, where its middle and its head are, in supersampled pixels."""

    outline: np.ndarray
    middle: np.ndarray
    head: np.ndarray


def draw_scene(rng: np.random.Generator, size: int, classes: int = len(CLASS_NAMES)) -> Scene:
    """Draw one scene: one or two objects and up to two bodies without a class over a background of fields.

    Args:
        rng: source of all randomness; the same state gives the same scene.
        size: side of the square image in pixels.
        classes: how many of `CLASS_NAMES` to use, from the front.

    Returns:
        The scene.

    Raises:
        ValueError: `classes` is not between 1 and the number of class names.
    """
    if not 1 <= classes <= len(CLASS_NAMES):
        raise ValueError(f"classes must be in 1..{len(CLASS_NAMES)}, got {classes}")
    side = size * _SUPERSAMPLING
    canvas, behind = _fields(rng, side)
    objects = 1 + int(rng.random() < 0.4)
    labels: list[int | None] = [int(k) for k in rng.permutation(classes)[: min(objects, classes)]]
    labels += [None] * int(rng.choice(3, p=(0.3, 0.5, 0.2)))
    bodies = np.zeros((side, side), np.uint8)
    mask = np.zeros((size, size), np.uint8)
    tags = []
    for label in labels:
        place = _place_body(rng, side, bodies)
        if place is None:  # no room left; the first body always fits
            continue
        body, inside = place
        canvas[inside > 0] = _body_color(rng, behind)
        bodies |= inside
        if label is None:
            continue
        _draw_pattern(rng, canvas, body, inside, label)
        mask[cv2.resize(inside, (size, size), interpolation=cv2.INTER_AREA) > 127] = label + 1
        tags.append(label)
    image = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    image = image + rng.normal(0, 0.012, image.shape)
    return Scene(np.rint(image.clip(0, 1) * 255).astype(np.uint8), mask, tuple(sorted(tags)))


def _color(rng: np.random.Generator, saturation: float, value: float) -> np.ndarray:
    """A random RGB colour in 0..1 of at least a saturation and a value."""
    hsv = rng.random(), rng.uniform(saturation, 1.0), rng.uniform(value, 1.0)
    return np.array(colorsys.hsv_to_rgb(*hsv), np.float32)


def _body_color(rng: np.random.Generator, behind: list[np.ndarray]) -> np.ndarray:
    """A colour that contrasts with those of the fields behind."""
    while True:
        color = _color(rng, 0.45, 0.55)
        if all(np.abs(color - other).max() > 0.3 for other in behind):
            return color


def _fields(rng: np.random.Generator, side: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Two or three softly shaded fields with curved borders, `[side, side, 3]`, and their colours."""
    colors = [_color(rng, 0.35, 0.3)]
    canvas = np.tile(colors[0], (side, side, 1))
    x, y = _grid(side)
    for _ in range(int(rng.integers(1, 3))):
        angle, offset, phase = rng.uniform(0, 2 * np.pi), rng.uniform(-0.25, 0.25), rng.uniform(0, 2 * np.pi)
        beyond = x * np.cos(angle) + y * np.sin(angle) + 0.03 * np.sin(9 * y + phase) > offset
        colors.append(_color(rng, 0.35, 0.3))
        canvas[beyond] = colors[-1]
    shade = cv2.resize(rng.normal(0, 0.06, (5, 5)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    return (canvas + shade[..., None]).clip(0, 1), colors


def _grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns `[1, side]` and rows `[side, 1]` from -0.5 to 0.5."""
    line = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    return line[None, :], line[:, None]


def _place_body(rng: np.random.Generator, side: int, bodies: np.ndarray) -> tuple[_Body, np.ndarray] | None:
    """Look for a free place for a new body; returns it with its filled outline (0 or 255)."""
    surroundings = cv2.dilate(bodies, np.ones((5, 5), np.uint8))
    for _ in range(40):
        body = _random_body(rng, side)
        if body.outline.min() < 1 or body.outline.max() > side - 2:
            continue
        inside = np.zeros_like(bodies)
        cv2.fillPoly(inside, [np.rint(body.outline).astype(np.int32)], 255)
        if not (inside & surroundings).any():
            return body, inside
    return None


def _random_body(rng: np.random.Generator, side: int) -> _Body:
    """A bent super-ellipse whose head is one of its ends."""
    length = side * rng.uniform(0.24, 0.36)
    width = side * rng.uniform(0.11, 0.16)
    power = 2 / rng.uniform(2.0, 6.0)
    bend = rng.uniform(-0.25, 0.25) * length
    angle = rng.uniform(0, 2 * np.pi)
    center = rng.uniform(0.15, 0.85, 2) * side
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])

    around = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    unit = np.stack([np.cos(around), np.sin(around)], axis=1)
    outline = np.sign(unit) * np.abs(unit) ** power * (length, width)
    outline[:, 1] += bend * (outline[:, 0] / length) ** 2
    return _Body(outline @ turn + center, center, np.array([length, bend]) @ turn + center)


def _draw_pattern(rng: np.random.Generator, canvas: np.ndarray, body: _Body, inside: np.ndarray, label: int) -> None:
    """Draw the pattern of a class into a body, strongest at its head, in place."""
    side = len(canvas)
    x, y = _grid(side)
    angle, period = rng.uniform(0, np.pi), 0.15
    along = np.sin(2 * np.pi / period * (x * np.cos(angle) + y * np.sin(angle)))
    across = np.sin(2 * np.pi / period * (y * np.cos(angle) - x * np.sin(angle)))
    pattern = (along if "stripes" in CLASS_NAMES[label] else along * across) > 0
    # 0 at the tail, 1 in the half of the body that is the head's.
    axis = (body.head - body.middle) / side
    reach = float(np.hypot(*axis))
    middle = body.middle / side - 0.5
    towards_head = ((x - middle[0]) * axis[0] + (y - middle[1]) * axis[1]) / reach**2
    strength = (_FAINTEST + (1 - _FAINTEST) * (0.4 + 1.6 * towards_head)).clip(_FAINTEST, 1)
    opacity = (strength * pattern * (inside > 0))[..., None]
    color = np.array(_PATTERN_COLORS[label], np.float32) / 255
    canvas[:] = canvas * (1 - opacity) + color * opacity
