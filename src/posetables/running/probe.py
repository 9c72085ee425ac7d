"""Time some steps of each network that would be trained, and some people of each test, on this machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from posetables import device as devices
from posetables.data import skeletons
from posetables.data.codecs import Truth
from posetables.data.trials import Shown
from posetables.models.parallel import divide
from posetables.progress import say, track
from posetables.provenance import manifest
from posetables.running import probes, sizes
from posetables.running.estimates import request_of
from posetables.stages import network as networks
from posetables.stages import predict as testing
from posetables.stages import train as training

if TYPE_CHECKING:
    from posetables.provenance.artifact import Artifact
    from posetables.recipe import Experiment, Protocol, Stage
    from posetables.stages.artifacts import Artifacts

WARM, STEPS = 2, 5
PEOPLE = {"cuda": testing.BATCH, "cpu": 2}
"""Tested at a time: on a CPU fewer take as long for each."""


def probe(wanted: Sequence[Artifact], artifacts: Artifacts) -> None:
    """Remember parameters and times of the trainings and tests among `wanted` that are not known yet.

    Only where a job would run on a processor like this one: a CPU says nothing of a GPU.
    """
    here = torch.cuda.is_available()
    asked = {each: request_of(each, artifacts) for each in wanted if each.stage in ("train", "predict")}
    for artifact in asked:
        if artifact.stage == "train" and probes.parameters(artifact) is None:
            probes.remember_parameters(artifact, count(artifacts, artifact))
    new = {each: request for each, request in asked.items() if request and not probes.remembered(each, request)}
    fitting = {each: request for each, request in new.items() if (request.gpu > 0) == here}
    for artifact, request in track(fitting.items(), "probe", len(fitting)) if fitting else ():
        seconds, processor = time_it(artifact, artifacts, request.nodes * request.processes)
        found = probes.Probe(processor, here, seconds, manifest.now().isoformat(timespec="seconds"))
        probes.remember(artifact, request, found)
    if missed := len(new) - len(fitting):
        jobs = f"{missed} job{'s' if missed > 1 else ''} not timed"
        why = "made for a CPU, and here is a GPU" if here else "made for a GPU, and here is none"
        say(f"--probe: {jobs}: {why}; run this on a node of that kind, its probes are remembered")


def count(artifacts: Artifacts, artifact: Artifact) -> int:
    """Parameters of a network that is never filled with numbers."""
    experiment = artifacts.recipes.experiment(sizes.experiment_of(artifact, artifacts), artifacts.scale)
    with torch.device("meta"):
        network = networks.build(experiment.network, experiment.maps_of)
    return sum(weight.numel() for weight in network.parameters())


def time_it(artifact: Artifact, artifacts: Artifacts, processes: int) -> tuple[float, str]:
    """Seconds of a step of a training, or of a person of a test; and the name of the processor."""
    experiment = artifacts.recipes.experiment(sizes.experiment_of(artifact, artifacts), artifacts.scale)
    device = devices.choose(experiment.compute)
    if artifact.stage == "train":
        step = _training(experiment, experiment.stage(artifact.manifest.parent.name), processes, device)
        return _median(step, device), devices.name(device)
    protocol = experiment.protocol(artifact.manifest.name.removesuffix(".manifest.json"))
    people = PEOPLE[device.type]
    return _median(_testing(experiment, protocol, people, device), device) / people, devices.name(device)


def _training(experiment: Experiment, stage: Stage, processes: int, device: torch.device) -> Callable[[], None]:
    """One step of one of the processes, on noise: arithmetic takes the same time for all numbers.

    Neither loading nor what processes tell each other is in it.
    """
    batch = max(1, stage.batch // processes)
    network = networks.build(experiment.network, experiment.maps_of)
    divide(network, max(1, stage.shares // processes))
    network.to(device)
    training.freeze(network, stage.freeze)
    free = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = training.build_optimizer(stage.optimizer, free)
    size, skeleton = networks.shape(network, experiment), skeletons.named(experiment.maps_of)
    joints = len(skeleton.joints)
    images = torch.rand(batch, 3, *size, device=device).to(memory_format=torch.channels_last)
    places = torch.rand(batch, joints, 2, device=device) * torch.tensor(size[::-1], device=device)
    labelled = torch.ones(batch, joints, dtype=torch.bool, device=device)
    guide = training.guidance(experiment, network, size, 0)

    def step() -> None:
        truth = Truth(places, labelled, labelled, size[0], skeleton.structure)
        with devices.precision(experiment.compute, device):
            maps = network(images) if guide is None else network(images, *guide(truth, 0, np.arange(batch)))
        loss = training.supervise(maps, truth, experiment.codecs, stage.supervise)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def _testing(experiment: Experiment, protocol: Protocol, people: int, device: torch.device) -> Callable[[], None]:
    """A test of some grey people, from their crops to their joints; nobody is looked for again."""
    tester = testing.tester_of(networks.build(experiment.network, experiment.maps_of), experiment, protocol, device)
    side = 2 * experiment.input
    shown = Shown(
        crops=torch.zeros(people, 3, side, side, dtype=torch.uint8),
        density=torch.full((people,), float(experiment.input)),
        center=np.zeros((people, 2)),
        side=np.full(people, float(experiment.input)),
    )

    def test() -> None:
        with torch.inference_mode():
            testing.find(tester, shown)

    return test


def _median(run: Callable[[], None], device: torch.device) -> float:
    """Seconds of one run, warm."""
    taken = []
    for _ in range(WARM + STEPS):
        start = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[WARM:])
