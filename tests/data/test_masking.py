"""Keypoint masking (MSSA sec. 3.4): what is laid where, seen in the pixels."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from posetables.data import masking
from posetables.data.codecs import Truth
from posetables.recipe import Masking

SIDE, PATCH = 64, 8
COVERED, COPIED = 0.0, 0.9
"""What is drawn for the one kind, and for the other, where each is as likely."""


def numbered() -> Tensor:
    """An image (1, 3, S, S) of which no two pixels are alike."""
    return torch.arange(3 * SIDE * SIDE, dtype=torch.float32).reshape(1, 3, SIDE, SIDE)


def truth(*joints: tuple[float, float], labelled: tuple[bool, ...] | None = None) -> Truth:
    known = torch.tensor([labelled or (True,) * len(joints)])
    return Truth(joints=torch.tensor([joints], dtype=torch.float32), labelled=known, visible=known, size=SIDE)


def masked(people: Truth, kind: float, *, which: float = 0.0, where: float = 0.5, **changes: Any) -> Tensor:
    image = numbered()
    recipe = Masking(**({"probability": 1.0, "patch": PATCH} | changes))
    masking.mask(image, people, recipe, np.array([[0.0, kind, which, where]]))
    return image[0]


def changed(image: Tensor) -> tuple[slice, slice]:
    """Rows and columns that are not those of the numbered image."""
    differs = (image != numbered()[0]).any(0)
    rows, columns = (differs.any(axis).nonzero()[:, 0].tolist() for axis in (1, 0))
    assert differs[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def source_of(image: Tensor, rows: slice, columns: slice) -> tuple[int, int]:
    """Row and column in the numbered image of what the patch shows at its upper left."""
    first = int(image[0, rows.start, columns.start])
    return first // SIDE, first % SIDE


def test_a_covered_joint_lies_under_a_patch_of_the_background() -> None:
    people = truth((20.0, 30.0), (50.0, 50.0))
    image = masked(people, COVERED)
    rows, columns = changed(image)
    assert (rows, columns) == (slice(27, 35), slice(17, 25))
    row, column = source_of(image, rows, columns)
    assert torch.equal(image[:, rows, columns], numbered()[0, :, row : row + PATCH, column : column + PATCH])
    for x, y in people.joints[0].tolist():
        assert not (column <= x < column + PATCH and row <= y < row + PATCH)


def test_a_copied_joint_appears_on_the_background_and_stays_where_it_is() -> None:
    image = masked(truth((20.0, 30.0)), COPIED)
    rows, columns = changed(image)
    assert source_of(image, rows, columns) == (27, 17)
    assert (rows.stop - rows.start, columns.stop - columns.start) == (PATCH, PATCH)
    assert torch.equal(image[:, 27:35, 17:25], numbered()[0, :, 27:35, 17:25])


@pytest.mark.parametrize("where", [0.0, 0.3, 0.6, 0.99])
def test_a_joint_is_copied_to_a_place_nearby(where: float) -> None:
    rows, columns = changed(masked(truth((6.0, 6.0)), COPIED, where=where))
    reach = masking.NEARBY * PATCH
    assert abs(rows.start + PATCH / 2 - 6) <= reach + 1
    assert abs(columns.start + PATCH / 2 - 6) <= reach + 1


def test_joints_that_nobody_labelled_or_that_lie_outside_are_left_alone() -> None:
    people = truth((20.0, 30.0), (-5.0, 10.0), (63.0, 63.0), labelled=(False, True, True))
    assert torch.equal(masked(people, COVERED), numbered()[0])


def test_a_person_whose_draw_is_above_the_probability_stays_whole() -> None:
    image = numbered()
    masking.mask(image, truth((20.0, 30.0)), Masking(probability=0.5, patch=PATCH), np.array([[0.5, 0, 0, 0]]))
    assert torch.equal(image, numbered())


def test_without_any_background_a_person_stays_whole() -> None:
    crowd = truth(*((float(x), float(y)) for x in range(4, SIDE, PATCH) for y in range(4, SIDE, PATCH)))
    assert torch.equal(masked(crowd, COVERED), numbered()[0])


@pytest.mark.parametrize("kind", [COVERED, COPIED])
@pytest.mark.parametrize("where", [0.0, 0.25, 0.5, 0.75])
def test_what_lies_outside_of_the_photograph_is_no_background(kind: float, where: float) -> None:
    """All but a square around the joint is of one colour, as around a photograph that fills a part of the input."""
    image, photograph = torch.zeros(1, 3, SIDE, SIDE), (slice(16, 48), slice(16, 48))
    image[0][:, *photograph] = numbered()[0][:, *photograph] + 1
    before, recipe = image.clone(), Masking(probability=1, patch=PATCH)
    masking.mask(image, truth((32.0, 32.0)), recipe, np.array([[0.0, kind, 0.0, where]]))
    changed = (image != before)[0].any(0)
    assert changed.any()
    assert (image[0][:, changed] != 0).float().mean() > 0.5
    assert not changed[:12].any() and not changed[52:].any() and not changed[:, :12].any() and not changed[:, 52:].any()


@pytest.mark.parametrize("kind", [COVERED, COPIED])
def test_patches_of_an_input_that_is_not_square_stay_inside(kind: float) -> None:
    high = torch.arange(3 * SIDE * 24, dtype=torch.float32).reshape(1, 3, SIDE, 24)
    people, recipe = truth((12.0, 30.0)), Masking(probability=1, patch=PATCH)
    for where in np.linspace(0, 0.99, 12):
        (patch,) = masking.patches(high, people, recipe, np.array([[0.0, kind, 0.0, where]]))
        assert patch is not None
        for x, y in (patch.source, patch.target):
            assert 0 <= x <= 24 - PATCH and 0 <= y <= SIDE - PATCH


def test_a_joint_is_masked_beyond_the_height_of_a_wide_input() -> None:
    wide = torch.arange(3 * 24 * SIDE, dtype=torch.float32).reshape(1, 3, 24, SIDE)
    people, recipe = dataclasses.replace(truth((50.0, 12.0)), size=24), Masking(probability=1, patch=PATCH)
    (patch,) = masking.patches(wide, people, recipe, np.array([[0.0, COVERED, 0.0, 0.5]]))
    assert patch is not None and patch.target == (47, 9)


def test_the_middle_of_a_patch_is_on_average_the_joint() -> None:
    places = np.linspace(20, 30, 201)
    for side in (7, 8):
        patch = [masking._corners(np.array([[x, x]]), side)[0, 0] + (side - 1) / 2 for x in places]
        assert abs(np.mean(patch - places)) < 0.05


def test_people_epochs_and_seeds_have_draws_of_their_own() -> None:
    draws = [masking.draw(seed, epoch, 50) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    assert np.array_equal(draws[0][:10], masking.draw(0, 0, 10))
    assert len({row.tobytes() for drawn in draws for row in drawn}) == 150


def test_half_of_the_masked_people_have_each_kind() -> None:
    drawn = masking.draw(0, 0, 4000)
    share = np.mean(drawn[:, 1] < Masking(probability=1, patch=PATCH).background)
    assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(4000)
