"""LSPET: a flag of 1 is a visible joint, the opposite of LSP, and all others hold junk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from posetables.data import matfiles
from posetables.data.conventions import Check, within
from posetables.data.skeletons.lsp import SKELETON


def native(folder: Path) -> Iterator[Check]:
    """88.0 % of the joints are labelled, .01 % of which have a coordinate that is not positive; all others have one."""
    joints = matfiles.read(folder / "joints.mat", "joints", (len(SKELETON.joints), 3, None)).transpose(2, 0, 1)
    labelled = np.equal(joints[:, :, 2], 1)
    junk = np.asarray((joints[:, :, :2] <= 0).any(2))
    yield within("third column is 1 where a joint is visible", float(labelled.mean()), 0.5, 1, "88 %, more than half")
    yield within("labelled joints outside of their image", _share(junk, labelled), 0, 0.01, "next to none")
    yield within("unlabelled joints outside of their image", _share(junk, ~labelled), 0.99, 1, "all: they hold junk")


def _share(these: np.ndarray, among: np.ndarray) -> float:
    return float(these[among].mean()) if among.any() else 0.0
