"""Tapered capsules painted into a depth buffer, so that limbs hide each other exactly where they should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]
Texture = Callable[[Floats, Floats], Floats]
"""(position along the axis (n,) in 0..1, points of the surface (n, 3)) -> colours (n, 3), BGR in 0..255."""

OVERSAMPLING = 2


@dataclass(frozen=True)
class Canvas:
    """A picture under way, `OVERSAMPLING` samples a pixel: colour (H, W, 3) and depth (H, W), which grows towards us.

    Points are in pixels of the final picture, 0 is the centre of its first pixel; depth is in pixels too.
    """

    colour: Picture
    depth: Floats

    @classmethod
    def on(cls, background: Picture) -> Canvas:
        """An empty stage before a background that is already `OVERSAMPLING` times as large as the picture."""
        return cls(background, np.full(background.shape[:2], -np.inf, np.float32))

    def depth_at(self, x: float, y: float) -> float:
        """Depth of what is seen at a point; -inf on the background and outside the picture."""
        column, row = (int(np.floor((v + 0.5) * OVERSAMPLING)) for v in (x, y))
        inside = 0 <= row < self.depth.shape[0] and 0 <= column < self.depth.shape[1]
        return float(self.depth[row, column]) if inside else -np.inf


@dataclass(frozen=True)
class Capsule:
    """A round cone from `start` to `end` (3,), with a radius at either end; all in pixels."""

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    radii: tuple[float, float]
    texture: Texture


def paint(canvas: Canvas, capsule: Capsule) -> None:
    """Paints a capsule wherever it is nearer than what is there."""
    left, top, right, bottom = _extent(canvas, capsule)
    if left >= right or top >= bottom:
        return
    roi = slice(top, bottom), slice(left, right)
    x, y = (((np.arange(*r) + 0.5) / OVERSAMPLING - 0.5).astype(np.float32) for r in ((left, right), (top, bottom)))
    along, depth = _cast(capsule, x[None, :], y[:, None])
    nearer = depth > canvas.depth[roi]
    rows, columns = np.nonzero(nearer)
    depth = depth[rows, columns]
    canvas.depth[roi][rows, columns] = depth
    surface = np.column_stack([x[columns], y[rows], depth])
    canvas.colour[roi][rows, columns] = capsule.texture(along[rows, columns], surface)


def shade(canvas: Canvas, light: NDArray[np.float64]) -> None:
    """Lights what was painted from the unit vector `light` (3,), by the slope of the depth buffer."""
    left, top, width, height = cv2.boundingRect(np.isfinite(canvas.depth).astype(np.uint8))
    if not width:
        return
    roi = slice(top, top + height), slice(left, left + width)
    depth, painted = canvas.depth[roi], np.isfinite(canvas.depth[roi])
    relief = cv2.GaussianBlur(np.where(painted, depth, depth[painted].min()), (0, 0), 1.5)
    rows, columns = np.nonzero(painted)
    slope_x, slope_y = (
        cv2.Sobel(relief, cv2.CV_32F, dx, 1 - dx, scale=OVERSAMPLING / 8)[rows, columns] for dx in (1, 0)
    )
    right, down, near = light.astype(np.float32)
    facing = (near - right * slope_x - down * slope_y) / np.sqrt(1 + slope_x**2 + slope_y**2)
    brightness = 0.5 + 0.55 * np.maximum(facing, 0)
    canvas.colour[roi][rows, columns] = np.minimum(canvas.colour[roi][rows, columns] * brightness[:, None], 255)


def sample_colour(rng: np.random.Generator, *hsv: tuple[int, int]) -> Floats:
    """A colour (3,) BGR in 0..255 between two corners of OpenCV's HSV space, where hue runs to 180."""
    pixel = np.array([[[rng.integers(*channel) for channel in hsv]]], np.uint8)
    return np.asarray(cv2.cvtColor(pixel, cv2.COLOR_HSV2BGR)[0, 0], np.float32)


def _extent(canvas: Canvas, capsule: Capsule) -> tuple[int, int, int, int]:
    """First column and row of the samples that a capsule may touch, and one past the last column and row."""
    height, width = canvas.depth.shape
    (x0, y0, _), (x1, y1, _) = capsule.start.tolist(), capsule.end.tolist()
    reach = max(capsule.radii) + 0.5
    low = (int(max(OVERSAMPLING * (min(ends) - reach + 0.5), 0)) for ends in ((x0, x1), (y0, y1)))
    high = (int(max(OVERSAMPLING * (max(ends) + reach + 1), 0)) for ends in ((x0, x1), (y0, y1)))
    left, top, right, bottom = *low, *high
    return left, top, min(right, width), min(bottom, height)


def _cast(capsule: Capsule, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Where lines of sight first meet the capsule: position on its axis and depth, -inf for a miss.

    The ball at t on the axis is met at z + t dz + sqrt(a t^2 + b t + c); the nearest of all balls is where the
    derivative is zero, or at an end. Seen end-on, where a would not be negative, the near end stands for the whole.
    """
    (x0, y0, z), (dx, dy, dz) = (v.astype(np.float32) for v in (capsule.start, capsule.end - capsule.start))
    radius, taper = np.float32(capsule.radii[0]), np.float32(capsule.radii[1] - capsule.radii[0])
    x, y = x - x0, y - y0
    a = min(taper * taper - dx * dx - dy * dy, np.float32(-1e-3))
    b = 2 * (x * dx + y * dy + radius * taper)
    c = radius * radius - x * x - y * y
    lean = np.sqrt(np.maximum(b * b - 4 * a * c, 0)) * (dz / np.sqrt(dz * dz - a))
    t = np.clip((b + lean) / (-2 * a), 0, 1)
    chord = (a * t + b) * t + c
    return t, np.where(chord > 0, z + t * dz + np.sqrt(np.maximum(chord, 0)), -np.inf)
