"""Keypoint masking (MSSA sec. 3.4): people who learn are given occluded joints, and joints that are not theirs.

A square patch of the background is laid over a joint, or the patch around a joint on the background nearby. Which
people, which joints and which places is drawn once an epoch. The labels stay what they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from posetables.data.random import generator

if TYPE_CHECKING:
    from posetables.data.codecs import Truth
    from posetables.recipe import Masking

NEARBY = 4
"""Sides of the patch within which "nearby background" lies, along x and y."""


def draw(seed: int, epoch: int, people: int) -> np.ndarray:
    """(people, 4) uniform in [0, 1): whether, which kind, which joint, which place."""
    return generator(seed, "masking", epoch).random((people, 4))


def mask(images: Tensor, truth: Truth, recipe: Masking, drawn: np.ndarray) -> None:
    """Change images (B, 3, S, S) in place, as `drawn` (B, 4) says. Without a joint or a background nothing happens."""
    side = max(1, round(recipe.patch))
    for person in np.flatnonzero(drawn[:, 0] < recipe.probability):
        _, kind, which, where = drawn[person]
        joints = truth.joints[person][truth.labelled[person]].cpu().numpy()
        inside = joints[((joints >= side / 2) & (joints < truth.size - side / 2)).all(1)]
        covers = kind < recipe.background
        if len(inside):
            joint = inside[int(which * len(inside))]
            places = background(joints, side, truth.size)
            near = places if covers else places[(np.abs(places - joint) <= NEARBY * side).all(1)]
            if len(near):
                place = near[int(where * len(near))]
                source, target = (place, joint) if covers else (joint, place)
                _patch(images[person], target, side).copy_(_patch(images[person], source, side).clone())


def background(joints: np.ndarray, side: int, size: int) -> np.ndarray:
    """Middles (N, 2) of patches inside of an image of `size` that hold no labelled joint (J, 2), half a patch apart."""
    line = np.arange(side / 2, size - side / 2 + 1e-6, max(1.0, side / 2))
    places = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    apart = np.abs(places[:, None] - joints[None]).max(-1) >= side
    return np.asarray(places[apart.all(1)])


def _patch(image: Tensor, middle: np.ndarray, side: int) -> Tensor:
    """The square of an image (3, S, S) around x, y."""
    left, top = (int(np.floor(value - side / 2 + 0.5)) for value in middle)
    left, top = (min(max(0, edge), image.shape[-1] - side) for edge in (left, top))
    return image[:, top : top + side, left : left + side]
