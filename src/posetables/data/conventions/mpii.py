"""MPII: scale and centre are raw in the file and adjusted once by the reader, and every head has a size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from posetables.data.conventions import Check, none_of
from posetables.data.people import Labels, People
from posetables.data.readers.mpii import ENLARGED, HEAD, LOWERED, NECK_TO_TOP, UNIT
from posetables.data.skeletons.mpii import SKELETON

NECK, TOP = SKELETON.index("upper neck"), SKELETON.index("head top")


def conventions(people: People) -> Iterator[Check]:
    """The head says what the scale was, the joints where the centre was: `objpos` is the mean of the labelled ones."""
    if people.center is None or people.side is None:
        raise ValueError("a reader of MPII gives boxes")
    labels, height = people.labels["pc"], people.side / ENLARGED
    yield _scale(labels, height)
    yield _centre(labels, people.center, height)
    val = np.array([split == "val" for split in people.split], bool)
    head = people.measures["head"][val]
    bad = ~(np.isfinite(head) & (head > 0))
    yield none_of("heads of val without a size", int(bad.sum()), len(head), "people")
    off = float(np.abs(head / (HEAD * height[val] / UNIT) - 1)[~bad].max(initial=0))
    yield Check("heads of val follow from the scale", f"to {100 * off:.2g} %", "to 1 %", off < 0.01)


def _scale(labels: Labels, height: np.ndarray) -> Check:
    known = (labels.visible[:, [NECK, TOP]] > 0).all(1)
    heads = np.linalg.norm(labels.joints[:, TOP] - labels.joints[:, NECK], axis=1)[known] / height[known]
    ratio = float(np.median(heads)) if known.any() else float("nan")
    twice = NECK_TO_TOP / ENLARGED
    return Check(
        "scale is raw: neck to head top over the height",
        f"{ratio:.4f}",
        f"{NECK_TO_TOP:.4f}; {twice:.4f} if it was adjusted before",
        (NECK_TO_TOP + twice) / 2 < ratio < NECK_TO_TOP * (1 + ENLARGED) / 2,
    )


def _centre(labels: Labels, center: np.ndarray, height: np.ndarray) -> Check:
    labelled = labels.visible > 0
    known = labelled.any(1)
    middle = (labels.joints[:, :, 1] * labelled).sum(1)[known] / labelled.sum(1)[known]
    lower = float(np.median((center[known, 1] - middle) / height[known])) if known.any() else float("nan")
    once = LOWERED / UNIT
    return Check(
        "centre is raw: the box below the joints over the height",
        f"{lower:.4f}",
        f"{once:.4f}; 0 if it was never lowered, {2 * once:.4f} or more if twice",
        once / 2 < lower < 1.5 * once,
    )
