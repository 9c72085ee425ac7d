"""Maps over people: where maxima are, who moved most towards the label, and what is marked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure as Drawing

from posetables.data.people import Crops
from posetables.recipe import Grid
from posetables.stages.figures.overlays import (
    COLOURS,
    distances_of,
    label_of,
    lay,
    mark,
    nearest_from_furthest,
    peak_of,
    shift_of,
)


@pytest.fixture
def crops() -> Crops:
    """Two people with one joint, at (.25, -.25); only the first has it labelled."""
    nothing = np.zeros(2)
    return Crops(
        store=np.zeros((2, 3, 4, 4), np.uint8),
        row=np.arange(2),
        density=nothing,
        joints=np.full((2, 1, 2), (0.25, -0.25)),
        labelled=np.array([[True], [False]]),
        visible=np.zeros((2, 1), bool),
        person=["a", "b"],
        center=np.zeros((2, 2)),
        side=nothing,
    )


def test_the_maximum_of_a_map_is_placed_in_the_middle_of_its_cell() -> None:
    maps = torch.zeros(1, 4, 4)
    maps[0, 1, 3] = 1
    np.testing.assert_allclose(peak_of(maps), [[0.375, -0.125]])


def test_a_map_that_is_not_square_has_the_height_of_the_box_for_its_unit() -> None:
    maps = torch.zeros(1, 4, 3)
    maps[0, 0, 2] = 1
    np.testing.assert_allclose(peak_of(maps), [[0.25, -0.375]])  # cells are a quarter of the box


@pytest.mark.parametrize(("grid", "pixel"), [("corners", 4 * 3), ("centres", 4 * 3 + 1.5)])
def test_a_cell_stands_for_the_pixel_that_its_codec_says(grid: Grid, pixel: float) -> None:
    """Of a map of 16 rows and an input of 64, whose pixel p is at (p + .5) / 64 - .5."""
    maps = torch.zeros(1, 16, 16)
    maps[0, 3, 3] = 1
    place = (pixel + 0.5) / 64 - 0.5
    np.testing.assert_allclose(peak_of(maps, shift_of(grid, 16, 64)), [[place, place]])


def test_distances_are_in_sides_of_the_box_and_of_labelled_joints_alone(crops: Crops) -> None:
    maps = torch.zeros(2, 2, 2)
    maps[:, 1, 0] = 1  # at (-.25, .25)
    np.testing.assert_allclose(distances_of(maps, crops, 0), [np.hypot(0.5, 0.5), np.nan])


def test_shown_is_who_came_nearest_from_furthest_then_the_next() -> None:
    before, after = np.array([0.1, np.nan, 0.9, 0.5, 0.3]), np.array([0.3, np.nan, 0.2, 0.1, 0.3])
    assert [nearest_from_furthest(before, after, rank) for rank in (0, 1)] == [2, 3]


@pytest.mark.parametrize(("person", "rings"), [(0, [(0.25, -0.25)]), (1, [])])
def test_a_cross_is_at_the_maximum_and_a_ring_at_the_label_if_there_is_one(
    crops: Crops, person: int, rings: list[tuple[float, float]]
) -> None:
    axes = Drawing().add_subplot()
    mark(axes, np.array([[0, 0], [1, 0]], np.float32), label_of(crops, person, 0))
    places = {line.get_marker(): [(*line.get_xdata(), *line.get_ydata())] for line in axes.lines}
    assert places.pop("x") == [(-0.25, 0.25)]
    assert places.pop("o", []) == rings


def test_a_map_covers_as_much_as_its_network_sees() -> None:
    axes = Drawing().add_subplot()
    lay(axes, np.zeros((4, 3)), COLOURS, 0.8)
    np.testing.assert_allclose(axes.images[0].get_extent(), (-0.375, 0.375, 0.5, -0.5))


def test_a_map_is_transparent_where_it_is_least() -> None:
    axes = Drawing().add_subplot()
    lay(axes, np.array([[1.0, 3.0], [2.0, 1.0]]), COLOURS, 0.8)
    np.testing.assert_allclose(axes.images[0].get_alpha(), [[0, 0.8], [0.4, 0]])
