"""Why a job failed and what to change before going on: a verdict from facts, whoever gathered them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["memory", "time", "disk", "node", "data", "code", "stopped", "killed"]

SHOWN = 5
"""Last lines of a log that are told."""


@dataclass(frozen=True)
class Facts:
    """What is known of a job that failed."""

    code: int | None = None
    """Its exit status; None: it was killed, or never began."""
    lines: Sequence[str] = ()
    """What it said, in its own log."""
    slurm: str = ""
    """How Slurm says that the job ended; empty: no Slurm job, or Slurm has forgotten it."""
    slurm_lines: Sequence[str] = ()
    """Slurm's own log of the job."""
    kernel: bool = False
    """The kernel says that it killed the process for want of memory."""
    asks: str | None = None
    """Key of what the job asks of a cluster: `mini.resources.train`."""
    resumes: bool = False
    """It goes on from a checkpoint."""


@dataclass(frozen=True)
class Verdict:
    kind: Kind
    why: str
    change: str
    """What to change before going on; empty: nothing."""
    lines: tuple[str, ...]
    """Last lines of the log that says it."""


WORDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (
        "memory",
        re.compile(
            r"out of memory|OutOfMemory|^MemoryError|can't allocate memory|Cannot allocate memory|Unable to allocate"
            r"|oom[-_ ]kill|exceeded memory limit|Exceeded job memory limit|std::bad_alloc",
            re.IGNORECASE,
        ),
    ),
    (
        "disk",
        re.compile(
            r"no space left|disk quota exceeded|file too large|file write failed|No usable temporary directory",
            re.IGNORECASE,
        ),
    ),
    (
        "node",
        re.compile(
            r"input/output error|stale file handle|read-only file system|transport endpoint|uncorrectable ECC"
            r"|no CUDA-capable device|CUDA driver|CUDA error: (unspecified launch failure|device-side|unknown)"
            r"|NCCL error|unhandled system error|connection closed by peer|bus error|due to node failure",
            re.IGNORECASE,
        ),
    ),
    ("time", re.compile("due to time limit", re.IGNORECASE)),
    ("stopped", re.compile("due to preemption", re.IGNORECASE)),
)
"""What programs, kernels and Slurm say when it is not the code that fails; the first that is found counts."""

STATES: dict[str, Kind] = {
    "OUT_OF_MEMORY": "memory",
    "TIMEOUT": "time",
    "DEADLINE": "time",
    "NODE_FAIL": "node",
    "BOOT_FAIL": "node",
    "PREEMPTED": "stopped",
}
"""Ends of Slurm that leave nothing to ask."""

ENDED: dict[Kind, str] = {
    "memory": "took more memory than it had asked for",
    "time": "ran into the time limit",
    "node": "its node failed",
    "stopped": "gave way to a job that goes before it",
}

STOPPED = {130: "asked to stop by Ctrl-C", 143: "asked to stop (SIGTERM)"}


def judge(facts: Facts) -> Verdict:
    """What it was: Slurm's word where that is plain, then what was said, then how it ended."""
    return _by_slurm(facts) or _by_words(facts) or _by_end(facts)


def _by_slurm(facts: Facts) -> Verdict | None:
    said = [line for line in facts.slurm_lines if line.startswith(("slurmstepd", "srun"))]
    spoken, line = _spoken(said)
    kind = spoken if spoken == "memory" else STATES.get(facts.slurm, spoken)
    if kind not in ENDED:
        return None
    why = ENDED[kind] + (f" (Slurm: {facts.slurm})" if facts.slurm in STATES else "")
    lines = _told(facts)
    return Verdict(kind, why, _change(kind, facts), lines if not line or line in lines else (*lines, line))


def _by_words(facts: Facts) -> Verdict | None:
    """A traceback or a line of ours; a program that was stopped in order says neither."""
    refusal = next((line for line in reversed(facts.lines) if line.startswith("posetables: ")), None)
    crash = _crash(facts.lines)
    if facts.code is None and crash is None and refusal is None:
        kind, line = _spoken([*facts.lines[-SHOWN:], *facts.slurm_lines])
        return None if kind is None else Verdict(kind, line, _change(kind, facts), _told(facts))
    if refusal is not None and facts.code in (2, None):
        why = refusal.removeprefix("posetables: ")
        kind, _ = _spoken([refusal])
        return Verdict(kind or "data", why, "", _told(facts))
    if crash is None:
        return None
    kind, _ = _spoken([crash.last])
    if kind is None:
        return Verdict("code", crash.last, f"mend {crash.place}" if crash.place else "", tuple(crash.lines))
    return Verdict(kind, crash.last, _change(kind, facts), tuple(crash.lines))


def _by_end(facts: Facts) -> Verdict:
    if facts.slurm == "CANCELLED":
        return Verdict("stopped", "cancelled (scancel)", "", _told(facts))
    if facts.code in STOPPED:
        return Verdict("stopped", STOPPED[facts.code], "", _told(facts))
    if facts.kernel:
        why = "killed by the kernel: the machine had no memory left"
        return Verdict("memory", why, _change("memory", facts), _told(facts))
    if facts.code is not None:
        return Verdict("code", f"ended with {facts.code}", "", _told(facts))
    if not facts.lines and facts.slurm_lines:
        return Verdict("node", f"ended before it began: {facts.slurm_lines[-1]}", "", _told(facts))
    return Verdict("killed", "from outside, without a last word: kill -9, or the machine went down", "", _told(facts))


def _change(kind: Kind, facts: Facts) -> str:
    """What to change before going on."""
    if kind == "memory":
        if any("CUDA out of memory" in line for line in facts.lines):
            return f"a larger GPU, by {_key(facts, 'gpu_model')}"
        return f"raise {_key(facts, 'mem_mb')}"
    if kind == "time":
        longer = f"raise {_key(facts, 'runtime')}"
        return f"nothing, it goes on from its checkpoint; or {longer}" if facts.resumes else longer
    return {"disk": "make room", "node": "nothing; or leave the node out, if it fails there again"}.get(kind, "")


def _key(facts: Facts, name: str) -> str:
    """Where the request stands."""
    if facts.asks is None:
        return f"{name} in default-resources of slurm/config.yaml"
    return f"{facts.asks}.{name} of params/scales.yaml"


def _spoken(lines: Sequence[str]) -> tuple[Kind | None, str]:
    for kind, words in WORDS:
        for line in reversed(lines):
            if words.search(line):
                return kind, line.strip()
    return None, ""


def _told(facts: Facts) -> tuple[str, ...]:
    said = [line for line in facts.lines or facts.slurm_lines if line.strip()]
    return tuple(said[-SHOWN:])


@dataclass(frozen=True)
class _Crash:
    last: str
    place: str
    lines: Sequence[str]


FRAME = re.compile(r'  File "(?P<file>.+)", line (?P<line>\d+)')


def _crash(lines: Sequence[str]) -> _Crash | None:
    """The last traceback, and the deepest line of the project's own in it."""
    heads = [at for at, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    if not heads:
        return None
    block = lines[heads[-1] :]
    ends = (at for at, line in enumerate(block) if at and line and not line.startswith(" "))
    end = next(ends, len(block) - 1)
    frames = [found for line in block if (found := FRAME.match(line)) is not None]
    ours = [frame for frame in frames if "posetables" in frame["file"] and "site-packages" not in frame["file"]]
    place = next((f"{frame['file']}:{frame['line']}" for frame in reversed(ours or frames)), "")
    return _Crash(block[end], place, block[: end + 1][-SHOWN - 1 :])
