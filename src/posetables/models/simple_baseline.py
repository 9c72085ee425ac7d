"""Simple Baseline: a ResNet and three transposed convolutions (Xiao et al. 2018, Fig. 1a). Stage 1 of Graph-PCNN."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial

from torch import Tensor, nn

from posetables.models import resnet
from posetables.models.layers import check_sides, narrowed

NEW_LAYERS = ("deconv_layers.", "final_layer.")
"""What weights of a classifier leave as it is at the start."""


class SimpleBaseline(nn.Module):
    """Layer names and shapes of the release, whose weights load (microsoft/human-pose-estimation.pytorch).

    maps: number of heatmaps. depth: 50, 101 or 152. width and blocks narrow and shorten the network for small scales.
    """

    multiple = 32
    """Sides of the image must be multiples of this; the maps have stride 4."""
    new_layers = NEW_LAYERS

    def __init__(self, maps: int, *, depth: int, width: float = 1.0, blocks: int | None = None) -> None:
        super().__init__()
        self.channels = narrowed(256, width)
        backbone = resnet.ResNet(depth, width=width, blocks=blocks)
        self.conv1, self.bn1, self.relu, self.maxpool = backbone.conv1, backbone.bn1, backbone.relu, backbone.maxpool
        self.layer1, self.layer2, self.layer3 = backbone.layer1, backbone.layer2, backbone.layer3
        self.layer4 = backbone.layer4
        self.deconv_layers = _deconvolutions(backbone.channels, self.channels)
        self.final_layer = nn.Conv2d(self.channels, maps, 1)
        nn.init.normal_(self.final_layer.weight, std=0.001)
        assert self.final_layer.bias is not None
        nn.init.zeros_(self.final_layer.bias)
        self._last_stage = partial(LastStage, width=width, blocks=resnet.block_counts(depth, blocks)[-1])

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images (B, 3, H, W) -> heatmaps (B, maps, H/4, W/4), not bounded. Raises InputError for other sides."""
        return {"heatmaps": self.head(self.stage(self.trunk(images)))}

    def trunk(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> what the last stage reads: res4 (B, C', H/16, W/16)."""
        check_sides(images, self.multiple)
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        res4: Tensor = self.layer3(self.layer2(self.layer1(x)))
        return res4

    def stage(self, x: Tensor) -> Tensor:
        """The last stage, layer4 and the transposed convolutions: (B, C', h, w) -> features (B, channels, 4h, 4w)."""
        features: Tensor = self.deconv_layers(self.layer4(x))
        return features

    def head(self, features: Tensor) -> Tensor:
        """Features (B, channels, h, w) -> heatmaps (B, maps, h, w)."""
        heatmaps: Tensor = self.final_layer(features)
        return heatmaps

    def last_stage(self) -> LastStage:
        """Another last stage of the same shape with weights of its own (Graph-PCNN sec. 3.1)."""
        return self._last_stage()


class LastStage(nn.Module):
    """`SimpleBaseline.stage` alone, its layers under the same names."""

    new_layers = NEW_LAYERS

    def __init__(self, *, width: float, blocks: int) -> None:
        super().__init__()
        inputs, planes, channels = (narrowed(each, width) for each in (256, 512, 256))
        self.layer4 = resnet.layer(inputs * resnet.EXPANSION, planes, blocks, stride=2)
        self.deconv_layers = _deconvolutions(planes * resnet.EXPANSION, channels)

    def forward(self, x: Tensor) -> Tensor:
        """What the last stage reads (B, C', h, w) -> features (B, channels, 4h, 4w)."""
        features: Tensor = self.deconv_layers(self.layer4(x))
        return features


def _deconvolutions(inputs: int, channels: int) -> nn.Sequential:
    """Three times the resolution doubled; N(0, .001) as in the release."""
    layers: list[nn.Module] = []
    for given in (inputs, channels, channels):
        doubled = nn.ConvTranspose2d(given, channels, 4, stride=2, padding=1, bias=False)
        nn.init.normal_(doubled.weight, std=0.001)
        layers += [doubled, nn.BatchNorm2d(channels), nn.ReLU(True)]
    return nn.Sequential(*layers)


def from_torchvision(weights: Mapping[str, Tensor], own: Collection[str]) -> dict[str, Tensor]:
    """Weights of a ResNet classifier or of a released Simple Baseline for the layers that `own` (keys) names."""
    return resnet.from_torchvision(weights, own)
