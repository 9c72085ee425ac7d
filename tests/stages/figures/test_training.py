"""Training curves: the scores of the histories, stage after stage, and a refusal where nobody was scored."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from posetables.errors import InputError
from posetables.figures import Trainings
from posetables.params import Recipes
from posetables.stages.artifacts import Artifacts
from posetables.stages.figures.training import Point, draw, plot, points

if TYPE_CHECKING:
    from conftest import Project

ROW = "hcrn/lsp-pc/vgg16-hcrn"
FIGURE = {
    "kind": "training",
    "title": "A figure",
    "score": "PCK, LSP test, %",
    "rows": {"CRF": ROW, "Softmax": None},
}
FIGURES = Path("params/papers/hcrn/figures.yaml")


def history(path: Path, scores: list[float]) -> Path:
    lines = [f"{epoch},0.1,0.5,{score}" for epoch, score in enumerate(scores, 1)]
    path.write_text("\n".join(["epoch,rate,loss,score", *lines]) + "\n")
    return path


@pytest.fixture
def recipes(project: Project) -> Recipes:
    FIGURES.write_text(yaml.safe_dump({"hcrn_fig0": FIGURE}, sort_keys=False))
    return Recipes()


def drawn(recipes: Recipes, folder: Path) -> tuple[bytes, bytes]:
    """The bytes of the drawing and of its numbers."""
    figure = recipes.figure_at("hcrn_fig0", "mini")
    assert isinstance(figure, Trainings)
    inputs = {f"history:{ROW}/main": {"history": history(folder / "history.csv", [10, 33.25])}}
    outputs = {"figure": folder / "drawn.svg", "values": folder / "drawn.csv"}
    draw(figure, "mini", {ROW: recipes.experiment(ROW, "mini")}, inputs, outputs)
    return outputs["figure"].read_bytes(), outputs["values"].read_bytes()


def test_a_point_is_the_score_of_an_epoch(recipes: Recipes, tmp_path: Path) -> None:
    _, values = drawn(recipes, tmp_path)
    lines = list(csv.DictReader(values.decode().splitlines()))
    assert [(line["row"], line["experiment"], line["epoch"], float(line["score"])) for line in lines] == [
        ("CRF", ROW, "1", 10),
        ("CRF", ROW, "2", 33.25),
    ]


def test_the_legend_tells_the_last_score_and_who_is_missing(recipes: Recipes, tmp_path: Path) -> None:
    told = drawn(recipes, tmp_path)[0].decode()
    assert "CRF (33.2)" in told
    assert "Softmax: no experiment at mini scale" in told


def test_the_same_scores_are_the_same_bytes(recipes: Recipes, tmp_path: Path) -> None:
    assert drawn(recipes, tmp_path) == drawn(recipes, tmp_path)


def test_epochs_of_a_second_stage_come_after_the_first(tmp_path: Path) -> None:
    stages = {"apart": history(tmp_path / "a", [1, 2]), "joint": history(tmp_path / "b", [3, 4])}
    assert points(stages) == [
        Point("apart", 1, 1.0),
        Point("apart", 2, 2.0),
        Point("joint", 3, 3.0),
        Point("joint", 4, 4.0),
    ]


def test_the_axis_says_what_the_score_is(recipes: Recipes) -> None:
    figure = recipes.figure_at("hcrn_fig0", "mini")
    assert isinstance(figure, Trainings)
    (axes,) = plot(figure, "mini", {"CRF": [Point("main", 1, 50.0)]}).axes
    assert axes.get_ylabel() == FIGURE["score"]


def test_the_figure_is_drawn_from_the_histories_of_all_stages(project: Project, recipes: Recipes) -> None:
    def add_stage(content: dict) -> None:
        stages = content["experiments"]["lsp-pc/vgg16-hcrn"]["stages"]
        content["experiments"]["lsp-pc/vgg16-hcrn"]["stages"] = {"first": stages["main"], **stages}

    project.edit("params/papers/hcrn/experiments.yaml", add_stage)
    made = Artifacts(Recipes(), "mini").figure("hcrn_fig0").inputs
    assert {name: artifact.outputs["history"].parent.name for name, artifact in made.items()} == {
        f"history:{ROW}/first": "first",
        f"history:{ROW}/main": "main",
    }


@pytest.mark.parametrize("header", ["epoch,rate,loss\n1,0.1,0.5\n", "epoch,rate,loss,score\n1,0.1,0.5,\n"])
def test_a_training_that_was_not_validated_is_refused(tmp_path: Path, header: str) -> None:
    path = tmp_path / "history.csv"
    path.write_text(header)
    with pytest.raises(InputError, match=r"history.csv: no score of every epoch; give stage main a validation"):
        points({"main": path})


def test_only_what_is_trained_has_a_training(project: Project) -> None:
    FIGURES.write_text(yaml.safe_dump({"hcrn_fig0": FIGURE | {"rows": {"Yang": "released/lsp-pc/yang16"}}}))
    told = project.refusal("draw", "hcrn_fig0", "--scale", "mini")
    assert "no experiment 'released/lsp-pc/yang16'" in told
