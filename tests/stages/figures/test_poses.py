"""Poses: people taken by a rule and not by their looks, joints where they were predicted, colours that tell layers."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as Drawing

from posetables.data import skeletons
from posetables.stages.figures.page import LAYERS, Picture
from posetables.stages.figures.poses import LABELLED, Posed, errors_of, show, worst

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
    return shown(labels=None)


def shown(labels: np.ndarray | None) -> Any:
    placed = np.arange(14)[:, None] * (0.01, -0.01)
    picture = Picture(np.zeros((8, 8, 3), np.uint8), (-0.5, 0.5, 0.5, -0.5))
    axes = Drawing().add_subplot()
    show(axes, Posed("im0001", LSP, picture, placed, placed, 0.25, labels))
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


def test_an_error_is_the_mean_distance_over_joints_that_are_labelled_and_found() -> None:
    nothing = (np.nan, np.nan)
    labels = np.array([[(0, 0), (0.1, 0.1), nothing, (0, 0)], [nothing] * 4])
    placed = np.array([[(0.3, 0.4), (0.1, 0), (9, 9), nothing], [(0, 0)] * 4])
    np.testing.assert_allclose(errors_of(placed, labels), [(0.5 + 0.1) / 2, np.nan])


@pytest.mark.parametrize(("count", "taken"), [(2, [3, 1]), (9, [3, 1, 0, 4])])
def test_the_worst_come_first_and_nobody_without_labels(count: int, taken: list[int]) -> None:
    assert worst(np.array([0.2, 0.3, np.nan, 0.9, 0.1]), count) == taken


@pytest.fixture
def failures(with_table: Project) -> Project:
    worst_two = {"title": "Failures", "experiment": ROW, "people": 2, "choose": "worst"}
    Path("params/papers/hcrn/figures.yaml").write_text(yaml.safe_dump({"hcrn_fig0": FIGURE | {"rows": [worst_two]}}))
    with_table.run("draw", "hcrn_fig0", "--scale", "mini")
    return with_table


def test_failures_are_the_people_furthest_from_their_labels(failures: Project) -> None:
    people = pd.read_parquet("data/prepared/mini/lsp/crops.parquet").set_index("person")
    people = people[people["split"] == "test"]
    found = pd.read_parquet(f"results/mini/predictions/{ROW}/seed0/pyramid3.parquet").set_index("person")["joints"]
    errors = {}
    for person, labels, visible, side in zip(
        people.index, people["joints_pc"], people["visible_pc"], people["side"], strict=True
    ):
        distances = [
            np.hypot(found[person][2 * joint] - labels[2 * joint], found[person][2 * joint + 1] - labels[2 * joint + 1])
            for joint in range(14)
            if visible[joint] > 0
        ]
        errors[person] = sum(distances) / len(distances) / side
    two = sorted(errors, key=lambda person: -errors[person])[:2]
    told = {line["person"]: float(line["error"]) for line in values()}
    assert list(told) == two
    assert list(told.values()) == pytest.approx([errors[person] for person in two], abs=1e-4)


def test_the_figure_says_that_failures_were_taken(failures: Project) -> None:
    assert "Failures: 2 of 4 people, those furthest from their labels" in SVG.read_text()


def test_labels_of_failures_lie_beneath_the_pose_where_both_ends_of_a_limb_are_labelled() -> None:
    labels = np.arange(14)[:, None] * (0.02, 0.02)
    labels[LSP.index("left knee")] = np.nan
    axes = shown(labels)
    beneath, *above = (each for each in axes.get_children() if isinstance(each, LineCollection))
    assert to_hex(beneath.get_colors()[0]) == LABELLED["colors"]
    limbs = {tuple(np.round(50 * ends[:, 0]).astype(int)) for ends in beneath.get_segments()}
    assert limbs == {
        (LSP.index(child), LSP.index(parent))
        for child, parent in LSP.parents.items()
        if "left knee" not in (child, parent)
    }
    assert len(above) == len(LSP.layers)


def test_the_error_of_a_failure_stands_in_its_corner() -> None:
    assert [text.get_text() for text in shown(np.zeros((14, 2))).texts] == ["0.25"]


def test_a_way_to_choose_that_does_not_exist_is_refused(with_table: Project) -> None:
    row = {"title": "LSP", "experiment": ROW, "people": 2, "choose": "best"}
    Path("params/papers/hcrn/figures.yaml").write_text(yaml.safe_dump({"hcrn_fig0": FIGURE | {"rows": [row]}}))
    assert "hcrn_fig0.rows.0.choose" in with_table.refusal("draw", "hcrn_fig0", "--scale", "mini")
