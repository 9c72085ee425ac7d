"""High-Resolution Net (Sun et al. 2019): branches of 1/4, 1/8, 1/16 and 1/32 of the image, fused again and again."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial, reduce
from operator import add

from torch import Tensor, nn

from posetables.errors import InputError
from posetables.models import resnet
from posetables.models.layers import check_sides, narrowed

MODULES = (1, 4, 3)
"""Exchange blocks of stages 2, 3 and 4 (sec. 3, "Instantiation")."""


class HRNet(nn.Module):
    """Layer names and shapes of the release, whose weights load (leoxiaobin/deep-high-resolution-net.pytorch).

    maps: number of heatmaps. base: channels of the finest branch, 32 (HRNet-W32) or 48 (HRNet-W48); every further
    branch has twice as many. For small scales `width` narrows all layers, `modules` cuts every stage to at most so many
    exchange blocks (None: the paper's), and `blocks` gives the residual units of a branch and of layer1. Raises
    InputError for numbers below 1.
    """

    multiple = 32
    """Sides of the image must be multiples of this; the maps have stride 4."""
    new_layers = ("final_layer.",)
    """What weights of a classifier leave as it is at the start."""

    def __init__(
        self, maps: int, *, base: int = 32, width: float = 1.0, modules: int | None = None, blocks: int = 4
    ) -> None:
        super().__init__()
        if blocks < 1 or (modules is not None and modules < 1):
            raise InputError(f"HRNet with modules {modules} and blocks {blocks}: give 1 or more of each")
        two, three, four = (count if modules is None else min(count, modules) for count in MODULES)
        stem, *channels = (narrowed(each, width) for each in (64, base, 2 * base, 4 * base, 8 * base))
        wide = stem * resnet.EXPANSION
        self.channels = channels[0]
        self.conv1, self.bn1 = nn.Conv2d(3, stem, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(stem)
        self.conv2, self.bn2 = nn.Conv2d(stem, stem, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(stem)
        self.relu = nn.ReLU(True)
        self.layer1 = resnet.layer(stem, stem, blocks, stride=1)
        self.transition1 = nn.ModuleList(
            [nn.Sequential(*_conv(wide, channels[0], 3), nn.ReLU(True)), nn.Sequential(_halved(wide, channels[1]))]
        )
        self.stage2 = _stage(channels[:2], two, blocks)
        self.transition2 = _one_branch_more(channels[:3])
        self.stage3 = _stage(channels[:3], three, blocks)
        self.transition3 = _one_branch_more(channels)
        self._last_stage = partial(LastStage, channels, modules=four, blocks=blocks)
        self.stage4 = self.last_stage().stage4
        self.final_layer = nn.Conv2d(channels[0], maps, 1)
        _initialise(self)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images (B, 3, H, W) -> heatmaps (B, maps, H/4, W/4), not bounded. Raises InputError for other sides."""
        return {"heatmaps": self.head(self.stage(self.trunk(images)))}

    def trunk(self, images: Tensor) -> list[Tensor]:
        """Images (B, 3, H, W) -> the four branches that the last stage reads, (B, C_i, H/s, W/s), s = 4, 8, 16, 32."""
        check_sides(images, self.multiple)
        x = self.relu(self.bn1(self.conv1(images)))
        x = self.layer1(self.relu(self.bn2(self.conv2(x))))
        branches = self.stage2(_each(self.transition1, [x, x]))
        branches = self.stage3(_each(self.transition2, [*branches, branches[-1]]))
        return _each(self.transition3, [*branches, branches[-1]])

    def stage(self, branches: list[Tensor]) -> Tensor:
        """The last stage, stage4: four branches -> features (B, channels, H/4, W/4) of the finest."""
        features: Tensor = self.stage4(branches)[0]
        return features

    def head(self, features: Tensor) -> Tensor:
        """Features (B, channels, h, w) -> heatmaps (B, maps, h, w)."""
        heatmaps: Tensor = self.final_layer(features)
        return heatmaps

    def last_stage(self) -> LastStage:
        """Another last stage of the same shape with weights of its own (Graph-PCNN sec. 3.1)."""
        return self._last_stage()


class LastStage(nn.Module):
    """`HRNet.stage` alone, its layers under the same names."""

    def __init__(self, channels: Sequence[int], *, modules: int, blocks: int) -> None:
        super().__init__()
        self.stage4 = _stage(channels, modules, blocks, outputs=1)
        _initialise(self)

    def forward(self, branches: list[Tensor]) -> Tensor:
        """Four branches -> features (B, channels, H/4, W/4) of the finest."""
        features: Tensor = self.stage4(branches)[0]
        return features


def _stage(channels: Sequence[int], modules: int, blocks: int, *, outputs: int | None = None) -> nn.Sequential:
    """Exchange blocks one after the other; the last gives the `outputs` finest branches (None: all of them)."""
    given = [len(channels)] * (modules - 1) + [outputs or len(channels)]
    return nn.Sequential(*(ExchangeBlock(channels, blocks, outputs=count) for count in given))


class ExchangeBlock(nn.Module):
    """Residual units on every branch, then each branch becomes the sum of all, resampled (sec. 3, Fig. 3).

    Finer branches come down by 3x3 convolutions of stride 2, coarser ones up by a 1x1 convolution and nearest
    neighbours.
    """

    def __init__(self, channels: Sequence[int], blocks: int, *, outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(BasicUnit(each) for _ in range(blocks))) for each in channels)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_resampled(channels, source, target) for source in range(len(channels)))
            for target in range(outputs)
        )
        self.relu = nn.ReLU(True)

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        """Branches (B, C_i, h/2**i, w/2**i) -> the finest of them, as many as `outputs`, of the same shapes."""
        features = _each(self.branches, branches)
        return [self.relu(reduce(add, _each(sources.children(), features))) for sources in self.fuse_layers]


class BasicUnit(nn.Module):
    """3x3, 3x3 with a shortcut (He et al. 2016, Fig. 5 left)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(channels, channels, 3)
        self.conv2, self.bn2 = _conv(channels, channels, 3)
        self.relu = nn.ReLU(True)

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return (x + changed).relu_()


def _resampled(channels: Sequence[int], source: int, target: int) -> nn.Module:
    """From the resolution and channels of one branch to those of another."""
    if source == target:
        return nn.Identity()
    if source > target:
        up = nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
        return nn.Sequential(*_conv(channels[source], channels[target], 1), up)
    halvings = [_halved(channels[source], channels[source]) for _ in range(target - source - 1)]
    return nn.Sequential(*halvings, nn.Sequential(*_conv(channels[source], channels[target], 3, stride=2)))


def _one_branch_more(channels: Sequence[int]) -> nn.ModuleList:
    """The branches that there are stay as they are; one of half the resolution comes from the coarsest of them."""
    kept = [nn.Identity() for _ in channels[:-1]]
    return nn.ModuleList([*kept, nn.Sequential(_halved(channels[-2], channels[-1]))])


def _each(layers: Iterable[nn.Module], branches: Iterable[Tensor]) -> list[Tensor]:
    return [layer(x) for layer, x in zip(layers, branches, strict=True)]


def _halved(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*_conv(inputs, outputs, 3, stride=2), nn.ReLU(True))


def _conv(inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
    return convolution, nn.BatchNorm2d(outputs)


def _initialise(network: nn.Module) -> None:
    """As the release: convolutions N(0, .001), every batch normalisation the identity."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, std=0.001)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.ones_(layer.weight)


OF_CLASSIFIER = re.compile(r"final_layer\.\d|stage4\.2\.fuse_layers\.[1-3]\.")
"""The classifier's last layer has the name of that of heatmaps, and it reads the coarser branches of stage 4 too."""


def from_torchvision(weights: Mapping[str, Tensor], own: Collection[str]) -> dict[str, Tensor]:
    """Weights of the release's ImageNet classifier or pose network for the layers that `own` (keys) names."""
    taken = resnet.from_torchvision(weights, own)
    return {name: value for name, value in taken.items() if not OF_CLASSIFIER.match(name)}
