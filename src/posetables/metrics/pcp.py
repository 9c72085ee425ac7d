"""Strict PCP, the percentage of correct parts (Ferrari et al., CVPR 2008; strict: Pishchulin et al., CVPR 2012).

Sticks take the place of joints; from the hits on, everything is as in `pck`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posetables.metrics.pck import check_poses

Stick = tuple[tuple[int, ...], tuple[int, ...]]
"""Two ends, each the mean of the joints with these indices: one of each for a forearm, two of each for the torso."""

FRACTION = 0.5
"""How far an end may be from the truth, in lengths of the true stick (HCRN, section IV-A)."""


def strict(predicted: np.ndarray, truth: np.ndarray, labelled: np.ndarray, sticks: Sequence[Stick]) -> np.ndarray:
    """Hits of sticks: both ends within half the true stick's length. (The loose variant asks that of their mean error.)

    Args:
        predicted: (N, J, 2) pixels; NaN where the method found nothing, which makes the joint's sticks wrong.
        truth: (N, J, 2) pixels; anything where not labelled.
        labelled: (N, J) bool; a stick counts only if all joints of both its ends are labelled.
        sticks: the S sticks; `pck.columns` turns their hits into Torso, ..., Head and Total, the mean of ten on LSP.

    Returns:
        (N, S): 1 correct, 0 wrong, NaN not counted.

    Raises:
        ValueError: shapes disagree, or a labelled joint has no position.
    """
    check_poses(predicted, truth, labelled)
    starts, stops = zip(*sticks, strict=True)
    # Not divided by the length: one true lower leg among LSP's test people has length 0 and can only be met exactly.
    reach = FRACTION * np.linalg.norm(_ends(truth, starts) - _ends(truth, stops), axis=-1)
    start_met, stop_met = (
        np.linalg.norm(_ends(predicted, ends) - _ends(truth, ends), axis=-1) <= reach for ends in (starts, stops)
    )
    counted = np.stack([labelled[:, [*start, *stop]].all(axis=1) for start, stop in sticks], axis=1)
    return np.where(counted, start_met & stop_met, np.nan)


def _ends(positions: np.ndarray, ends: Sequence[tuple[int, ...]]) -> np.ndarray:
    """(N, J, 2) -> (N, S, 2), the mean of each end's joints."""
    return np.stack([positions[:, list(end)].mean(axis=1, dtype=np.float64) for end in ends], axis=1)
