import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from posetables.metrics import pcp

# Joints 0 and 1 are the hips, 2 and 3 the shoulders; in `PERSON` torso and left side are sticks of length 10.
TORSO, SIDE = ((0, 1), (2, 3)), ((0,), (2,))
PERSON = np.array([[[0.0, 10.0], [8.0, 10.0], [0.0, 0.0], [8.0, 0.0]]])
LABELLED = np.ones((1, 4), bool)


def moved(joint: int, right: float) -> np.ndarray:
    predicted = PERSON.copy()
    predicted[0, joint, 0] += right
    return predicted


def test_end_exactly_half_a_stick_away_is_correct_and_farther_is_not() -> None:
    assert pcp.strict(moved(0, 5.0), PERSON, LABELLED, [SIDE]).tolist() == [[1.0]]
    assert pcp.strict(moved(0, 5.01), PERSON, LABELLED, [SIDE]).tolist() == [[0.0]]


def test_one_good_end_does_not_make_up_for_the_other() -> None:
    # The mean error, 3 pixels, is within half a stick: the loose variant would accept.
    assert pcp.strict(moved(2, 6.0), PERSON, LABELLED, [SIDE]).tolist() == [[0.0]]


def test_torso_runs_between_the_middles_of_hips_and_shoulders() -> None:
    # One hip is 8 pixels off, their middle 4, which is within half of 10.
    assert pcp.strict(moved(0, 8.0), PERSON, LABELLED, [TORSO]).tolist() == [[1.0]]


def test_missing_joint_makes_its_sticks_wrong_but_counted() -> None:
    assert pcp.strict(moved(0, np.nan), PERSON, LABELLED, [TORSO, SIDE, ((1,), (3,))]).tolist() == [[0.0, 0.0, 1.0]]


def test_stick_with_an_unlabelled_joint_is_not_counted() -> None:
    labelled = np.array([[True, False, True, True]])
    assert np.isnan(pcp.strict(PERSON, PERSON, labelled, [TORSO, SIDE])).tolist() == [[True, False]]


def test_stick_of_no_length_is_met_only_exactly() -> None:
    truth = np.zeros((2, 2, 2))
    predicted = np.array([[[0, 0], [0, 0]], [[0, 0], [0, 0.1]]])
    assert pcp.strict(predicted, truth, np.ones((2, 2), bool), [((0,), (1,))]).tolist() == [[1.0], [0.0]]


def test_label_without_a_position_is_refused() -> None:
    with pytest.raises(ValueError, match="joint 3 of person 0 is labelled"):
        pcp.strict(PERSON, moved(3, np.nan), LABELLED, [SIDE])


@given(
    arrays(float, (3, 4, 2), elements=st.integers(-99, 99)),
    arrays(float, (3, 4, 2), elements=st.integers(-99, 99)),
    st.integers(-99, 99),
    st.integers(-3, 3),
)
def test_moving_and_enlarging_the_picture_changes_nothing(
    predicted: np.ndarray, truth: np.ndarray, shift: int, doublings: int
) -> None:
    labelled, sticks = np.ones((3, 4), bool), [TORSO, SIDE]
    changed = pcp.strict((predicted + shift) * 2.0**doublings, (truth + shift) * 2.0**doublings, labelled, sticks)
    assert np.array_equal(changed, pcp.strict(predicted, truth, labelled, sticks))


@given(arrays(float, (3, 4, 2), elements=st.integers(-99, 99)), arrays(float, (3, 4, 2), elements=st.integers(-99, 99)))
def test_either_end_of_a_stick_may_be_named_first(predicted: np.ndarray, truth: np.ndarray) -> None:
    labelled = np.ones((3, 4), bool)
    forwards = pcp.strict(predicted, truth, labelled, [TORSO, SIDE])
    assert np.array_equal(forwards, pcp.strict(predicted, truth, labelled, [TORSO[::-1], SIDE[::-1]]))
