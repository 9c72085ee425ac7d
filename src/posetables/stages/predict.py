"""Test a trained network: image pyramid and flip, maps fused, one joint from the maximum of each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posetables import device as devices
from posetables.data import skeletons
from posetables.data.augment import Sampler
from posetables.data.codecs import blur, codec_of, peaks
from posetables.data.loading import Batch, testing_batches
from posetables.data.people import read_crops
from posetables.progress import progress
from posetables.stages import network as networks

if TYPE_CHECKING:
    from posetables.recipe import Experiment, Protocol

BATCH = 32


def predict(
    recipe: Experiment, protocol: Protocol, inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]
) -> dict[str, Any]:
    """Write `predictions`: one line a person with its joints in pixels of the image and their scores."""
    device = devices.choose(recipe.compute)
    network = networks.build(recipe.network, recipe.skeleton)
    networks.load(network, "", inputs["weights"]["weights"])
    network.to(device).eval()
    joints = tuple(range(len(skeletons.named(recipe.skeleton).joints)))
    people = read_crops(inputs["crops"]["crops"].parent, recipe.test.split, None, joints)
    sampler = Sampler(recipe.pixels, device)
    found, scores = [], []
    with torch.inference_mode(), progress(f"{recipe.name}: test", len(people)) as advance:
        for batch in testing_batches(people, BATCH):
            maps = fused_maps(network, batch, sampler, recipe, protocol, device)
            cells, score = peaks(blur(maps, protocol.blur))
            found.append(((cells + 0.5) / recipe.input - 0.5).cpu().numpy())  # box coordinates
            scores.append(score.float().cpu().numpy())
            advance(len(batch.people))
    xy = np.concatenate(found) * people.side[:, None, None] + people.center[:, None]
    table = pd.DataFrame({"person": people.person})
    table["joints"] = list(xy.reshape(len(xy), -1))
    table["scores"] = list(np.concatenate(scores))
    table.to_parquet(outputs["predictions"], index=False)
    return {"people": len(table), "device": devices.name(device)}


def fused_maps(
    network: nn.Module, batch: Batch, sampler: Sampler, recipe: Experiment, protocol: Protocol, device: torch.device
) -> Tensor:
    """Mean over scales and flips of the joints' maps, all brought to the size of the crop: (B, J, input, input)."""
    flip = list(skeletons.named(recipe.skeleton).flip)
    upright = torch.eye(2, device=device).expand(len(batch.people), 2, 2)
    total = torch.zeros((), device=device)
    for zoom in protocol.scales:
        side = networks.sides(network, recipe.input, zoom)
        images = sampler(batch.crops, batch.density.to(device), upright, (side, side))
        for view in ("plain", "flipped")[: 1 + protocol.flip]:
            seen = images.flip(-1) if view == "flipped" else images
            with devices.precision(recipe.compute, device):
                name, output = list(network(seen.to(memory_format=torch.channels_last)).items())[-1]
            maps = codec_of(name, recipe.codecs).activate(output)
            if view == "flipped":
                maps = maps.flip(-1)[:, flip]
            size = (recipe.input, recipe.input)
            total = total + F.interpolate(maps, size, mode="bilinear", align_corners=False)
    return total / (len(protocol.scales) * (1 + protocol.flip))
