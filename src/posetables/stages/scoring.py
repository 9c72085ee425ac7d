"""The metrics by name: what each counts of a person, and the columns that a table makes of the counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from posetables.data.skeletons import Skeleton
from posetables.metrics import pck, pckh, pcp

PCK_THRESHOLD = 0.2


class Pairs(NamedTuple):
    """What was predicted for each person of a split, and what is labelled."""

    person: np.ndarray
    """(N,) names."""
    found: np.ndarray
    """(N, J, 2) pixels, as `truth`; NaN where nothing was found."""
    truth: np.ndarray
    labelled: np.ndarray
    """(N, J) bool."""
    measures: Mapping[str, np.ndarray]
    """Name -> (N,): what the labels say besides joints."""


Hits = Callable[[Pairs, Skeleton], np.ndarray]
"""(N, K), what each person adds to a metric: 1 found, 0 not, NaN not counted; or a share between."""

Columns = Callable[[np.ndarray, Sequence[Sequence[int]], np.ndarray | None], np.ndarray]
"""Hits, groups of their columns, and times (D, N) of a resampling -> the columns of a table, in per cent."""


@dataclass(frozen=True)
class Metric:
    hits: str
    """Name in `HITS`: several conventions may make their columns of the same hits."""
    groups: Callable[[Skeleton], Mapping[str, list[int]]]
    """Column of a table -> the hits that it takes; the last one takes those of all."""
    columns: Columns


def pck_distances(pairs: Pairs, skeleton: Skeleton) -> np.ndarray:
    """PCK of LSP and FLIC: (N, J) in units of |left shoulder - right hip| (see `pck.torso_normaliser`)."""
    torso = pck.torso_normaliser(pairs.truth, skeleton.index("left shoulder"), skeleton.index("right hip"))
    return pck.distances(pairs.found, pairs.truth, pairs.labelled, torso)


def head_distances(pairs: Pairs, _: Skeleton) -> np.ndarray:
    """PCKh of MPII: (N, J) in units of .6 times the diagonal of the head box."""
    return pck.distances(pairs.found, pairs.truth, pairs.labelled, pairs.measures["head"])


DISTANCES: Mapping[str, Hits] = {"pck": pck_distances, "pckh": head_distances}
"""What is drawn as a curve over its threshold."""


def pcp_hits(pairs: Pairs, skeleton: Skeleton) -> np.ndarray:
    """Strict PCP@0.5: (N, sticks)."""
    sticks = [
        (tuple(map(skeleton.index, start)), tuple(map(skeleton.index, stop)))
        for part in skeleton.sticks.values()
        for start, stop in part
    ]
    return pcp.strict(pairs.found, pairs.truth, pairs.labelled, sticks)


HITS: Mapping[str, Hits] = {
    "pck": lambda pairs, skeleton: pck.correct(pck_distances(pairs, skeleton), PCK_THRESHOLD),
    "pcp": pcp_hits,
    "pckh": lambda pairs, skeleton: pck.correct(head_distances(pairs, skeleton), pckh.THRESHOLD),
    "auc": lambda pairs, skeleton: pckh.areas(head_distances(pairs, skeleton)),
}


MEASURES: Mapping[str, tuple[str, ...]] = {"pckh": ("head",), "auc": ("head",)}
"""Hits -> what they need of the labels besides joints."""


def joints_of(skeleton: Skeleton) -> dict[str, list[int]]:
    groups = {name: [skeleton.index(joint) for joint in joints] for name, joints in skeleton.groups.items()}
    return groups | {"Avg": list(range(len(skeleton.joints)))}


def sticks_of(skeleton: Skeleton) -> dict[str, list[int]]:
    counts = [len(sticks) for sticks in skeleton.sticks.values()]
    ends = np.cumsum(counts)
    parts = {
        name: list(range(end - count, end)) for name, count, end in zip(skeleton.sticks, counts, ends, strict=True)
    }
    return parts | {"Total": list(range(sum(counts)))}


def mpii_joints_of(skeleton: Skeleton, head: Sequence[str] = ()) -> dict[str, list[int]]:
    """Total is that of all joints which have a column: neither pelvis nor thorax."""
    groups = {name: [skeleton.index(joint) for joint in joints] for name, joints in skeleton.groups.items()}
    total = sorted(joint for joints in groups.values() for joint in joints)
    return groups | ({"Head": [skeleton.index(joint) for joint in head]} if head else {}) | {"Total": total}


def _pckh(convention: pckh.Convention) -> Metric:
    return Metric("pckh", lambda skeleton: mpii_joints_of(skeleton, convention.head), convention.columns)


METRICS: Mapping[str, Metric] = {
    "pck": Metric("pck", joints_of, pck.columns),
    "pcp": Metric("pcp", sticks_of, pck.columns),
    **{name: _pckh(convention) for name, convention in pckh.CONVENTIONS.items()},
    "auc": Metric("auc", mpii_joints_of, pckh.pooled),
}
