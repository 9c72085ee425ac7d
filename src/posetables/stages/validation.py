"""Score a network while it is trained, after each epoch: one pass for each person, neither scaled nor flipped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from posetables import device as devices
from posetables.data import skeletons
from posetables.data.augment import Sampler, placed
from posetables.data.codecs import map_codec_of, peaks
from posetables.data.loading import testing_batches
from posetables.data.people import Crops, read_crops, read_people
from posetables.errors import InputError
from posetables.stages import network as networks
from posetables.stages.scoring import HITS, MEASURES, METRICS, Pairs

if TYPE_CHECKING:
    from posetables.recipe import Experiment, Split

BATCH = 32


class Validation:
    """The people of a split with their labels, and what counts of a pose."""

    def __init__(self, recipe: Experiment, split: Split, inputs: Mapping[str, Path], device: torch.device) -> None:
        self.recipe, self.device = recipe, device
        self.skeleton = skeletons.named(recipe.skeleton)
        self.taken = networks.taken(recipe)
        if (name := recipe.metrics[0]) not in METRICS:
            raise InputError(f"{recipe.name}: validation: {name} is not counted joint by joint; leave validation out")
        self.metric = METRICS[name]
        folder, joints = inputs["crops"].parent, range(len(self.skeleton.joints))
        self.people: Crops = read_crops(folder, split.split, recipe.labels, joints, aspect=recipe.aspect)
        measures = MEASURES.get(self.metric.hits, ())
        self.measures = read_people(inputs["crops"], split.split, *measures) if measures else {}
        self.sampler = Sampler(recipe.pixels, device)

    def score(self, network: nn.Module) -> float:
        """The metric's last column, in per cent. Leaves the network in evaluation mode."""
        network.eval()
        people = self.people
        found = self._poses(network) * people.side[:, None, None] + people.center[:, None]
        truth = people.joints * people.side[:, None, None] + people.center[:, None]
        pairs = Pairs(np.asarray(people.person), found, truth, people.labelled, self.measures)
        hits = HITS[self.metric.hits](pairs, self.skeleton)
        return float(self.metric.columns(hits, list(self.metric.groups(self.skeleton).values()), None)[-1])

    def _poses(self, network: nn.Module) -> np.ndarray:
        """(N, J, 2) box coordinates."""
        recipe, size = self.recipe, networks.shape(network, self.recipe)
        found = []
        with torch.inference_mode():
            for batch in testing_batches(self.people, BATCH):
                upright = torch.eye(2, device=self.device).expand(len(batch.people), 2, 2)
                images = self.sampler(batch.crops, batch.density.to(self.device), upright, size)
                with devices.precision(recipe.compute, self.device):
                    name, output = list(network(images.to(memory_format=torch.channels_last)).items())[-1]
                maps = map_codec_of(name, recipe.codecs).activate(output)[:, self.taken]
                cells, _ = peaks(F.interpolate(maps, size, mode="bilinear", align_corners=False))
                found.append(placed(cells, size[0], size).cpu().numpy())
        return np.concatenate(found)
