"""VGG16 up to fc7 (Simonyan & Zisserman 2015): dilated to stride 8 (Chen et al., DeepLab 2015; HCRN sec. III-C), and
with its own five pools, of which FCN-8s reads the third and fourth too (Long et al. 2015; PHR sec. 3.1)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import Tensor, nn

from posetables.errors import InputError
from posetables.models.layers import check_sides, conv, narrowed


class VGG16(nn.Module):
    """Layer names and shapes of torchvision's vgg16, with fc6 and fc7 as convolutions, so that its weights load.

    Pool4 and pool5 keep the resolution, hence conv5 is dilated by 2 and fc6 by 4 (Yu & Koltun 2015). Both become the
    3x3 pools of DeepLab, because a 2x2 pool of stride 1 would shift the map by half a pixel.
    """

    multiple = 8
    """Sides of the image must be multiples of this; it is also the stride of the maps."""

    def __init__(self, *, width: float = 1.0, dropout: float = 0.5) -> None:
        super().__init__()
        self.channels = narrowed(4096, width)
        self.features = _features(width, dilated=True)
        self.classifier = _classifier(width, dropout, dilation=4)

    def forward(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Images (B, 3, H, W) -> fc7 (B, channels, H/8, W/8), and no maps. Raises InputError for other sides."""
        check_sides(images, self.multiple)
        return self.classifier(self.features(images)), {}


class StridedVGG16(nn.Module):
    """The same layers under the same names with the five 2x2 pools that they were trained with, so nothing is dilated.

    Pools round up, so that any side goes through: the 380 pixels of PHR make 48, 24 and 12 cells.
    """

    def __init__(self, *, width: float = 1.0, dropout: float = 0.5) -> None:
        super().__init__()
        self.channels = (narrowed(256, width), narrowed(512, width), narrowed(4096, width))
        """Of pool3, pool4 and fc7."""
        self.features = _features(width, dilated=False)
        self.classifier = _classifier(width, dropout, dilation=1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Images (B, 3, H, W) -> pool3, pool4 and fc7: sides divided by 8, 16 and 32, rounded up."""
        pooled: list[Tensor] = []
        x = images
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                pooled.append(x)
        return pooled[2], pooled[3], self.classifier(x)


def _features(width: float, *, dilated: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    inputs = 3
    for block, (convs, outputs) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), start=1):
        for _ in range(convs):
            dilation = 2 if dilated and block == 5 else 1
            layers += [conv(inputs, narrowed(outputs, width), 3, dilation=dilation), nn.ReLU(True)]
            inputs = narrowed(outputs, width)
        if dilated:
            layers.append(nn.MaxPool2d(2) if block <= 3 else nn.MaxPool2d(3, stride=1, padding=1))
        else:
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
    return nn.Sequential(*layers)


def _classifier(width: float, dropout: float, *, dilation: int) -> nn.Sequential:
    """fc6 and fc7 as convolutions."""
    inputs, channels = narrowed(512, width), narrowed(4096, width)
    return nn.Sequential(
        conv(inputs, channels, 7, dilation=dilation),
        nn.ReLU(True),
        nn.Dropout(dropout),
        conv(channels, channels, 1),
        nn.ReLU(True),
        nn.Dropout(dropout),
    )


def from_torchvision(weights: Mapping[str, Tensor], own: Collection[str]) -> dict[str, Tensor]:
    """Of the state dict of torchvision's vgg16 the layers that `own` (keys) names, fc6 and fc7 reshaped.

    So fc8 is dropped. Raises InputError if fc6 or fc7 is missing.
    """
    converted = {name: value for name, value in weights.items() if name in own}
    for name, kernel in (("classifier.0.weight", 7), ("classifier.3.weight", 1)):
        if name not in converted:
            raise InputError(f"VGG16 weights: {name} is missing; take the whole vgg16 of torchvision")
        converted[name] = converted[name].reshape(len(converted[name]), -1, kernel, kernel)
    return converted
