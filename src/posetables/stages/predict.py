"""Test a trained network: image pyramid and flip, maps fused, one joint from the maximum of each; a second look at whom
it has not found."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posetables import device as devices
from posetables.data import skeletons
from posetables.data.augment import Sampler
from posetables.data.codecs import blur, codec_of, peaks
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


def predict(
    recipe: Experiment, protocol: Protocol, inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]
) -> dict[str, Any]:
    """Write `predictions`: one line a person with its joints in pixels of the image and their scores."""
    device = devices.choose(recipe.compute)
    tester = trained(recipe, protocol, inputs, device)
    thresholds = read_thresholds(recipe, inputs)
    joints = tuple(range(len(skeletons.named(recipe.skeleton).joints)))
    people = read_crops(inputs["crops"]["crops"].parent, recipe.test.split, None, joints)
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
    network = networks.build(recipe.network, recipe.skeleton)
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
    return (found_in_regions if tester.protocol.pyramid == "region" else found_at_resolutions)(tester, shown)


def found_at_resolutions(tester: Tester, shown: Shown) -> Found:
    """The maxima of `fused_maps`, blurred."""
    cells, score = peaks(blur(fused_maps(tester, shown), tester.protocol.blur))
    place = ((cells + 0.5) / tester.recipe.input - 0.5).cpu().numpy()  # box coordinates
    return Found(place * shown.side[:, None, None] + shown.center[:, None], score.float().cpu().numpy())


def fused_maps(tester: Tester, shown: Shown) -> Tensor:
    """Mean over scales and flips of the joints' maps, all brought to the size of the crop: (B, J, input, input)."""
    protocol, size = tester.protocol, (tester.recipe.input, tester.recipe.input)
    total = torch.zeros((), device=tester.device)
    for zoom in protocol.scales:
        images = cut(tester, shown, 1.0, networks.sides(tester.network, tester.recipe.input, zoom))
        for maps in views(tester, images):
            total = total + F.interpolate(maps, size, mode="bilinear", align_corners=False)
    return total / (len(protocol.scales) * (1 + protocol.flip))


def found_in_regions(tester: Tester, shown: Shown) -> Found:
    """MCA's pyramid: the network reads `scale` times the box at its one input size, negative values count as 0, and
    maps are fused in pixels of the image; person by person there, as regions differ in size."""
    scales, side = tester.protocol.scales, networks.sides(tester.network, tester.recipe.input)
    seen = []
    for scale in scales:
        maps = [each.clamp(min=0) for each in views(tester, cut(tester, shown, scale, side))]
        seen.append(torch.stack(maps).mean(0))
    people = zip(torch.stack(seen, 1), shown.center, shown.side, strict=True)
    found = [joints_on_image(mine, scales, center, float(length)) for mine, center, length in people]
    joints, scores = (torch.stack(each).cpu().numpy() for each in zip(*found, strict=True))
    return Found(joints.astype(np.float64), scores)


def cut(tester: Tester, shown: Shown, scale: float, side: int) -> Tensor:
    """Images (B, 3, side, side) of `scale` times the box."""
    upright = torch.eye(2, device=tester.device).expand(len(shown.side), 2, 2)
    return tester.sampler(shown.crops, shown.density.to(tester.device), upright / scale, (side, side))


def views(tester: Tester, images: Tensor) -> Iterator[Tensor]:
    """The joints' maps (B, J, h, w) of images; then those of flipped images, flipped back."""
    flip = list(skeletons.named(tester.recipe.skeleton).flip)
    for flipped in (False, True)[: 1 + tester.protocol.flip]:
        seen = images.flip(-1) if flipped else images
        with devices.precision(tester.recipe.compute, tester.device):
            name, output = list(tester.network(seen.to(memory_format=torch.channels_last)).items())[-1]
        maps = codec_of(name, tester.recipe.codecs).activate(output)
        yield maps.flip(-1)[:, flip] if flipped else maps
