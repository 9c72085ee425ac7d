"""Poses: people taken by a rule and not by their looks, joints where they were predicted, colours that tell layers."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as Drawing

from posetables.data import skeletons
from posetables.stages.draw_poses import Posed, evenly_spaced, show
from posetables.stages.drawing import LAYERS, Picture

if TYPE_CHECKING:
    from conftest import Project

ROW = "hcrn/lsp-pc/vgg16-hcrn"
FIGURE = {
    "kind": "poses",
    "title": "A figure",
    "columns": 2,
    "rows": [
        {"title": "LSP", "experiment": ROW, "people": 2},
        {"title": "Elsewhere", "experiment": None, "people": 9},
        {"title": "Published", "experiment": "released/lsp-pc/yang16", "people": 9},
    ],
}
SVG, VALUES = Path("results/mini/figures/hcrn_fig0.svg"), Path("results/mini/figures/hcrn_fig0.csv")
LSP = skeletons.named("lsp")


@pytest.fixture
def drawn(with_table: Project) -> Project:
    Path("params/papers/hcrn/figures.yaml").write_text(yaml.safe_dump({"hcrn_fig0": FIGURE}, sort_keys=False))
    with_table.run("draw", "hcrn_fig0", "--scale", "mini")
    return with_table


def values() -> list[dict[str, str]]:
    with VALUES.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("people", "count", "taken"), [(12, 3, [2, 6, 10]), (10, 4, [1, 3, 6, 8]), (2, 5, [0, 1])])
def test_people_are_the_middles_of_equal_parts_of_the_split(people: int, count: int, taken: list[int]) -> None:
    assert evenly_spaced(people, count) == taken


def test_joints_are_drawn_where_they_were_predicted(drawn: Project) -> None:
    predicted = pd.read_parquet(f"results/mini/predictions/{ROW}/seed0/pyramid3.parquet").set_index("person")
    people = dict.fromkeys(line["person"] for line in values())
    assert list(people) == ["im0010", "im0012"]
    for person in people:
        told = [(float(line["x"]), float(line["y"])) for line in values() if line["person"] == person]
        np.testing.assert_allclose(np.ravel(told), predicted["joints"][person], atol=0.006)


def test_the_layer_of_a_joint_is_its_distance_from_the_root(drawn: Project) -> None:
    layers = {line["joint"]: line["layer"] for line in values()}
    assert [layers[name] for name in ("neck", "left hip", "right elbow", "left ankle")] == ["1", "2", "3", "4"]


def test_a_row_that_has_nobody_is_said_to_be_missing(drawn: Project) -> None:
    for row in ("Elsewhere", "Published"):
        assert f"{row}: no experiment at mini scale" in SVG.read_text()


def test_the_figure_says_who_was_taken_and_what_the_colours_mean(drawn: Project) -> None:
    told = SVG.read_text()
    assert "LSP: 2 of 4 people, evenly spaced" in told
    assert "layer 1: neck" in told
    assert "layer 4: ankle, wrist" in told


def test_the_same_poses_are_the_same_bytes(drawn: Project) -> None:
    before = SVG.read_bytes(), VALUES.read_bytes()
    SVG.unlink()
    drawn.run("draw", "hcrn_fig0", "--scale", "mini")
    assert (SVG.read_bytes(), VALUES.read_bytes()) == before


@pytest.fixture
def axes() -> Any:
    """Somebody whose joint j lies at (j / 100, -j / 100)."""
    placed = np.arange(14)[:, None] * (0.01, -0.01)
    person = Posed("im0001", LSP, Picture(np.zeros((8, 8, 3), np.uint8), (-0.5, 0.5, 0.5, -0.5)), placed, placed)
    axes = Drawing().add_subplot()
    show(axes, person)
    return axes


def test_joints_have_the_colour_of_their_layer(axes: Any) -> None:
    colours = {round(x * 100): line.get_color() for line in axes.lines for x in line.get_xdata()}
    assert colours == {joint: LAYERS[number] for number, layer in enumerate(LSP.layers) for joint in layer}


def test_limbs_lead_from_child_to_parent_in_the_colour_of_the_child(axes: Any) -> None:
    limbs = {
        (round(ends[0, 0] * 100), round(ends[1, 0] * 100)): to_hex(each.get_colors()[0])
        for each in axes.collections
        for ends in each.get_segments()
    }
    layers = {joint: number for number, layer in enumerate(LSP.layers) for joint in layer}
    assert limbs == {
        (LSP.index(child), LSP.index(parent)): LAYERS[layers[LSP.index(child)]] for child, parent in LSP.parents.items()
    }
