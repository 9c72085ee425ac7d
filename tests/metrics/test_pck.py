from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from posetables.metrics import pck

Pose = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

# Quarters are exact in binary, so that shifts and doublings below change no bit of a distance.
QUARTERS = st.integers(-400, 400).map(lambda whole: whole / 4)


@st.composite
def poses(draw: st.DrawFn) -> Pose:
    people, joints = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    predicted, truth = (draw(arrays(float, (people, joints, 2), elements=QUARTERS)) for _ in range(2))
    predicted[draw(arrays(bool, (people, joints)))] = np.nan
    labelled = draw(arrays(bool, (people, joints)))
    normaliser = draw(arrays(float, people, elements=st.integers(1, 400).map(lambda whole: whole / 4)))
    return predicted, truth, labelled, normaliser


def one_person(offset: tuple[float, float]) -> Pose:
    truth = np.array([[[10.0, 20.0]]])
    return truth + offset, truth, np.array([[True]]), np.array([25.0])


def test_distance_is_euclidean_in_units_of_the_normaliser() -> None:
    assert pck.distances(*one_person((3.0, -4.0))) == pytest.approx(np.array([[5 / 25]]))


def test_distance_exactly_at_the_threshold_is_correct() -> None:
    assert pck.correct(np.array([0.5, np.nextafter(0.5, 1)]), 0.5).tolist() == [1.0, 0.0]


def test_missing_prediction_is_wrong_but_counted() -> None:
    hits = pck.correct(pck.distances(*one_person((np.nan, 0.0))), 1e9)
    assert hits.tolist() == [[0.0]]


def test_unlabelled_joint_is_not_counted_whatever_its_coordinates() -> None:
    predicted, truth, _, normaliser = one_person((0.0, 0.0))
    for junk in (truth, np.full_like(truth, np.nan)):
        assert np.isnan(pck.correct(pck.distances(predicted, junk, np.array([[False]]), normaliser), 0.2)).all()


def test_whole_pixel_predictions_do_not_wrap_around() -> None:
    predicted = np.array([[[0, 0]]], np.uint8)
    truth = np.array([[[3, 4]]], np.uint8)
    assert pck.distances(predicted, truth, np.array([[True]]), np.array([1.0])).tolist() == [[5.0]]


def test_torso_normaliser_is_the_diagonal_between_the_two_joints_named() -> None:
    truth = np.array([[[0.0, 0.0], [99.0, 99.0], [6.0, 8.0]]])
    assert pck.torso_normaliser(truth, left_shoulder=2, right_hip=0).tolist() == [10.0]


@pytest.mark.parametrize(
    ("argument", "value", "complaint"),
    [
        (0, np.zeros((2, 1, 2)), "predicted has shape"),
        (1, np.zeros((1, 2)), "truth has shape"),
        (1, np.full((1, 1, 2), np.nan), "joint 0 of person 0 is labelled"),
        (3, np.zeros(1), "normaliser must"),
        (3, np.array([np.nan]), "normaliser must"),
        (3, np.ones((1, 1)), "normaliser must"),
    ],
)
def test_arrays_that_cannot_be_scored_are_refused(argument: int, value: np.ndarray, complaint: str) -> None:
    arguments = list(one_person((0.0, 0.0)))
    arguments[argument] = value
    with pytest.raises(ValueError, match=complaint):
        pck.distances(*arguments)


def test_column_is_the_plain_mean_of_the_rates_of_its_joints() -> None:
    # Joint 0: 1 of 1 counted; joint 1: 1 of 4. Plain mean of rates 62.5; pooled it would be 40.
    hits = np.array([[1, 1], [np.nan, 0], [np.nan, 0], [np.nan, 0]])
    assert pck.columns(hits, [[0], [1], [0, 1]]).tolist() == [100.0, 25.0, 62.5]


def test_column_of_a_joint_that_nobody_is_counted_for_is_nan() -> None:
    assert np.isnan(pck.columns(np.array([[np.nan, 1.0]]), [[0], [0, 1]])).all()


def test_counting_a_person_twice_equals_listing_the_person_twice() -> None:
    hits = np.array([[1, 0], [0, np.nan], [1, 1.0]])
    times = np.array([[2, 0, 1], [1, 1, 1]])
    expected = [pck.columns(hits[[0, 0, 2]], [[0, 1]]), pck.columns(hits, [[0, 1]])]
    assert np.array_equal(pck.columns(hits, [[0, 1]], times), expected)


@given(poses(), QUARTERS, QUARTERS)
def test_moving_the_picture_changes_nothing(pose: Pose, right: float, down: float) -> None:
    predicted, truth, labelled, normaliser = pose
    shift = np.array([right, down])
    moved = pck.distances(predicted + shift, truth + shift, labelled, normaliser)
    assert np.array_equal(moved, pck.distances(*pose), equal_nan=True)


@given(poses(), st.integers(-8, 8))
def test_enlarging_the_picture_changes_nothing(pose: Pose, doublings: int) -> None:
    predicted, truth, labelled, normaliser = pose
    scale = 2.0**doublings
    enlarged = pck.distances(predicted * scale, truth * scale, labelled, normaliser * scale)
    assert np.array_equal(enlarged, pck.distances(*pose), equal_nan=True)


@given(poses(), st.floats(0, 4), st.floats(0, 4))
def test_a_larger_threshold_loses_no_hit(pose: Pose, a: float, b: float) -> None:
    distances = pck.distances(*pose)
    lost = pck.correct(distances, min(a, b)) > pck.correct(distances, max(a, b))
    assert not lost.any()


@given(poses(), st.randoms(use_true_random=False))
def test_order_of_people_changes_no_column(pose: Pose, random: Random) -> None:
    hits = pck.correct(pck.distances(*pose), 0.5)
    order = random.sample(range(len(hits)), len(hits))
    groups = [range(hits.shape[1])]
    assert np.array_equal(pck.columns(hits, groups), pck.columns(hits[order], groups), equal_nan=True)
