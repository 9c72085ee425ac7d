"""A job is found by its artifact: its log, and its name in Slurm's queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from posetables.params import Recipes
from posetables.provenance.artifact import Artifact
from posetables.running.jobs import job_of
from posetables.stages.artifacts import Artifacts


def made(manifest: str, stage: str = "") -> Artifact:
    return Artifact(stage=stage, recipe={}, modules=(), outputs={}, manifest=Path(manifest))


TRAINING = made("results/mini/train/hcrn/lsp-pc/vgg16-hcrn/seed0/main/manifest.json")


def test_a_job_is_called_by_its_stage_and_what_it_makes() -> None:
    assert job_of(TRAINING).name == "train hcrn/lsp-pc/vgg16-hcrn/seed0/main"


def test_the_comment_is_the_one_by_which_the_plugin_submits() -> None:
    # as squeue prints it for a job of snakemake-executor-plugin-slurm 2.8.0
    assert job_of(TRAINING).comment == "rule_train_stage_wildcards_mini__hcrn_lsp-pc_vgg16-hcrn_0_main"


@pytest.mark.parametrize(
    ("manifest", "stage", "key"),
    [
        ("results/train/hcrn/lsp-pc/hg/seed0/main/manifest.json", "train", "paper.resources.train"),
        ("results/lite/predictions/hcrn/lsp-pc/hg/seed0/pyramid3.manifest.json", "predict", "lite.resources.predict"),
        ("results/lite/scores/hcrn/lsp-pc/hg/seed0/pyramid3.manifest.json", "score", "lite.resources.predict"),
        ("data/prepared/mini/boxes/coco-val/hog/crops.manifest.json", "crop", "mini.resources.data"),
        ("results/tables/hcrn_table1.manifest.json", "tabulate", None),
    ],
)
def test_what_it_asks_for_stands_under_a_key_of_its_scale(manifest: str, stage: str, key: str | None) -> None:
    assert job_of(made(manifest, stage)).asks == key


def test_every_artifact_has_a_log_of_its_own() -> None:
    for scale in ("mini", "lite", "paper"):
        logs = [job_of(each).log for each in Artifacts(Recipes(), scale).everything()]
        assert len(logs) == len({*logs})
