"""Train one stage of one experiment: a flat loop over batches that depend on seed, epoch and person alone."""

from __future__ import annotations

import errno
import math
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from posetables import device as devices
from posetables.data import skeletons
from posetables.data.augment import Sampler, draw, move_joints
from posetables.data.codecs import Truth, codec_of
from posetables.data.loading import Batch, steps_per_epoch, training_batches
from posetables.data.people import Crops, read_crops
from posetables.data.random import generator
from posetables.errors import InputError
from posetables.progress import progress, say
from posetables.stages import network as networks

if TYPE_CHECKING:
    from posetables.recipe import Augment, Codec, Experiment, Optimizer, Stage

CHECKPOINT_SECONDS = 60.0
"""What a kill costs at most, besides the start."""


def train(
    recipe: Experiment,
    stage: Stage,
    seed: int,
    inputs: Mapping[str, Mapping[str, Path]],
    outputs: Mapping[str, Path],
    checkpoints: Path,
    workers: int | None = None,
) -> dict[str, Any]:
    """Write `weights` (safetensors) and `history` (CSV, one line an epoch).

    Goes on from the last checkpoint, if there is one; the weights are then those of an uninterrupted run, to the byte.
    """
    device = devices.choose(recipe.compute)
    parts = people(recipe, inputs)
    network = networks.build(recipe.network, recipe.skeleton, seed)
    for module in stage.init:
        networks.load(network, module, next(iter(inputs[f"init:{module}"].values())))
    network.to(device)
    freeze(network, stage.freeze)
    optimizer = build_optimizer(stage.optimizer, [weight for weight in network.parameters() if weight.requires_grad])
    run = Run(checkpoints / "last.pt")
    run.resume(network, optimizer, device)

    count = sum(len(part) for part in parts)
    each = steps_per_epoch(count, stage.batch)
    total = stage.epochs * each
    crop = Batches(recipe, networks.sides(network, recipe.input), count, seed, device)
    loader = training_batches(
        parts,
        seed,
        stage.batch,
        range(run.step, total),
        workers=default_workers(device) if workers is None else workers,
    )
    with progress(recipe.name, total, done=run.step) as advance:
        for batch in loader:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(stage, run.step / total, run.step / each)
            torch.manual_seed(int(generator(seed, "dropout", run.step).integers(2**62)))
            images, truth = crop(batch)
            with devices.precision(recipe.compute, device):
                maps = network(images)
            loss = supervise(maps, truth, recipe.codecs, stage.supervise)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            if stage.optimizer.clip is not None:
                nn.utils.clip_grad_norm_(network.parameters(), stage.optimizer.clip)
            optimizer.step()
            run.record(float(loss.detach()), each, optimizer.param_groups[0]["lr"])
            run.checkpoint(network, optimizer)
            advance(1)
    networks.save(network, outputs["weights"])
    pd.DataFrame(run.history).to_csv(outputs["history"], index=False)
    run.forget()
    return {"people": count, "steps": total, "restarts": run.restarts, "device": devices.name(device)}


def people(recipe: Experiment, inputs: Mapping[str, Mapping[str, Path]]) -> list[Crops]:
    """Everybody that the experiment trains on, in the joints of its skeleton whatever their data set's."""
    joints = tuple(range(len(skeletons.named(recipe.skeleton).joints)))
    return [
        read_crops(inputs[part.dataset]["crops"].parent, part.split, recipe.labels, joints) for part in recipe.train
    ]


class Batches:
    """Turns stored crops into augmented images and their truth, a whole batch at a time, on the training device."""

    def __init__(self, recipe: Experiment, side: int, people: int, seed: int, device: torch.device) -> None:
        self.augment: Augment = recipe.augment
        self.flip = skeletons.named(recipe.skeleton).flip
        self.sampler = Sampler(recipe.pixels, device)
        self.side, self.people, self.seed, self.device = side, people, seed, device
        self.epoch, self.drawn = -1, np.empty(0)

    def __call__(self, batch: Batch) -> tuple[Tensor, Truth]:
        if batch.epoch != self.epoch:
            self.epoch, self.drawn = batch.epoch, draw(self.augment, self.seed, batch.epoch, self.people)
        drawn = torch.from_numpy(self.drawn[batch.people]).to(self.device)
        to_input, flipped = drawn[:, :, :2], drawn[:, 0, 2] > 0
        joints, labelled = batch.joints.to(self.device), batch.labelled.to(self.device)
        images = self.sampler(batch.crops, batch.density.to(self.device), to_input, (self.side, self.side))
        truth = Truth(
            joints=move_joints(joints, to_input, flipped, self.flip, self.side),
            labelled=torch.where(flipped[:, None], labelled[:, list(self.flip)], labelled),
            size=self.side,
        )
        return images.to(memory_format=torch.channels_last), truth


def supervise(maps: Mapping[str, Tensor], truth: Truth, codecs: Mapping[str, Codec], outputs: Sequence[str]) -> Tensor:
    """Sum of the losses of all supervised outputs."""
    losses = [
        codec_of(name, codecs).loss(output, truth)
        for name, output in maps.items()
        if any(fnmatch(name, pattern) for pattern in outputs)
    ]
    if not losses:
        raise InputError(f"params/: supervise: {', '.join(outputs)} names no output; there are {', '.join(maps)}")
    return torch.stack(losses).sum()


def learning_rate(stage: Stage, share: float, epoch: float) -> float:
    """Rate at a share of the training: a linear warm-up, then the factor of the last milestone passed."""
    factors = [factor for milestone, factor in sorted(stage.milestones.items()) if share >= milestone]
    warm = min(1.0, (epoch + 0.01) / stage.warmup) if stage.warmup else 1.0
    return stage.optimizer.lr * warm * (factors[-1] if factors else 1.0)


def build_optimizer(recipe: Optimizer, weights: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    if recipe.name == "rmsprop":
        return torch.optim.RMSprop(
            weights, recipe.lr, alpha=0.99, eps=1e-8, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
    return torch.optim.SGD(weights, recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay)


def freeze(network: nn.Module, modules: Sequence[str]) -> None:
    """Keep the weights and the running statistics of `modules` as they are."""
    network.train()
    for module in modules:
        networks.submodule(network, module).requires_grad_(False).eval()


def default_workers(device: torch.device) -> int:
    """Loader processes only where a GPU would wait: on a CPU they would take the cores that train."""
    return min(8, os.cpu_count() or 1) if device.type == "cuda" else 0


@dataclass
class Run:
    """Where a training is, and its checkpoint: everything that the next step depends on, and nothing else does."""

    path: Path
    step: int = 0
    restarts: int = 0
    history: dict[str, list[float]] = field(default_factory=lambda: {"epoch": [], "rate": [], "loss": []})
    losses: float = 0.0
    saved: float = field(default_factory=time.monotonic)

    def record(self, loss: float, each: int, rate: float) -> None:
        if not math.isfinite(loss):
            raise InputError(f"{self.path}: step {self.step}: the loss is {loss}; lower lr of this training in params/")
        self.losses += loss
        self.step += 1
        if self.step % each == 0:
            for key, value in (("epoch", self.step // each), ("rate", rate), ("loss", self.losses / each)):
                self.history[key].append(value)
            say(f"epoch {self.step // each}: loss {self.losses / each:.5f}, rate {rate:.3g}")
            self.losses = 0.0

    def checkpoint(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        if time.monotonic() - self.saved >= CHECKPOINT_SECONDS:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            state = {
                "network": network.state_dict(),
                "optimizer": optimizer.state_dict(),
                "run": {"step": self.step, "restarts": self.restarts, "history": self.history, "losses": self.losses},
            }
            aside = self.path.with_suffix(".aside")
            try:
                torch.save(state, aside)
            except RuntimeError as error:  # how torch tells that it could not write
                aside.unlink(missing_ok=True)
                raise OSError(errno.ENOSPC, "no space left", str(aside)) from error
            aside.rename(self.path)
            self.saved = time.monotonic()

    def resume(self, network: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> None:
        if self.path.exists():
            state = torch.load(self.path, map_location=device, weights_only=True)
            network.load_state_dict(state["network"])
            optimizer.load_state_dict(state["optimizer"])
            for key, value in state["run"].items():
                setattr(self, key, value)
            self.restarts += 1
            say(f"going on from step {self.step}")

    def forget(self) -> None:
        """The finished weights make the checkpoint useless."""
        shutil.rmtree(self.path.parent, ignore_errors=True)
