"""A training on a real Slurm: seen while it runs, and told why it ended."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from engines import Run, environment_of, write_clone
from private_slurm import PrivateSlurm, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

TRAINING = "hcrn/lsp-pc/vgg16-hcrn"
WEIGHTS = f"results/mini/train/{TRAINING}/seed0/main/weights.safetensors"


@pytest.fixture(scope="module")
def with_people(run_in: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with those people that the training learns from."""
    folder = write_clone(tmp_path_factory.mktemp("people") / "clone")
    done = run_in(folder, "snakemake", *(f"data/prepared/mini/{name}/crops.manifest.json" for name in ("lsp", "lspet")))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def folder(with_people: Path, tmp_path: Path) -> Path:
    """The same, where the training takes for ever."""
    folder = tmp_path / "clone"
    shutil.copytree(with_people, folder, ignore=shutil.ignore_patterns(".snakemake"))
    ask(folder, mem_mb=1500)
    return folder


def ask(folder: Path, mem_mb: int) -> None:
    path = folder / "params/scales.yaml"
    scales = yaml.safe_load(path.read_text())
    scales["mini"]["trainings"]["vgg16"] |= {"epochs": 100_000, "lr": 0.01}
    scales["mini"]["resources"]["train"]["mem_mb"] = mem_mb
    path.write_text(yaml.safe_dump(scales))


@pytest.fixture
def started(folder: Path, cluster: PrivateSlurm) -> Iterator[subprocess.Popen[bytes]]:
    """Snakemake, which has the training run on the cluster and tries it once."""
    command = ["snakemake", WEIGHTS, "--profile", "slurm", "--retries", "0", "--preemptible-retries", "0"]
    environment = environment_of(folder, cluster.environment)
    with (folder / "run").open("wb") as told:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=told, stderr=subprocess.STDOUT)
    yield process
    process.kill()
    process.wait()


def watched(folder: Path, cluster: PrivateSlurm, run_in: Run) -> dict[str, Any]:
    """The training, as `watch` has it."""
    done = run_in(folder, "posetables", "watch", WEIGHTS, "--json", environment=cluster.environment)
    jobs: dict[str, dict[str, Any]] = {each["stage"]: each for each in json.loads(done.stdout)["jobs"]}
    return jobs["train"]


def test_a_job_is_seen_running_on_its_node_and_its_cancellation_is_told(
    folder: Path, cluster: PrivateSlurm, run_in: Run, started: subprocess.Popen[bytes]
) -> None:
    wait_until(lambda: "epoch 1" in read(folder / f"logs/mini/train/{TRAINING}/seed0/main.log"), "its first epoch", 300)
    job = watched(folder, cluster, run_in)
    assert job["state"] == "running"
    cluster.ask("scancel", job["slurm_job"])
    assert started.wait(300) == 1
    assert f"stopped  train {TRAINING}/seed0/main: Slurm job {job['slurm_job']} on n1" in read(folder / "run")
    assert f"go on: snakemake {WEIGHTS} --profile slurm" in read(folder / "run")


def test_a_job_that_took_too_much_memory_names_the_key_to_raise(
    folder: Path, cluster: PrivateSlurm, run_in: Run, request: pytest.FixtureRequest
) -> None:
    ask(folder, mem_mb=100)
    assert request.getfixturevalue("started").wait(300) == 1
    done = run_in(folder, "posetables", "why", WEIGHTS, environment=cluster.environment)
    assert done.stdout.startswith("memory   train")
    assert "  change: raise mini.resources.train.mem_mb of params/scales.yaml\n" in done.stdout


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
