"""Convolutional part heatmap regression (Bulat & Tzimiropoulos 2016): parts are detected, then regressed from the maps
of the detector stacked with the image (Fig. 1). Two forms: VGG-FCN (sec. 3.1) and residual (sec. 3.2).

The targets, discs of visible parts and Gaussians of all parts (Eq. 1 and 2), are in `data.codecs`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from posetables.data.skeletons import Skeleton
from posetables.errors import InputError
from posetables.models.hourglass import Residual, linear
from posetables.models.layers import check_sides, narrowed
from posetables.models.resnet import ResNet
from posetables.models.vgg import StridedVGG16

Backbone = Literal["vgg16", "resnet152"]
Cascade = Literal["detection", "regression", "detection+regression", "regression+regression"]

SIZES = {"vgg16": ("width", "dropout"), "resnet152": ("width", "features", "blocks")}
"""What narrows each form."""


def build(skeleton: Skeleton, *, backbone: Backbone, cascade: Cascade, **size: Any) -> PartHeatmapRegression:
    """The networks of Table 5: a detector or a regressor alone, or one of them and a regressor that sees its maps.

    size: what narrows the network, with the paper's values as defaults: width 1 and dropout .5 (vgg16); width 1 and
    blocks None (resnet152: all residual units of a layer) and features 256 (of its hourglass). Raises InputError for a
    value that does not exist.
    """
    _choice("backbone", backbone, SIZES)
    _choice("cascade", cascade, ("detection", "regression", "detection+regression", "regression+regression"))
    for key in size:
        _choice(f"argument of backbone {backbone}", key, SIZES[backbone])
    maps = len(skeleton.joints)
    first, _, then = cascade.partition("+")
    features = size.pop("features", 256)
    detection = VGGDetection(maps, **size) if backbone == "vgg16" else ResidualDetection(maps, **size)
    regression: nn.Module | None = None
    if then:
        width = size.get("width", 1.0)
        regression = VGGRegression(maps, width) if backbone == "vgg16" else ResidualRegression(maps, features)
    return PartHeatmapRegression(detection, regression, detects=first == "detection")


def _choice(what: str, given: str, known: Iterable[str]) -> None:
    if given not in known:
        raise InputError(f"phr: {what} {given!r} is not known; choose from {', '.join(known)}")


class PartHeatmapRegression(nn.Module):
    """The cascade (Fig. 1), or its first network alone.

    The first network detects, or is the same network trained to regress (sec. 4.2, iii and iv). The second sees what
    the first's loss compares with the truth: probabilities of a detector, maps of a regressor as they are [D: sec. 3
    stacks "the N heatmaps produced"; a sigmoid's lie between 0 and 1, as a regressor's do].
    """

    def __init__(
        self, detection: VGGDetection | ResidualDetection, regression: nn.Module | None, *, detects: bool
    ) -> None:
        super().__init__()
        self.multiple = detection.multiple
        self.detection = detection
        self.regression = regression
        self.detects = detects

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images (B, 3, H, W) -> maps (B, J, h, w) by name, each to be supervised; the last entry is the prediction.

        First `detected`, logits, or `first`, regressed, with sides H and W (vgg16) or H/4 and W/4 (resnet152); then
        `regressed` with sides H and W, unless there is no second network. Raises InputError unless H and W are
        multiples of `multiple`.
        """
        check_sides(images, self.multiple)
        first = self.detection(images)
        maps = {"detected" if self.detects else "first": first}
        if self.regression is not None:
            seen = enlarged(first.sigmoid() if self.detects else first, self.detection.stride, images)
            maps["regressed"] = self.regression(torch.cat([seen, images], 1))
        return maps


# VGG-FCN


class VGGDetection(nn.Module):
    """VGG-16 as FCN-8s (Table 1, Fig. 3): 134.3 million parameters.

    Block A5 has VGG's 3x3 kernels, not the 1x1 that Table 1 prints. Added layers start at 0, as sec. 3.2 and FCN have
    it [D: sec. 3.1 does not say]. A9 is a "bilinear upsample", hence fixed, and so are the two steps before it [D].
    """

    multiple = 4
    """Sides of the image must be multiples of this, for the sake of the regression."""
    stride = 1

    def __init__(self, maps: int, *, width: float = 1.0, dropout: float = 0.5) -> None:
        super().__init__()
        self.backbone = StridedVGG16(width=width, dropout=dropout)
        self.scores = nn.ModuleList(_zeroed(nn.Conv2d(inputs, maps, 1)) for inputs in self.backbone.channels)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> maps (B, J, H, W)."""
        eighth, sixteenth, coarsest = (
            score(features) for score, features in zip(self.scores, self.backbone(images), strict=True)
        )
        sixteenth = sixteenth + enlarged(coarsest, 2, sixteenth)
        return enlarged(eighth + enlarged(sixteenth, 2, eighth), 8, images)


class VGGRegression(nn.Sequential):
    """C1 to C8 (Table 2, Fig. 4): image and J maps (B, J + 3, H, W) -> maps (B, J, H, W). 10.0 million parameters.

    The 2x2 pools after C1 and C2 are in no table, but nothing else has the stride that C8 takes back [D]. ReLUs stand
    between the layers [D].
    """

    def __init__(self, maps: int, width: float) -> None:
        c1, c2, c3, c4, c5, c6 = (narrowed(channels, width) for channels in (64, 64, 128, 256, 512, 512))
        super().__init__(
            _gaussian(nn.Conv2d(maps + 3, c1, 9, padding=4), maps + 3), nn.ReLU(True), nn.MaxPool2d(2),
            _gaussian(nn.Conv2d(c1, c2, 13, padding=6), 64), nn.ReLU(True), nn.MaxPool2d(2),
            _gaussian(nn.Conv2d(c2, c3, 13, padding=6), 64), nn.ReLU(True),
            _gaussian(nn.Conv2d(c3, c4, 15, padding=7), 128), nn.ReLU(True),
            _gaussian(nn.Conv2d(c4, c5, 1), 256), nn.ReLU(True),
            _gaussian(nn.Conv2d(c5, c6, 1), 512), nn.ReLU(True),
            _gaussian(nn.Conv2d(c6, maps, 1), 512), deconvolution(maps, kernel=8, stride=4),
        )  # fmt: skip


def _gaussian(layer: nn.Conv2d, inputs: int) -> nn.Conv2d:
    """Weights N(0, .01) (sec. 3.1) at the paper's number of input channels, biases 0.

    With fewer inputs the deviation grows by the root of the ratio, so that what a layer gives keeps its variance [D]:
    through seven layers of an eighth of the width, signals would else be a thousand times smaller.
    """
    nn.init.normal_(layer.weight, std=0.01 * (inputs / layer.in_channels) ** 0.5)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


# Residual


class ResidualDetection(nn.Module):
    """ResNet-152 with stride 16, scores and a deconvolution (Table 3, Fig. 5): 58,180,704 parameters at 16 parts.

    B4 has ResNet-152's 36 units, not the 38 that Table 3 prints. B7 brings the maps to stride 4, not "to the resolution
    of the input", which a x4 does not reach from stride 16; they are enlarged further where they are stacked [D].
    """

    stride = 4

    def __init__(self, maps: int, *, width: float = 1.0, blocks: int | None = None) -> None:
        super().__init__()
        self.backbone = ResNet(152, width=width, stride=16, blocks=blocks)
        self.multiple = self.backbone.multiple
        self.score = _zeroed(nn.Conv2d(self.backbone.channels, maps, 1))  # B6
        self.enlarge = deconvolution(maps, kernel=4, stride=4)  # B7

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) -> maps (B, J, H/4, W/4)."""
        features, _ = self.backbone(images)
        maps: Tensor = self.enlarge(self.score(features))
        return maps


class ResidualRegression(nn.Module):
    """One hourglass (Table 4, Fig. 6): image and J maps (B, J + 3, H, W) -> maps (B, J, H, W).

    Widths in D2 are those of Newell's three units there; D1 and D6 have a quarter and twice the `features`, so 64 and
    512 [D]. The last deconvolution is C8's: with the 4x4 kernel of B7 no peak could move within a cell of 4 pixels [D].

    The paper starts "all layers", except deconvolutions, at zero. Taken literally every layer gives 0 and multiplies
    its gradient by 0: nothing before the biases of D7 ever moves, and all images have the same maps. Here zero is what
    can be [D]: D7, so that all maps start at 0, and the last convolution of every unit, which starts as its shortcut.
    """

    def __init__(self, maps: int, features: int) -> None:
        super().__init__()
        if features < 4 or features % 4:
            raise InputError(f"phr: features {features}; give a multiple of 4")
        quarter, half = features // 4, features // 2
        self.stem = nn.Sequential(
            nn.Conv2d(maps + 3, quarter, 7, stride=2, padding=3), nn.BatchNorm2d(quarter), nn.ReLU(True),
            nn.MaxPool2d(2), _units(quarter, half, half, features),
        )  # fmt: skip
        self.hourglass = Hourglass(4, features)
        self.predictor = nn.Sequential(
            linear(features, 2 * features),  # D6
            _zeroed(nn.Conv2d(2 * features, maps, 1)),  # D7
            deconvolution(maps, kernel=8, stride=4),
        )

    def forward(self, stacked: Tensor) -> Tensor:
        maps: Tensor = self.predictor(self.hourglass(self.stem(stacked)))
        return maps


class Hourglass(nn.Module):
    """Down `depth` times by 2 through D3, up again through D5, and D4 on every way that keeps its resolution.

    (B, c, h, w) -> (B, c, h, w). Odd sides are rounded up on the way down and cut on the way up.
    """

    def __init__(self, depth: int, features: int) -> None:
        super().__init__()
        three = (features,) * 4
        self.keep = _units(*three)  # D4
        self.down = nn.Sequential(nn.MaxPool2d(2, ceil_mode=True), _units(*three))  # D3
        self.inner = Hourglass(depth - 1, features) if depth > 1 else nn.Identity()
        self.up = deconvolution(features, kernel=2, stride=2)  # D5

    def forward(self, x: Tensor) -> Tensor:
        low: Tensor = self.up(self.inner(self.down(x)))
        high: Tensor = self.keep(x)
        return high + low[:, :, : x.shape[-2], : x.shape[-1]]


def _units(*widths: int) -> nn.Sequential:
    """Bottlenecks from each width to the next, which start as their shortcuts."""
    units = [Residual(inputs, outputs) for inputs, outputs in pairwise(widths)]
    for unit in units:
        last = unit.body[-1]
        assert isinstance(last, nn.Conv2d)
        _zeroed(last)
    return nn.Sequential(*units)


# Layers


def _zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def deconvolution(maps: int, *, kernel: int, stride: int) -> nn.ConvTranspose2d:
    """(B, maps, h, w) -> (B, maps, stride h, stride w); starts as every map enlarged alone, by a bilinear filter.

    The filter is FCN's (Long et al. 2015), a triangle as wide as the kernel, scaled so that the weights that meet in a
    pixel sum to one. A kernel of twice the stride so interpolates. In one as wide as its stride a single weight meets a
    pixel: it repeats cells, as Newell's upsampling; FCN's filter itself would dim the map to a quarter [D].
    """
    layer = nn.ConvTranspose2d(maps, maps, kernel, stride, padding=(kernel - stride) // 2)
    triangle = 1 - (torch.arange(kernel) - (kernel - 1) / 2).abs() / (kernel / 2)
    weights = (triangle.view(-1, stride) / triangle.view(-1, stride).sum(0)).flatten()
    with torch.no_grad():
        layer.weight.copy_(torch.eye(maps)[:, :, None, None] * weights[:, None] * weights)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def enlarged(maps: Tensor, times: int, like: Tensor) -> Tensor:
    """Maps (B, J, h, w), bilinearly interpolated to `times` the sides and cut to those of `like`.

    The values of F.interpolate, but as products with matrices, whose gradient CUDA adds up in a fixed order. A
    transposed convolution would fade to 0 at the border, and a logit of 0 is a probability of one half.
    """
    if times == 1:
        return maps
    height, width = (
        _interpolation(cells, times, pixels, maps) for cells, pixels in zip(maps.shape[2:], like.shape[2:], strict=True)
    )
    return height @ maps @ width.T


def _interpolation(cells: int, times: int, pixels: int, maps: Tensor) -> Tensor:
    """Weights (pixels, cells) of the cells in each of the first pixels, of which `times` lie in a cell."""
    where = ((torch.arange(pixels, device=maps.device) + 0.5) / times - 0.5).clamp(0, cells - 1)
    distance = (where[:, None] - torch.arange(cells, device=maps.device)).abs()
    return (1 - distance).clamp(min=0).to(maps.dtype)
