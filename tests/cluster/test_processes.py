"""One training by processes on two nodes of a real Slurm."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
import yaml

from engines import Run
from posetables.provenance import manifest
from private_slurm import PrivateSlurm

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

TRAINING = "results/mini/train/hcrn/lsp-pc/vgg16-hcrn/seed0/main"


@pytest.fixture(scope="module")
def on_two_nodes(made: Path, cluster: PrivateSlurm, run_in: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone where one training is made again, by one process on each node."""
    folder = tmp_path_factory.mktemp("nodes") / "clone"
    shutil.copytree(made, folder, ignore=shutil.ignore_patterns(".snakemake"))
    shutil.rmtree(folder / TRAINING)
    scales = folder / "params/scales.yaml"
    content = yaml.safe_load(scales.read_text())
    content["mini"]["resources"]["train"]["nodes"] = 2
    scales.write_text(yaml.safe_dump(content, sort_keys=False))
    weights = f"{TRAINING}/weights.safetensors"
    done = run_in(folder, "snakemake", weights, "--profile", "slurm", environment=cluster.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def losses(folder: Path) -> list[float]:
    with (folder / TRAINING / "history.csv").open(newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def test_two_processes_trained_together(on_two_nodes: Path) -> None:
    record = manifest.read(on_two_nodes / TRAINING / "manifest.json")
    assert record is not None
    assert record.facts["processes"] == 2


def test_they_begin_as_one_process_does(on_two_nodes: Path, made: Path) -> None:
    assert losses(on_two_nodes)[0] == pytest.approx(losses(made)[0], rel=1e-4)  # later, the last bits have grown
