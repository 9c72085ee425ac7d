"""What a plan meets on the cluster of the project's profile: what can never start, what its time limits cut short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posetables import yaml_files
from posetables.errors import InputError
from posetables.running import launch
from posetables.running.cluster import Asked, Partition, Unknown, unmet
from posetables.running.requests import kind_of

if TYPE_CHECKING:
    from posetables.running.plan import Job
    from posetables.schemas import Request
    from posetables.stages.artifacts import Artifacts

PROFILE = Path("slurm/config.yaml")


@dataclass(frozen=True)
class Profile:
    """What `--profile slurm` says."""

    jobs: int | None
    """At a time; None: without a limit."""
    retries: int
    training_retries: int
    partition: str | None
    """None: that of the cluster's default."""
    most_minutes: float = float("inf")
    most_mb: float = float("inf")
    """No attempt asks for more."""

    def grown(self, request: Request, attempt: int) -> Request:
        """What an attempt asks for; the first is 1."""
        asked = launch.resources(request, 1, attempt)
        limits = {"runtime": self.most_minutes, "mem_mb": self.most_mb}
        return request.model_copy(update={key: int(min(int(asked[key]), most)) for key, most in limits.items()})


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
    """The project's; empty where it has none.

    Raises:
        InputError: a number is none.
    """
    content = yaml_files.load(PROFILE) if PROFILE.exists() else {}
    most = _pairs(content.get("resources"))
    retries = _number(content, "retries", 0)
    survives = "train_stage" in content.get("preemptible-rules", ())
    return Profile(
        jobs=_number(content, "jobs", 0) or None,
        retries=retries,
        training_retries=_number(content, "preemptible-retries", 0) if survives else retries,
        partition=_pairs(content.get("default-resources")).get("slurm_partition"),
        most_minutes=_number(most, "runtime", 0) or float("inf"),
        most_mb=_number(most, "mem_mb", 0) or float("inf"),
    )


def _pairs(entry: Any) -> dict[str, Any]:
    """A mapping, which Snakemake takes as a list of `key=value` as well."""
    if isinstance(entry, list):
        return dict(str(each).split("=", 1) for each in entry if "=" in str(each))
    return entry if isinstance(entry, dict) else {}


def _number(content: dict[str, Any], key: str, otherwise: int) -> int:
    try:
        return int(content.get(key, otherwise))
    except (TypeError, ValueError) as error:
        raise InputError(f"{PROFILE}: {key}: {content[key]!r} is no whole number; give one") from error


def limits(jobs: Sequence[Job], artifacts: Artifacts, profile: Profile, asked: Asked) -> Limits:
    """What the partition of the profile allows of the jobs that ask for something."""
    partition = asked.answer(profile.partition)
    if isinstance(partition, Unknown):
        return Limits(partition, (), (), None)
    seconds = sum(job.gpu_seconds for job in jobs)
    survived, lost = _cut(jobs, partition, profile)
    return Limits(
        partition=partition,
        warnings=(*_never(jobs, artifacts, partition, profile), *lost),
        strikes=tuple(survived),
        gpu_bound_seconds=seconds / partition.gpus if seconds and partition.gpus else None,
    )


def _never(jobs: Sequence[Job], artifacts: Artifacts, partition: Partition, profile: Profile) -> Iterator[str]:
    """A line for each kind of request that no node can ever meet, at once or when it has grown."""
    threads = artifacts.recipes.scale(artifacts.scale).compute.threads
    for kind in dict.fromkeys(kind_of(job.artifact) for job in jobs):
        mine = [job for job in jobs if kind_of(job.artifact) == kind]
        if kind is None or (request := mine[0].request) is None:
            continue
        where = f"params/scales.yaml: {artifacts.scale}.resources.{kind}"
        if faults := unmet(partition, profile.grown(request, 1), threads):
            yield f"{where}: {len(mine)} of the jobs would wait for ever in {partition.name}: {'; '.join(faults)}"
        elif faults := unmet(partition, profile.grown(request, 1 + _retries(kind, profile)), threads):
            told = f"a retry of {kind} would wait for ever in {partition.name}"
            yield f"{PROFILE}: resources: {told}: {'; '.join(faults)}"


def _cut(jobs: Sequence[Job], partition: Partition, profile: Profile) -> tuple[list[str], list[str]]:
    """What the time limit does to jobs: what they survive, as trainings do; and warnings of what they do not."""
    survived, lost = [], []
    cuts = {job: _cuts(job, partition, profile) for job in jobs if job.artifact.stage == "train"}
    if trainings := [job for job, count in cuts.items() if count]:
        most = max(trainings, key=lambda job: cuts[job])
        strikes = f"{cuts[most]} strike{'s' if cuts[most] > 1 else ''}"
        told = f"{len(trainings)} trainings outlast it, {most.artifact.manifest.parent} by {strikes}"
        survived.append(f"{told}; each goes on from its checkpoints")
        if cuts[most] > profile.training_retries:
            lost.append(
                f"{PROFILE}: a training has {profile.training_retries} retries, fewer than {strikes}; raise them"
            )
    for kind in ("data", "predict", "measure"):
        others = [job for job in jobs if kind_of(job.artifact) == kind]
        if longer := [job for job in others if job.seconds > _limit(job, 1 + profile.retries, partition, profile)]:
            first = longer[0].artifact.manifest
            lost.append(f"params/scales.yaml: resources.{kind}.runtime: {len(longer)} jobs take longer, first {first}")
    return survived, lost


def _retries(kind: str, profile: Profile) -> int:
    return profile.training_retries if kind == "train" else profile.retries


def _cuts(training: Job, partition: Partition, profile: Profile) -> int:
    """How often the time limit strikes while it runs."""
    left, attempt = training.seconds, 1
    while left > (limit := _limit(training, attempt, partition, profile)):
        left, attempt = left - limit, attempt + 1
    return attempt - 1


def _limit(job: Job, attempt: int, partition: Partition, profile: Profile) -> float:
    """Seconds that one attempt has."""
    if job.request is None:
        return float("inf")
    minutes = profile.grown(job.request, attempt).runtime
    return 60.0 * (minutes if partition.minutes is None else min(minutes, partition.minutes))
