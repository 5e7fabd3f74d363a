"""Drawn scenes of the embedded data set "Shapes".

Every object is an elongated body with a colour and a pattern of its own. Bodies of all classes come from one
distribution: what tells the classes apart is a small badge that sits near one end of the body. Badge-less bodies are
drawn as well; they belong to the background. A class activation map trained with tags only has thus no reason to
cover more than the badge, while the mask of an object is the whole body.
"""

from __future__ import annotations

import colorsys
from typing import NamedTuple

import cv2
import numpy as np

CLASS_NAMES: tuple[str, ...] = ("cross", "ring", "triangle", "bars")

_SUPERSAMPLING = 4
_BADGE_COLORS: tuple[tuple[int, int, int], ...] = ((214, 30, 40), (25, 70, 210), (10, 140, 60), (20, 20, 20))


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
    """Outline of a body and the place of its badge, in supersampled pixels."""

    outline: np.ndarray
    badge_center: np.ndarray
    badge_radius: float


def draw_scene(rng: np.random.Generator, size: int, classes: int = len(CLASS_NAMES)) -> Scene:
    """Draws one scene: one or two objects and up to two badge-less distractors over a patterned background.

    Args:
        rng: Source of all randomness; the same state gives the same scene.
        size: Side of the square image in pixels.
        classes: How many of `CLASS_NAMES` to use, from the front.

    Returns:
        The scene.

    Raises:
        ValueError: If `classes` is not between 1 and the number of class names.
    """
    if not 1 <= classes <= len(CLASS_NAMES):
        raise ValueError(f"classes must be in 1..{len(CLASS_NAMES)}, got {classes}")
    side = size * _SUPERSAMPLING
    background = _random_color(rng)
    canvas = _pattern(rng, side, background, contrast=0.16)
    _scatter_clutter(rng, canvas)

    objects = 1 + int(rng.random() < 0.4)
    wanted: list[int | None] = [int(k) for k in rng.permutation(classes)[: min(objects, classes)]]
    wanted += [None] * int(rng.choice(3, p=(0.3, 0.5, 0.2)))
    occupied = np.zeros((side, side), np.uint8)
    mask = np.zeros((size, size), np.uint8)
    tags = []
    for label in wanted:
        placed = _place_body(rng, side, occupied)
        if placed is None:  # No room left; the first body always fits.
            continue
        body, inside = placed
        color = _random_color(rng, away_from=background)
        _blend(canvas, inside, _pattern(rng, side, color, contrast=0.13))
        occupied |= inside
        if label is None:
            continue
        _draw_badge(canvas, body, label)
        mask[cv2.resize(inside, (size, size), interpolation=cv2.INTER_AREA) > 127] = label + 1
        tags.append(label)
    image = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    image = image + rng.normal(0, 0.015, image.shape)
    return Scene(np.rint(image.clip(0, 1) * 255).astype(np.uint8), mask, tuple(sorted(tags)))


def _random_color(rng: np.random.Generator, away_from: np.ndarray | None = None) -> np.ndarray:
    """Draws an RGB colour in 0..1, if asked one that contrasts with another colour."""
    while True:
        hsv = rng.random(), rng.uniform(0.35, 0.95), rng.uniform(0.3, 0.95)
        color = np.array(colorsys.hsv_to_rgb(*hsv))
        if away_from is None or np.abs(color - away_from).max() > 0.4:
            return color


def _pattern(rng: np.random.Generator, side: int, color: np.ndarray, contrast: float) -> np.ndarray:
    """Fills a square with stripes, checks or waves in two shades of a colour."""
    angle = rng.uniform(0, np.pi)
    step = side * rng.uniform(0.03, 0.09)
    grid = np.arange(side, dtype=np.float32) / step * np.pi
    u = np.cos(angle) * grid[None, :] + np.sin(angle) * grid[:, None]
    v = np.cos(angle) * grid[:, None] - np.sin(angle) * grid[None, :]
    kind = rng.integers(3)
    if kind == 0:
        wave = np.sign(np.sin(u))
    elif kind == 1:
        wave = np.sign(np.sin(u) * np.sin(v))
    else:
        wave = np.sin(u) * np.sin(v)
    shade = rng.uniform(0.3, 1.0) * contrast * wave
    return (color.astype(np.float32) + shade[..., None].astype(np.float32)).clip(0, 1)


def _scatter_clutter(rng: np.random.Generator, canvas: np.ndarray) -> None:
    """Scatters short strokes and dots of random colours over the background, in place."""
    side = canvas.shape[0]
    for _ in range(int(rng.integers(3, 9))):
        start = rng.uniform(0, side, 2)
        angle = rng.uniform(0, 2 * np.pi)
        end = start + side * rng.uniform(0.0, 0.16) * np.array([np.cos(angle), np.sin(angle)])
        width = int(side * rng.uniform(0.015, 0.05))
        cv2.line(canvas, _point(start), _point(end), _random_color(rng).tolist(), width, cv2.LINE_AA)


def _place_body(rng: np.random.Generator, side: int, occupied: np.ndarray) -> tuple[_Body, np.ndarray] | None:
    """Looks for a free place for a new body; returns it with its filled outline (0 or 255)."""
    grown = cv2.dilate(occupied, np.ones((9, 9), np.uint8))
    for _ in range(40):
        body = _random_body(rng, side)
        if body.outline.min() < 2 or body.outline.max() > side - 3:
            continue
        inside = np.zeros_like(occupied)
        cv2.fillPoly(inside, [np.rint(body.outline).astype(np.int32)], 255)
        if not (inside & grown).any():
            return body, inside
    return None


def _random_body(rng: np.random.Generator, side: int) -> _Body:
    """Draws a bent super-ellipse with a badge near one of its ends."""
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
    along = rng.uniform(0.5, 0.62)
    badge = np.array([along * length, bend * along**2])
    return _Body(outline @ turn + center, badge @ turn + center, 0.085 * side)


def _draw_badge(canvas: np.ndarray, body: _Body, label: int) -> None:
    """Draws the badge of a class, a coloured glyph on a white plate, in place."""
    center, radius = body.badge_center, body.badge_radius
    color = tuple(value / 255 for value in _BADGE_COLORS[label])
    cv2.circle(canvas, _point(center), int(radius), (0.97, 0.97, 0.97), -1, cv2.LINE_AA)
    inner = 0.62 * radius
    thick = max(1, int(0.42 * radius))
    name = CLASS_NAMES[label]
    if name == "cross":
        for step in ((inner, 0.0), (0.0, inner)):
            cv2.line(canvas, _point(center - step), _point(center + step), color, thick, cv2.LINE_AA)
    elif name == "ring":
        cv2.circle(canvas, _point(center), int(0.85 * inner), color, thick, cv2.LINE_AA)
    elif name == "triangle":
        corners = center + inner * np.array([(0.0, -1.1), (1.05, 0.75), (-1.05, 0.75)])
        cv2.fillPoly(canvas, [np.rint(corners).astype(np.int32)], color, cv2.LINE_AA)
    else:
        for shift in (-0.55, 0.55):
            half = np.array((0.8 * inner, 0.0))
            middle = center + np.array((0.0, shift * inner))
            cv2.line(canvas, _point(middle - half), _point(middle + half), color, thick, cv2.LINE_AA)


def _blend(canvas: np.ndarray, inside: np.ndarray, texture: np.ndarray) -> None:
    """Paints a texture where a filled outline is set, in place."""
    np.copyto(canvas, texture, where=inside[..., None] > 0)


def _point(position: np.ndarray) -> tuple[int, int]:
    """Rounds a position to the whole pixels OpenCV draws at."""
    return round(float(position[0])), round(float(position[1]))
