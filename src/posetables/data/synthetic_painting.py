"""Tapered capsules painted into a depth buffer, so that limbs hide each other exactly where they should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
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

    start: Array
    end: Array
    radii: tuple[float, float]
    texture: Texture


def paint(canvas: Canvas, capsule: Capsule) -> None:
    """Paints a capsule wherever it is nearer than what is there."""
    (left, top), (right, bottom) = _extent(canvas, capsule)
    roi = slice(top, bottom), slice(left, right)
    x, y = (((np.arange(*r) + 0.5) / OVERSAMPLING - 0.5).astype(np.float32) for r in ((left, right), (top, bottom)))
    along, depth = _cast(capsule, x[None, :], y[:, None])
    nearer = depth > canvas.depth[roi]
    rows, columns = np.nonzero(nearer)
    canvas.depth[roi][nearer] = depth[nearer]
    surface = np.stack([x[columns], y[rows], depth[nearer]], axis=1)
    canvas.colour[roi][nearer] = capsule.texture(along[nearer], surface)


def shade(canvas: Canvas, light: Array) -> None:
    """Lights what was painted from the unit vector `light` (3,), by the slope of the depth buffer."""
    left, top, width, height = cv2.boundingRect(np.isfinite(canvas.depth).astype(np.uint8))
    if not width:
        return
    roi = slice(top, top + height), slice(left, left + width)
    depth, painted = canvas.depth[roi], np.isfinite(canvas.depth[roi])
    relief = cv2.GaussianBlur(np.where(painted, depth, depth[painted].min()), (0, 0), 1.5)
    slope_x, slope_y = (cv2.Sobel(relief, cv2.CV_32F, dx, 1 - dx, scale=OVERSAMPLING / 8) for dx in (1, 0))
    facing = (light[2] - light[0] * slope_x - light[1] * slope_y) / np.sqrt(1 + slope_x**2 + slope_y**2)
    brightness = np.where(painted, 0.5 + 0.55 * np.maximum(facing, 0), 1).astype(np.float32)
    canvas.colour[roi] = np.minimum(canvas.colour[roi] * brightness[..., None], 255)


def _extent(canvas: Canvas, capsule: Capsule) -> NDArray[np.int64]:
    """First and one-past-last (column, row) of the samples that a capsule may touch."""
    ends = np.stack([capsule.start, capsule.end])[:, :2]
    reach = max(capsule.radii)
    corners = np.stack([ends.min(0) - reach, ends.max(0) + reach + 1])
    size = canvas.depth.shape[1], canvas.depth.shape[0]
    return np.clip((corners + 0.5) * OVERSAMPLING, 0, size).astype(np.int64)


def _cast(capsule: Capsule, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Where lines of sight first meet the capsule: position on its axis and depth, -inf for a miss.

    Exact for equal radii; close where a limb tapers gently.
    """
    (ax, ay, az), (dx, dy, dz) = (v.astype(np.float32) for v in (capsule.start, capsule.end - capsule.start))
    first, last = np.float32(capsule.radii[0]), np.float32(capsule.radii[1])
    flat = max(dx * dx + dy * dy, np.float32(1e-4))
    x, y = x - ax, y - ay
    foot = (x * dx + y * dy) / flat
    distance = x * x + y * y
    chord = np.sqrt(np.maximum(((first + last) / 2) ** 2 - distance + foot * foot * flat, 0))
    along = np.clip(foot + chord * (dz / np.sqrt(flat * (flat + dz * dz))), 0, 1)
    inside = (first + along * (last - first)) ** 2 - distance + along * (2 * foot - along) * flat
    return along, np.where(inside > 0, az + along * dz + np.sqrt(np.maximum(inside, 0)), -np.inf)
