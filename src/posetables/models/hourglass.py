"""The stacked hourglass network (Newell et al. 2016; sizes of the released hg.lua)."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from posetables.errors import InputError
from posetables.models.layers import check_sides, map_predictor


class Residual(nn.Module):
    """Pre-activation bottleneck: (B, inputs, h, w) -> (B, outputs, h, w), inner width outputs / 2.

    The shortcut is a bare 1x1 convolution, and only where the widths differ.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.body = nn.Sequential(
            nn.BatchNorm2d(inputs), nn.ReLU(True), nn.Conv2d(inputs, half, 1),
            nn.BatchNorm2d(half), nn.ReLU(True), nn.Conv2d(half, half, 3, padding=1),
            nn.BatchNorm2d(half), nn.ReLU(True), nn.Conv2d(half, outputs, 1),
        )  # fmt: skip
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.shortcut(x) + self.body(x)
        return x


Skip = Callable[[int, int], nn.Module]
"""Depth below and features -> what stands on the way that keeps its resolution."""


def residual_skip(_: int, features: int) -> nn.Module:
    """Newell's: one unit at every depth."""
    return Residual(features, features)


class Hourglass(nn.Module):
    """Down `depth` times by 2 and up again, with a residual unit on every way: (B, c, h, w) -> (B, c, h, w).

    An odd side is rounded up on the way down and cut on the way up, so that any size goes through: the paper's 368
    pixels make 92 cells, which 16 does not divide. Sides that it divides are treated as in the release.
    """

    def __init__(self, depth: int, features: int, skip: Skip = residual_skip) -> None:
        super().__init__()
        self.skip = skip(depth, features)
        self.down = nn.Sequential(nn.MaxPool2d(2, ceil_mode=True), Residual(features, features))
        self.inner = Hourglass(depth - 1, features, skip) if depth > 1 else Residual(features, features)
        self.up = Residual(features, features)

    def forward(self, x: Tensor) -> Tensor:
        return self.pyramid(x)[-1]

    def pyramid(self, x: Tensor) -> tuple[Tensor, ...]:
        """What comes up at every resolution, the coarsest first: sides h/8, h/4, h/2 and h for a depth of 4."""
        high: Tensor = self.skip(x)
        below = self.down(x)
        coarser = self.inner.pyramid(below) if isinstance(self.inner, Hourglass) else ()
        low = self.up(coarser[-1] if coarser else self.inner(below))
        return *coarser, high + doubled(low, x)


def doubled(low: Tensor, like: Tensor) -> Tensor:
    """Every cell four times, cut to the sides of `like`."""
    double = F.interpolate(low, scale_factor=2.0, mode="nearest")
    return double[:, :, : like.shape[-2], : like.shape[-1]]


def linear(inputs: int, outputs: int) -> nn.Sequential:
    """A 1x1 convolution, normalised and rectified."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs), nn.ReLU(True))


def stem(features: int) -> nn.Sequential:
    """Images (B, 3, H, W) -> (B, features, H/4, W/4)."""
    quarter, half = features // 4, features // 2
    return nn.Sequential(
        nn.Conv2d(3, quarter, 7, stride=2, padding=3), nn.BatchNorm2d(quarter), nn.ReLU(True),
        Residual(quarter, half), nn.MaxPool2d(2), Residual(half, half), Residual(half, features),
    )  # fmt: skip


class Stack(nn.Sequential):
    """An hourglass, and the layers between what comes up in it and its maps: (B, c, h, w) -> (B, c, h, w)."""

    def __init__(self, features: int, skip: Skip = residual_skip) -> None:
        super().__init__(Hourglass(4, features, skip), Residual(features, features), *linear(features, features))

    def pyramid(self, x: Tensor) -> tuple[Tensor, ...]:
        """Features at every resolution, the coarsest first; the finest are those of `forward`."""
        hourglass, *layers = self
        assert isinstance(hourglass, Hourglass)
        *coarser, finest = hourglass.pyramid(x)
        for layer in layers:
            finest = layer(finest)
        return *coarser, finest


class StackedHourglass(nn.Module):
    """Stacks of hourglasses, each fed the features and maps of the one before.

    With the predictor of the last stack, 8 stacks of 256 features and 16 maps have 25,434,112 parameters, as in
    Newell's Lua code. Pytorch-pose has 160,512 more at any number of stacks (3,586,960, 6,730,912 and 25,594,624 at
    1, 2 and 8), because the second residual unit of its stem widens to 256 already. Convolutions keep PyTorch's
    default initialisation, which is Torch's; batch normalisation makes it harmless at any width.
    """

    multiple = 4
    """Sides of the image must be multiples of this; it is also the stride of the maps."""

    def __init__(self, maps: int, *, stacks: int = 8, features: int = 256) -> None:
        super().__init__()
        if stacks < 1 or features < 4 or features % 4:
            raise InputError(f"hourglass: stacks {stacks}, features {features}; give 1 or more and a multiple of 4")
        self.channels = features
        self.stem = stem(features)
        self.stacks = nn.ModuleList(Stack(features) for _ in range(stacks))
        self.predictors = nn.ModuleList(map_predictor(features, maps) for _ in range(stacks - 1))
        self.feature_returns = nn.ModuleList(nn.Conv2d(features, features, 1) for _ in range(stacks - 1))
        self.map_returns = nn.ModuleList(nn.Conv2d(maps, features, 1) for _ in range(stacks - 1))

    def forward(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Images (B, 3, H, W) -> features of the last stack (B, channels, H/4, W/4), maps of the stacks before it.

        The maps are pre-activation (B, maps, H/4, W/4) under the names stack1, stack2, ... Raises InputError unless
        H and W are multiples of 4.
        """
        check_sides(images, self.multiple)
        pyramids, maps = self.pyramids(self.stem(images))
        return pyramids[-1][-1], maps

    def pyramids(self, x: Tensor) -> tuple[list[tuple[Tensor, ...]], dict[str, Tensor]]:
        """Features of the stem (B, features, h, w) -> those of every stack at every resolution, the coarsest first; and
        the maps of all stacks but the last."""
        pyramids: list[tuple[Tensor, ...]] = []
        predicted: dict[str, Tensor] = {}
        for number, stack in enumerate(self.stacks):
            assert isinstance(stack, Stack)
            if number:
                features, before = pyramids[-1][-1], number - 1
                maps = predicted[f"stack{number}"] = self.predictors[before](features)
                x = x + self.feature_returns[before](features) + self.map_returns[before](maps)
            pyramids.append(stack.pyramid(x))
        return pyramids, predicted
