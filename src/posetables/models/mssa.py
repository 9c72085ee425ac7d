"""Multi-Scale Structure-Aware Network (Ke et al., sec. 3): hourglasses supervised at every scale, and the regression.

The structure-aware loss (Eq. 2) is in `data.codecs`, keypoint masking (sec. 3.4) in `data.masking`.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posetables.data.skeletons import Skeleton
from posetables.errors import InputError
from posetables.models.hourglass import Residual, Stack, StackedHourglass
from posetables.models.layers import check_sides, map_predictor

DIVISORS = (8, 4, 2, 1)
"""Scales of the maps: sides of the finest, divided by these (sec. 3.1)."""


def build(
    skeleton: Skeleton,
    *,
    backbone: Literal["hourglass"],
    stacks: int = 8,
    features: int = 256,
    supervision: Literal["one scale", "all scales"] = "all scales",
    regression: Literal["none", "all scales"] = "all scales",
) -> nn.Module:
    """The networks of section 4.3: hourglass (one scale), MSS-net (all scales), MSS-net and MSR-net (with regression).

    Raises InputError for a value that does not exist, or for a regression without all scales to regress.
    """
    for key, value, known in (
        ("backbone", backbone, ("hourglass",)),
        ("supervision", supervision, ("one scale", "all scales")),
        ("regression", regression, ("none", "all scales")),
    ):
        if value not in known:
            raise InputError(f"mssa: {key} {value!r} is not known; choose from {', '.join(known)}")
    if supervision == "one scale" and regression != "none":
        raise InputError("mssa: regression needs maps of all scales; set supervision: all scales, or regression: none")
    maps = len(skeleton.joints)
    supervised = Supervision(maps, stacks, features, DIVISORS if supervision == "all scales" else DIVISORS[-1:])
    return supervised if regression == "none" else StructureAware(supervised, Regression(maps, features))


class Supervision(nn.Module):
    """MSS-net (sec. 3.1): the stacked hourglass with maps at every scale of every stack.

    A scale's maps are a 1x1 convolution of what comes up in the hourglass there; the finest are Newell's own.
    """

    multiple = StackedHourglass.multiple

    def __init__(self, maps: int, stacks: int, features: int, divisors: tuple[int, ...]) -> None:
        super().__init__()
        self.coarser = divisors[:-1]
        self.backbone = StackedHourglass(maps, stacks=stacks, features=features)
        self.predictor = map_predictor(features, maps)
        self.predictors = nn.ModuleList(
            nn.ModuleList(map_predictor(features, maps) for _ in self.coarser) for _ in range(stacks)
        )

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images (B, 3, H, W) -> maps (B, J, h, w) by name, each to be supervised; the last entry is the prediction.

        stack1-8, stack1-4, stack1-2, stack1-1, stack2-8, ...: of each stack, sides divided by 8, 4, 2 and 1 (rounded
        up) from h = H/4. Raises InputError unless H and W are multiples of 4.
        """
        return self.supervised(self.stem(images))

    def stem(self, images: Tensor) -> Tensor:
        """Features (B, c, H/4, W/4) before the first stack."""
        check_sides(images, self.multiple)
        features: Tensor = self.backbone.stem(images)
        return features

    def supervised(self, features: Tensor) -> dict[str, Tensor]:
        """Features of the stem -> the maps of `forward`."""
        pyramids, finest = self.backbone.pyramids(features)
        finest[f"stack{len(pyramids)}"] = self.predictor(pyramids[-1][-1])
        maps: dict[str, Tensor] = {}
        for (name, own), pyramid, predictors in zip(finest.items(), pyramids, self.predictors, strict=True):
            maps |= _maps(name, self.coarser, pyramid, predictors)
            maps[f"{name}-1"] = own
        return maps


class Regression(nn.Module):
    """MSR-net (sec. 3.2): maps of all scales -> maps of all scales.

    The paper draws no layers: one hourglass, as those before it, that sees the maps of the last stack at the size of
    the finest beside the features of the stem, as part heatmap regression sees maps beside the image [D].
    """

    def __init__(self, maps: int, features: int) -> None:
        super().__init__()
        self.entry = Residual(features + len(DIVISORS) * maps, features)
        self.stack = Stack(features)
        self.predictors = nn.ModuleList(map_predictor(features, maps) for _ in DIVISORS)

    def forward(self, features: Tensor, maps: list[Tensor]) -> dict[str, Tensor]:
        """Features (B, c, h, w), maps of one stack, the coarsest first -> regressed-8, regressed-4, -2 and -1."""
        seen = [_enlarged(each, divisor, features) for each, divisor in zip(maps, DIVISORS, strict=True)]
        pyramid = self.stack.pyramid(self.entry(torch.cat([features, *seen], 1)))
        return _maps("regressed", DIVISORS, pyramid, self.predictors)


class StructureAware(nn.Module):
    """MSS-net, and MSR-net at its end (Fig. 2)."""

    multiple = Supervision.multiple

    def __init__(self, supervision: Supervision, regression: Regression) -> None:
        super().__init__()
        self.supervision = supervision
        self.regression = regression

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images (B, 3, H, W) -> the maps of `Supervision`, then regressed-8, -4, -2 and -1, of which the last is the
        prediction."""
        features = self.supervision.stem(images)
        maps = self.supervision.supervised(features)
        regressed: dict[str, Tensor] = self.regression(features, list(maps.values())[-len(DIVISORS) :])
        return maps | regressed


def _maps(
    name: str, divisors: tuple[int, ...], pyramid: tuple[Tensor, ...], predictors: nn.Module
) -> dict[str, Tensor]:
    """Maps of the scales of a pyramid that have a predictor, the coarsest first."""
    assert isinstance(predictors, nn.ModuleList)
    return {
        f"{name}-{divisor}": predict(features)
        for divisor, features, predict in zip(divisors, pyramid, predictors, strict=False)
    }


def _enlarged(maps: Tensor, divisor: int, like: Tensor) -> Tensor:
    """Maps of a scale, every cell divisor x divisor times, cut to the sides of `like`."""
    enlarged = F.interpolate(maps, scale_factor=float(divisor), mode="nearest")
    return enlarged[:, :, : like.shape[-2], : like.shape[-1]]
