"""Which jobs of a target have failed, with the facts that tell why: their logs, Slurm, the kernel."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from posetables.running.job_states import Seen
from posetables.running.slurm_jobs import SlurmJob, accounts
from posetables.running.triage import Facts, Verdict, judge

SLURM_LOGS = (Path("logs/slurm"), Path(".snakemake/slurm_logs"))
"""Where the plugin lets Slurm write: as our profile has it, and by itself."""


@dataclass(frozen=True)
class Failure:
    """One job that failed."""

    seen: Seen
    verdict: Verdict
    log: Path
    """Where the rest of what it said stands."""


def failures(seen: Sequence[Seen]) -> list[Failure]:
    """Every job that failed, in the order of making; Slurm's accounts are asked for all of them at once."""
    failed = [each for each in seen if each.state == "failed"]
    recorded = accounts(sorted({number for each in failed if (number := _number(each)) is not None}))
    return [_failure(each, recorded) for each in failed]


def _failure(seen: Seen, recorded: Mapping[str, SlurmJob]) -> Failure:
    last, number = seen.attempt, _number(seen)
    ours = last is not None and (number is None or last.job == number)
    slurm = _slurm_log(seen, number)
    verdict = judge(
        Facts(
            code=last.code if last is not None and ours else None,
            lines=last.lines if last is not None and ours else (),
            slurm=_end(seen, recorded),
            slurm_lines=() if slurm is None else tuple(slurm.read_text(errors="replace").splitlines()),
            kernel=last is not None and ours and last.host == socket.gethostname() and _killed_by_kernel(last.process),
            asks=seen.job.asks,
            resumes=seen.job.artifact.stage == "train",
        )
    )
    return Failure(seen, verdict, seen.job.log if ours or slurm is None else slurm)


def _number(seen: Seen) -> str | None:
    """Slurm's number of the run that failed."""
    if seen.slurm is not None:
        return seen.slurm.number
    return None if seen.attempt is None else seen.attempt.job


def _end(seen: Seen, recorded: Mapping[str, SlurmJob]) -> str:
    """The accounts say more than the queue, which does not know of steps."""
    number = _number(seen)
    if number is not None and number in recorded:
        return recorded[number].state
    return "" if seen.slurm is None else seen.slurm.state


def _slurm_log(seen: Seen, number: str | None) -> Path | None:
    """Slurm's own log of a job; that of a group, which has no wildcards, is looked for."""
    if number is None:
        return None
    own = Path(f"rule_{seen.job.rule.name}") / seen.job.wildcard_text / f"{number}.log"
    for folder in SLURM_LOGS:
        found = [folder / own] if (folder / own).exists() else list(folder.rglob(f"{number}.log"))
        if found:
            return found[0]
    return None


def _killed_by_kernel(process: int) -> bool:
    """Whether the kernel of this machine took the process for want of memory; no, where it may not be asked."""
    if shutil.which("dmesg") is None:
        return False
    told = subprocess.run(["dmesg"], capture_output=True, text=True, check=False).stdout
    return f"Killed process {process} " in told
