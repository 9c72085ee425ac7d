"""Codecs: joints -> target maps, maps -> loss, maps -> joints. One object, so that the three cannot disagree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from posetables.errors import InputError

if TYPE_CHECKING:
    from posetables.recipe import Codec


@dataclass(frozen=True)
class Truth:
    """What a batch is trained towards."""

    joints: Tensor
    """(B, J, 2) pixels of the network's input."""
    labelled: Tensor
    """(B, J) bool."""
    size: int
    """Side of the network's input in pixels."""
    encoded: dict[tuple[MapCodec, tuple[int, int]], tuple[Tensor, Tensor]] = field(default_factory=dict)
    """Targets that a codec has made already: stages and stacks share them."""


@dataclass(frozen=True)
class MapCodec:
    """Heatmaps of joints: binary discs or Gaussians, cross entropy or squared error (HCRN Table III)."""

    recipe: Codec

    def encode(self, truth: Truth, cells: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Target (B, J or J+1, h, w) and weight (B, J or J+1, 1, 1) of each map.

        A disc is 1 within `radius` pixels of the joint (at least in the nearest cell) and 0 elsewhere; of a joint
        outside of the input only what reaches in is seen; an unlabelled joint has weight 0. The background is 1 minus
        the maximum of the others.
        """
        height, width = cells
        stride = truth.size / width
        x = truth.joints[:, :, 0, None] - ((torch.arange(width, device=truth.joints.device) + 0.5) * stride - 0.5)
        y = truth.joints[:, :, 1, None] - ((torch.arange(height, device=truth.joints.device) + 0.5) * stride - 0.5)
        square = (x**2)[:, :, None, :] + (y**2)[:, :, :, None]
        weight = truth.labelled.float()
        if self.recipe.target == "disc":
            nearest = (x.abs() <= stride / 2)[:, :, None, :] & (y.abs() <= stride / 2)[:, :, :, None]
            target = ((square <= self.recipe.radius**2) | nearest).float()
        else:
            target = torch.exp(-square / (2 * self.recipe.radius**2))
        if self.recipe.background:
            seen = target * weight[:, :, None, None]
            target = torch.cat([target, 1 - seen.amax(1, keepdim=True)], 1)
            weight = F.pad(weight, (0, 1), value=1.0)
        return target, weight[:, :, None, None]

    def loss(self, output: Tensor, truth: Truth) -> Tensor:
        """Mean over people, maps and cells; the maps of unlabelled joints count as 0."""
        maps = output.float()
        cells = (maps.shape[-2], maps.shape[-1])
        if (self, cells) not in truth.encoded:
            truth.encoded[self, cells] = self.encode(truth, cells)
        target, weight = truth.encoded[self, cells]
        if self.recipe.loss == "cross-entropy":
            each = F.binary_cross_entropy_with_logits(maps, target, reduction="none")
        else:
            each = (self._activated(maps) - target) ** 2
        return (each * weight).mean()

    def activate(self, output: Tensor) -> Tensor:
        maps = self._activated(output.float())
        return maps[:, :-1] if self.recipe.background else maps

    def _activated(self, maps: Tensor) -> Tensor:
        return torch.sigmoid(maps) if self.recipe.activation == "sigmoid" else maps


def codec_of(output: str, codecs: Mapping[str, Codec]) -> MapCodec:
    """The codec of a network's output: the first whose pattern fits its name."""
    for pattern, recipe in codecs.items():
        if fnmatch(output, pattern):
            return MapCodec(recipe)
    raise InputError(f"params/: codecs: none for output {output!r} among {', '.join(codecs)}")


def peaks(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Cells (B, J, 2) x, y of the maximum of each map (B, J, h, w), and its value (B, J)."""
    score, place = maps.flatten(2).max(-1)
    return torch.stack([place % maps.shape[-1], place // maps.shape[-1]], -1), score


def blur(maps: Tensor, sigma: float) -> Tensor:
    """Gaussian of `sigma` cells over each map, cut at 4 sigma, zeros outside."""
    if sigma == 0:
        return maps
    reach = int(4 * sigma + 0.5)
    offsets = torch.arange(-reach, reach + 1, device=maps.device, dtype=maps.dtype)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(maps.shape[1], 1, 1, -1)
    maps = F.conv2d(maps, kernel, padding=(0, reach), groups=maps.shape[1])
    return F.conv2d(maps, kernel.transpose(2, 3), padding=(reach, 0), groups=maps.shape[1])
