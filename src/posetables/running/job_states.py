"""What each job of a target is doing: done, running, pending or failed.

No server remembers it: manifests say what is done, locks and Slurm what runs, logs what has failed.
"""

from __future__ import annotations

import datetime
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from posetables import logs
from posetables.logs import Attempt
from posetables.provenance import manifest
from posetables.provenance.artifact import Artifact
from posetables.running import training_progress
from posetables.running.engine import is_locked
from posetables.running.jobs import Job, job_of
from posetables.running.slurm_jobs import Queue, SlurmJob
from posetables.running.training_progress import Progress
from posetables.stages.artifacts import Artifacts

State = Literal["done", "running", "pending", "failed"]


BEFORE_ALL = datetime.datetime.fromtimestamp(0, datetime.UTC)


@dataclass(frozen=True)
class Seen:
    """One job, at the moment of looking."""

    job: Job
    state: State
    attempts: tuple[Attempt, ...] = ()
    slurm: SlurmJob | None = None
    progress: Progress | None = None
    seconds: float | None = None
    """That a done one took."""

    @property
    def attempt(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None


@dataclass
class Finished:
    """What is made, and how long it took. Looked at again only once its manifest has changed."""

    known: dict[Artifact, tuple[tuple[int, int], float]] = field(default_factory=dict)

    def seconds(self, artifact: Artifact) -> float | None:
        """None: not made."""
        try:
            status = artifact.manifest.stat()
        except OSError:
            return None
        signature = (status.st_mtime_ns, status.st_ino)
        before = self.known.get(artifact)
        if before is not None and before[0] == signature:
            return before[1]
        record = manifest.read(artifact.manifest)
        if record is None or not artifact.is_made:
            return None
        self.known[artifact] = signature, record.circumstances.seconds
        return record.circumstances.seconds


def look(
    artifacts: Artifacts,
    ends: Sequence[Artifact],
    queue: Queue,
    finished: Finished,
    since: datetime.datetime | None = None,
) -> list[Seen]:
    """Every job of what is to be made for `ends`, or is made already, in the order of making.

    since: when the run began that will make them; what failed before that is only pending.
    """
    everything = list(dict.fromkeys(each for end in ends for each in end.all()))
    taken = {each: finished.seconds(each) for each in everything}
    wanted = needed(ends, taken)
    seen = []
    for each in everything:
        if (seconds := taken[each]) is not None:
            seen.append(Seen(job_of(each), "done", seconds=seconds))
        elif each in wanted:
            seen.append(_look_at(artifacts, job_of(each), queue, since or BEFORE_ALL))
    return seen


def needed(ends: Sequence[Artifact], taken: Mapping[Artifact, float | None]) -> set[Artifact]:
    """What is not made and must be: nothing behind an artifact that is there, whether or not its own inputs are."""
    found: set[Artifact] = set()
    ahead = list(ends)
    while ahead:
        artifact = ahead.pop()
        if taken[artifact] is None and artifact not in found:
            found.add(artifact)
            ahead += artifact.inputs.values()
    return found


def _look_at(artifacts: Artifacts, job: Job, queue: Queue, since: datetime.datetime) -> Seen:
    attempts = tuple(logs.read(job.log))
    last = attempts[-1] if attempts else None
    slurm = max(
        (each for each in (queue.called(job.comment), queue.job(last.job) if last else None) if each is not None),
        key=lambda each: int(each.number),
        default=None,
    )
    trains = job.artifact.stage == "train"
    progress = training_progress.read(artifacts.checkpoints(job.artifact)) if trains else None
    return Seen(job, _state(job, last, slurm, queue, since), attempts, slurm, progress)


def _state(job: Job, last: Attempt | None, slurm: SlurmJob | None, queue: Queue, since: datetime.datetime) -> State:
    if is_locked(job.artifact.lock) or (last is not None and last.code is None and _lives(last, queue)):
        return "running"
    if slurm is not None and (slurm.waits or slurm.runs):
        return "pending" if slurm.waits else "running"
    if last is not None and last.code != 0:
        return "failed" if last.at >= since else "pending"
    if slurm is None or slurm.state == "COMPLETED" or (last is not None and last.job == slurm.number):
        return "pending"
    return "failed" if slurm.submitted is None or slurm.submitted >= since else "pending"


def _lives(attempt: Attempt, queue: Queue) -> bool:
    """Whether a run that has not said its last word goes on. Another machine, and no Slurm to ask: it may."""
    if attempt.job is not None and queue.answers:
        job = queue.job(attempt.job)
        return job is not None and job.runs
    if attempt.host != socket.gethostname():
        return True
    try:
        said = Path(f"/proc/{attempt.process}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return all(word in said for word in attempt.command.split()[:2])  # not another that took its number
