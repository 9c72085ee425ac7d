"""One synthetic photograph: a person before clutter, sometimes beside somebody else, under uneven light."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from posetables.data.skeletons import LSP
from posetables.data.synthetic_clothes import GIRTHS, dress, sample_kit
from posetables.data.synthetic_figure import Figure, sample_figure
from posetables.data.synthetic_painting import OVERSAMPLING, Array, Canvas, Picture, paint, shade


def photograph(
    rng: np.random.Generator, figure: Figure, stature: float, size: tuple[int, int]
) -> tuple[Picture, NDArray[np.bool_]]:
    """A picture (H, W, 3), BGR, of `size` (W, H) and which joints (14,) of the figure are hidden by the body.

    `figure` is in pixels, 0 = centre of the first pixel, and `stature` is its height if it stood upright.
    """
    canvas = Canvas.on(_clutter(rng, size))
    if rng.random() < 0.3:
        _paint_bystander(canvas, rng, stature, size)
    for capsule in dress(figure, stature, sample_kit(rng)):
        paint(canvas, capsule)
    hidden = _hidden(canvas, figure.joints, stature)
    shade(canvas, _light(rng))
    picture = cv2.resize(canvas.colour, size, interpolation=cv2.INTER_AREA)
    return _exposed(rng, picture), hidden


def _hidden(canvas: Canvas, joints: Array, stature: float) -> NDArray[np.bool_]:
    """A joint's own skin lies one radius in front of its centre; what lies more than two in front hides it."""
    girths = np.array([GIRTHS[joint.removeprefix("right ").removeprefix("left ")] for joint in LSP.joints])
    seen = np.array([canvas.depth_at(x, y) for x, y, _ in joints])
    return np.asarray(seen > joints[:, 2] + 2.2 * stature * girths)


def _paint_bystander(canvas: Canvas, rng: np.random.Generator, stature: float, size: tuple[int, int]) -> None:
    """Somebody farther away and half out of the picture, whom no label mentions."""
    smaller = stature * rng.uniform(0.6, 0.95)
    place = np.array([rng.choice([0, size[0]]), rng.uniform(0.3, 0.6) * size[1], -10 * stature])
    for capsule in dress(sample_figure(rng).placed(smaller, place), smaller, sample_kit(rng)):
        paint(canvas, capsule)


def _clutter(rng: np.random.Generator, size: tuple[int, int]) -> Picture:
    """A blurred two-tone setting with boxes, balls and limb-like bars, `OVERSAMPLING` times as large as `size`."""
    width, height = (OVERSAMPLING * side for side in size)
    coarse = rng.integers(40, 220, (1, 1, 3)) + rng.normal(0, 22, (7, 7, 3))
    coarse[rng.integers(2, 7) :] += rng.normal(0, 45, 3)
    setting = cv2.resize(np.clip(coarse, 0, 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
    for _ in range(rng.integers(5, 14)):
        colour = rng.integers(20, 235, 3).tolist()
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
    gain = rng.uniform(0.75, 1.2) + slope[0] * np.linspace(-1, 1, width) + slope[1] * np.linspace(-1, 1, height)[:, None]
    noise = rng.uniform(2, 7) * rng.standard_normal(picture.shape, np.float32)
    return np.clip(picture * gain[..., None].astype(np.float32) + noise, 0, 255).astype(np.uint8)
