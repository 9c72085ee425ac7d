"""A clone of the project as git would give it, and the real engines in it."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
Run = Callable[..., subprocess.CompletedProcess[str]]
Snakemake = Run


def write_clone(folder: Path) -> Path:
    """Every file that git has or would take, nothing that a run leaves behind."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def environment_of(folder: Path, outer: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The programs of this environment, on the package of a clone."""
    # Without bytecode, which some images forbid, every process of a workflow compiles the package anew.
    dropped = {"POSETABLES_MIRROR", "PYTHONDONTWRITEBYTECODE"}
    return {name: value for name, value in outer.items() if name not in dropped} | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), outer["PATH"]]),
        "PYTHONPATH": str(folder / "src"),
        "DVC_SITE_CACHE_DIR": str(folder / ".dvc/tmp/site"),  # else DVC leaves things in /var/tmp
    }


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clone(tmp_path_factory.mktemp("clone"))


@pytest.fixture(scope="session")
def run_in() -> Run:
    """Run a program of this environment in a clone, on the clone's own package."""

    def run(
        folder: Path, *command: str, environment: Mapping[str, str] = os.environ
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=folder, env=environment_of(folder, environment), capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture(scope="session")
def snakemake(clone: Path, run_in: Run) -> Snakemake:
    """Run Snakemake in the clone."""
    return functools.partial(run_in, clone, "snakemake")


@pytest.fixture(scope="session")
def made(clone: Path, snakemake: Snakemake) -> Path:
    """The clone, once HCRN's Table I is made at mini scale: minutes, so that one serves all tests."""
    done = snakemake("results/mini/tables/hcrn_table1.csv")
    assert done.returncode == 0, done.stdout + done.stderr
    return clone
