"""Bootstrap intervals over test people (Efron 1979): how far a column could move had other people been photographed.

People are resampled whole, because the joints of one person succeed and fail together. The same key draws the same
people, so the difference of two systems is judged pairwise by

    times = resamples(people, key)
    low, high = percentiles(columns(ours, groups, times) - columns(theirs, groups, times))
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from posetables.metrics.pck import columns


def resamples(people: int, key: tuple[int, int], draws: int = 1000) -> np.ndarray:
    """How many times each draw holds each person: (D, N), whole numbers as float64, every row adding up to N.

    Counter-based: row d depends on the key, d and the number of people alone, not on `draws` or on earlier calls.
    """
    # The raw stream of a bit generator is fixed for good, that of Generator.integers may change with NumPy (NEP 19).
    raw = np.random.Philox(key=np.array(key, np.uint64)).random_raw(draws * people)
    persons = (raw % np.uint64(people)).astype(np.int64).reshape(draws, people)
    cells = persons + people * np.arange(draws)[:, None]
    return np.bincount(cells.ravel(), minlength=draws * people).reshape(draws, people).astype(np.float64)


def percentiles(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % percentile interval of each column: (D, C) -> low (C,), high (C,); NaN if a draw left a column empty."""
    low, high = np.percentile(samples, (2.5, 97.5), axis=0)
    return low, high


def intervals(
    hits: np.ndarray, groups: Sequence[Sequence[int]], key: tuple[int, int], draws: int = 1000
) -> tuple[np.ndarray, np.ndarray]:
    """95 % intervals of `pck.columns(hits, groups)`, in per cent: hits (N, J) -> low (C,), high (C,)."""
    return percentiles(columns(hits, groups, resamples(len(hits), key, draws)))
