"""What would run, what it takes and what it brings here, told before anything runs.

What runs follows the rules of the engine: a target that is not made, and behind it whatever is not made; nothing
behind an artifact that is finished.
"""

from __future__ import annotations

import heapq
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from posetables.errors import InputError
from posetables.recipe import pick
from posetables.running import sizes
from posetables.running.estimates import Estimate, estimate, request_of
from posetables.stages.status import status

if TYPE_CHECKING:
    from posetables.provenance.artifact import Artifact
    from posetables.running.sizes import Download
    from posetables.schemas import Request
    from posetables.stages.artifacts import Artifacts

MADE = ("current", "behind")


@dataclass(frozen=True)
class Job:
    """One artifact that would be made."""

    artifact: Artifact
    state: str
    """Why it is not current: one word of `status`."""
    estimate: Estimate | None
    request: Request | None

    @property
    def seconds(self) -> float:
        """0 where nothing is known: such jobs are counted apart."""
        return self.estimate.seconds if self.estimate else 0.0

    @property
    def gpu_seconds(self) -> float:
        return self.seconds * self.request.gpu * self.request.nodes if self.request else 0.0


@dataclass(frozen=True)
class Part:
    """What one row of a table, or one item, needs by itself; what parts share, each of them counts."""

    name: str
    jobs: tuple[Job, ...]
    wall_seconds: float
    """With as many jobs at a time as there can be."""

    @property
    def gpu_seconds(self) -> float:
        return sum(job.gpu_seconds for job in self.jobs)


@dataclass(frozen=True)
class Disk:
    """Bytes that making all of it adds, each with how many artifacts are not in it as nobody knows their size."""

    raw: tuple[int, int]
    crops: tuple[int, int]
    weights: tuple[int, int]
    checkpoints: tuple[int, int]
    """While trainings run, as many at a time as may."""
    free: int

    @property
    def kinds(self) -> Mapping[str, tuple[int, int]]:
        return {"data": self.raw, "crops": self.crops, "weights": self.weights, "checkpoints": self.checkpoints}

    @property
    def needed(self) -> int:
        return sum(known for known, _ in self.kinds.values())


@dataclass(frozen=True)
class Plan:
    """All of it."""

    scale: str
    targets: tuple[str, ...]
    """Nothing: everything."""
    row: str | None
    """Of the one table that is the target, if not all of it."""
    states: Mapping[Artifact, str]
    """Everything that the targets are made from -> its state."""
    jobs: tuple[Job, ...]
    parts: tuple[Part, ...]
    """Rows, if the target is a table; else items."""
    path: tuple[Job, ...]
    """The longest chain of jobs that wait for each other."""
    slots: int | None
    """Jobs at a time."""
    slots_seconds: float
    """Wall time with so many."""
    downloads: tuple[Download, ...]
    disk: Disk

    @property
    def path_seconds(self) -> float:
        return sum(job.seconds for job in self.path)


def plan(artifacts: Artifacts, targets: Sequence[str], row: str | None, slots: int | None) -> Plan:
    """What making the targets takes; everything, where none is named.

    row: only this row of the one table that is the target. slots: jobs at a time.

    Raises:
        InputError: a target is nothing that there is, or the table has no such row.
    """
    asked: Sequence[str | None] = targets or [None]
    found = [each for target in asked for each in status({artifacts.scale: artifacts}, target)]
    states = {each.artifact: each.freshness.state for each in found}
    ends = _ends(states)
    parts = _parts(artifacts, targets, ends)
    if row is not None:
        parts, ends = {}, _row(artifacts, targets, row)
        states = {each: states[each] for end in ends for each in end.all()}
    known: dict[Artifact, Job] = {}

    def jobs(of: Iterable[Artifact]) -> tuple[Job, ...]:
        for each in to_make(of, states):
            if each not in known:
                known[each] = Job(each, states[each], estimate(each, artifacts), request_of(each, artifacts))
        return tuple(known[each] for each in to_make(of, states))

    wanted = jobs(ends)
    downloads = [sizes.download(job.artifact, artifacts) for job in wanted if job.artifact.stage == "fetch"]
    fetched = tuple(each for each in downloads if each is not None)
    return Plan(
        scale=artifacts.scale,
        targets=tuple(targets),
        row=row,
        states=states,
        jobs=wanted,
        parts=tuple(
            Part(name, mine := jobs(of), sum(job.seconds for job in longest_path(mine))) for name, of in parts.items()
        ),
        path=longest_path(wanted),
        slots=slots,
        slots_seconds=wall_seconds(wanted, slots or max(1, len(wanted))),
        downloads=fetched,
        disk=_disk(wanted, fetched, artifacts, slots),
    )


def to_make(ends: Iterable[Artifact], states: Mapping[Artifact, str]) -> list[Artifact]:
    """What has to be made for the ends to be made, what is made first, first."""
    needed: dict[Artifact, None] = {}

    def visit(artifact: Artifact) -> None:
        if artifact not in needed and states[artifact] not in MADE:
            for each in artifact.inputs.values():
                visit(each)
            needed[artifact] = None

    for end in ends:
        visit(end)
    return list(needed)


def _ends(artifacts: Iterable[Artifact]) -> list[Artifact]:
    """Those of which no other is made."""
    everything = list(artifacts)
    inputs = {each for artifact in everything for each in artifact.inputs.values()}
    return [each for each in everything if each not in inputs]


def _parts(artifacts: Artifacts, targets: Sequence[str], ends: Sequence[Artifact]) -> dict[str, list[Artifact]]:
    """Name -> ends: the rows of one table; else the items, where there are several."""
    if len(targets) == 1 and targets[0] in artifacts.recipes.tables:
        rows = {row: _row(artifacts, targets, row) for row in artifacts.recipes.table(targets[0]).rows}
        return {row: ends for row, ends in rows.items() if ends}
    return {_name(end): [end] for end in ends} if len(ends) > 1 else {}


def _row(artifacts: Artifacts, targets: Sequence[str], row: str) -> list[Artifact]:
    """Where the numbers of a row are read from."""
    if len(targets) != 1:
        raise InputError(f"--row {row}: name the one table that it is a row of")
    table = artifacts.recipes.table(targets[0])
    pick(table.rows, row, "row", table.name)
    read = (source for (name, _), each in artifacts.sources(table).items() if name == row for source in each)
    return list(dict.fromkeys(artifacts.read(source) for source in read))


def _name(end: Artifact) -> str:
    """An item by its name, anything else by its manifest."""
    name = end.manifest.name.removesuffix(".manifest.json")
    if end.stage == "claims":
        return f"claims of {name}"
    return name if end.stage in ("tabulate", "draw") else str(end.manifest)


def longest_path(jobs: Sequence[Job]) -> tuple[Job, ...]:
    """The chain of jobs, each waiting for the one before, that takes longest; jobs are given inputs first."""
    best: dict[Artifact, tuple[float, tuple[Job, ...]]] = {}
    for job in jobs:
        before = [best[each] for each in job.artifact.inputs.values() if each in best]
        seconds, path = max(before, key=lambda chain: chain[0], default=(0.0, ()))
        best[job.artifact] = seconds + job.seconds, (*path, job)
    return max(best.values(), key=lambda chain: chain[0], default=(0.0, ()))[1]


def wall_seconds(jobs: Sequence[Job], slots: int) -> float:
    """Until the last job ends, `slots` at a time: whoever is ready and has the longest way ahead goes first."""
    after: dict[Artifact, list[Job]] = {job.artifact: [] for job in jobs}
    waits = {job.artifact: 0 for job in jobs}
    for job in jobs:
        for each in dict.fromkeys(job.artifact.inputs.values()):
            if each in after:
                after[each].append(job)
                waits[job.artifact] += 1
    ahead: dict[Artifact, float] = {}
    for job in reversed(jobs):
        ahead[job.artifact] = job.seconds + max((ahead[each.artifact] for each in after[job.artifact]), default=0.0)
    order = {job.artifact: place for place, job in enumerate(jobs)}
    ready = [(-ahead[job.artifact], order[job.artifact]) for job in jobs if not waits[job.artifact]]
    heapq.heapify(ready)
    running: list[tuple[float, int]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < slots:
            _, place = heapq.heappop(ready)
            heapq.heappush(running, (now + jobs[place].seconds, place))
        now, place = heapq.heappop(running)
        for job in after[jobs[place].artifact]:
            waits[job.artifact] -= 1
            if not waits[job.artifact]:
                heapq.heappush(ready, (-ahead[job.artifact], order[job.artifact]))
    return now


def _disk(jobs: Sequence[Job], downloads: Sequence[Download], artifacts: Artifacts, slots: int | None) -> Disk:
    crops = [sizes.crops(job.artifact, artifacts) for job in jobs if job.artifact.stage == "crop"]
    trainings = [job.artifact for job in jobs if job.artifact.stage == "train"]
    weights = {each: sizes.weights(each, artifacts) for each in trainings}
    kept = sorted((sizes.checkpoints(each, size) for each, size in weights.items() if size is not None), reverse=True)
    unknown = sum(size is None for size in weights.values())
    return Disk(
        raw=_total([each.bytes for each in downloads]),
        crops=_total(crops),
        weights=_total(list(weights.values())),
        checkpoints=(sum(kept[:slots]), unknown),
        free=shutil.disk_usage(Path.cwd()).free,
    )


def _total(sizes: Sequence[int | None]) -> tuple[int, int]:
    """Bytes that are known, and how many are not."""
    known = [size for size in sizes if size is not None]
    return sum(known), len(sizes) - len(known)
