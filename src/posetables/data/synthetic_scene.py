"""One synthetic photograph: a person before clutter, sometimes beside somebody else, under uneven light."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from posetables.data.skeletons.lsp import SKELETON as LSP
from posetables.data.synthetic_clothes import GIRTHS, dress, sample_kit
from posetables.data.synthetic_figure import Array, Figure, sample_figure
from posetables.data.synthetic_painting import OVERSAMPLING, Canvas, Picture, paint, sample_colour, shade

MUTED = (0, 180), (0, 140), (40, 240)
"""HSV of settings and of what stands about in them: less vivid than clothes, as a rule."""


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
    picture = np.asarray(cv2.resize(canvas.colour, size, interpolation=cv2.INTER_AREA), np.uint8)
    return _exposed(rng, picture), hidden


def _hidden(canvas: Canvas, joints: Array, stature: float) -> NDArray[np.bool_]:
    """Whether something hides each joint: more than a hand's breadth in front of the limb that it belongs to.

    The margin is fitted: it leaves about as many joints hidden as are marked in LSP, 7 in 100.
    """
    girths = np.array([GIRTHS[joint.removeprefix("right ").removeprefix("left ")] for joint in LSP.joints])
    seen = np.array([canvas.depth_at(x, y) for x, y, _ in joints])
    return np.asarray(seen > joints[:, 2] + stature * (2 * girths + 0.045))


def _paint_bystander(canvas: Canvas, rng: np.random.Generator, stature: float, size: tuple[int, int]) -> None:
    """Somebody farther away and half out of the picture, whom no label mentions."""
    smaller = stature * rng.uniform(0.6, 0.95)
    place = np.array([rng.choice([0, size[0]]), rng.uniform(0.3, 0.6) * size[1], -10 * stature])
    for capsule in dress(sample_figure(rng).placed(smaller, place), smaller, sample_kit(rng)):
        paint(canvas, capsule)


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
