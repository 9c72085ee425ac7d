"""Decoding: each way against its definition in loops, and where nothing may move."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from posetables.data.decoding import decode, modulated
from posetables.errors import InputError

Way = Literal["maximum", "quarter", "dark"]
WIDTH, HEIGHT = 12, 16


def noise(seed: int, people: int = 6) -> Tensor:
    """(people, 4, h, w) smooth enough that every curvature has a sign, rough enough to have maxima anywhere."""
    rough = np.random.default_rng(seed).normal(0.2, 1, (people, 4, HEIGHT, WIDTH))
    smooth = [cv2.GaussianBlur(each, (5, 5), 1.2) for each in rough.reshape(-1, HEIGHT, WIDTH)]
    return torch.from_numpy(np.stack(smooth).reshape(rough.shape)).float()


def bump(x: float, y: float, sigma: float = 2.0, width: int = 48, height: int = 64) -> Tensor:
    """(1, 1, h, w) a Gaussian."""
    rows, columns = np.mgrid[:height, :width]
    heights = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return torch.from_numpy(heights)[None, None].float()


def peaked(x: int, y: int, **neighbours: float) -> Tensor:
    """(1, 1, h, w) 1 in one cell; left, right, above and below of it as told, and 0 elsewhere."""
    maps = torch.zeros(1, 1, HEIGHT, WIDTH)
    for name, (right, down) in {"left": (-1, 0), "right": (1, 0), "above": (0, -1), "below": (0, 1)}.items():
        if name in neighbours:
            maps[0, 0, y + down, x + right] = neighbours[name]
    maps[0, 0, y, x] = 1
    return maps


def place(maps: Tensor, way: Way, kernel: int = 0) -> list[float]:
    cells, _ = decode(maps, way, kernel)
    return [float(value) for value in cells[0, 0]]


# The definitions, map by map


def slow_maximum(heat: np.ndarray) -> tuple[int, int]:
    best, at = 0.0, (0, 0)
    for y in range(heat.shape[0]):
        for x in range(heat.shape[1]):
            if heat[y, x] > best:
                best, at = heat[y, x], (x, y)
    return at


def slow_quarter(heat: np.ndarray) -> tuple[float, float]:
    x, y = slow_maximum(heat)
    if not (1 < x < heat.shape[1] - 1 and 1 < y < heat.shape[0] - 1):
        return x, y
    return (
        x + 0.25 * np.sign(heat[y, x + 1] - heat[y, x - 1]),
        y + 0.25 * np.sign(heat[y + 1, x] - heat[y - 1, x]),
    )


def slow_modulated(heat: np.ndarray, kernel: int) -> np.ndarray:
    """Under the Gaussian of OpenCV's rule for sigma, cell by cell."""
    sigma, reach = 0.3 * ((kernel - 1) * 0.5 - 1) + 0.8, kernel // 2
    height, width = heat.shape
    smooth, total = np.zeros(heat.shape), 0.0
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            weight = np.exp(-(right**2 + down**2) / (2 * sigma**2))
            total += weight
            for y in range(max(0, -down), min(height, height - down)):
                for x in range(max(0, -right), min(width, width - right)):
                    smooth[y, x] += weight * heat[y + down, x + right]
    smooth /= total
    return smooth * heat.max() / smooth.max()


def slow_dark(heat: np.ndarray, kernel: int) -> tuple[float, float]:
    x, y = slow_maximum(heat)
    if not (1 < x < heat.shape[1] - 2 and 1 < y < heat.shape[0] - 2):
        return x, y
    log = np.log(np.maximum(slow_modulated(heat, kernel), 1e-10))

    def slope_x(x: int, y: int) -> float:
        return float(log[y, x + 1] - log[y, x - 1]) / 2

    def slope_y(x: int, y: int) -> float:
        return float(log[y + 1, x] - log[y - 1, x]) / 2

    first = np.array([slope_x(x, y), slope_y(x, y)])
    second = np.array(
        [
            [(slope_x(x + 1, y) - slope_x(x - 1, y)) / 2, (slope_x(x, y + 1) - slope_x(x, y - 1)) / 2],
            [(slope_y(x + 1, y) - slope_y(x - 1, y)) / 2, (slope_y(x, y + 1) - slope_y(x, y - 1)) / 2],
        ]
    )
    step = -np.linalg.solve(second, first)
    return float(x + step[0]), float(y + step[1])


def test_the_maximum_is_the_cell_that_is_found_by_looking_at_all() -> None:
    maps = noise(0)
    cells, score = decode(maps, "maximum")
    for person in range(len(maps)):
        for joint in range(maps.shape[1]):
            heat = maps[person, joint].numpy()
            assert tuple(cells[person, joint].tolist()) == slow_maximum(heat)
            assert score[person, joint] == heat.max()


def test_the_quarter_offset_is_its_definition() -> None:
    maps = noise(1, people=20)
    cells, _ = decode(maps, "quarter")
    slow = [[slow_quarter(heat) for heat in person] for person in maps.double().numpy()]
    np.testing.assert_allclose(cells, slow)


def test_dark_is_its_definition() -> None:
    # Above 0, as its logarithm cuts what is below, and of flat ground no step is told.
    maps = noise(2) + 3
    cells, _ = decode(maps, "dark", 9)
    slow = [[slow_dark(heat, 9) for heat in person] for person in maps.double().numpy()]
    np.testing.assert_allclose(cells, slow, rtol=1e-5, atol=1e-5)
    assert (cells != cells.round()).any(-1).float().mean() > 0.3


@pytest.mark.parametrize("kernel", [3, 5, 7, 11, 17])
def test_modulation_is_that_of_opencv_on_a_map_with_zeros_around_it(kernel: int) -> None:
    maps = noise(3).clamp(min=0).double()
    border = kernel // 2
    for heat, found in zip(maps.flatten(0, 1).numpy(), modulated(maps, kernel).flatten(0, 1).numpy(), strict=True):
        smooth = cv2.GaussianBlur(np.pad(heat, border), (kernel, kernel), 0)[border:-border, border:-border]
        np.testing.assert_allclose(found, smooth * heat.max() / smooth.max(), atol=1e-7)


# Known answers


@pytest.mark.parametrize(("sigma", "kernel"), [(2.0, 11), (3.0, 17)])
@pytest.mark.parametrize(("x", "y"), [(20.0, 30.0), (20.3, 30.4), (19.51, 30.49), (25.2, 28.75)])
def test_dark_finds_the_middle_of_a_gaussian_between_cells(sigma: float, kernel: int, x: float, y: float) -> None:
    assert place(bump(x, y, sigma), "dark", kernel) == pytest.approx([x, y], abs=1e-3)


def test_the_quarter_offset_goes_to_the_greater_neighbours() -> None:
    assert place(peaked(5, 6, left=0.2, right=0.3, above=0.5, below=0.4), "quarter") == [5.25, 5.75]


def test_the_quarter_offset_stays_between_neighbours_that_are_alike() -> None:
    assert place(peaked(5, 6, left=0.2, right=0.2, above=0.5, below=0.4), "quarter") == [5, 5.75]


@pytest.mark.parametrize("way", ["quarter", "dark"])
@pytest.mark.parametrize("at", [(1, 8), (6, 1), (0, 8), (6, 0), (WIDTH - 1, 8), (6, HEIGHT - 1)])
def test_a_maximum_at_the_border_stays_in_its_cell(way: Way, at: tuple[int, int]) -> None:
    x, y = at
    assert place(bump(x + 0.1, y + 0.1, 1.5, WIDTH, HEIGHT), way, 5) == [x, y]


@pytest.mark.parametrize(("x", "y"), [(2, 8), (6, 2), (WIDTH - 2, 8), (6, HEIGHT - 2)])
def test_the_quarter_offset_begins_in_the_third_row_and_ends_in_the_last_but_one(x: int, y: int) -> None:
    assert place(bump(x + 0.1, y + 0.1, 1.5, WIDTH, HEIGHT), "quarter") == [x + 0.25, y + 0.25]


@pytest.mark.parametrize(("x", "y"), [(WIDTH - 2, 8), (6, HEIGHT - 2)])
def test_dark_ends_a_row_earlier(x: int, y: int) -> None:
    assert place(bump(x + 0.1, y + 0.1, 1.5, WIDTH, HEIGHT), "dark", 5) == [x, y]


@pytest.mark.parametrize("way", ["maximum", "quarter", "dark"])
@pytest.mark.parametrize("height", [0.0, -1.0])
def test_a_map_that_is_nowhere_above_0_has_its_joint_in_the_first_cell(way: Way, height: float) -> None:
    maps = torch.full((1, 1, HEIGHT, WIDTH), height - 1)
    maps[0, 0, 7, 5] = height
    cells, score = decode(maps, way, 11)
    assert cells.tolist() == [[[0, 0]]] and score.tolist() == [[height]]


def test_the_score_is_the_height_of_the_map_before_modulation() -> None:
    assert decode(0.75 * bump(20.0, 30.0), "dark", 11)[1].item() == 0.75


def test_dark_stays_where_modulation_leaves_flat_ground() -> None:
    # The highest cell stands alone in a hollow, which the modulation fills; its highest place is elsewhere.
    maps = 0.9 * bump(10.0, 10.0)
    maps[0, 0, 26:45, 16:35] = -1
    maps[0, 0, 35, 25] = 1
    assert place(maps, "dark", 11) == [25, 35]


def test_a_joint_is_the_same_alone_and_among_others() -> None:
    maps = noise(4) + 3
    together, _ = decode(maps, "dark", 11)
    assert torch.equal(decode(maps[2:3, 1:2], "dark", 11)[0], together[2:3, 1:2])


@pytest.mark.parametrize("kernel", [0, 10])
def test_a_kernel_without_a_middle_is_refused(kernel: int) -> None:
    with pytest.raises(InputError, match=f"kernel: {kernel} cells have no middle"):
        decode(noise(5), "dark", kernel)
