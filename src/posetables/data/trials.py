"""Conditional testing (MSSA sec. 4.1): whoever is not found in the given box is looked for again in boxes near it.

A person is found if the confidence of every joint, the maximum of its map, reaches the threshold tau_c of that joint.
Else boxes to all sides, smaller and larger ones are tried, and the passes whose score exceeds tau_s are fused. Which
boxes, and how to fuse, the paper leaves open: these are choices of this project.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

LEAST_WEIGHT = 1e-6
"""Of a joint in a fusion: linear maps may have no maximum above 0, and all weights must not vanish together."""


class Shown(NamedTuple):
    """People as a network is shown them: stored crops, of which it reads the box in the middle."""

    crops: Tensor
    """(B, 3, S, S) uint8."""
    density: Tensor
    """(B,) stored pixels along one side of the box."""
    center: np.ndarray
    """(B, 2) of the box, in pixels of the image."""
    side: np.ndarray
    """(B,) of the box, in pixels of the image."""

    def some(self, which: np.ndarray) -> Shown:
        """Those of whom `which` (B,) bool says so."""
        mine = torch.from_numpy(which)
        return Shown(self.crops[mine], self.density[mine], self.center[which], self.side[which])


class Found(NamedTuple):
    """Poses of B people; of T passes with one more axis in front."""

    joints: np.ndarray
    """(B, J, 2) pixels of the image."""
    confidence: np.ndarray
    """(B, J), the maximum of each map."""


class Trial(NamedTuple):
    """A box: how far from the given one, in sides of it, and how large."""

    x: float
    y: float
    scale: float


class Thresholds(NamedTuple):
    """tau_c and tau_s."""

    confidence: np.ndarray
    """(J,): below it, in the first pass, a joint is not found."""
    score: float
    """Mean confidence of a pass over its joints above which it is fused."""


def trials(shift: float, scales: Sequence[float]) -> tuple[Trial, ...]:
    """What is tried after the given box itself."""
    around = [(-shift, 0.0), (shift, 0.0), (0.0, -shift), (0.0, shift)]
    return (*(Trial(x, y, 1.0) for x, y in around), *(Trial(0.0, 0.0, scale) for scale in scales))


def perturbed(shown: Shown, trial: Trial) -> Shown:
    """The same people, as if a detector had given another box.

    It moves by whole pixels of the store, so that nothing is read through two interpolations; that is to half a pixel
    of what was asked, and `center` says where it is. What leaves a crop comes in on its other side, which no region
    that lies inside of the stored crops together with its shift ever reads.
    """
    steps = np.rint(shown.density.numpy()[:, None] * np.array([trial.x, trial.y], np.float32)).astype(int)
    moved = [crop.roll((-int(y), -int(x)), (1, 2)) for crop, (x, y) in zip(shown.crops, steps, strict=True)]
    way = steps / shown.density.numpy()[:, None].astype(np.float64) * shown.side[:, None]
    return Shown(torch.stack(moved), shown.density * trial.scale, shown.center + way, shown.side * trial.scale)


def stacked(passes: Sequence[Found]) -> Found:
    """T passes as one, (T, B, J, 2) and (T, B, J)."""
    return Found(*(np.stack(arrays) for arrays in zip(*passes, strict=True)))


def missed(confidence: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """(B,) whether any joint's confidence (B, J) is below its threshold (J,): "no successful human pose is found"."""
    return np.asarray((confidence < thresholds).any(1))


def fused(passes: Found, least: float) -> Found:
    """The passes whose score exceeds `least` as one; the first pass, of whom none does.

    passes: (T, B, J, 2) and (T, B, J), the first in the given box. Joints are means over passes weighted by their
    confidence, confidences plain ones; the score of a pass is its mean confidence over all joints.
    """
    taken = passes.confidence.mean(2, dtype=np.float64) > least
    taken[0] |= ~taken.any(0)
    weights = np.maximum(passes.confidence.astype(np.float64), LEAST_WEIGHT) * taken[..., None]
    joints = (weights[..., None] * passes.joints).sum(0) / weights.sum(0)[..., None]
    confidence = (passes.confidence * taken[..., None]).sum(0) / taken.sum(0)[:, None]
    return Found(joints, confidence.astype(passes.confidence.dtype))
