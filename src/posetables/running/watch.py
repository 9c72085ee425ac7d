"""A run while it goes on: everything that a target needs in one picture, with what failed and the time that is left."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from posetables.errors import InputError
from posetables.provenance.artifact import Artifact
from posetables.recipe import ScaleName
from posetables.running import engine, slurm_jobs
from posetables.running.engine import EngineRun
from posetables.running.failures import Failure, failures
from posetables.running.job_states import Finished, Seen, look
from posetables.running.slurm_jobs import Queue
from posetables.stages.artifacts import Artifacts
from posetables.stages.status import is_named


@dataclass(frozen=True)
class Picture:
    """One moment of a run."""

    title: str
    scale: ScaleName
    seen: Sequence[Seen]
    failures: Sequence[Failure]
    left: Left
    queue: Queue
    run: EngineRun | None
    """The run of Snakemake that goes on in this folder."""
    go_on: Sequence[str]
    """Command that makes what is not done."""

    @property
    def is_over(self) -> bool:
        return all(each.state == "done" for each in self.seen)


class Watch:
    """What to look at, again and again: a target, or what the last run of Snakemake was asked for."""

    def __init__(self, scales: Sequence[Artifacts], target: str | None) -> None:
        self.target, self.finished = target, Finished()
        asked = [target] if target else _asked(scales, engine.last_run())
        self.artifacts, self.ends = find(scales, asked)
        self.title = target or (_title(self.ends) if asked else "everything")

    def picture(self) -> Picture:
        queue, run = slurm_jobs.queue(Path.cwd()), engine.last_run()
        going = run if engine.is_locked(engine.RUN) else None
        seen = look(self.artifacts, self.ends, queue, self.finished, None if going is None else going.at)
        return Picture(
            title=self.title,
            scale=self.artifacts.scale,
            seen=seen,
            failures=failures(seen),
            left=time_left(seen, time.time()),
            queue=queue,
            run=going,
            go_on=go_on(self.ends, run, self.target),
        )


def _asked(scales: Sequence[Artifacts], run: EngineRun | None) -> list[str]:
    """What a run was asked for at these scales."""
    known = {path for artifacts in scales for each in artifacts.everything() for path in each.tracked}
    return [path for path in run.targets if path in known] if run is not None else []


def _title(ends: Sequence[Artifact]) -> str:
    more = f" and {len(ends) - 1} more" if len(ends) > 1 else ""
    return ends[0].tracked[0] + more


def go_on(ends: Sequence[Artifact], run: EngineRun | None, target: str | None) -> list[str]:
    """The command that makes what is not done: that of the last run, or one for the target by the same profile."""
    if target is None:
        return list(run.command) if run is not None else []
    words = run.command if run is not None else ()
    at = next((at for at, word in enumerate(words) if word.partition("=")[0] == "--profile"), len(words))
    profile = words[at : at + (1 if "=" in "".join(words[at : at + 1]) else 2)]
    return ["snakemake", *(each.tracked[0] for each in ends), *profile]


def failed(
    scales: Sequence[Artifacts], target: str | None, since: datetime.datetime | None
) -> tuple[list[Failure], list[str]]:
    """The jobs of a target that failed, or those of everything at every scale; and the command to go on."""
    queue, finished, run = slurm_jobs.queue(Path.cwd()), Finished(), engine.last_run()
    ends = [find(scales, [target])] if target else [find([each], []) for each in scales]
    seen = [each for artifacts, made in ends for each in look(artifacts, made, queue, finished, since)]
    return failures(seen), go_on(ends[0][1], run, target)


@dataclass(frozen=True)
class Left:
    """A rough estimate."""

    seconds: float
    at_once: int
    """Jobs that run now: as many are taken to run until the end."""
    unknown: Mapping[str, int]
    """Stage -> jobs to do that are not in the estimate: none of that stage has been finished yet."""


def time_left(seen: Sequence[Seen], now: float) -> Left:
    """What each job still takes by the mean of its stage, shared among those that run; but the longest chain at least.

    now: seconds since 1970.
    """
    means = _means(seen)
    unknown: dict[str, int] = {}
    left: dict[Artifact, float] = {}
    for each in seen:
        stage = each.job.artifact.stage
        if each.state != "done":
            if (seconds := _left_of(each, means.get(stage), now)) is None:
                unknown[stage] = unknown.get(stage, 0) + 1
            left[each.job.artifact] = seconds or 0.0
    chains: dict[Artifact, float] = {}
    for artifact, seconds in left.items():  # what is made first comes first
        chains[artifact] = seconds + max((chains.get(each, 0.0) for each in artifact.inputs.values()), default=0.0)
    at_once = max(1, sum(each.state == "running" for each in seen))
    return Left(max([sum(left.values()) / at_once, *chains.values()]), at_once, unknown)


def _means(seen: Sequence[Seen]) -> dict[str, float]:
    """Stage -> seconds of a job: of those that are done; of trainings that run, what they say of themselves."""
    took: dict[str, list[float]] = {}
    for each in seen:
        if each.seconds is not None:
            took.setdefault(each.job.artifact.stage, []).append(each.seconds)
    if "train" not in took:
        told = [each.progress for each in seen if each.progress is not None]
        own = [one.steps * one.seconds_per_step for one in told if one.seconds_per_step is not None]
        took |= {"train": own} if own else {}
    return {stage: sum(each) / len(each) for stage, each in took.items()}


def _left_of(seen: Seen, mean: float | None, now: float) -> float | None:
    if seen.progress is not None and seen.progress.seconds_left is not None:
        return seen.progress.seconds_left
    if mean is None or seen.state != "running" or seen.attempt is None:
        return mean
    return max(0.0, mean - (now - seen.attempt.at.timestamp()))


def find(scales: Sequence[Artifacts], targets: Sequence[str]) -> tuple[Artifacts, list[Artifact]]:
    """The first of the scales that the targets name something of, and what they name; without any, all of the first.

    Raises:
        InputError: nothing is called so.
    """
    for artifacts in scales:
        everything = artifacts.everything()
        ours = [each for each in everything if each.inputs or each.stage not in ("tabulate", "draw", "claims")]
        if found := [each for each in everything if any(is_named(each, name) for name in targets)] if targets else ours:
            behind = {below for each in found for below in each.inputs.values()}
            return artifacts, [each for each in found if each not in behind]
    raise InputError(f"{' '.join(targets)}: no item, experiment or artifact; see: posetables status")
