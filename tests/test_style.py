"""What the linters do not check by themselves: the lock, and the workflow by Snakemake's own linter."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "constraints.txt").read_text().splitlines()

NO_CONDA = "Specify a conda environment or container for each rule."
"""Demanded of every rule, and cannot be switched off. Here all rules share `.venv`, which constraints.txt describes."""


def test_lock_holds_exact_versions_and_nothing_else() -> None:
    assert [line for line in LOCK if not re.fullmatch(r"[a-z0-9-]+==[a-z0-9.]+", line)] == []


def test_lock_holds_every_package_that_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [re.match(r"[\w-]+", line) for line in project["dependencies"] + project["optional-dependencies"]["dev"]]
    names = {match[0].lower() for match in asked if match}
    assert names - {line.partition("==")[0] for line in LOCK} == set()


def test_snakemake_finds_nothing_to_improve_in_the_workflow() -> None:
    command = [sys.executable, "-m", "snakemake", "--lint"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    findings = re.findall(r"^    \* (.*?):?$", done.stderr, re.MULTILINE)
    assert NO_CONDA in findings, done.stderr  # else nothing was linted
    assert set(findings) - {NO_CONDA} == set()
