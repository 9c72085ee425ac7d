"""ResNet up to res5c, dilated to stride 8 (He et al. 2016; Yu & Koltun 2015; HCRN sec. III-C)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from posetables.models.layers import check_sides, narrowed

EXPANSION = 4


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


class ResNet101(nn.Module):
    """Layer names and shapes of torchvision's resnet101 without its classifier, so that its weights load.

    Layer3 and layer4 exchange their stride for dilation. As with torchvision's `replace_stride_with_dilation`, the
    first block of a layer keeps the dilation of the layer before it: every fourth output is exactly that of the
    network of stride 32.
    """

    multiple = 8
    """Sides of the image must be multiples of this; it is also the stride of the maps."""

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        stem, *planes = (narrowed(channels, width) for channels in (64, 64, 128, 256, 512))
        self.channels = planes[-1] * EXPANSION
        self.conv1 = _conv(3, stem, 7, stride=2)
        self.bn1 = nn.BatchNorm2d(stem)
        self.relu = nn.ReLU(True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _layer(stem, planes[0], blocks=3)
        self.layer2 = _layer(planes[0] * EXPANSION, planes[1], blocks=4, stride=2)
        self.layer3 = _layer(planes[1] * EXPANSION, planes[2], blocks=23, dilations=(1, 2))
        self.layer4 = _layer(planes[2] * EXPANSION, planes[3], blocks=3, dilations=(2, 4))

    def forward(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Images (B, 3, H, W) -> res5c (B, channels, H/8, W/8), and no maps. Raises InputError for other sides."""
        check_sides(images, self.multiple)
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))), {}


def _layer(
    inputs: int, planes: int, *, blocks: int, stride: int = 1, dilations: tuple[int, int] = (1, 1)
) -> nn.Sequential:
    """One resolution of the network; dilations are those of the first block and of all others."""
    first = Bottleneck(inputs, planes, stride=stride, dilation=dilations[0])
    others = (Bottleneck(planes * EXPANSION, planes, stride=1, dilation=dilations[1]) for _ in range(blocks - 1))
    return nn.Sequential(first, *others)


def from_torchvision(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of torchvision's resnet101 as `ResNet101` loads it: the classifier dropped."""
    return {name: value for name, value in weights.items() if not name.startswith("fc.")}
