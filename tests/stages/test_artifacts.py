"""What follows from what: a change of params moves what reads it, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from posetables.params import Recipes
from posetables.stages.artifacts import Artifacts

if TYPE_CHECKING:
    from conftest import Project

EXPERIMENTS, TABLES = "params/papers/hcrn/experiments.yaml", "params/papers/hcrn/tables.yaml"
SCALES = "params/scales.yaml"


def identities() -> dict[str, str]:
    artifacts = Artifacts(Recipes(), "mini")
    hg = "hcrn/lsp-pc/hg"
    return {
        "fetch": artifacts.fetch("lsp").identity,
        "prepare": artifacts.prepare("lsp").identity,
        "train": artifacts.train(hg, "main", 0).identity,
        "predict": artifacts.predict(hg, "pyramid3", 0).identity,
        "score": artifacts.score(hg, "pyramid3", 0).identity,
        "measure": artifacts.measure(hg).identity,
        "table": artifacts.table("hcrn_table1").identity,
        "another network": artifacts.train("hcrn/lsp-pc/vgg16-hcrn", "main", 0).identity,
    }


@pytest.mark.parametrize(
    ("file", "old", "new", "moved"),
    [
        (TABLES, "with and without the", "with or without the", "table"),
        ("params/papers/hcrn/published.csv", "HG,Avg,85.4", "HG,Avg,85.5", "table"),
        (EXPERIMENTS, "blur: 3", "blur: 4", "predict score table"),
        (EXPERIMENTS, "lr: 2.5e-4}", "lr: 2.5e-4, momentum: 0.1}", "train predict score table"),
        (EXPERIMENTS, "radius: 10", "radius: 11", "train predict score table, another network"),
        (EXPERIMENTS, "stacks: 8, head: holistic", "head: holistic", ""),  # the scale says how many
        (EXPERIMENTS, "rotation: 40", "rotation: 30", "train predict score table, another network"),
        (SCALES, "resolution: 64", "resolution: 63", "prepare train predict score table, another network"),
        ("params/datasets/lsp.yaml", "title: ", "title: New ", ""),
        (SCALES, "runtime: 2880", "runtime: 2881", ""),
    ],
)  # fmt: skip
def test_a_change_of_params_moves_what_reads_it_and_nothing_else(
    project: Project, file: str, old: str, new: str, moved: str
) -> None:
    before = identities()
    project.replace(file, old, new)
    after = identities()
    first, _, more = moved.partition(", ")
    assert {name for name in before if before[name] != after[name]} == {*first.split(), *([more] if more else [])}


def test_checkpoints_of_another_recipe_are_never_found(project: Project) -> None:
    def place() -> Path:
        artifacts = Artifacts(Recipes(), "mini")
        return artifacts.checkpoints(artifacts.train("hcrn/lsp-pc/hg", "main", 0))

    before = place()
    project.replace(EXPERIMENTS, "rotation: 40", "rotation: 30")
    assert place() != before


def test_seeds_have_identities_and_places_of_their_own(project: Project) -> None:
    artifacts = Artifacts(Recipes(), "mini")
    trained = [artifacts.train("hcrn/lsp-pc/hg", "main", seed) for seed in range(3)]
    assert len({each.identity for each in trained}) == len({each.manifest for each in trained}) == 3
