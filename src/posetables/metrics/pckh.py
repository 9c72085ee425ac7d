"""PCKh, PCK in units of the head (Andriluka et al., CVPR 2014): what MPII counts, and three ways to sum it up.

Distances are those of `pck.distances` with 0.6 times the diagonal of the head box as normaliser, and a joint is
correct within half of it. Published tables then differ in what they make of the hits, by half a point and more, without
a word in their headings, so each way has a name of its own here (`CONVENTIONS`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from posetables.metrics import pck

THRESHOLD = 0.5
"""How far a joint may be from the truth, in units of the normaliser."""
HRNET_TENTH = 0.11
"""What HRNet's code and its descendants print as Mean@0.1: they read the wrong one of the thresholds 0, .01, ... .5."""

Columns = Callable[[np.ndarray, Sequence[Sequence[int]], np.ndarray | None], np.ndarray]


def pooled(hits: np.ndarray, groups: Sequence[Sequence[int]], times: np.ndarray | None = None) -> np.ndarray:
    """Columns of a table, in per cent: each the share of hits among all that is counted in its joints together.

    Args:
        hits: (N, J), may be fractions; NaN not counted.
        groups: for each of the C columns, the joints that it pools.
        times: (D, N), how many times each draw of a resampling counts each person; by default everybody counts once.

    Returns:
        (C,), or (D, C) with `times`; NaN for a column of which nothing is counted.
    """
    counted = ~np.isnan(hits)
    times = np.ones(len(hits)) if times is None else times
    found, all_counted = times @ np.where(counted, hits, 0.0), times @ counted.astype(np.float64)
    with np.errstate(invalid="ignore"):
        shares = [found[..., list(group)].sum(axis=-1) / all_counted[..., list(group)].sum(axis=-1) for group in groups]
    return 100 * np.stack(shares, axis=-1)


def parts_and_total(hits: np.ndarray, groups: Sequence[Sequence[int]], times: np.ndarray | None = None) -> np.ndarray:
    """Columns of MPII's own evaluation: the last group is pooled, every other is the plain mean of its joints' rates.

    Ankles are labelled less often than shoulders, so MPII's Total counts them for less than a plain mean does.
    Arguments and result are those of `pooled` and `pck.columns`.
    """
    return np.concatenate([pck.columns(hits, groups[:-1], times), pooled(hits, groups[-1:], times)], axis=-1)


class Convention(NamedTuple):
    """One way to make a table of PCKh. Everywhere the last column holds 14 joints: without pelvis and thorax."""

    head: tuple[str, ...]
    """Joints of the column Head."""
    columns: Columns
    """Hits (N, J), groups of joints of which the last is that of all, times of a resampling -> columns in per cent."""


CONVENTIONS = {
    "pckh": Convention(("upper neck", "head top"), parts_and_total),
    "pckh-bearpaw": Convention(("head top",), pck.columns),
    "pckh-hrnet": Convention(("head top",), parts_and_total),
}
"""`pckh`: evaluatePCKh.m of the benchmark, so the tables of papers on MPII's test people. `pckh-bearpaw`: the results
that bearpaw/pytorch-pose prints. `pckh-hrnet`: those of HRNet, Simple Baselines and Dark."""


def areas(distances: np.ndarray, end: float = THRESHOLD, steps: int = 50) -> np.ndarray:
    """What each joint adds to the area under the PCKh curve from 0 to `end`, scaled to 1: fractional hits.

    The benchmark's AUC is the area under the Total curve through the thresholds 0, 0.01, ..., 0.5, joined by straight
    lines (evaluatePCKh.m). The area is linear in the hits, so AUC is `pooled` over these, and its intervals are as
    those of any column.

    Args:
        distances: (N, J), as `pck.distances` gives them: NaN not counted, infinite never found.
        end: the last threshold, in units of the normaliser.
        steps: number of straight lines.

    Returns:
        (N, J) in [0, 1], NaN where not counted.
    """
    thresholds = np.linspace(0, end, steps + 1)
    reached = (distances[..., None] <= thresholds).astype(np.float64)
    area = np.trapezoid(reached, dx=1 / steps, axis=-1)
    return np.where(np.isnan(distances), np.nan, area)
