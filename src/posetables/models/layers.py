"""What every network shares: narrowing, initialisation and the check of the image size."""

from __future__ import annotations

from torch import Tensor, nn

from posetables.errors import InputError


def narrowed(channels: int, width: float) -> int:
    """Channels at a width below (or above) the paper's: a multiple of 8, since kernels are slow on other counts."""
    return max(8, round(width * channels / 8) * 8)


def conv(inputs: int, outputs: int, kernel: int, *, dilation: int = 1) -> nn.Conv2d:
    """Convolution of stride 1 that keeps the size and feeds a ReLU: He normal weights, zero bias.

    He's variance (He et al. 2015, Eq. 10) keeps activations alive through 15 layers without batch normalisation.
    """
    layer = nn.Conv2d(inputs, outputs, kernel, padding=dilation * (kernel // 2), dilation=dilation)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def map_predictor(inputs: int, maps: int) -> nn.Conv2d:
    """1x1 convolution from features to pre-activation maps: N(0, .01), so that every sigmoid starts near one half."""
    layer = nn.Conv2d(inputs, maps, 1)
    nn.init.normal_(layer.weight, std=0.01)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def check_sides(images: Tensor, multiple: int) -> None:
    """Raise InputError unless both sides of images (B, 3, H, W) are multiples of `multiple` pixels."""
    height, width = images.shape[-2:]
    if height % multiple or width % multiple:
        raise InputError(
            f"image size {height}x{width}: this network needs sides that are multiples of {multiple}; "
            f"change the crop size or the test scales in the recipe"
        )
