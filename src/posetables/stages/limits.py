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
    return Limits(
        partition=partition,
        warnings=tuple(_never(jobs, artifacts, partition)) + tuple(_too_long(jobs, partition, profile.retries)),
        strikes=tuple(_strikes(jobs, partition, profile.retries)),
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


def _cuts(job: Job, partition: Partition) -> int:
    """How often the time limit strikes while the job runs."""
    if job.request is None:
        return 0
    limit = 60 * min(job.request.runtime, partition.minutes or job.request.runtime)
    return max(0, math.ceil(job.seconds / limit) - 1)


def _strikes(jobs: Sequence[Job], partition: Partition, retries: int) -> Iterator[str]:
    for job in jobs:
        if job.artifact.stage == "train" and 0 < (cuts := _cuts(job, partition)) <= retries:
            yield f"{job.artifact.manifest.parent}: {cuts} strikes of the time limit, goes on from its checkpoints"


def _too_long(jobs: Sequence[Job], partition: Partition, retries: int) -> Iterator[str]:
    for job in jobs:
        cuts = _cuts(job, partition)
        if cuts > (retries if job.artifact.stage == "train" else 0):
            yield (
                f"{job.artifact.manifest}: needs {cuts + 1} times its time limit, and {PROFILE} has retries: {retries};"
                " raise that, or runtime in params/scales.yaml"
            )
