"""ResNets of 50, 101 and 152 layers up to res5c, of stride 32, 16 or 8 (He et al. 2016, Table 1)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

from torch import Tensor, nn

from posetables.errors import InputError
from posetables.models.layers import check_sides, narrowed

EXPANSION = 4
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
"""Residual units of layer1 to layer4 by the depth of the network."""


def _conv(inputs: int, outputs: int, kernel: int, *, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    layer = nn.Conv2d(
        inputs, outputs, kernel, stride=stride, padding=dilation * (kernel // 2), dilation=dilation, bias=False
    )
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 with a shortcut; the stride is on the 3x3, as in torchvision.

    A new unit starts as its shortcut (last scale 0, Goyal et al. 2017): 33 of them at scale 1 are so chaotic that
    0.2 % of noise on the image, or bfloat16, changes most of the output.
    """

    def __init__(self, inputs: int, planes: int, *, stride: int, dilation: int) -> None:
        super().__init__()
        outputs = planes * EXPANSION
        self.conv1 = _conv(inputs, planes, 1)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = _conv(planes, planes, 3, stride=stride, dilation=dilation)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = _conv(planes, outputs, 1)
        self.bn3 = nn.BatchNorm2d(outputs)
        nn.init.zeros_(self.bn3.weight)
        self.relu = nn.ReLU(True)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(_conv(inputs, outputs, 1, stride=stride), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        shortcut: Tensor = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        x = shortcut + self.bn3(self.conv3(x))
        return x.relu_()


class ResNet(nn.Module):
    """Layer names and shapes of torchvision's resnets without their classifier, so that their weights load.

    stride: of the features. 16 takes the stride off layer4 (PHR sec. 3.2). 8 exchanges the strides of layer3 and layer4
    for dilation (HCRN sec. III-C; Yu & Koltun 2015); as with torchvision's `replace_stride_with_dilation`, the first
    block of a layer keeps the dilation of the layer before it: every fourth output is exactly that of the network of
    stride 32. blocks: cuts every layer to at most so many residual units, for small scales; None is the paper's.
    Raises InputError for a depth or number of blocks that does not exist.
    """

    def __init__(
        self, depth: int, *, width: float = 1.0, stride: Literal[32, 16, 8] = 32, blocks: int | None = None
    ) -> None:
        super().__init__()
        stem, *planes = (narrowed(channels, width) for channels in (64, 64, 128, 256, 512))
        outputs = [each * EXPANSION for each in planes]
        counts = block_counts(depth, blocks)
        dilated = stride == 8
        self.multiple: int = stride
        """Sides of the image must be multiples of this."""
        self.channels = outputs[-1]
        self.conv1 = _conv(3, stem, 7, stride=2)
        self.bn1 = nn.BatchNorm2d(stem)
        self.relu = nn.ReLU(True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = layer(stem, planes[0], counts[0], stride=1)
        self.layer2 = layer(outputs[0], planes[1], counts[1], stride=2)
        dilations = ((1, 2), (2, 4)) if dilated else ((1, 1), (1, 1))
        self.layer3 = layer(outputs[1], planes[2], counts[2], stride=1 if dilated else 2, dilations=dilations[0])
        self.layer4 = layer(outputs[2], planes[3], counts[3], stride=2 if stride == 32 else 1, dilations=dilations[1])

    def forward(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Images (B, 3, H, W) -> res5c (B, channels, H/stride, W/stride), and no maps.

        Raises InputError for sides that are no multiples of the stride.
        """
        check_sides(images, self.multiple)
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))), {}


def layer(inputs: int, planes: int, blocks: int, *, stride: int, dilations: tuple[int, int] = (1, 1)) -> nn.Sequential:
    """One resolution of the network: (B, inputs, h, w) -> (B, planes * EXPANSION, h/stride, w/stride).

    dilations: of the first residual unit and of all others.
    """
    first = Bottleneck(inputs, planes, stride=stride, dilation=dilations[0])
    others = (Bottleneck(planes * EXPANSION, planes, stride=1, dilation=dilations[1]) for _ in range(blocks - 1))
    return nn.Sequential(first, *others)


def block_counts(depth: int, blocks: int | None) -> tuple[int, ...]:
    """Residual units of layer1 to layer4, each at most `blocks`. Raises InputError if there is no such network."""
    if depth not in BLOCKS:
        raise InputError(f"ResNet of {depth} layers: not known; choose from {', '.join(map(str, BLOCKS))}")
    if blocks is not None and blocks < 1:
        raise InputError(f"ResNet with blocks {blocks}: every layer needs a residual unit; give 1 or more")
    return tuple(count if blocks is None else min(count, blocks) for count in BLOCKS[depth])


def from_torchvision(weights: Mapping[str, Tensor], own: Collection[str]) -> dict[str, Tensor]:
    """Of a released state dict the layers that the network has; the classifier, above all, is dropped.

    own: keys of the network's state dict. A layer (what comes before the first dot) is taken as it is or not at all,
    so that the weights of a deeper network are not mistaken for those of this one.
    """
    layers = {name.partition(".")[0] for name in own}
    return {name: value for name, value in weights.items() if name.partition(".")[0] in layers}
