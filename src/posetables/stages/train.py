"""Train one stage of one experiment: a flat loop over batches that depend on seed, epoch and person alone."""

from __future__ import annotations

import importlib
import math
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from posetables import device as devices
from posetables.data import skeletons
from posetables.data.augment import Sampler, draw, draw_colours, move_joints
from posetables.data.codecs import Truth, codec_of
from posetables.data.loading import Batch, steps_per_epoch, training_batches
from posetables.data.people import Crops, read_crops
from posetables.data.random import generator, of_samples
from posetables.errors import InputError
from posetables.models.parallel import divide
from posetables.progress import progress
from posetables.stages import network as networks
from posetables.stages import processes
from posetables.stages.run import Place, Run

if TYPE_CHECKING:
    from posetables.recipe import Augment, Codec, Experiment, Optimizer, Points, Stage
    from posetables.stages.checkpoints import Checkpoints


def train(
    recipe: Experiment,
    name: str,
    seed: int,
    inputs: Mapping[str, Mapping[str, Path]],
    outputs: Mapping[str, Path],
    checkpoints: Checkpoints,
    workers: int | None = None,
) -> dict[str, Any]:
    """Train the stage `name`; write `weights` (safetensors) and `history` (CSV, one line an epoch).

    Several processes do so together, and the first of them writes.

    Goes on from the last checkpoint, if there is one; the weights are then those of an uninterrupted run, to the byte.

    Raises:
        Stopped: a signal asked for it; there is a checkpoint of the last whole step.
    """
    device, stage = devices.choose(recipe.compute), recipe.stage(name)
    parts = people(recipe, inputs)
    share = processes.share(stage)
    network = networks.build(recipe.network, recipe.maps_of, seed)
    for module in stage.init:
        networks.load(network, module, next(iter(inputs[f"init:{module}"].values())))
    divide(network, stage.shares)
    network.to(device)
    freeze(network, stage.freeze)
    optimizer = build_optimizer(stage.optimizer, [weight for weight in network.parameters() if weight.requires_grad])
    count = sum(len(part) for part in parts)
    each = steps_per_epoch(count, stage.batch)
    run = Run(checkpoints, Place(recipe.name, name, seed, stage.epochs, each))
    run.resume(network, optimizer, device)

    size = networks.shape(network, recipe)
    crop = Batches(recipe, stage, size, count, seed, device)
    guide = guidance(recipe, network, size, seed)
    validate = validation(recipe, stage, inputs, device)
    loader = training_batches(
        parts,
        seed,
        stage.batch,
        range(run.step, run.place.steps),
        share=share,
        workers=default_workers(device) if workers is None else workers,
    )
    forward = processes.parallel(network)
    with progress(recipe.name, run.place.steps, done=run.step) as advance, signals_kept() as asked:
        for batch in loader:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(stage, run.step / run.place.steps, run.step / each, run.history)
            torch.manual_seed(int(generator(seed, "dropout", run.step).integers(2**62)))
            images, truth = crop(batch)
            with devices.precision(recipe.compute, device):
                maps = forward(images) if guide is None else forward(images, *guide(truth, batch.epoch, batch.people))
            loss = supervise(maps, truth, recipe.codecs, stage.supervise)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            if stage.optimizer.clip is not None:
                nn.utils.clip_grad_norm_(network.parameters(), stage.optimizer.clip)
            optimizer.step()
            mean, stop = processes.agreed(loss, bool(asked))
            run.record(mean, optimizer.param_groups[0]["lr"])
            if validate is not None and run.step % each == 0:
                run.score(processes.from_first(validate(network) if processes.rank() == 0 else None))
                freeze(network, stage.freeze)
            run.keep(network, optimizer, now=stop)
            advance(1)
            if stop:
                raise run.stopped(*asked[:1])
    if processes.rank() == 0:
        networks.save(network, outputs["weights"])
        pd.DataFrame(run.history).to_csv(outputs["history"], index=False)
        checkpoints.forget()
    return {
        "people": count,
        "steps": run.place.steps,
        "restarts": run.restarts,
        "device": devices.name(device),
        "processes": processes.count(),
    }


def people(recipe: Experiment, inputs: Mapping[str, Mapping[str, Path]]) -> list[Crops]:
    """Everybody that the experiment trains on, in the joints of its skeleton whatever their data set's."""
    ours = skeletons.named(recipe.maps_of)
    joints = [skeletons.named(part.skeleton).numbers(ours) for part in recipe.train]
    return [
        read_crops(inputs[part.dataset]["crops"].parent, part.split, recipe.labels, numbers, aspect=recipe.aspect)
        for part, numbers in zip(recipe.train, joints, strict=True)
    ]


def validation(
    recipe: Experiment, stage: Stage, inputs: Mapping[str, Mapping[str, Path]], device: torch.device
) -> Callable[[nn.Module], float] | None:
    """What scores the network, if the stage says on whom. Loaded by name: no other training depends on metrics."""
    if stage.validation is None:
        return None
    scoring = importlib.import_module("posetables.stages.validation")
    score: Callable[[nn.Module], float]
    score = scoring.Validation(recipe, stage.validation, inputs["validation"], device).score
    return score


def guidance(
    recipe: Experiment, network: nn.Module, size: tuple[int, int], seed: int
) -> Callable[[Truth, int, np.ndarray], tuple[Any, ...]] | None:
    """What a network is given beside images whose second stage is trained at points near the joints: nothing, for all
    others."""
    if not hasattr(network, "draws"):
        return None
    codec: Any = codec_of("points", recipe.codecs)
    guided: Any = network
    numbers, cells = guided.draws(*size), guided.cells(*size)

    def guide(truth: Truth, epoch: int, people: np.ndarray) -> tuple[Any, ...]:
        uniform = of_samples(seed, "guided points", epoch, people, numbers).astype(np.float32)
        return (*codec.guide(truth, cells), torch.from_numpy(uniform).to(truth.joints.device))

    return guide


class Batches:
    """Turns stored crops into augmented images and their truth, a whole batch at a time, on the training device."""

    def __init__(
        self, recipe: Experiment, stage: Stage, size: tuple[int, int], people: int, seed: int, device: torch.device
    ) -> None:
        self.augment: Augment = recipe.augment
        self.masking = stage.masking
        self.masks: Any = importlib.import_module("posetables.data.masking") if stage.masking else None
        self.halves: Any = importlib.import_module("posetables.data.half_body") if recipe.augment.half_body else None
        self.skeleton = skeletons.named(recipe.maps_of)
        self.sampler = Sampler(recipe.pixels, device)
        self.size, self.people, self.seed, self.device = size, people, seed, device
        self.epoch, self.drawn, self.colours, self.masked = -1, np.empty(0), np.empty(0), np.empty(0)
        self.halved = np.empty(0)

    def __call__(self, batch: Batch) -> tuple[Tensor, Truth]:
        if batch.epoch != self.epoch:
            self._begin(batch.epoch)
        drawn = torch.from_numpy(self.drawn[batch.people]).to(self.device)
        to_input, flipped = drawn[:, :, :2], drawn[:, 0, 2] > 0
        joints, labelled, visible = (each.to(self.device) for each in (batch.joints, batch.labelled, batch.visible))
        density, centre = batch.density.to(self.device), None
        if self.halves is not None:
            centre, part = self.halves.regions(
                joints, labelled, torch.from_numpy(self.halved[batch.people]).to(self.device),
                self.halves.lower(self.skeleton.joints), self.augment.half_body, self.size[1] / self.size[0],
            )  # fmt: skip
            to_input = to_input / part[:, None, None]
            joints = joints - centre[:, None]
        images = self.sampler(batch.crops, density, to_input, self.size, centre)
        flip = list(self.skeleton.flip)
        labelled, visible = (torch.where(flipped[:, None], each[:, flip], each) for each in (labelled, visible))
        truth = Truth(
            joints=move_joints(joints, to_input, flipped, flip, self.size),
            labelled=labelled,
            visible=visible,
            size=self.size[0],
            structure=self.skeleton.structure,
        )
        if len(self.colours):
            images = self.sampler.coloured(images, torch.from_numpy(self.colours[batch.people]).to(self.device))
        if len(self.masked):
            self.masks.mask(images, truth, self.masking, self.masked[batch.people])
        return images.to(memory_format=torch.channels_last), truth

    def _begin(self, epoch: int) -> None:
        """Draw for everybody."""
        given = self.seed, epoch, self.people
        self.epoch, self.drawn = epoch, draw(self.augment, *given)
        if self.augment.colour != (1, 1):
            self.colours = draw_colours(self.augment, *given)
        if self.masks is not None:
            self.masked = self.masks.draw(*given)
        if self.halves is not None:
            self.halved = self.halves.draw(*given)


def supervise(
    maps: Mapping[str, Tensor], truth: Truth, codecs: Mapping[str, Codec | Points], outputs: Sequence[str]
) -> Tensor:
    """Sum of the losses of all supervised outputs."""
    losses = [
        codec_of(name, codecs).loss(output, truth)
        for name, output in maps.items()
        if any(fnmatch(name, pattern) for pattern in outputs)
    ]
    if not losses:
        raise InputError(f"params/: supervise: {', '.join(outputs)} names no output; there are {', '.join(maps)}")
    return torch.stack(losses).sum()


def learning_rate(stage: Stage, share: float, epoch: float, history: Mapping[str, Sequence[float]]) -> float:
    """Rate at a share of the training: a linear warm-up, then the factor of the last milestone passed, and that of
    every plateau of the epochs so far."""
    factors = [factor for milestone, factor in sorted(stage.milestones.items()) if share >= milestone]
    warm = min(1.0, (epoch + 0.01) / stage.warmup) if stage.warmup else 1.0
    rate = stage.optimizer.lr * warm * (factors[-1] if factors else 1.0)
    if stage.plateau is None:
        return rate
    values = history.get("score") or [-loss for loss in history["loss"]]
    return rate * stage.plateau.factor ** plateaus(values, stage.plateau.patience)


def plateaus(values: Sequence[float], patience: int) -> int:
    """How often the best value has not been passed for `patience` epochs; after each time they are counted anew."""
    best, stale, count = -math.inf, 0, 0
    for value in values:
        best, stale = (value, 0) if value > best else (best, stale + 1)
        if stale == patience:
            stale, count = 0, count + 1
    return count


def build_optimizer(recipe: Optimizer, weights: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    if recipe.name == "rmsprop":
        return torch.optim.RMSprop(
            weights, recipe.lr, alpha=0.99, eps=1e-8, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
    if recipe.name == "adam":
        return torch.optim.Adam(weights, recipe.lr, weight_decay=recipe.weight_decay)
    return torch.optim.SGD(weights, recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay)


def freeze(network: nn.Module, modules: Sequence[str]) -> None:
    """Keep the weights and the running statistics of `modules` as they are."""
    network.train()
    for module in modules:
        networks.submodule(network, module).requires_grad_(False).eval()


def default_workers(device: torch.device) -> int:
    """Loader processes only where a GPU would wait: on a CPU they would take the cores that train."""
    return min(8, os.cpu_count() or 1) if device.type == "cuda" else 0


@contextmanager
def signals_kept() -> Iterator[list[int]]:
    """Signals that ask for the end, which the loop looks at after a whole step, and does not die of."""
    asked: list[int] = []
    kinds = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(kind, lambda number, _: asked.append(number)) for kind in kinds]
    try:
        yield asked
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
