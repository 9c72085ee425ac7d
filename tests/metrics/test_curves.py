"""Curves are the table's columns at every threshold."""

from __future__ import annotations

import numpy as np
import pytest

from posetables.metrics.curves import curves

DISTANCES = np.array([[0.05, 0.15], [0.1, np.inf], [np.nan, 0.3]])
"""Three people, two joints: one is not labelled, one never found."""


def test_a_joint_counts_from_its_own_distance_on() -> None:
    expected = [[0, 0], [50, 0], [100, 0], [100, 100 / 3], [100, 200 / 3]]
    assert curves(DISTANCES, [[0], [1]], [0, 0.05, 0.1, 0.15, 0.3]) == pytest.approx(np.array(expected))


def test_a_column_of_two_joints_is_their_mean() -> None:
    assert curves(DISTANCES, [[0, 1]], [0.15]) == pytest.approx(np.array([[(100 + 100 / 3) / 2]]))
