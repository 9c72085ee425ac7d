"""FLIC: labels are person-centric in the file; those of people seen from behind are exchanged for the scores."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from posetables.data.conventions import Check, none_of
from posetables.data.people import People
from posetables.data.readers.flic import observer_centric
from posetables.data.skeletons.flic import SKELETON

BEHIND = {"train": (3987, 199), "test": (1016, 48)}
"""Split -> its people, and how many of them are seen from behind (MODEC, `flip_backwards_facing_groundtruth.m`)."""


def conventions(people: People) -> Iterator[Check]:
    """How many are relabelled is known of whole splits; whoever is, must be seen from behind, and nobody else."""
    pc, oc = people.labels["pc"].joints, people.labels["oc"].joints
    relabelled = ~np.isclose(pc, oc).all((1, 2))
    for split, (count, behind) in BEHIND.items():
        mine = np.array([each == split for each in people.split], bool)
        found = int(relabelled[mine].sum())
        whole = int(mine.sum()) == count
        yield Check(
            f"seen from behind, {split}",
            f"{found} of {mine.sum():,} people",
            f"{behind} of {count:,}",
            found == behind if whole else None,
        )
    left = int((~np.isclose(observer_centric(oc), oc).all((1, 2))).sum())
    yield none_of("oc is relabelled: still seen from behind in it", left, len(oc), "people")
    shoulders = [SKELETON.index(f"{side} shoulder") for side in ("left", "right")]
    facing = pc[:, shoulders[0], 0] > pc[:, shoulders[1], 0]
    share = float(facing.mean())
    yield Check(
        "labels of the file are person-centric: left shoulder right of the right one",
        f"{100 * share:.4g} %",
        "95 %, more than half",
        share > 0.5,
    )
