"""What Snakemake plans, before anything runs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest

Snakemake = Callable[..., subprocess.CompletedProcess[str]]
PAPER = "results/tables/hcrn_table1.csv"


def jobs(plan: str, rule: str) -> list[str]:
    """The planned jobs of a rule, as Snakemake prints them."""
    return [block for block in re.split(r"\n(?=(?:local)?rule )", plan) if re.match(rf"(local)?rule {rule}:", block)]


def test_paper_scale_plans_the_thirteen_trainings_with_gpu_memory_and_time(snakemake: Snakemake) -> None:
    done = snakemake("-n", PAPER, "--profile", "slurm")
    assert done.returncode == 0, done.stderr
    trainings = jobs(done.stdout + done.stderr, "train_stage")
    assert len(trainings) == 13
    for training in trainings:
        for asked in ("mem_mb=32000", "runtime=2880", "cpus_per_task=8", "gpu=1", "nodes=1"):
            assert re.search(rf"resources: .*\b{asked}(,|\n)", training), asked


def test_on_a_cluster_a_prediction_and_its_score_share_a_job_and_a_training_shares_none(snakemake: Snakemake) -> None:
    done = snakemake("-n", PAPER, "--profile", "slurm")
    plan = done.stdout + done.stderr
    assert len(jobs(plan, "train_stage")) == 13
    for rule in ("predict_people", "score_predictions"):
        assert len(re.findall(rf"\n    rule {rule}:", plan)) == 13
        assert jobs(plan, rule) == []


def test_an_unknown_table_is_refused_with_the_nearest_name(snakemake: Snakemake) -> None:
    done = snakemake("-n", "results/mini/tables/hcrn_tabel1.csv")
    assert done.returncode != 0
    assert "no table 'hcrn_tabel1'; did you mean 'hcrn_table1'?" in done.stdout + done.stderr


def test_numbers_of_a_numbered_section_are_a_target_like_any_table(snakemake: Snakemake) -> None:
    done = snakemake("-n", "results/mini/tables/mca_sec7.1.csv")
    assert done.returncode == 0, done.stderr
    assert len(jobs(done.stdout + done.stderr, "tabulate_item")) == 1


def test_an_unknown_scale_is_refused(snakemake: Snakemake) -> None:
    done = snakemake("-n", "results/light/tables/hcrn_table1.csv")
    assert done.returncode != 0
    assert "results/light/tables/hcrn_table1.csv" in done.stdout + done.stderr


@pytest.mark.parametrize("item", ["phr_lsp", "gpcnn_lsp"])
def test_committed_evidence_is_finished_without_the_files_behind_it(snakemake: Snakemake, item: str) -> None:
    done = snakemake("-n", f"results/lite/tables/{item}.csv")
    assert done.returncode == 0, done.stderr
    assert "Nothing to be done" in done.stdout + done.stderr


def test_a_setup_that_no_table_needs_is_refused(snakemake: Snakemake) -> None:
    done = snakemake("-n", "make_experiments", "--config", "setup=hcrn/lsp-cp", "scale=mini")
    assert done.returncode != 0
    assert "no table needs setup 'hcrn/lsp-cp'" in done.stdout + done.stderr
