"""Maps pasted onto the image: the joint is where a plain paste of every map has its maximum."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from posetables.data.regions import joints_on_image


def read(grid: np.ndarray, x: float, y: float) -> float:
    """A map (h, w) at x, y in cells, bilinear; beyond the centres of the outermost cells as these are."""
    height, width = grid.shape
    x, y = min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)
    left, top = min(math.floor(x), width - 2), min(math.floor(y), height - 2)
    right, below = x - left, y - top
    return (
        (1 - right) * (1 - below) * grid[top, left]
        + right * (1 - below) * grid[top, left + 1]
        + (1 - right) * below * grid[top + 1, left]
        + right * below * grid[top + 1, left + 1]
    )


def pasted(
    maps: np.ndarray, scales: Sequence[float], center: Sequence[float], side: float
) -> dict[tuple[int, int], float]:
    """The mean of maps (S, h, w) at every pixel of the image that lies in any region."""
    mean: dict[tuple[int, int], float] = {}
    for grid, scale in zip(maps, scales, strict=True):
        for y in range(-60, 120):
            for x in range(-60, 120):
                u, v = (x - center[0]) / (scale * side), (y - center[1]) / (scale * side)
                if abs(u) <= 0.5 and abs(v) <= 0.5:
                    value = read(grid, (u + 0.5) * grid.shape[1] - 0.5, (v + 0.5) * grid.shape[0] - 0.5)
                    mean[x, y] = mean.get((x, y), 0.0) + value / len(scales)
    return mean


@pytest.mark.parametrize("scales", [(1.0,), (0.7, 1.0, 1.2)])
@pytest.mark.parametrize(("center", "side"), [((20.0, 31.0), 40.0), ((7.3, 30.6), 33.7), ((-4.5, 2.25), 9.5)])
def test_the_joint_is_the_maximum_of_a_plain_paste(
    scales: tuple[float, ...], center: tuple[float, float], side: float
) -> None:
    maps = np.random.default_rng(0).random((len(scales), 3, 6, 5)).astype(np.float32)
    places, values = joints_on_image(torch.from_numpy(maps), scales, np.array(center), side)
    for joint in range(3):
        canvas = pasted(maps[:, joint].astype(np.float64), scales, center, side)
        highest = max(canvas, key=lambda place: canvas[place])
        assert tuple(places[joint].tolist()) == highest
        assert values[joint].item() == pytest.approx(canvas[highest], rel=1e-5)


def test_a_region_counts_as_nothing_outside_of_itself() -> None:
    # By hand: pixel (90, 50) lies in the larger region alone, so its 1 becomes .5; (50, 50) has .3 + .3.
    larger, smaller = torch.zeros(5, 5), torch.zeros(5, 5)
    larger[2, 4], larger[2, 2], smaller[2, 2] = 1.0, 0.6, 0.6
    maps = torch.stack([larger, smaller])[:, None]
    places, values = joints_on_image(maps, (1.0, 0.2), np.array([50.0, 50.0]), 100.0)
    assert places[0].tolist() == [50, 50]
    assert values[0].item() == pytest.approx(0.6)


def test_a_box_smaller_than_a_pixel_has_one() -> None:
    places, values = joints_on_image(torch.ones(1, 1, 4, 4), (1.0,), np.array([10.4, 3.6]), 0.5)
    assert places.tolist() == [[10, 4]]
    assert values.shape == (1,)
