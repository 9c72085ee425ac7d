"""What a Slurm cluster allows: its partition and nodes, and what of a request they can never meet.

Slurm lets a job that no node can ever run wait for ever, and says so only to whoever asks: better told beforehand.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from posetables.running import launch

if TYPE_CHECKING:
    from posetables.schemas import Request

PATIENCE = 2.0
"""Seconds for an answer of Slurm, once there is nothing else to do."""

DOWN = ("DOWN", "DRAIN", "FAIL", "NOT_RESPONDING", "POWERED_DOWN", "UNKNOWN")
"""States of nodes that run nothing now; `scontrol` writes several as DOWN+DRAIN, and NOT_RESPONDING as a *."""


@dataclass(frozen=True)
class Node:
    """One node as Slurm was told of it."""

    name: str
    cpus: int
    mem_mb: int
    gpus: Mapping[str, int]
    """Model, "" where none is told -> how many."""
    is_up: bool


@dataclass(frozen=True)
class Partition:
    """Where jobs go."""

    name: str
    minutes: float | None
    """Limit on the run time of a job; None: there is none."""
    max_nodes: int | None
    """Of a job."""
    nodes: tuple[Node, ...]

    @property
    def gpus(self) -> int:
        """On nodes that are up."""
        return sum(sum(node.gpus.values()) for node in self.nodes if node.is_up)


@dataclass(frozen=True)
class Unknown:
    """Why nothing is known of the cluster."""

    why: str


class Asked:
    """`scontrol`, asked at once and listened to later: a controller that is gone lets it wait for many seconds."""

    def __init__(self) -> None:
        self.asked = [_ask(kind) for kind in ("partition", "node")] if shutil.which("scontrol") else []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nobody listens any more."""
        for process in self.asked:
            process.kill()
            process.communicate()

    def answer(self, name: str | None) -> Partition | Unknown:
        """The partition called so, or the default of the cluster."""
        if not self.asked:
            return Unknown("no Slurm on this machine: what a cluster allows is not known")
        try:
            told = [process.communicate(timeout=PATIENCE) for process in self.asked]
        except subprocess.TimeoutExpired:
            return Unknown(f"no answer of Slurm within {PATIENCE:g} s: what the cluster allows is not known")
        if any(process.returncode for process in self.asked):
            why = next((errors.strip() for _, errors in told if errors.strip()), "no reason given").splitlines()[-1]
            return Unknown(f"Slurm refuses to answer ({why}): what the cluster allows is not known")
        return parse(told[0][0], told[1][0], name)


def _ask(kind: str) -> subprocess.Popen[str]:
    command = ["scontrol", "--oneliner", "show", kind]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def parse(partitions: str, nodes: str, name: str | None) -> Partition | Unknown:
    """What `scontrol --oneliner show partition` and `... show node` have printed, of the partition of that name."""
    entries = {entry["PartitionName"]: entry for entry in _entries(partitions) if "PartitionName" in entry}
    defaults = [called for called, entry in entries.items() if entry.get("Default") == "YES"]
    name = name or next(iter(defaults), None)
    if name is None or name not in entries:
        there = ", ".join(sorted(entries)) or "none"
        return Unknown(f"slurm/config.yaml: default-resources.slurm_partition: no {name} here; one of: {there}")
    entry = entries[name]
    mine = [each for each in _entries(nodes) if name in each.get("Partitions", "").split(",")]
    caps = _number(entry.get("MaxCPUsPerNode")), _number(entry.get("MaxMemPerNode"))
    return Partition(
        name=name,
        minutes=minutes(entry.get("MaxTime", "UNLIMITED")),
        max_nodes=_number(entry.get("MaxNodes")),
        nodes=tuple(_node(each, *caps) for each in mine),
    )


def _node(entry: Mapping[str, str], most_cpus: int | None, most_mb: int | None) -> Node:
    """A node, within what the partition lets one job have of it."""
    cpus = _number(entry.get("CPUEfctv")) or _number(entry.get("CPUTot")) or 0
    mem_mb = (_number(entry.get("RealMemory")) or 0) - (_number(entry.get("MemSpecLimit")) or 0)
    state = entry.get("State", "UNKNOWN")
    return Node(
        name=entry.get("NodeName", "?"),
        cpus=min(cpus, most_cpus or cpus),
        mem_mb=min(mem_mb, most_mb or mem_mb),
        gpus=gpus(entry.get("Gres", "")),
        is_up=not state.endswith("*") and not any(word in state.split("+") for word in (*DOWN, "DRAINED", "DRAINING")),
    )


def _entries(text: str) -> Iterator[Mapping[str, str]]:
    """One mapping a line of `Key=value Key=value`. Values may hold spaces, as that of OS, and `=`, as that of TRES."""
    for line in text.splitlines():
        yield {key: value.strip() for key, value in re.findall(r"(?:^|\s)([A-Z]\w*)=(.*?)(?=\s[A-Z]\w*=|$)", line)}


def gpus(gres: str) -> Mapping[str, int]:
    """Model -> how many, of `gpu:a100:4(S:0-1),gpu:2,nvme:1`."""
    found: dict[str, int] = {}
    for model, count in re.findall(r"(?:^|,)gpu(?::([^:,()]+))?:(\d+)(?=[(,]|$)", gres):
        found[model] = found.get(model, 0) + int(count)
    return found


def minutes(limit: str) -> float | None:
    """Of `UNLIMITED` or `[D-]HH:MM:SS`; None is no limit."""
    match = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):(\d+)", limit)
    if match is None:
        return None
    days, hours, whole, seconds = (int(part or 0) for part in match.groups())
    return days * 1440 + hours * 60 + whole + seconds / 60


def _number(text: str | None) -> int | None:
    """A limit; None where there is none."""
    return int(text) if text is not None and text.isdecimal() else None


def unmet(partition: Partition, request: Request, threads: int) -> list[str]:
    """Keys of a request that the partition can never meet, each with what it has; nothing where it can run.

    threads: CPUs of a process where the request names none.
    """
    nodes, cpus = partition.nodes, launch.cpus(request, threads)
    faults = []
    if partition.minutes is not None and request.runtime > partition.minutes:
        faults.append(f"runtime: {request.runtime} minutes, where a job has {partition.minutes:g} at most")
    if partition.max_nodes is not None and request.nodes > partition.max_nodes:
        faults.append(f"nodes: {request.nodes}, where a job has {partition.max_nodes} at most")
    asked = {
        "gpu": (request.gpu, [_gpus_of(node, None) for node in nodes]),
        "gpu_model": (request.gpu, [_gpus_of(node, request.gpu_model) for node in nodes]),
        "cpus": (cpus, [node.cpus for node in nodes]),
        "mem_mb": (request.mem_mb, [node.mem_mb for node in nodes]),
    }
    for key, (wanted, there) in asked.items():
        if wanted > max(there, default=0) and not (key == "gpu_model" and faults):
            model = f" {request.gpu_model}, of {_models(nodes)}," if key == "gpu_model" else ""
            faults.append(f"{key}: {wanted}{model} where no node has more than {max(there, default=0)}")
    fitting = [node for node in nodes if _fits(node, request, cpus)]
    if not faults and len(fitting) < request.nodes:
        each = f"{request.gpu} GPUs, {cpus} CPUs and {request.mem_mb} MB together"
        faults.append(f"nodes: {request.nodes} with {each}, where {len(fitting)} are so")
    return faults


def _models(nodes: tuple[Node, ...]) -> str:
    return "/".join(sorted({model for node in nodes for model in node.gpus if model})) or "GPUs without a model"


def _fits(node: Node, request: Request, cpus: int) -> bool:
    has_gpus = not request.gpu or _gpus_of(node, request.gpu_model) >= request.gpu
    return has_gpus and node.cpus >= cpus and node.mem_mb >= request.mem_mb


def _gpus_of(node: Node, model: str | None) -> int:
    return sum(node.gpus.values()) if model is None else node.gpus.get(model, 0)
