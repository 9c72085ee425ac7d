"""Half-body augmentation (HRNet, `half_body_transform`): a person who learns is sometimes cut out as the upper or the
lower body alone. Whose body and which half is drawn once an epoch. The labels stay what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import torch
from torch import Tensor

from posetables.data.random import generator

LOWER = ("hip", "knee", "ankle", "pelvis")
"""Last words of the joints of the lower body; all others are the upper one's."""
LABELLED = 8
"""A person needs more labelled joints than these, and a half more than `FEW`."""
FEW = 2
UPPER = NormalDist().cdf(0.5)
"""Probability of the upper body where both halves may be taken: .69, as HRNet asks whether a normal number is below
.5."""
PADDING = 1.5
"""Height of the new region over that of the smallest that holds the joints."""


def draw(seed: int, epoch: int, people: int) -> np.ndarray:
    """(people, 2) uniform in [0, 1): whether, which half."""
    return generator(seed, "half body", epoch).random((people, 2))


def lower(joints: Sequence[str]) -> tuple[int, ...]:
    """Numbers of the joints of the lower body."""
    return tuple(number for number, name in enumerate(joints) if name.endswith(LOWER))


def regions(
    joints: Tensor, labelled: Tensor, drawn: Tensor, lower_joints: Sequence[int], probability: float, aspect: float
) -> tuple[Tensor, Tensor]:
    """Centre (B, 2) of the region to cut out, in box coordinates, and its height (B,) over that of the person's box.

    They are 0, 0 and 1 where nothing changes, and so they are [D] for a half whose joints are all in one place: around
    a point there is no region, and HRNet's would be empty.

    Args:
        joints: (B, J, 2) box coordinates; anything where not labelled.
        labelled: (B, J) bool.
        drawn: (B, 2) of `draw`.
        lower_joints: of `lower`.
        probability: of a person with enough labelled joints to be cut in half.
        aspect: width over height of the network's input.
    """
    is_lower = torch.tensor([joint in lower_joints for joint in range(joints.shape[1])], device=joints.device)
    below, above = labelled & is_lower, labelled & ~is_lower
    takes_upper = (drawn[:, 1] < UPPER) & (above.sum(1) > FEW) | (below.sum(1) <= FEW)
    chosen = torch.where(takes_upper[:, None], above, below)[..., None]

    centre = torch.where(chosen, joints, 0).sum(1) / chosen.sum(1).clamp(min=1)
    first = torch.where(chosen, joints, torch.inf).amin(1)
    last = torch.where(chosen, joints, -torch.inf).amax(1)
    width, height = (last - first).unbind(1)
    size = PADDING * torch.maximum(height, width / aspect)

    changes = (drawn[:, 0] < probability) & (labelled.sum(1) > LABELLED) & (size > 0)
    return torch.where(changes[:, None], centre, 0), torch.where(changes, size, 1)
