"""Keypoint masking (MSSA sec. 3.4): people who learn are given occluded joints, and joints that are not theirs.

A square patch of the background is laid over a joint, or the patch around a joint on the background nearby. Which
people, which joints and which places is drawn once an epoch. The labels stay what they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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


class Patch(NamedTuple):
    """A square that is copied within an image; places are x, y of its first pixel."""

    source: tuple[int, int]
    target: tuple[int, int]
    side: int


def mask(images: Tensor, truth: Truth, recipe: Masking, drawn: np.ndarray) -> None:
    """Change images (B, 3, h, w) in place, as `drawn` (B, 4) says."""
    for image, patch in zip(images, patches(images, truth, recipe, drawn), strict=True):
        if patch is not None:
            _cut(image, patch.target, patch.side).copy_(_cut(image, patch.source, patch.side).clone())


def patches(images: Tensor, truth: Truth, recipe: Masking, drawn: np.ndarray) -> list[Patch | None]:
    """What is copied in each image (B, 3, h, w); nothing where there is no joint, or no background for it."""
    side, found = max(1, round(recipe.patch)), list[Patch | None]()
    size = np.array(images.shape[:1:-1])
    for image, joints, labelled, (whether, kind, which, where) in zip(
        images, truth.joints, truth.labelled, drawn, strict=True
    ):
        found.append(None)
        corners = _corners(joints[labelled].cpu().numpy(), side)
        inside = corners[((corners >= 0) & (corners <= size - side)).all(1)]
        if whether < recipe.probability and len(inside):
            joint, covers = inside[int(which * len(inside))], kind < recipe.background
            free = background(corners, side, size)
            near = free if covers else free[(np.abs(free - joint) <= NEARBY * side).all(1)]
            in_turn = np.roll(near, -int(where * len(near)), 0)
            place = next((each for each in in_turn if _is_photograph(image, each, side)), None)
            if place is not None:
                source, target = (place, joint) if covers else (joint, place)
                found[-1] = Patch(_pair(source), _pair(target), side)
    return found


def background(corners: np.ndarray, side: int, size: np.ndarray) -> np.ndarray:
    """Patches (N, 2) inside of an image, half of one apart, in which no labelled joint lies.

    corners: of the patches (J, 2) around the joints; size: width and height of the image. What lies between the joints
    of a limb, and whoever else is there, counts as background: nothing tells it apart.
    """
    lines = (np.arange(0, length - side + 1, max(1, side // 2)) for length in size)
    places = np.stack(np.meshgrid(*lines), -1).reshape(-1, 2)
    apart = np.abs(places[:, None] - corners[None]).max(-1) >= side
    return np.asarray(places[apart.all(1)])


def _is_photograph(image: Tensor, corner: np.ndarray, side: int) -> bool:
    """Whether no quarter of a patch is of one colour, as all is that lies outside of a photograph."""
    patch, half = _cut(image, _pair(corner), side), (side + 1) // 2
    quarters = (patch[:, y : y + half, x : x + half].flatten(1) for y in (0, side - half) for x in (0, side - half))
    return all(bool((quarter.amax(1) > quarter.amin(1)).any()) for quarter in quarters)


def _corners(middles: np.ndarray, side: int) -> np.ndarray:
    """First pixels (N, 2) of the patches in whose middle, to the nearest pixel, points (N, 2) lie."""
    return np.floor(middles - (side - 1) / 2 + 0.5).astype(int)


def _pair(place: np.ndarray) -> tuple[int, int]:
    x, y = place.tolist()
    return x, y


def _cut(image: Tensor, corner: tuple[int, int], side: int) -> Tensor:
    """A square of an image (3, h, w)."""
    x, y = corner
    return image[:, y : y + side, x : x + side]
