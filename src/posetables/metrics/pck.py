"""PCK, the percentage of correct keypoints (Yang & Ramanan, PAMI 2013): distances -> hits -> columns of a table.

A hit is one joint of one person: 1 correct, 0 wrong, NaN not counted. What follows the hits (`columns`, `bootstrap`)
never asks what they are, so it serves the sticks of PCP as well, and fractions such as a mean over many thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def torso_normaliser(truth: np.ndarray, left_shoulder: int, right_hip: int) -> np.ndarray:
    """Diagonal of the true torso, |left shoulder - right hip|: (N, J, 2) pixels -> (N,) pixels.

    The unit of PCK on LSP and FLIC. HCRN (section IV-A) writes max(H, W) of the torso's bounding box instead, but of
    the nine rows of its Tables IV and V whose predictions are public, none follows from the box and all do from the
    diagonal (Yang et al., Table IV: 81.5 as printed, against 81.2). Left and right are those of the label set, person-
    or observer-centric.
    """
    torso: np.ndarray = np.linalg.norm(truth[:, left_shoulder] - truth[:, right_hip], axis=-1)
    return torso


def distances(predicted: np.ndarray, truth: np.ndarray, labelled: np.ndarray, normaliser: np.ndarray) -> np.ndarray:
    """Distance of every prediction from the truth, in units of each person's normaliser.

    Args:
        predicted: (N, J, 2) pixels; NaN where the method found nothing.
        truth: (N, J, 2) pixels; anything where not labelled.
        labelled: (N, J) bool.
        normaliser: (N,) pixels.

    Returns:
        (N, J): NaN where not labelled; infinite, so wrong at every threshold yet counted, where nothing was predicted.

    Raises:
        ValueError: shapes disagree, a labelled joint has no position, or a normaliser is not positive.
    """
    check_poses(predicted, truth, labelled)
    if normaliser.shape != labelled.shape[:1] or not (normaliser > 0).all():
        raise ValueError(f"normaliser must hold one positive length for each of the {len(labelled)} people")
    error = np.linalg.norm(np.asarray(predicted, np.float64) - truth, axis=-1) / normaliser[:, None]
    return np.where(labelled, np.where(np.isnan(error), np.inf, error), np.nan)


def correct(distances: np.ndarray, threshold: float) -> np.ndarray:
    """Hits: 1 where a distance is at most the threshold, 0 where it is more, NaN where it is NaN; shape as given."""
    return np.where(np.isnan(distances), np.nan, distances <= threshold)


def columns(hits: np.ndarray, groups: Sequence[Sequence[int]], times: np.ndarray | None = None) -> np.ndarray:
    """Columns of a table, in per cent: each the plain mean of the rates of its joints, as the tables of LSP have it.

    "Head" is the mean of neck and head top, "Wrist" of both wrists, "Avg" of all 14 joints (HCRN Tables I, IV and V),
    "Total" of all 10 sticks (Tables VI and VII). The rate of a joint is its share of hits among the people counted for
    it. MPII's Total is another convention, which pools the people of all joints before it divides.

    Args:
        hits: (N, J).
        groups: for each of the C columns, the joints that it averages.
        times: (D, N), how many times each draw of a resampling counts each person; by default everybody counts once.

    Returns:
        (C,), or (D, C) with `times`; NaN for a column with a joint that nobody is counted for.
    """
    counted = ~np.isnan(hits)
    times = np.ones(len(hits)) if times is None else times
    with np.errstate(invalid="ignore"):
        rates = (times @ np.where(counted, hits, 0.0)) / (times @ counted)
    return 100 * np.stack([rates[..., list(group)].mean(axis=-1) for group in groups], axis=-1)


def check_poses(predicted: np.ndarray, truth: np.ndarray, labelled: np.ndarray) -> None:
    """Raise ValueError unless poses are (N, J, 2), labels (N, J), and every labelled joint has a true position."""
    for name, poses in (("predicted", predicted), ("truth", truth)):
        if poses.shape != (*labelled.shape, 2):
            raise ValueError(
                f"{name} has shape {poses.shape}, but labels of {labelled.shape} need {(*labelled.shape, 2)}"
            )
    lost = np.argwhere(labelled & ~np.isfinite(truth).all(axis=-1))
    if lost.size:
        raise ValueError(
            f"joint {lost[0, 1]} of person {lost[0, 0]} is labelled, but its true position is not a number"
        )
