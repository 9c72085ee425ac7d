"""Codecs: joints -> target maps, maps -> loss, maps -> joints. One object, so that the three cannot disagree."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from posetables.errors import InputError

if TYPE_CHECKING:
    from posetables.recipe import Codec, Points


@dataclass(frozen=True)
class Truth:
    """What a batch is trained towards."""

    joints: Tensor
    """(B, J, 2) pixels of the network's input."""
    labelled: Tensor
    """(B, J) bool."""
    visible: Tensor
    """(B, J) bool: labelled and not occluded."""
    size: int
    """Height of the network's input in pixels."""
    structure: tuple[tuple[int, ...], ...] = ()
    """Of each joint those whose maps are matched together with its own (`Skeleton.structure`)."""
    encoded: dict[tuple[MapCodec, tuple[int, int]], tuple[Tensor, Tensor]] = field(default_factory=dict)
    """Targets that a codec has made already: stages and stacks share them."""


@dataclass(frozen=True)
class MapCodec:
    """Heatmaps of joints: binary discs or Gaussians, cross entropy or squared error (HCRN Table III); squared errors
    at several scales and of joints matched together (MSSA Eq. 1 and 2)."""

    recipe: Codec

    def encode(self, truth: Truth, cells: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Target (B, J or J+1, h, w) and weight (B, J or J+1, 1, 1) of each map.

        A disc is 1 within `radius` pixels of the joint (at least in the nearest cell) and 0 elsewhere; of a joint
        outside of the input only what reaches in is seen; an unlabelled joint has weight 0. The background is 1 minus
        the maximum of the others. Maps coarser than `finest` have the maximum of its target over each of their cells:
        every scale has a peak of one height (MSSA: "down-sampled"). Where only visible joints are shown, the map of an
        occluded one is 0 and has its weight (PHR sec. 3).
        """
        if cells != self._finest(truth, cells):
            target, weight = self._encoded(truth, self._finest(truth, cells))
            return F.adaptive_max_pool2d(target, cells), weight
        height, width = cells
        stride = truth.size / height
        first = stride / 2 - 0.5 if self.recipe.grid == "centres" else 0.0
        joints = truth.joints
        if self.recipe.rounded:
            # As the releases round, int(x / stride + .5): outside of the input towards it.
            joints = ((joints - first) / stride + 0.5).trunc() * stride + first
        x, y = (
            joints[:, :, axis, None] - (torch.arange(count, device=joints.device) * stride + first)
            for axis, count in enumerate((width, height))
        )
        square = (x**2)[:, :, None, :] + (y**2)[:, :, :, None]
        weight = truth.labelled.float()
        if self.recipe.target == "disc":
            nearest = (x.abs() <= stride / 2)[:, :, None, :] & (y.abs() <= stride / 2)[:, :, :, None]
            target = ((square <= self.recipe.radius**2) | nearest).float()
        else:
            target = torch.exp(-square / (2 * self.recipe.radius**2))
        if self.recipe.cut is not None:
            near = [axis.abs() <= self.recipe.cut * self.recipe.radius for axis in (x, y)]
            target = target * (near[0][:, :, None, :] & near[1][:, :, :, None])
            weight = weight * (near[0].any(2) & near[1].any(2))
        if self.recipe.visible_only:
            target = target * truth.visible[:, :, None, None]
        if self.recipe.background:
            seen = target * weight[:, :, None, None]
            target = torch.cat([target, 1 - seen.amax(1, keepdim=True)], 1)
            weight = F.pad(weight, (0, 1), value=1.0)
        return target, weight[:, :, None, None]

    def loss(self, output: Tensor, truth: Truth) -> Tensor:
        """Mean over people, maps and cells; the maps of unlabelled joints count as 0. A coarser scale counts by its
        share of the cells of the finest, as in a sum over all of them (MSSA Eq. 1)."""
        maps = output.float()
        cells = (maps.shape[-2], maps.shape[-1])
        target, weight = self._encoded(truth, cells)
        if self.recipe.loss == "cross-entropy":
            errors = F.binary_cross_entropy_with_logits(maps, target, reduction="none")
            return (errors * weight).mean() * self.recipe.weight
        found = self._activated(maps)
        loss = ((found - target) ** 2 * weight).mean() * self.recipe.weight
        if self.recipe.structure:
            loss = loss + self.recipe.structure * structural(found, target, weight, truth.structure)
        finest = self._finest(truth, cells)
        return loss if cells == finest else loss * (cells[0] * cells[1] / (finest[0] * finest[1]))

    def _finest(self, truth: Truth, cells: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the maps that a target is drawn for; of these themselves, if no other is named."""
        if self.recipe.finest is None:
            return cells
        height = truth.size // self.recipe.finest
        return height, height * cells[1] // cells[0]

    def _encoded(self, truth: Truth, cells: tuple[int, int]) -> tuple[Tensor, Tensor]:
        if (self, cells) not in truth.encoded:
            truth.encoded[self, cells] = self.encode(truth, cells)
        return truth.encoded[self, cells]

    def activate(self, output: Tensor) -> Tensor:
        maps = self._activated(output.float())
        return maps[:, :-1] if self.recipe.background else maps

    def _activated(self, maps: Tensor) -> Tensor:
        return torch.sigmoid(maps) if self.recipe.activation == "sigmoid" else maps


def structural(found: Tensor, target: Tensor, weight: Tensor, structure: Sequence[Sequence[int]]) -> Tensor:
    """The second term of MSSA's Eq. 2 without its alpha: squared errors of the maps of joints S_n that are matched
    together, summed over n, mean over people and cells.

    The combination of several maps is their sum, cut at 1, where the paper names none. A set counts where all of its
    joints are labelled. found, target: (B, J, h, w); weight: (B, J, 1, 1); structure: of each joint n the joints S_n.
    """
    together = found.new_zeros(len(structure), found.shape[1])
    for row, joints in zip(together, structure, strict=True):
        row[list(joints)] = 1
    ours, theirs = (torch.einsum("nj,bjhw->bnhw", together, maps).clamp(max=1) for maps in (found, target))
    labelled = torch.stack([weight[:, list(joints)].prod(1) for joints in structure], 1)
    return ((ours - theirs) ** 2 * labelled).sum(1).mean()


class OutputCodec(Protocol):
    """What training asks of the codec of any output."""

    def loss(self, output: Tensor, truth: Truth) -> Tensor: ...


def codec_of(output: str, codecs: Mapping[str, Codec | Points]) -> OutputCodec:
    """The codec of a network's output: the first whose pattern fits its name. That of points is loaded by name: no
    training without them depends on it."""
    recipe = _recipe_of(output, codecs)
    if recipe.target == "points":
        codec: OutputCodec = importlib.import_module("posetables.data.points").PointCodec(recipe)
        return codec
    return MapCodec(recipe)


def map_codec_of(output: str, codecs: Mapping[str, Codec | Points]) -> MapCodec:
    """The same, of an output that must be maps."""
    recipe = _recipe_of(output, codecs)
    if recipe.target == "points":
        raise InputError(f"params/: codecs: output {output!r} is maps, not points; give it target: disc or gaussian")
    return MapCodec(recipe)


def _recipe_of(output: str, codecs: Mapping[str, Codec | Points]) -> Codec | Points:
    for pattern, recipe in codecs.items():
        if fnmatch(output, pattern):
            return recipe
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
