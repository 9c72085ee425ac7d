"""Curves over all thresholds: the rate of hits as a function of how far a joint may be from the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posetables.metrics.pck import columns, correct


def curves(distances: np.ndarray, groups: Sequence[Sequence[int]], thresholds: Sequence[float]) -> np.ndarray:
    """Columns of a table at every threshold, in per cent.

    Args:
        distances: (N, J), as `pck.distances` gives them: NaN not counted, infinite never found.
        groups: for each of the C columns, the joints that it averages.
        thresholds: the T thresholds, in units of the normaliser.

    Returns:
        (T, C).
    """
    return np.stack([columns(correct(distances, threshold), groups) for threshold in thresholds])
