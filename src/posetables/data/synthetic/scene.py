"""One synthetic photograph: people before clutter, under uneven light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import cv2
import numpy as np
from numpy.typing import NDArray

from posetables.data.synthetic.clothes import GIRTHS, Kit, dress, portray, sample_kit
from posetables.data.synthetic.figure import FACE, SPORTS, Array, Figure, Manner, sample_figure
from posetables.data.synthetic.painting import OVERSAMPLING, Canvas, Picture, paint, sample_colour, shade

Mask = NDArray[np.bool_]

MUTED = (0, 180), (0, 140), (40, 240)
"""HSV of settings and of what stands about in them: less vivid than clothes, as a rule."""


@dataclass(frozen=True)
class Person:
    """A figure in pixels, 0 = centre of the first pixel; `stature` is its height in pixels if it stood upright."""

    figure: Figure
    stature: float
    kit: Kit


def photograph(
    rng: np.random.Generator, figure: Figure, stature: float, size: tuple[int, int], names: Sequence[str]
) -> tuple[Picture, Mask]:
    """A picture (H, W, 3), BGR, of `size` (W, H) and which of the named joints (J,) of a figure the body hides.

    `figure` is in pixels, 0 = centre of the first pixel, and `stature` is its height if it stood upright. Now and then
    somebody else is in the picture, half out of it.
    """
    canvas = stage(rng, size)
    if rng.random() < 0.3:
        paint_bystander(canvas, rng, stature, size)
    for capsule in dress(figure, stature, sample_kit(rng)):
        paint(canvas, capsule)
    unseen = hidden(canvas, figure, stature, names)
    return develop(rng, canvas), unseen


def stage(rng: np.random.Generator, size: tuple[int, int]) -> Canvas:
    """An empty setting for a picture of `size` (W, H)."""
    return Canvas.on(_clutter(rng, size))


def enter(canvas: Canvas, person: Person) -> Mask:
    """Paints a person with nose and ears; the samples (H, W) of the canvas that show the person now."""
    before = canvas.depth.copy()
    for capsule in chain(*(part(person.figure, person.stature, person.kit) for part in (dress, portray))):
        paint(canvas, capsule)
    return np.asarray(canvas.depth != before)


def paint_bystander(
    canvas: Canvas, rng: np.random.Generator, stature: float, size: tuple[int, int], manner: Manner = SPORTS
) -> None:
    """Somebody farther away and half out of the picture, whom no label mentions."""
    smaller = stature * rng.uniform(0.6, 0.95)
    place = np.array([rng.choice([0, size[0]]), rng.uniform(0.3, 0.6) * size[1], -10 * stature])
    for capsule in dress(sample_figure(rng, manner).placed(smaller, place), smaller, sample_kit(rng)):
        paint(canvas, capsule)


def hidden(canvas: Canvas, figure: Figure, stature: float, names: Sequence[str]) -> Mask:
    """Whether something hides each named joint: more than a hand's breadth in front of the limb that it belongs to.

    The margin is fitted: it leaves about as many joints hidden as are marked in LSP, 7 in 100. Points of the face lie
    on the skin, and the head itself hides them.
    """
    girths = np.array([GIRTHS.get(name.removeprefix("right ").removeprefix("left "), 0) for name in names])
    margins = np.where(np.isin(names, list(FACE)), 0.02, 2 * girths + 0.045)
    joints = figure.positions(names)
    seen = np.array([canvas.depth_at(x, y) for x, y, _ in joints])
    return np.asarray(seen > joints[:, 2] + stature * margins)


def develop(rng: np.random.Generator, canvas: Canvas) -> Picture:
    """The picture of what was painted: lit, reduced to its size, exposed."""
    height, width = (side // OVERSAMPLING for side in canvas.depth.shape)
    shade(canvas, _light(rng))
    picture = np.asarray(cv2.resize(canvas.colour, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return _exposed(rng, picture)


def _clutter(rng: np.random.Generator, size: tuple[int, int]) -> Picture:
    """A blurred two-tone setting with boxes, balls and limb-like bars, `OVERSAMPLING` times as large as `size`."""
    width, height = (OVERSAMPLING * side for side in size)
    coarse = np.empty((7, 7, 3))
    horizon = rng.integers(2, 7)
    coarse[:horizon], coarse[horizon:] = sample_colour(rng, *MUTED), sample_colour(rng, *MUTED)
    coarse += rng.normal(0, 18, (7, 7, 1)) + rng.normal(0, 6, (7, 7, 3))
    setting = np.asarray(cv2.resize(np.clip(coarse, 0, 255).astype(np.uint8), (width, height)), np.uint8)
    for _ in range(rng.integers(5, 14)):
        colour = sample_colour(rng, *MUTED).tolist()
        start = (rng.random(2) * (width, height)).astype(int)
        end = start + rng.normal(0, 0.25 * height, 2).astype(int)
        match rng.integers(3):
            case 0:
                cv2.rectangle(setting, start.tolist(), end.tolist(), colour, cv2.FILLED)
            case 1:
                cv2.circle(setting, start.tolist(), int(rng.uniform(0.01, 0.06) * height), colour, cv2.FILLED)
            case _:
                cv2.line(setting, start.tolist(), end.tolist(), colour, int(rng.uniform(0.02, 0.07) * height))
    return setting


def _light(rng: np.random.Generator) -> Array:
    """Direction towards the light: above us, more or less."""
    direction = np.array([rng.normal(0, 0.5), rng.normal(-0.5, 0.3), 1.0])
    return np.asarray(direction / np.linalg.norm(direction))


def _exposed(rng: np.random.Generator, picture: Picture) -> Picture:
    """Gain, a brightness gradient across the picture and the noise of a sensor."""
    height, width = picture.shape[:2]
    slope = rng.normal(0, 0.15, 2)
    right, down = np.linspace(-1, 1, width), np.linspace(-1, 1, height)[:, None]
    gain = rng.uniform(0.75, 1.2) + slope[0] * right + slope[1] * down
    noise = rng.uniform(2, 7) * rng.standard_normal((height, width), np.float32)
    exposed = picture * gain.astype(np.float32)[..., None] + noise[..., None]
    return np.asarray(np.clip(exposed, 0, 255), np.uint8)
