"""Test a network by its maps as they are, as Simple Baselines, HRNet and DARK do; and move what they say by a second
stage, as Graph-PCNN does (sec. 3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from posetables import device as devices
from posetables.data import skeletons
from posetables.data.augment import placed
from posetables.data.codecs import map_codec_of
from posetables.data.decoding import decode
from posetables.stages import network as networks
from posetables.stages.predict import Tester, cut, on_image

if TYPE_CHECKING:
    from posetables.data.codecs import MapCodec
    from posetables.data.trials import Found, Shown


class View(NamedTuple):
    """What a network sees in images, or in flipped images."""

    flipped: bool
    codec: MapCodec
    maps: Tensor
    """(B, J, h, w) of all of its joints, flipped back."""
    features: Tensor | None
    """(B, C, h, w) for the second stage, as they are; None where there is none."""


def found_in_cells(tester: Tester, shown: Shown) -> Found:
    """Mean maps of the image and its mirror image, decoded; then moved by the mean of the offsets in both."""
    size, way = networks.shape(tester.network, tester.recipe), tester.protocol.decode
    assert way != "interpolated"
    images = cut(tester, shown, 1.0, size)
    views = [view(tester, images, flipped=flipped) for flipped in (False, True)[: 1 + tester.protocol.flip]]
    maps = torch.stack([each.maps for each in views]).mean(0)
    rows, corners = maps.shape[-2], views[0].codec.recipe.grid == "corners"
    cells, score = decode(maps, way, tester.protocol.kernel)
    if tester.protocol.refine is not None:
        # Where a cell stands for its corner pixel, the mirror image of a map is that many cells further right.
        further = 1 - rows / size[0] if corners else 0.0
        cells = cells + torch.stack([offsets(tester, each, cells, score, further) for each in views]).mean(0)
    joints = networks.taken(tester.recipe)
    return on_image(placed(cells, rows, size, corners=corners)[:, joints], score[:, joints], shown)


def view(tester: Tester, images: Tensor, *, flipped: bool) -> View:
    seen = (images.flip(-1) if flipped else images).to(memory_format=torch.channels_last)
    network: Any = tester.network
    with devices.precision(tester.recipe.compute, tester.device):
        if tester.protocol.refine is None:
            (name, output), features = list(network(seen).items())[-1], None
        else:
            name, (output, features) = "heatmaps", network.see(seen)
    codec = map_codec_of(name, tester.recipe.codecs)
    maps = codec.activate(output)
    if flipped:
        maps = maps.flip(-1)[:, list(skeletons.named(tester.recipe.maps_of).flip)]
        if tester.protocol.shift:
            maps = shifted(maps, tester.protocol.shift)
    return View(flipped, codec, maps, features)


def shifted(maps: Tensor, cells: int) -> Tensor:
    """Maps moved right; the cells that this lays bare keep what they had, as in HRNet's release."""
    return torch.cat([maps[..., :cells], maps[..., :-cells]], -1)


def offsets(tester: Tester, seen: View, cells: Tensor, score: Tensor, further: float) -> Tensor:
    """(B, J, 2) in cells, from the guided points `cells` (B, J, 2) to the joints, as one view has it."""
    flip = list(skeletons.named(tester.recipe.maps_of).flip)
    network: Any = tester.network
    least = tester.protocol.refine
    assert least is not None
    points, heat = cells[:, :, None], score[:, :, None]
    mirror = torch.tensor([-1.0, 1.0], device=cells.device)
    if seen.flipped:
        last = torch.tensor([seen.maps.shape[-1] - 1 + further, 0.0], device=cells.device)
        points, heat = (last + mirror * points)[:, flip], heat[:, flip]
    with devices.precision(tester.recipe.compute, tester.device):
        refined = network.refine(seen.features, points, heat, heat > least)
    found: Tensor = refined[:, :, 0, 4:].float()
    return mirror * found[:, flip] if seen.flipped else found
