"""What a plan meets on the cluster of the project's profile: what can never start, what its time limits cut short."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posetables import yaml_files
from posetables.stages.cluster import Asked, Partition, Unknown, unmet
from posetables.stages.estimates import kind_of

if TYPE_CHECKING:
    from posetables.stages.artifacts import Artifacts
    from posetables.stages.plan import Job

PROFILE = Path("slurm/config.yaml")


@dataclass(frozen=True)
class Profile:
    """What `--profile slurm` says."""

    jobs: int | None
    """At a time; None: without a limit."""
    retries: int
    partition: str | None
    """None: that of the cluster's default."""


@dataclass(frozen=True)
class Limits:
    """What is known of the cluster, and what of the plan it cannot do."""

    partition: Partition | Unknown
    warnings: tuple[str, ...]
    strikes: tuple[str, ...]
    """Trainings that a time limit cuts, which go on from their checkpoints."""
    gpu_bound_seconds: float | None
    """GPU time over GPUs: no order of the jobs is faster. None where there are no GPUs, or no need of them."""


def profile() -> Profile:
    """The project's; empty where it has none."""
    content = yaml_files.load(PROFILE) if PROFILE.exists() else {}
    defaults: Any = content.get("default-resources", {})
    if isinstance(defaults, list):  # Snakemake takes `- key=value` as well
        defaults = dict(each.split("=", 1) for each in defaults)
    return Profile(content.get("jobs"), content.get("retries", 0), defaults.get("slurm_partition"))


def limits(jobs: Sequence[Job], artifacts: Artifacts, profile: Profile, asked: Asked) -> Limits:
    """What the partition of the profile allows of the jobs that ask for something."""
    partition = asked.answer(profile.partition)
    if isinstance(partition, Unknown):
        return Limits(partition, (), (), None)
    seconds = sum(job.gpu_seconds for job in jobs)
    survived, lost = _cut(jobs, partition, profile.retries)
    return Limits(
        partition=partition,
        warnings=(*_never(jobs, artifacts, partition), *lost),
        strikes=tuple(survived),
        gpu_bound_seconds=seconds / partition.gpus if seconds and partition.gpus else None,
    )


def _never(jobs: Sequence[Job], artifacts: Artifacts, partition: Partition) -> Iterator[str]:
    """A line for each kind of request that no node can ever meet."""
    threads = artifacts.recipes.scale(artifacts.scale).compute.threads
    for kind in dict.fromkeys(kind_of(job.artifact) for job in jobs):
        mine = [job for job in jobs if kind_of(job.artifact) == kind]
        if kind is None or (request := mine[0].request) is None:
            continue
        if faults := unmet(partition, request, threads):
            where = f"params/scales.yaml: {artifacts.scale}.resources.{kind}"
            yield f"{where}: {len(mine)} of the jobs would wait for ever in {partition.name}: {'; '.join(faults)}"


def _cut(jobs: Sequence[Job], partition: Partition, retries: int) -> tuple[list[str], list[str]]:
    """What the time limit does to jobs: what they survive, as trainings do; and warnings of what they do not."""
    cuts = {job: _cuts(job, partition) for job in jobs}
    trainings = [job for job in jobs if job.artifact.stage == "train" and cuts[job]]
    survived, lost = [], []
    if trainings:
        most = max(trainings, key=lambda job: cuts[job])
        strikes = f"{cuts[most]} strike{'s' if cuts[most] > 1 else ''}"
        told = f"{len(trainings)} trainings outlast it, {most.artifact.manifest.parent} by {strikes}"
        survived.append(f"{told}; each goes on from its checkpoints")
        if cuts[most] > retries:
            lost.append(f"{PROFILE}: retries: {retries} are fewer than the {strikes} of the time limit; raise them")
    for kind in ("data", "predict", "measure"):
        if others := [job for job in jobs if cuts[job] and kind_of(job.artifact) == kind]:
            first = others[0].artifact.manifest
            lost.append(f"params/scales.yaml: resources.{kind}.runtime: {len(others)} jobs take longer, first {first}")
    return survived, lost


def _cuts(job: Job, partition: Partition) -> int:
    """How often the time limit strikes while the job runs."""
    if job.request is None:
        return 0
    limit = 60 * min(job.request.runtime, partition.minutes or job.request.runtime)
    return max(0, math.ceil(job.seconds / limit) - 1)
