"""Sweeps: numbers of the score files with their intervals, in the order of the figure, and what is missing named."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from matplotlib.collections import LineCollection

from posetables.figures import Sweep
from posetables.params import Recipes
from posetables.stages.artifacts import Artifacts
from posetables.stages.figures.sweep import Score, plot

if TYPE_CHECKING:
    from conftest import Project

ROW, OTHER = "hcrn/lsp-pc/vgg16-hcrn", "hcrn/lsp-pc/vgg16-holistic"
FIGURE: dict[str, Any] = {
    "kind": "sweep",
    "title": "A figure",
    "axis": "positive : negative",
    "score": "PCK, %",
    "column": ["pck", "Avg"],
    "rows": {"2:1": ROW, "1:1": None, "1:2": OTHER},
}
FIGURES = Path("params/papers/hcrn/figures.yaml")
SVG, VALUES = Path("results/mini/figures/hcrn_fig0.svg"), Path("results/mini/figures/hcrn_fig0.csv")
DRAW = ("draw", "hcrn_fig0", "--scale", "mini")


def write(**changed: Any) -> None:
    FIGURES.write_text(yaml.safe_dump({"hcrn_fig0": FIGURE | changed}, sort_keys=False))


@pytest.fixture
def drawn(with_table: Project) -> Project:
    write()
    with_table.run(*DRAW)
    return with_table


def plotted() -> Any:
    """The axes of a figure of two numbers and a missing one."""
    figure = Sweep.model_validate(FIGURE | {"name": "hcrn_fig0", "paper": "hcrn"})
    (axes,) = plot(figure, "mini", {"2:1": Score(60, 58, 63), "1:1": None, "1:2": Score(64, 63, 65)}).axes
    return axes


def test_values_are_those_of_the_score_files_in_the_order_of_the_figure(drawn: Project) -> None:
    with VALUES.open(newline="") as file:
        told = [
            (line["row"], line["experiment"], *map(float, list(line.values())[4:])) for line in csv.DictReader(file)
        ]
    expected = []
    for row, name in (("2:1", ROW), ("1:2", OTHER)):
        found = json.loads(Path(f"results/mini/scores/{name}/seed0/pyramid3.json").read_text())["pck"]["Avg"]
        expected.append((row, name, found["value"], found["low"], found["high"]))
    assert told == expected


def test_numbers_stand_in_the_order_of_the_rows_at_equal_distances() -> None:
    line = plotted().lines[0]
    np.testing.assert_array_equal(line.get_xydata(), [(0, 60), (1, np.nan), (2, 64)])


def test_bars_reach_from_the_low_to_the_high_end_of_the_intervals() -> None:
    (bars,) = (each for each in plotted().collections if isinstance(each, LineCollection))
    np.testing.assert_allclose(bars.get_segments(), [[(0, 58), (0, 63)], [(2, 63), (2, 65)]])


def test_a_row_without_an_experiment_is_named_at_its_place() -> None:
    labels = [label.get_text() for label in plotted().get_xticklabels()]
    assert labels == ["2:1", "1:1\nno experiment\nat mini scale", "1:2"]


def test_of_what_a_scale_leaves_out_nothing_is_drawn(drawn: Project) -> None:
    drawn.edit("params/scales.yaml", lambda scales: scales["mini"].update(leaves_out=["released/*", OTHER]))
    drawn.run(*DRAW)
    assert OTHER not in VALUES.read_text()


def test_the_same_scores_are_the_same_bytes(drawn: Project) -> None:
    before = SVG.read_bytes(), VALUES.read_bytes()
    SVG.unlink()
    drawn.run(*DRAW)
    assert (SVG.read_bytes(), VALUES.read_bytes()) == before


def test_networks_are_tested_as_the_figure_says(with_table: Project) -> None:
    def add(content: dict[str, Any]) -> None:
        content["protocols"]["other"] = content["protocols"]["pyramid3"]
        content["setups"]["lsp-pc"]["protocols"] = ["pyramid3", "other"]

    with_table.edit("params/papers/hcrn/experiments.yaml", add)
    write(protocol="other", rows={"2:1": ROW})
    made = Artifacts(Recipes(), "mini").figure("hcrn_fig0")
    assert {name: artifact.outputs["scores"].name for name, artifact in made.inputs.items()} == {
        f"scores:{ROW}": "other.json"
    }


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"column": ["pck", "Avgg"]}, "no column of pck 'Avgg'; did you mean 'Avg'?"),
        ({"column": ["pckk", "Avg"]}, "no metric 'pckk'; did you mean 'pck'?"),
        ({"protocol": "pyramid4"}, "no protocol 'pyramid4'; did you mean 'pyramid3'?"),
        ({"rows": {"1:1": "released/lsp-pc/yang16"}}, "no experiment 'released/lsp-pc/yang16'"),
    ],
)
def test_what_has_no_such_number_is_refused(with_table: Project, changed: dict[str, Any], said: str) -> None:
    write(**changed)
    assert said in with_table.refusal(*DRAW)
