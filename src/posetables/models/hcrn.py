"""Hierarchical Contextual Refinement Network (Nie et al., sec. III): all 13 rows of Table I.

A front-end CNN gives features F; every joint has a Contextual Refinement Unit (CRU, Fig. 3a) that sees F and the map
of its parent in the hierarchy of joints (Fig. 1b).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from inspect import signature
from typing import Any, Literal

import torch
from torch import Tensor, nn

from posetables.data.skeletons import Skeleton
from posetables.errors import InputError
from posetables.models.cpm import CPM
from posetables.models.diffusion import diffuse
from posetables.models.hourglass import StackedHourglass
from posetables.models.layers import map_predictor
from posetables.models.resnet import ResNet
from posetables.models.vgg import VGG16

FrontEnd = VGG16 | ResNet | CPM | StackedHourglass
Head = Literal["holistic", "without-diffusion", "hcrn"]


def build(
    skeleton: Skeleton,
    *,
    backbone: Literal["vgg16", "resnet101", "cpm", "hourglass"],
    head: Head,
    radius: int = 7,
    **size: Any,
) -> HCRN:
    """One row of Table I: a backbone and what turns its features into maps.

    radius: of the fusion field, in heatmap pixels (the paper's 7, at every scale). size: what narrows the backbone,
    with the paper's values as defaults: width (vgg16, resnet101, cpm), dropout (vgg16), stages (cpm), stacks and
    features (hourglass). Raises InputError for a backbone, head or size that does not exist.
    """
    maps = len(skeleton.joints) + 1
    front_ends: dict[str, Callable[..., FrontEnd]] = {
        "vgg16": VGG16,
        "resnet101": _resnet101,
        "cpm": partial(CPM, maps),
        "hourglass": partial(StackedHourglass, maps),
    }
    _choice("backbone", backbone, front_ends)
    _choice("head", head, ("holistic", "without-diffusion", "hcrn"))
    for key in size:
        _choice(f"argument of backbone {backbone}", key, signature(front_ends[backbone]).parameters)
    return HCRN(skeleton, front_ends[backbone](**size), head=head, radius=radius)


def _resnet101(*, width: float = 1.0) -> ResNet:
    return ResNet(101, width=width, stride=8)


def _choice(what: str, given: str, known: Iterable[str]) -> None:
    if given not in known:
        raise InputError(f"hcrn: {what} {given!r} is not known; choose from {', '.join(known)}")


class HCRN(nn.Module):
    """Front-end CNN, initial maps and, unless the head is holistic, the hierarchy of refinement units."""

    def __init__(self, skeleton: Skeleton, backbone: FrontEnd, *, head: Head, radius: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.multiple = backbone.multiple
        self.initial = map_predictor(backbone.channels, len(skeleton.joints) + 1)
        self.hierarchy = None
        if head != "holistic":
            self.hierarchy = Hierarchy(skeleton, radius=radius, diffusion=head == "hcrn")

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images (B, 3, H, W) -> logits (B, J + 1, h, w), channel J the background; the last entry is the prediction.

        In order: stage1, stage2, ... of CPM or stack1, stack2, ... of the hourglass, short of the last one; initial;
        refined, if the head has a hierarchy. Every entry is to be supervised. Stride h/H is 1/8, 1/4 for the
        hourglass. Under autocast all but `refined` have its reduced precision. Raises InputError unless H and W are
        multiples of `multiple`.
        """
        maps: dict[str, Tensor]
        features, maps = self.backbone(images)
        maps["initial"] = self.initial(features)
        if self.hierarchy is not None:
            maps["refined"] = self.hierarchy(maps["initial"])
        return maps


class Hierarchy(nn.Module):
    """Refinement from the root of the skeleton outwards, one layer of joints after the other (Fig. 2c).

    Root and background have no parent: their maps stay the initial ones. So J - 1 units, 7 parameters each; Table II
    counts J.
    """

    def __init__(self, skeleton: Skeleton, *, radius: int, diffusion: bool) -> None:
        super().__init__()
        self.root = skeleton.root
        self.joints = skeleton.layers[1:]
        self.parents = tuple(
            tuple(parent for joint in layer if (parent := skeleton.parent(joint)) is not None) for layer in self.joints
        )
        self.layers = nn.ModuleList(
            RefinementUnits(len(layer), radius=radius, diffusion=diffusion) for layer in self.joints
        )

    def forward(self, initial: Tensor) -> Tensor:
        """Initial logits (B, J + 1, h, w) -> refined logits of the same shape, in float32 or wider."""
        logits = list(initial.to(torch.promote_types(initial.dtype, torch.float32)).unbind(1))
        heatmaps = {self.root: logits[self.root].sigmoid()}  # H = O at the root
        for units, joints, parents in zip(self.layers, self.joints, self.parents, strict=True):
            likelihoods = torch.stack([logits[joint] for joint in joints], 1).sigmoid()  # Eq. 1
            contexts = torch.stack([heatmaps[parent] for parent in parents], 1)
            refined = units(likelihoods, contexts)
            for joint, logit in zip(joints, refined.unbind(1), strict=True):
                logits[joint] = logit
                heatmaps[joint] = logit.sigmoid()  # Eq. 4
        return torch.stack(logits, 1)


class RefinementUnits(nn.Module):
    """The Contextual Refinement Units of one layer of the hierarchy (Fig. 3a), side by side.

    Initial values are a choice of this project, the paper names none. W_C and B_C make sigmoid(8 O + Hhat - 4.5),
    which starts within .2 of O and already leans towards the parent. W_d = (0, 0, .01, .01) costs half a
    probability at 7 pixels, the rim of the fusion field.
    """

    def __init__(self, joints: int, *, radius: int, diffusion: bool) -> None:
        super().__init__()
        self.radius = radius
        self.w_d = nn.Parameter(torch.tensor([0.0, 0.0, 0.01, 0.01]).repeat(joints, 1)) if diffusion else None
        self.w_c = nn.Parameter(torch.tensor([8.0, 1.0]).repeat(joints, 1))
        self.b_c = nn.Parameter(torch.full((joints,), -4.5))

    def forward(self, likelihoods: Tensor, parents: Tensor) -> Tensor:
        """O and H of the parents, probabilities (B, n, h, w) -> logits of H (B, n, h, w)."""
        context = parents if self.w_d is None else diffuse(parents, self.w_d, self.radius)  # Eq. 2, by Eq. 5
        stacked = torch.stack((likelihoods, context), dim=2)  # Eq. 3
        return (self.w_c[..., None, None] * stacked).sum(2) + self.b_c[:, None, None]  # Eq. 4 before its sigmoid
