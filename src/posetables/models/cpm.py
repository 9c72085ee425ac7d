"""Convolutional Pose Machines as released (Wei et al. 2016, Fig. 2 and the LSP prototxt)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posetables.errors import InputError
from posetables.models.layers import check_sides, conv, map_predictor, narrowed


class CPM(nn.Module):
    """Stage 1 sees the image; each later stage sees image features, the maps before it and where the person is.

    Stage 2 has a tower of its own, which all later stages share. At width 1 and 15 maps, 1, 2, 3 and 6 stages with
    their predictors have 4,386,095, 11,901,406, 16,731,021 and 31,219,866 parameters. Maps pass through a sigmoid on
    their way to the next stage: the released network regresses heatmaps in [0, 1], HCRN logits of the same.
    """

    multiple = 8
    """Sides of the image must be multiples of this; it is also the stride of the maps."""

    def __init__(self, maps: int, *, stages: int = 6, width: float = 1.0) -> None:
        super().__init__()
        if stages < 1:
            raise InputError(f"cpm: stages is {stages}; give 1 or more")
        image, local, wide, hidden = (narrowed(channels, width) for channels in (128, 32, 512, 128))
        self.channels = wide if stages == 1 else hidden
        self.stage1 = nn.Sequential(
            _tower(image),
            _relu(image, local, 5),
            _relu(local, wide, 9),
            _relu(wide, wide, 1),
        )
        self.tower = _tower(image) if stages > 1 else None
        later = range(2, stages + 1)
        self.predictors = nn.ModuleList(map_predictor(wide if stage == 2 else hidden, maps) for stage in later)
        self.locals = nn.ModuleList(_relu(image, local, 5) for _ in later)
        self.stages = nn.ModuleList(
            nn.Sequential(
                _relu(local + maps + 1, hidden, 11),
                _relu(hidden, hidden, 11),
                _relu(hidden, hidden, 11),
                _relu(hidden, hidden, 1),
            )
            for _ in later
        )

    def forward(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Images (B, 3, H, W) -> features of the last stage (B, channels, H/8, W/8), maps of the stages before it.

        The maps are logits (B, maps, H/8, W/8) under the names stage1, stage2, ... Raises InputError unless H and W
        are multiples of 8.
        """
        check_sides(images, self.multiple)
        features, predicted = self.stage1(images), {}
        if self.tower is not None:
            appearance, centre = self.tower(images), centre_map(images)
        for number, (predict, local, stage) in enumerate(
            zip(self.predictors, self.locals, self.stages, strict=True), start=1
        ):
            maps = predicted[f"stage{number}"] = predict(features)
            features = stage(torch.cat((local(appearance), maps.sigmoid(), centre), dim=1))
        return features, predicted


def centre_map(images: Tensor) -> Tensor:
    """Gaussian at the centre of images (B, 3, H, W), averaged over 9x9 pixels every 8: (B, 1, H/8, W/8), in [0, 1].

    Its sigma is 21 px of the released crop of 368 px, and scales with the longer side, so that it covers the same
    part of the person at every scale of a test pyramid.
    """
    height, width = images.shape[-2:]
    sigma = 21 / 368 * max(height, width)

    def profile(side: int) -> Tensor:
        offsets = torch.arange(side, device=images.device, dtype=images.dtype) - (side - 1) / 2
        return F.avg_pool1d(torch.exp(-(offsets**2) / (2 * sigma**2))[None], 9, stride=8, ceil_mode=True)[0]

    return torch.outer(profile(height), profile(width)).expand(len(images), 1, -1, -1)


def _relu(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(conv(inputs, outputs, kernel), nn.ReLU(True))


def _tower(channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs in (3, channels, channels):
        # Caffe rounds the size of a pooled map up.
        layers += [_relu(inputs, channels, 9), nn.MaxPool2d(3, stride=2, ceil_mode=True)]
    return nn.Sequential(*layers)
