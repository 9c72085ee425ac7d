"""What one forward pass costs, in multiply-accumulates and as the releases of HRNet and Simple Baseline count them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

Counted = nn.Conv2d | nn.ConvTranspose2d | nn.Linear


@dataclass(frozen=True)
class Cost:
    """Parameters, and operations of one image.

    macs: multiply-accumulates of all convolutions, transposed convolutions and linear layers. Sums of maps, batch
    normalisation, activations, pools and products outside of these layers are not counted, as in the releases.
    released: what the papers print as GFLOPs, multiply-accumulates / 2**30 by `get_model_summary` of the HRNet release:
    it takes a kernel once for each pixel of the output, which is right for convolutions, but s * s times too much for a
    transposed convolution of stride s. Table 1 of Sun et al. 2019 counts so.
    """

    parameters: int
    macs: int
    released: float


def count(network: nn.Module, height: int, width: int) -> Cost:
    """Cost of a network, in evaluation mode, for one image of height x width pixels. It sees a black one."""
    macs = as_released = 0

    def add(layer: Counted, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal macs, as_released
        kernel = layer.weight.numel()
        macs += kernel * _positions(layer, inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output)
        as_released += kernel * _positions(layer, output)

    parameters = list(network.parameters())
    hooks = [layer.register_forward_hook(add) for layer in network.modules() if isinstance(layer, Counted)]
    try:
        with torch.no_grad():
            network(torch.zeros(1, 3, height, width, device=parameters[0].device))
    finally:
        for hook in hooks:
            hook.remove()
    return Cost(sum(weight.numel() for weight in parameters), macs, as_released / 2**30)


def _positions(layer: Counted, features: Tensor) -> int:
    """Where a layer's weights are applied to, or give, all channels: pixels, or vectors for a linear layer."""
    return features.numel() // features.shape[-1 if isinstance(layer, nn.Linear) else 1]
