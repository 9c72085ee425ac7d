"""`dvc repro` on a cluster: Snakemake's own variable names the profile, and no stage knows where it was made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from engines import Run
from private_slurm import PrivateSlurm

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

STAGE = "hcrn-lsp-oc"
WEIGHTS = "results/mini/train/hcrn/lsp-oc/res101-hcrn/seed0/main/manifest.json"


@pytest.fixture(scope="module")
def through_slurm(cluster: PrivateSlurm, made: Path, run_in: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with people, where DVC has one setup's experiments made."""
    folder = tmp_path_factory.mktemp("slurm-dvc") / "clone"
    shutil.copytree(made, folder)
    profile = {"SNAKEMAKE_PROFILE": "slurm"}
    for command in (["git", "init", "--quiet"], ["dvc", "repro", STAGE]):
        done = run_in(folder, *command, environment=cluster.environment | profile)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_profile_that_the_variable_names_runs_a_stage_of_dvc_on_the_cluster(through_slurm: Path) -> None:
    assert json.loads((through_slurm / WEIGHTS).read_text())["circumstances"]["slurm_job"] is not None


def test_what_a_cluster_made_is_up_to_date_where_no_variable_names_it(through_slurm: Path, run_in: Run) -> None:
    done = run_in(through_slurm, "dvc", "repro", STAGE)
    assert done.returncode == 0
    assert "Running stage" not in done.stdout
    assert f"Stage '{STAGE}' didn't change, skipping" in done.stdout
