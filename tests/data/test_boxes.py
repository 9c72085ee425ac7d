"""From the square around a person to the region that a network reads whose input is not square."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from posetables.data import boxes
from posetables.data.readers.coco import clean

BOX = st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(1, 60), st.floats(1, 60))


@settings(deadline=None)
@given(st.lists(BOX, min_size=1, max_size=6), st.sampled_from([0.5, 0.75, 1.0]))
def test_the_region_of_an_input_that_is_not_square_is_the_smallest_that_holds_the_square_ones_box(
    those: list[tuple[float, ...]], aspect: float
) -> None:
    array = np.array(those)
    height = boxes.square(array)[1] * boxes.stretched(array, aspect) / boxes.PADDING
    spare = np.stack([aspect * height - array[:, 2], height - array[:, 3]])
    np.testing.assert_allclose(spare.min(0), 0, atol=1e-9)


def test_a_square_is_stretched_by_what_the_wider_side_of_its_box_lacks() -> None:
    found = np.array([[0.0, 0, 30, 40], [0, 0, 20, 40], [0, 0, 40, 40], [0, 0, 40, 10], [5, 5, 0, 0]])
    np.testing.assert_allclose(boxes.stretched(found, 0.75), [1, 1, 4 / 3, 4 / 3, 1])
    np.testing.assert_array_equal(boxes.stretched(found, 1.0), np.ones(5))


def test_the_centre_of_a_square_tells_the_box_that_it_was_put_around() -> None:
    sizes, found = np.array([[100.0, 80]] * 2), np.array([[10.0, 20, 31, 41], [60, 40, 41, 41]])
    cleaned = clean(found, sizes)
    np.testing.assert_allclose(boxes.framed(found, boxes.square(found)[0]), found)
    np.testing.assert_allclose(boxes.framed(found, boxes.square(cleaned)[0]), cleaned)
