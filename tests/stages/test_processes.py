"""Trainings by several processes of torchrun: the same samples, the same loss, the same bytes each time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from posetables.provenance.manifest import read

if TYPE_CHECKING:
    from conftest import Project

pytestmark = pytest.mark.slow

HOURGLASS, VGG = "hcrn/lsp-pc/hg", "hcrn/lsp-pc/vgg16-hcrn"
KILLED_AFTER_5 = """
import os, sys
from posetables.cli import main
from posetables.stages import run

record, done = run.Run.record, []

def killed(self, *arguments):
    if len(done) == 5:
        os._exit(9)
    done.append(record(self, *arguments))

run.Run.record = killed
main(sys.argv[1:])
"""


def train(project: Project, experiment: str, processes: int, program: str = "posetables") -> str:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    script = [program] if program.endswith(".py") else ["--no-python", "--", str(Path(sys.executable).parent / program)]
    done = subprocess.run(
        [*torchrun, *script, "train", experiment, "--scale", "mini"],
        cwd=project.root, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stderr


def folder(experiment: str) -> Path:
    return Path("results/mini/train") / experiment / "seed0/main"


def weights(experiment: str) -> bytes:
    return (folder(experiment) / "weights.safetensors").read_bytes()


def losses(experiment: str) -> list[float]:
    return pd.read_csv(folder(experiment) / "history.csv")["loss"].tolist()


@pytest.fixture
def slowly(project: Project) -> Project:
    """At rates so small that nothing grows out of the last bits."""
    for backbone in ("hourglass", "vgg16"):
        project.edit("params/scales.yaml", lambda it, key=backbone: it["mini"]["trainings"][key].update(lr=1e-6))
    return project


# The one has batch statistics, the other dropout.
@pytest.mark.parametrize("experiment", [HOURGLASS, VGG])
def test_one_two_and_four_processes_reach_the_same_loss(slowly: Project, experiment: str) -> None:
    slowly.run("train", experiment, "--scale", "mini")
    one = losses(experiment)
    for processes in (2, 4):
        shutil.rmtree("results")
        told = train(slowly, experiment, processes)
        assert (folder(experiment) / "manifest.json").exists(), told
        assert losses(experiment) == pytest.approx(one, rel=1e-5)


def validated_and_masked(content: dict[str, Any]) -> None:
    masking = {"probability": 0.5, "patch": 8}
    content["experiments"]["lsp-pc/hg"]["stages"]["main"] |= {"validation": "lsp/test", "masking": masking}


def test_two_processes_are_validated_and_masked_as_one_is(slowly: Project) -> None:
    slowly.edit("params/papers/hcrn/experiments.yaml", validated_and_masked)
    slowly.run("train", HOURGLASS, "--scale", "mini")
    one = pd.read_csv(folder(HOURGLASS) / "history.csv")
    shutil.rmtree("results")
    told = train(slowly, HOURGLASS, 2)
    assert (folder(HOURGLASS) / "manifest.json").exists(), told
    two = pd.read_csv(folder(HOURGLASS) / "history.csv")
    assert two["loss"].tolist() == pytest.approx(one["loss"].tolist(), rel=1e-5)
    assert two["score"].tolist() == one["score"].tolist()


def test_a_number_of_processes_gives_the_same_bytes_each_time_and_after_a_kill(project: Project) -> None:
    project.edit("params/scales.yaml", lambda it: it["mini"].update(checkpoint_seconds=0))
    told = train(project, HOURGLASS, 4)
    assert (folder(HOURGLASS) / "manifest.json").exists(), told
    uninterrupted = weights(HOURGLASS)
    shutil.rmtree("results")
    (project.root / "killed.py").write_text(KILLED_AFTER_5)
    train(project, HOURGLASS, 4, "killed.py")
    assert not (folder(HOURGLASS) / "manifest.json").exists()
    assert "going on from step 5" in train(project, HOURGLASS, 4)
    assert weights(HOURGLASS) == uninterrupted


def test_a_checkpoint_moves_between_numbers_of_processes(project: Project) -> None:
    project.edit("params/scales.yaml", lambda it: it["mini"].update(checkpoint_seconds=0))
    (project.root / "killed.py").write_text(KILLED_AFTER_5)
    train(project, HOURGLASS, 2, "killed.py")
    assert "going on from step 5" in project.run("train", HOURGLASS, "--scale", "mini")


def test_the_manifest_says_how_many_processes_trained(project: Project) -> None:
    train(project, HOURGLASS, 2)
    record = read(folder(HOURGLASS) / "manifest.json")
    assert record is not None
    assert record.facts["processes"] == 2


def test_a_batch_that_cannot_be_divided_is_told(project: Project) -> None:
    told = train(project, HOURGLASS, 3)
    assert (
        "posetables: params/scales.yaml: resources.train: 3 processes cannot divide batch: 4; set processes and nodes "
        "to a divisor" in told
    )
    assert not folder(HOURGLASS).joinpath("weights.safetensors").exists()


def test_what_is_there_is_not_trained_again(project: Project) -> None:
    project.run("train", HOURGLASS, "--scale", "mini")
    assert "up to date" in train(project, HOURGLASS, 2)
