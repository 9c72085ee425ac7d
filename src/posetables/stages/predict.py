"""Test a trained network: image pyramid and flip, maps fused, one joint from the maximum of each; a second look at whom
it has not found."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posetables import device as devices
from posetables.data import skeletons
from posetables.data.augment import Sampler, placed
from posetables.data.codecs import blur, map_codec_of, peaks
from posetables.data.loading import testing_batches
from posetables.data.people import Crops, read_crops
from posetables.data.regions import joints_on_image
from posetables.data.trials import Found, Shown, Thresholds, fused, missed, perturbed, stacked, trials
from posetables.progress import progress
from posetables.stages import network as networks

if TYPE_CHECKING:
    from posetables.recipe import Experiment, Protocol

BATCH = 32


class Tester(NamedTuple):
    """What all passes of a test have in common."""

    network: nn.Module
    recipe: Experiment
    protocol: Protocol
    device: torch.device
    sampler: Sampler


Decoder = Callable[[Tester, Shown], Found]


def predict(
    recipe: Experiment, protocol: Protocol, inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]
) -> dict[str, Any]:
    """Write `predictions`: one line a person with its joints in pixels of the image and their scores."""
    device = devices.choose(recipe.compute)
    tester = trained(recipe, protocol, inputs, device)
    thresholds = read_thresholds(recipe, inputs)
    joints = tuple(range(len(skeletons.named(recipe.skeleton).joints)))
    people = read_crops(inputs["crops"]["crops"].parent, recipe.test.split, None, joints, aspect=recipe.aspect)
    found, retried = [], 0
    with torch.inference_mode(), progress(f"{recipe.name}: test", len(people)) as advance:
        for shown in everybody(people):
            pose, again = look(tester, shown, thresholds)
            found.append(pose)
            retried += int(again.sum())
            advance(len(shown.side))
    xy, scores = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    table = pd.DataFrame({"person": people.person})
    table["joints"] = list(xy.reshape(len(xy), -1))
    table["scores"] = list(scores)
    table.to_parquet(outputs["predictions"], index=False)
    told = {} if thresholds is None else {"retried": retried}
    return {"people": len(table), "device": devices.name(device)} | told


def trained(
    recipe: Experiment, protocol: Protocol, inputs: Mapping[str, Mapping[str, Path]], device: torch.device
) -> Tester:
    """With the input `weights`."""
    network = networks.build(recipe.network, recipe.maps_of)
    networks.load(network, "", inputs["weights"]["weights"])
    return tester_of(network, recipe, protocol, device)


def tester_of(network: nn.Module, recipe: Experiment, protocol: Protocol, device: torch.device) -> Tester:
    return Tester(network.to(device).eval(), recipe, protocol, device, Sampler(recipe.pixels, device))


def everybody(people: Crops) -> Iterator[Shown]:
    for batch in testing_batches(people, BATCH):
        yield Shown(batch.crops, batch.density, people.center[batch.people], people.side[batch.people])


def read_thresholds(recipe: Experiment, inputs: Mapping[str, Mapping[str, Path]]) -> Thresholds | None:
    """Those that the stage `calibrate` chose; nothing for a protocol that tests everybody once."""
    if "thresholds" not in inputs:
        return None
    told = json.loads(inputs["thresholds"]["thresholds"].read_text())["thresholds"]
    joints = skeletons.named(recipe.skeleton).joints
    return Thresholds(np.array([told["confidence"][joint] for joint in joints]), told["score"])


def look(tester: Tester, shown: Shown, thresholds: Thresholds | None) -> tuple[Found, np.ndarray]:
    """What is found of everybody, and (B,) who was looked for again: nobody, without thresholds."""
    first = find(tester, shown)
    if thresholds is None:
        return first, np.zeros(len(shown.side), bool)
    again = missed(first.confidence, thresholds.confidence)
    if again.any():
        passes = [Found(*(each[again] for each in first)), *look_around(tester, shown.some(again))]
        first.joints[again], first.confidence[again] = fused(stacked(passes), thresholds.score)
    return first, again


def look_around(tester: Tester, shown: Shown) -> list[Found]:
    """The passes of conditional testing after the first."""
    conditional = tester.protocol.conditional
    assert conditional is not None
    return [find(tester, perturbed(shown, trial)) for trial in trials(conditional.shifts, conditional.scales)]


def find(tester: Tester, shown: Shown) -> Found:
    """One pass, in the boxes that are given."""
    if tester.protocol.decode != "interpolated":
        cells_of: Decoder = importlib.import_module("posetables.stages.decode").found_in_cells
        return cells_of(tester, shown)
    return (found_in_regions if tester.protocol.pyramid == "region" else found_at_resolutions)(tester, shown)


def found_at_resolutions(tester: Tester, shown: Shown) -> Found:
    """The maxima of `fused_maps`, blurred."""
    maps = fused_maps(tester, shown)
    cells, score = peaks(blur(maps, tester.protocol.blur))
    return on_image(placed(cells, maps.shape[-2], (maps.shape[-2], maps.shape[-1])), score, shown)


def on_image(place: Tensor, score: Tensor, shown: Shown) -> Found:
    """Joints (B, J, 2) in box coordinates -> in pixels of the image."""
    boxes = place.cpu().numpy() * shown.side[:, None, None]
    return Found(boxes + shown.center[:, None], score.float().cpu().numpy())


def fused_maps(tester: Tester, shown: Shown) -> Tensor:
    """Mean over scales and flips of the joints' maps, all brought to the size of the network's input: (B, J, H, W)."""
    protocol, size = tester.protocol, networks.shape(tester.network, tester.recipe)
    total = torch.zeros((), device=tester.device)
    for zoom in protocol.scales:
        images = cut(tester, shown, 1.0, networks.shape(tester.network, tester.recipe, zoom))
        for maps in views(tester, images):
            total = total + F.interpolate(maps, size, mode="bilinear", align_corners=False)
    return total / (len(protocol.scales) * (1 + protocol.flip))


def found_in_regions(tester: Tester, shown: Shown) -> Found:
    """MCA's pyramid: the network reads `scale` times the box at its one input size, negative values count as 0, and
    maps are fused in pixels of the image; person by person there, as regions differ in size."""
    scales, size = tester.protocol.scales, networks.shape(tester.network, tester.recipe)
    seen = []
    for scale in scales:
        maps = [each.clamp(min=0) for each in views(tester, cut(tester, shown, scale, size))]
        seen.append(torch.stack(maps).mean(0))
    people = zip(torch.stack(seen, 1), shown.center, shown.side, strict=True)
    found = [joints_on_image(mine, scales, center, float(length)) for mine, center, length in people]
    joints, scores = (torch.stack(each).cpu().numpy() for each in zip(*found, strict=True))
    return Found(joints.astype(np.float64), scores)


def cut(tester: Tester, shown: Shown, scale: float, size: tuple[int, int]) -> Tensor:
    """Images (B, 3, H, W) of `scale` times the box."""
    upright = torch.eye(2, device=tester.device).expand(len(shown.side), 2, 2)
    return tester.sampler(shown.crops, shown.density.to(tester.device), upright / scale, size)


def views(tester: Tester, images: Tensor) -> Iterator[Tensor]:
    """The maps (B, J, h, w) of the people's joints in images; then those of flipped images, flipped back."""
    recipe = tester.recipe
    straight = networks.taken(recipe)
    crossed = [skeletons.named(recipe.maps_of).flip[joint] for joint in straight]
    for flipped in (False, True)[: 1 + tester.protocol.flip]:
        seen = images.flip(-1) if flipped else images
        with devices.precision(recipe.compute, tester.device):
            name, output = list(tester.network(seen.to(memory_format=torch.channels_last)).items())[-1]
        maps = map_codec_of(name, recipe.codecs).activate(output)
        yield maps.flip(-1)[:, crossed] if flipped else maps[:, straight]
