"""VGG16 up to fc7, dilated to stride 8 (Simonyan & Zisserman 2015; Chen et al., DeepLab 2015; HCRN sec. III-C)."""

from __future__ import annotations

from collections.abc import Mapping

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
        layers: list[nn.Module] = []
        inputs = 3
        for block, (convs, outputs) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), start=1):
            for _ in range(convs):
                layers += [conv(inputs, narrowed(outputs, width), 3, dilation=2 if block == 5 else 1), nn.ReLU(True)]
                inputs = narrowed(outputs, width)
            layers.append(nn.MaxPool2d(2) if block <= 3 else nn.MaxPool2d(3, stride=1, padding=1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            conv(inputs, self.channels, 7, dilation=4),
            nn.ReLU(True),
            nn.Dropout(dropout),
            conv(self.channels, self.channels, 1),
            nn.ReLU(True),
            nn.Dropout(dropout),
        )

    def forward(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Images (B, 3, H, W) -> fc7 (B, channels, H/8, W/8), and no maps. Raises InputError for other sides."""
        check_sides(images, self.multiple)
        return self.classifier(self.features(images)), {}


def from_torchvision(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of torchvision's vgg16 as `VGG16` loads it: fc6 and fc7 reshaped, fc8 dropped.

    Raises InputError if fc6 or fc7 is missing.
    """
    converted = {name: value for name, value in weights.items() if not name.startswith("classifier.6.")}
    for name, kernel in (("classifier.0.weight", 7), ("classifier.3.weight", 1)):
        if name not in converted:
            raise InputError(f"VGG16 weights: {name} is missing; take the whole vgg16 of torchvision")
        converted[name] = converted[name].reshape(len(converted[name]), -1, kernel, kernel)
    return converted
