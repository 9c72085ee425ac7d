"""PCKh: each convention against what its own authors printed for predictions that they released."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.io import loadmat

from posetables.metrics import bootstrap, pck, pckh

MIRROR = Path(os.environ.get("POSETABLES_MIRROR", ""))
needs_mirror = pytest.mark.skipif(
    not os.environ.get("POSETABLES_MIRROR") or not (MIRROR / "mpii").is_dir(),
    reason="needs released predictions on MPII: set POSETABLES_MIRROR to a folder that holds mpii/",
)

JOINTS = {"upper neck": 8, "head top": 9}
PAIRS = [(12, 13), (11, 14), (10, 15), (2, 3), (1, 4), (0, 5)]
"""Shoulder, Elbow, Wrist, Hip, Knee, Ankle in MPII's order of joints; pelvis and thorax are 6 and 7."""

HITS = arrays(float, (6, 3), elements=st.sampled_from([0.0, 0.25, 1.0, np.nan]))


def groups(name: str) -> list[Sequence[int]]:
    """Head, Shoulder, Elbow, Wrist, Hip, Knee, Ankle and all 14."""
    head = [JOINTS[joint] for joint in pckh.CONVENTIONS[name].head]
    return [head, *PAIRS, [8, 9, *(joint for pair in PAIRS for joint in pair)]]


def table(name: str, hits: np.ndarray) -> np.ndarray:
    return pckh.CONVENTIONS[name].columns(hits, groups(name), None)


@pytest.fixture(scope="module")
def labelled() -> np.ndarray:
    return loadmat(MIRROR / "mpii/tompson_detections_our_format.mat")["jnt_missing"].T == 0


def distances(file: str, labelled: np.ndarray) -> np.ndarray:
    """Of a released file's 2,958 people from the truth in the benchmark's own form."""
    path = MIRROR / "mpii/predictions_val" / file
    if path.suffix == ".mat":
        predicted = loadmat(path)["preds"]
    else:
        with h5py.File(path) as released:
            predicted = released["preds"][:].transpose(2, 1, 0)
    truth = loadmat(MIRROR / "mpii/tompson_detections_our_format.mat")
    top_left, bottom_right = truth["headboxes_src"]
    head = 0.6 * np.linalg.norm(bottom_right - top_left, axis=0)
    return pck.distances(predicted, truth["pos_gt_src"].transpose(2, 0, 1), labelled, head)


@needs_mirror
@pytest.mark.parametrize(
    ("file", "printed"),
    [
        ("bearpaw-hg_s2_b1.mat", [95.80, 94.57, 88.12, 83.31, 86.24, 80.88, 77.44, 86.76]),
        ("bearpaw-hg_s8_b1.mat", [96.79, 95.19, 90.08, 85.32, 87.48, 84.26, 80.73, 88.64]),
    ],
)
def test_bearpaw_convention_gives_the_tables_of_its_readme(
    file: str, printed: list[float], labelled: np.ndarray
) -> None:
    hits = pck.correct(distances(file, labelled), pckh.THRESHOLD)
    assert table("pckh-bearpaw", hits) == pytest.approx(printed, abs=0.005)


@needs_mirror
@pytest.mark.parametrize(
    ("file", "total"), [("bearpaw-hg_s2_b1.mat", 87.30), ("bearpaw-hg_s8_b1.mat", 89.09), ("tompson.h5", 82.3)]
)
@pytest.mark.parametrize("name", ["pckh", "pckh-hrnet"])
def test_the_two_pooled_conventions_share_their_last_column(
    name: str, file: str, total: float, labelled: np.ndarray
) -> None:
    hits = pck.correct(distances(file, labelled), pckh.THRESHOLD)
    assert table(name, hits)[-1] == pytest.approx(total, abs=0.05 if total == 82.3 else 0.005)


@needs_mirror
def test_head_of_the_benchmark_is_the_mean_of_neck_and_head_top(labelled: np.ndarray) -> None:
    hits = pck.correct(distances("bearpaw-hg_s8_b1.mat", labelled), pckh.THRESHOLD)
    neck, top = pck.columns(hits, [[8], [9]])
    assert table("pckh", hits)[0] == pytest.approx((neck + top) / 2)
    assert table("pckh-hrnet", hits)[0] == table("pckh-bearpaw", hits)[0] == top == pytest.approx(96.79, abs=0.005)


@needs_mirror
def test_mean_at_a_tenth_as_hrnet_prints_it_is_that_at_eleven_hundredths(labelled: np.ndarray) -> None:
    found = distances("bearpaw-hg_s8_b1.mat", labelled)
    tenth, printed = (table("pckh-hrnet", pck.correct(found, threshold))[-1] for threshold in (0.1, pckh.HRNET_TENTH))
    assert (tenth, printed) == pytest.approx((24.5, 28.9), abs=0.05)


@needs_mirror
def test_total_is_the_mean_of_the_other_columns_weighted_as_in_published_tables(labelled: np.ndarray) -> None:
    # These weights turn the seven columns into the Total of all 25 rows on MPII's test people that papers print.
    weights = [0.1526, 0.1532, 0.1527, 0.1519, 0.1503, 0.1291, 0.1102]
    columns = table("pckh", pck.correct(distances("tompson.h5", labelled), pckh.THRESHOLD))
    assert columns[-1] == pytest.approx(columns[:-1] @ weights, abs=0.05)


def test_pooled_column_counts_every_label_alike() -> None:
    # Joint 0: 1 of 1 counted; joint 1: 1 of 4. The plain mean of the rates is 62.5.
    hits = np.array([[1, 1], [np.nan, 0], [np.nan, 0], [np.nan, 0]])
    assert pckh.pooled(hits, [[0], [1], [0, 1]]).tolist() == [100.0, 25.0, 40.0]


def test_joint_that_nobody_is_counted_for_is_left_out_of_a_pooled_column() -> None:
    hits = np.array([[np.nan, 1.0]])
    assert pckh.pooled(hits, [[0, 1]]).tolist() == [100.0]
    assert np.isnan(pckh.pooled(hits, [[0]])).all()


@pytest.mark.parametrize("columns", [pckh.pooled, pckh.parts_and_total])
def test_counting_a_person_twice_equals_listing_the_person_twice(columns: pckh.Columns) -> None:
    hits = np.array([[1, 0, 0.5], [0, np.nan, 1], [1, 1, 0.25]])
    times = np.array([[2.0, 0, 1], [1, 1, 1]])
    expected = [columns(hits[[0, 0, 2]], [[0], [0, 1, 2]], None), columns(hits, [[0], [0, 1, 2]], None)]
    assert np.array_equal(columns(hits, [[0], [0, 1, 2]], times), expected)


@given(HITS)
def test_pooled_column_lies_between_the_rates_of_its_joints(hits: np.ndarray) -> None:
    rates = pck.columns(hits, [[0], [1], [2]])
    share = pckh.pooled(hits, [[0, 1, 2]])[0]
    assert np.isnan(share) == np.isnan(rates).all()
    assert np.isnan(share) or np.nanmin(rates) - 1e-9 <= share <= np.nanmax(rates) + 1e-9


def test_a_joint_adds_to_the_area_from_its_own_distance_on() -> None:
    # At .25 and beyond are 26 of the 51 thresholds; the line that rises to the first of them encloses half a step.
    found = np.array([[0.0, 0.25, 0.5, 0.51, np.inf, np.nan]])
    np.testing.assert_allclose(pckh.areas(found), [[1, 25.5 / 50, 0.5 / 50, 0, 0, np.nan]])


@given(arrays(float, (5, 3), elements=st.floats(0, 1) | st.just(np.inf) | st.just(np.nan)))
def test_auc_is_the_area_under_the_curve_of_the_total(found: np.ndarray) -> None:
    thresholds = np.linspace(0, 0.5, 51)
    curve = [pckh.pooled(pck.correct(found, threshold), [[0, 1, 2]])[0] for threshold in thresholds]
    auc = pckh.pooled(pckh.areas(found), [[0, 1, 2]])[0]
    assert auc == pytest.approx(np.trapezoid(curve, thresholds) / 0.5, nan_ok=True)


def test_interval_of_auc_holds_its_value() -> None:
    areas = pckh.areas(np.random.default_rng(0).exponential(0.3, (200, 2)))
    low, high = bootstrap.percentiles(pckh.pooled(areas, [[0, 1]], bootstrap.resamples(200, (0, 0))))
    assert low[0] < pckh.pooled(areas, [[0, 1]])[0] < high[0]


def test_missing_prediction_is_wrong_at_every_threshold_but_counted() -> None:
    predicted, truth = np.full((1, 2, 2), np.nan), np.zeros((1, 2, 2))
    found = pck.distances(predicted, truth, np.array([[True, False]]), np.array([20.0]))
    assert pckh.pooled(pckh.areas(found), [[0], [1]]).tolist() == pytest.approx([0.0, np.nan], nan_ok=True)
