"""What figures share: people cut out of stored crops, colours and names of layers."""

from __future__ import annotations

import numpy as np
import pytest

from posetables.data import skeletons
from posetables.data.people import Crops
from posetables.stages.crop import cut
from posetables.stages.figures.page import LAYERS, evenly_spaced, kinds_of_layers, picture

SIDE = 100


def crops_of(image: np.ndarray, center: tuple[float, float], side: float, density: float) -> Crops:
    """One person, stored as the stage `crop` does."""
    store = cut(image, np.array(center), density / side, SIDE).transpose(2, 0, 1)[None]
    given = {"row": np.array([0]), "density": np.array([density]), "center": np.array([center])}
    nobody = {"joints": np.zeros((1, 0, 2)), **dict.fromkeys(("labelled", "visible"), np.zeros((1, 0), bool))}
    return Crops(store=store, person=["im0001"], side=np.array([side]), **given, **nobody)


@pytest.mark.parametrize(("side", "density"), [(60, 60), (60, 30), (30, 60.5)])
def test_a_pixel_is_where_its_box_coordinates_say(side: float, density: float) -> None:
    image = np.full((80, 120, 3), 40, np.uint8)
    image[36:39, 65:68] = 255  # around x = 66, y = 37
    seen = picture(crops_of(image, (70, 35), side, density), 0)
    x, y = (66 - 70) / side, (37 - 35) / side
    left, right, bottom, top = seen.extent
    height, width = seen.pixels.shape[:2]
    column, row = (x - left) / (right - left) * width, (y - top) / (bottom - top) * height
    bright = seen.pixels[..., 0] - 40.0
    middle = [np.average(np.arange(len(line)) + 0.5, weights=line) for line in (bright.sum(1), bright.sum(0))]
    np.testing.assert_allclose(middle, (row, column), atol=0.1)


def test_what_lies_outside_of_the_image_is_not_shown() -> None:
    image = np.full((90, 30, 3), 200, np.uint8)
    seen = picture(crops_of(image, (14.5, 44.5), 90, 45), 0)
    assert seen.pixels.min() > 190
    assert seen.aspect == pytest.approx(1 / 3, abs=0.03)
    left, right, bottom, top = seen.extent
    np.testing.assert_allclose((left, right, bottom, top), (-1 / 6, 1 / 6, 0.5, -0.5), atol=0.03)


@pytest.mark.parametrize("aspect", [0.75, 1.25])
def test_a_box_that_is_not_square_keeps_its_height(aspect: float) -> None:
    image = np.full((200, 200, 3), 200, np.uint8)
    seen = picture(crops_of(image, (100, 100), 80, 80), 0, aspect)
    assert seen.pixels.shape == (80, 80 * aspect, 3)
    np.testing.assert_allclose(seen.extent, (-aspect / 2, aspect / 2, 0.5, -0.5))


def test_an_empty_box_is_shown_whole() -> None:
    image = np.full((10, 10, 3), 200, np.uint8)
    assert picture(crops_of(image, (500, 500), 60, 60), 0).pixels.shape == (60, 60, 3)


@pytest.mark.parametrize(("people", "count", "taken"), [(12, 3, [2, 6, 10]), (10, 4, [1, 3, 6, 8]), (2, 5, [0, 1])])
def test_people_are_the_middles_of_equal_parts_of_the_split(people: int, count: int, taken: list[int]) -> None:
    assert evenly_spaced(people, count) == taken


def test_layers_of_two_skeletons_share_names_and_sides_are_one() -> None:
    kinds = kinds_of_layers([skeletons.named("lsp"), skeletons.named("flic")])
    assert kinds[0] == "neck"
    assert set(kinds[1].split(", ")) == {"head top", "nose", "shoulder", "hip"}


@pytest.mark.parametrize("name", skeletons.names())
def test_every_layer_of_every_skeleton_has_a_colour(name: str) -> None:
    assert len(skeletons.named(name).layers) <= len(LAYERS)
