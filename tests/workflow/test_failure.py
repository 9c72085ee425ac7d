"""A run that fails tells why below Snakemake's own words, and fails all the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from engines import Run

pytestmark = pytest.mark.slow


LABELS = "data/raw/lsp.labels.manifest.json"


@pytest.fixture
def offline(clone: Path, tmp_path: Path) -> Path:
    """A clone that knows no address of LSP."""
    folder = tmp_path / "clone"
    shutil.copytree(clone, folder, ignore=shutil.ignore_patterns(".snakemake", "results"), symlinks=True)
    source = folder / "params/datasets/lsp.yaml"
    source.write_text(yaml.safe_dump(yaml.safe_load(source.read_text()) | {"sources": []}))
    return folder


def test_a_failed_run_ends_with_the_reason_and_the_command_to_go_on(offline: Path, run_in: Run) -> None:
    done = run_in(offline, "snakemake", LABELS, "--cores", "1")
    assert done.returncode == 1
    told = done.stderr[done.stderr.index("Exiting because a job execution failed") :]
    assert "data     fetch lsp.labels: " in told
    assert f"go on: snakemake {LABELS} --cores 1\n" in told


def test_failures_of_an_earlier_run_are_not_told_again(offline: Path, run_in: Run) -> None:
    assert run_in(offline, "snakemake", LABELS).returncode == 1
    lspet = offline / "params/datasets/lspet.yaml"
    lspet.write_text(yaml.safe_dump(yaml.safe_load(lspet.read_text()) | {"sources": []}))
    done = run_in(offline, "snakemake", LABELS.replace("lsp", "lspet"))
    assert "data     fetch lspet.labels: " in done.stderr
    assert "fetch lsp.labels: " not in done.stderr


def test_a_reason_that_cannot_be_told_hides_nothing(offline: Path, run_in: Run) -> None:
    (offline / "src/posetables/running/triage.py").write_text("raise RuntimeError\n")
    done = run_in(offline, "snakemake", LABELS)
    assert done.returncode == 1
    assert "Error in rule fetch_dataset" in done.stderr
    assert "At least one job did not complete successfully" in done.stderr
