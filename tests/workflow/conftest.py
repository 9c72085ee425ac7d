"""A clone of the project as git would give it, and the real Snakemake in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Snakemake = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every file that git has or would take, nothing that a run leaves behind."""
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def snakemake(clone: Path) -> Snakemake:
    """Run Snakemake in the clone, on the clone's own package."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(clone / "src")}
        environment.pop("POSETABLES_MIRROR", None)
        program = Path(sys.executable).with_name("snakemake")
        return subprocess.run(
            [program, *arguments], cwd=clone, env=environment, capture_output=True, text=True, check=False
        )

    return run
