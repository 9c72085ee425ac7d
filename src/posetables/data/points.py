"""The codec of guided points (Graph-PCNN sec. 3.1 and 3.3): joints -> guide of the sampling, refined points -> loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from posetables.errors import InputError

if TYPE_CHECKING:
    from posetables.data.codecs import Truth
    from posetables.recipe import Points

STRIDE = 4
"""Pixels of the input a cell of the maps has on each side: Simple Baselines and HRNet have no other."""

NOWHERE = -1e6
"""x and y, in cells, of a joint without a label: no point is near it, and numbers stay finite."""


@dataclass(frozen=True)
class PointCodec:
    """Points that are classified as the joint or not, and moved onto it."""

    recipe: Points

    def guide(self, truth: Truth, cells: tuple[int, int]) -> tuple[Tensor, float, float]:
        """Joints (B, J, 2) in cells of maps of `cells` (h, w), and the radii in cells within which points are positive
        (Eq. 6: 3 sigma) and pass messages (Eq. 12: delta = 2 sigma).

        An unlabelled joint is put far outside, so that none of its points is either. Raises InputError unless the maps
        are a quarter as high as the input.
        """
        if truth.size != STRIDE * cells[0]:
            raise InputError(
                f"points: maps {cells[0]} high of an input {truth.size} high; give it {STRIDE} pixels a cell"
            )
        sigma = self.recipe.radius / STRIDE
        return self._joints(truth), self.recipe.positive * sigma, self.recipe.reliable * sigma

    def loss(self, output: Tensor, truth: Truth) -> Tensor:
        """Eq. 8 to 10 on points (B, J, N, 6): x, y in cells, logits (not the joint, the joint), offset dx, dy in cells.

        Gamma is 1 for labelled joints; Eq. 10 is of one person, of whom this is the mean, over those with a labelled
        joint [D: as every person counts the same in the loss of heatmaps too]. A set without points counts as 0.
        """
        points, logits, offsets = torch.split(output, 2, -1)
        sigma = self.recipe.radius / STRIDE
        way = self._joints(truth)[:, :, None] - points
        square = (way**2).sum(-1)
        near = square < (self.recipe.positive * sigma) ** 2
        alpha = torch.exp(-square / (2 * sigma**2))
        as_other, as_joint = (-F.log_softmax(logits, -1)).unbind(-1)
        classes = (_mean(alpha * as_joint, near) + _mean(as_other, ~near)) / 2
        offset = _mean((offsets - way).abs().sum(-1), near)
        gamma = truth.labelled.to(output.dtype)
        labelled = gamma.sum(1)
        people = (gamma * (classes + self.recipe.regression * offset)).sum(1) / labelled.clamp(min=1)
        return people.sum() / (labelled > 0).sum().clamp(min=1)

    def _joints(self, truth: Truth) -> Tensor:
        """(B, J, 2) in cells; the centre of the first cell is at pixel (STRIDE - 1) / 2 or, with corners, 0."""
        first = (STRIDE - 1) / 2 if self.recipe.grid == "centres" else 0.0
        return ((truth.joints - first) / STRIDE).masked_fill(~truth.labelled[..., None], NOWHERE)


def _mean(losses: Tensor, among: Tensor) -> Tensor:
    """(B, J) of losses (B, J, N): the mean over the points of a set, 0 where it has none."""
    return torch.where(among, losses, 0).sum(-1) / among.sum(-1).clamp(min=1)
