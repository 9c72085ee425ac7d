"""Batches of stored crops in the order that seed and epoch give: nothing is decoded, drawn or warped here."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from posetables.data.people import Crops
from posetables.data.random import order


@dataclass(frozen=True)
class Batch:
    """Some people of one epoch."""

    epoch: int
    people: np.ndarray
    """(B,) numbers of the people among all of `Crops`: the samples that stateless draws are keyed by."""
    crops: Tensor
    """(B, 3, S, S) uint8."""
    density: Tensor
    """(B,) stored pixels along one side of the box."""
    joints: Tensor
    """(B, J, 2) box coordinates."""
    labelled: Tensor
    """(B, J) bool."""
    visible: Tensor
    """(B, J) bool."""


class _People(Dataset[Batch]):
    """All people of several splits; an item is a whole batch, so that a worker copies once, not once a person."""

    def __init__(self, parts: Sequence[Crops]) -> None:
        self.parts = parts
        self.first = np.cumsum([0, *(len(part) for part in parts)])

    def __getitem__(self, key: tuple[int, np.ndarray]) -> Batch:
        epoch, people = key
        store = self.parts[0].store
        crops = np.empty((len(people), *store.shape[1:]), np.uint8)
        density = np.empty(len(people), np.float32)
        joints = np.empty((len(people), *self.parts[0].joints.shape[1:]), np.float32)
        labelled, visible = np.empty((2, *joints.shape[:2]), bool)
        for part, first in zip(self.parts, self.first, strict=False):
            (mine,) = np.nonzero((people >= first) & (people < first + len(part)))
            rows = people[mine] - first
            for place, row in zip(mine, part.row[rows], strict=True):
                crops[place] = part.store[row]
            density[mine], joints[mine] = part.density[rows], part.joints[rows]
            labelled[mine], visible[mine] = part.labelled[rows], part.visible[rows]
        arrays = (torch.from_numpy(array) for array in (crops, density, joints, labelled, visible))
        return Batch(epoch, people, *arrays)


def steps_per_epoch(people: int, batch: int) -> int:
    """Whole batches of an epoch; the rest waits for the next order, since a rump would upset batch statistics."""
    return max(1, people // batch)


def training_batches(
    parts: Sequence[Crops], seed: int, batch: int, steps: range, *, share: slice = slice(None), workers: int = 0
) -> Iterator[Batch]:
    """The batches of training steps `steps`, counted from the start of the training; of each, what `share` cuts."""
    people = sum(len(part) for part in parts)
    each = steps_per_epoch(people, batch)

    def keys() -> Iterator[tuple[int, np.ndarray]]:
        epoch, visited = -1, np.empty(0, int)
        for step in steps:
            if step // each != epoch:
                epoch = step // each
                visited = order(seed, epoch, people)
            yield epoch, visited[step % each * batch :][:batch][share]

    return iter(_loader(parts, list(keys()), workers))


def testing_batches(part: Crops, batch: int, *, workers: int = 0) -> Iterator[Batch]:
    """Everybody once, in order."""
    people = np.arange(len(part))
    return iter(_loader([part], [(0, people[i : i + batch]) for i in range(0, len(part), batch)], workers))


def _loader(parts: Sequence[Crops], keys: Sequence[tuple[int, np.ndarray]], workers: int) -> DataLoader[Batch]:
    return DataLoader(
        _People(parts),
        sampler=keys,
        batch_size=None,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_beyond_signals,
    )


def _beyond_signals(_: int) -> None:
    """A signal to all processes of a job is for the training, which ends its loaders; they notice if it is killed."""
    os.setpgid(0, 0)
