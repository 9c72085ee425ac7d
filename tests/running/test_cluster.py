"""What a real Slurm 22.05 printed (partition gpu: two nodes, one of them drained), and what can never run on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from posetables.running.cluster import Asked, Node, Partition, Unknown, gpus, minutes, parse, unmet
from posetables.schemas import Request

PRINTED = Path(__file__).parent / "slurm"
FITS = {"gpu": 1, "cpus": 4, "mem_mb": 8000, "runtime": 2880}


@pytest.fixture
def partition() -> Partition:
    found = read("gpu")
    assert isinstance(found, Partition)
    return found


def read(name: str | None) -> Partition | Unknown:
    return parse((PRINTED / "partitions.txt").read_text(), (PRINTED / "nodes.txt").read_text(), name)


def test_limits_and_nodes_of_a_partition_are_read(partition: Partition) -> None:
    assert (partition.minutes, partition.max_nodes) == (2880, 1)
    assert partition.nodes[0] == Node("n1", 4, 8000, {"fake": 2}, is_up=True)
    assert [node.name for node in partition.nodes] == ["n1", "n2"]


def test_a_drained_node_gives_no_gpus(partition: Partition) -> None:
    assert not partition.nodes[1].is_up
    assert partition.gpus == 2


def test_without_a_name_the_default_partition_counts() -> None:
    found = read(None)
    assert isinstance(found, Partition)
    assert found.name == "gpu"


def test_a_partition_that_is_not_there_is_told_with_the_key_and_those_that_are() -> None:
    found = read("gpus")
    assert isinstance(found, Unknown)
    assert "slurm_partition" in found.why
    assert "debug, gpu" in found.why


def test_what_fits_is_not_warned_of(partition: Partition) -> None:
    assert unmet(partition, Request(**FITS), threads=8) == []


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"gpu": 3, "processes": 3, "cpus": 1}, "gpu: 3 where no node has more than 2"),
        ({"gpu_model": "h200"}, "gpu_model: 1 h200, of fake, where no node has more than 0"),
        ({"cpus": 5}, "cpus: 5 where no node has more than 4"),
        ({"cpus": None}, "cpus: 8 where no node has more than 4"),
        ({"cpus": 2, "gpu": 0, "processes": 3}, "cpus: 6 where no node has more than 4"),
        ({"mem_mb": 8001}, "mem_mb: 8001 where no node has more than 8000"),
        ({"runtime": 2881}, "runtime: 2881 minutes, where a job has 2880 at most"),
        ({"nodes": 2}, "nodes: 2, where a job has 1 at most"),
    ],
)
def test_a_request_that_no_node_can_meet_is_told_by_its_key(
    partition: Partition, asked: dict[str, object], told: str
) -> None:
    assert unmet(partition, Request.model_validate(FITS | asked), threads=8) == [told]


def test_gpus_and_memory_must_be_on_one_node() -> None:
    nodes = Node("a", 4, 64000, {}, is_up=True), Node("b", 4, 8000, {"a100": 1}, is_up=True)
    faults = unmet(Partition("gpu", None, None, nodes), Request(gpu=1, cpus=1, mem_mb=32000, runtime=1), threads=1)
    assert faults == ["nodes: 1 with 1 GPUs, 1 CPUs and 32000 MB together, where 0 are so"]


@pytest.mark.parametrize(
    ("gres", "found"),
    [
        ("(null)", {}),
        ("gpu:2", {"": 2}),
        ("gpu:a100:4(S:0-1)", {"a100": 4}),
        ("gpu:a100:2(S:0),gpu:v100:1(S:1),nvme:1", {"a100": 2, "v100": 1}),
        ("gpu:1g.10gb:7", {"1g.10gb": 7}),
        ("shard:gpu:3", {}),
    ],
)
def test_gpus_of_a_node_are_counted_by_model(gres: str, found: dict[str, int]) -> None:
    assert gpus(gres) == found


@pytest.mark.parametrize(("limit", "found"), [("UNLIMITED", None), ("1-12:30:00", 2190), ("00:05:00", 5)])
def test_a_time_limit_is_read_in_minutes(limit: str, found: float | None) -> None:
    assert minutes(limit) == found


def test_without_slurm_one_line_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with Asked() as asked:
        answer = asked.answer("gpu")
    assert isinstance(answer, Unknown)
    assert answer.why.startswith("no Slurm on this machine")


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo 'slurm_load_partitions: Unable to contact slurm controller' >&2; exit 1", "Unable to contact"),
        ("exec sleep 60", "no answer of Slurm"),
    ],
)
def test_a_controller_that_is_gone_costs_a_line(
    script: str, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "scontrol"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr("posetables.running.cluster.PATIENCE", 0.2)
    with Asked() as asked:
        answer = asked.answer("gpu")
    assert isinstance(answer, Unknown)
    assert told in answer.why
