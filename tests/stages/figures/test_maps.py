"""Maps: the ones that are named, of the joint that is named, over people who are chosen as the figure says."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from torch import Tensor, nn

from posetables.data import skeletons
from posetables.data.people import Crops
from posetables.errors import InputError
from posetables.figures import MapColumn, Maps
from posetables.recipe import Codec
from posetables.stages.figures.maps import Drawn, choose, look, map_of, name_of

if TYPE_CHECKING:
    from conftest import Project

ROW, OTHER = "hcrn/lsp-pc/vgg16-hcrn", "hcrn/lsp-pc/vgg16-holistic"
COLUMNS = [
    {"title": "before", "experiment": ROW, "map": "*", "take": "first", "joint": "left knee"},
    {"title": "after", "experiment": ROW, "map": "*", "joint": "left knee"},
    {"title": "all joints", "experiment": OTHER, "map": "initial"},
]
FIGURE: dict[str, Any] = {"kind": "maps", "title": "A figure", "people": 2, "columns": COLUMNS}
FIGURES = Path("params/papers/hcrn/figures.yaml")
SVG, VALUES = Path("results/mini/figures/hcrn_fig0.svg"), Path("results/mini/figures/hcrn_fig0.csv")
LSP = skeletons.named("lsp")


def write(**changed: Any) -> None:
    FIGURES.write_text(yaml.safe_dump({"hcrn_fig0": FIGURE | changed}, sort_keys=False))


def values() -> list[dict[str, str]]:
    with VALUES.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def drawn(with_table: Project) -> Project:
    write()
    with_table.run("draw", "hcrn_fig0", "--scale", "mini")
    return with_table


def column(**changed: Any) -> MapColumn:
    return MapColumn.model_validate({"title": "a", "experiment": ROW, "map": "*"} | changed)


@pytest.mark.parametrize(
    ("pattern", "take", "name"),
    [
        ("stack*-parts", "last", "stack10-parts"),
        ("stack*-parts", "first", "stack9-parts"),
        ("stack10", "last", "stack10"),
    ],
)
def test_a_map_is_the_first_or_last_that_fits_in_the_order_of_the_network(pattern: str, take: str, name: str) -> None:
    names = ["stack9", "stack9-parts", "stack10", "stack10-parts"]
    assert name_of(column(map=pattern, take=take), names) == name


def test_a_map_that_no_network_makes_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=f"{ROW}: no map 'stack[*]'; its maps are initial, refined"):
        name_of(column(map="stack*"), ["initial", "refined"])


class Attentive(nn.Module):
    """Outputs of zeros, and attention of a half, to one place and to each joint."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return self.look(images)[0]

    def look(self, images: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        half = torch.full((len(images), 15, 2, 2), 0.5)
        return {"out": half - 0.5}, {"whole": half[:, :1], "parts": half[:, :14]}


def test_a_network_that_can_be_looked_into_shows_its_attention() -> None:
    outputs, attention = look(Attentive(), torch.zeros(1, 3, 8, 8))
    assert (list(outputs), list(attention)) == (["out"], ["whole", "parts"])


def test_a_network_that_cannot_has_none() -> None:
    outputs, attention = look(nn.Identity(), torch.zeros(1))
    assert (outputs, attention) == (torch.zeros(1), {})


CODECS = {"*": Codec(target="disc", radius=3, loss="cross-entropy", background=True)}


def seen(name: str, maps: Tensor, joint: str | None = None, *, attention: bool = False) -> Tensor:
    outputs, looked = ({}, {name: maps}) if attention else ({name: maps}, {})
    return map_of(column(joint=joint), name, outputs, looked, CODECS, LSP)


def test_an_output_is_drawn_as_probabilities_of_the_joint() -> None:
    logits = torch.randn(2, 15, 3, 3)
    torch.testing.assert_close(seen("out", logits, "left knee"), logits[:, LSP.index("left knee")].sigmoid())


def test_without_a_joint_the_greatest_of_all_joints_is_drawn_and_not_the_background() -> None:
    logits = torch.full((1, 15, 1, 2), -1.0)
    logits[0, 3, 0, 0], logits[0, 14] = 2, 9
    torch.testing.assert_close(seen("out", logits), torch.tensor([[[2.0, -1.0]]]).sigmoid())


def test_attention_is_drawn_raw() -> None:
    maps = torch.rand(2, 14, 3, 3)
    torch.testing.assert_close(seen("parts", maps, "neck", attention=True), maps[:, LSP.index("neck")])


def test_a_single_map_is_drawn_as_it_is() -> None:
    maps = torch.rand(2, 1, 3, 3)
    torch.testing.assert_close(seen("whole", maps, attention=True), maps[:, 0])


def test_a_single_map_is_no_joints() -> None:
    with pytest.raises(InputError, match=r"whole is 1 map\(s\), not one a joint; leave out its joint"):
        seen("whole", torch.rand(2, 1, 3, 3), "neck", attention=True)


def nearer(people: int) -> tuple[list[int], str]:
    """Of four people the second has no label; the others' maxima move by 0, 2 and 1 cells towards it."""
    maps = torch.zeros(2, 4, 4, 4)
    for person, (before, after) in enumerate([(3, 3), (3, 0), (2, 0), (1, 0)]):
        maps[0, person, 2, before] = maps[1, person, 2, after] = 1
    unused = np.zeros(4)
    crops = Crops(
        store=np.zeros((4, 3, 4, 4), np.uint8),
        row=np.arange(4),
        density=unused,
        joints=np.full((4, 14, 2), (-0.375, 0.125)),
        labelled=np.repeat([[True], [False], [True], [True]], 14, axis=1),
        visible=np.zeros((4, 14), bool),
        person=list("abcd"),
        center=np.zeros((4, 2)),
        side=unused,
    )
    pair = (column(title="before", joint="neck"), column(title="after", joint="neck"))
    figure = Maps(kind="maps", name="hcrn_fig0", paper="hcrn", title="", people=people, choose="nearer", columns=pair)
    shown = [Drawn(each, LSP.index("neck"), "out", own) for each, own in zip(pair, maps, strict=True)]
    return choose(figure, shown, crops)


def test_those_whose_maximum_came_nearest_are_chosen_and_the_figure_says_so() -> None:
    people, said = nearer(2)
    assert people == [2, 3]
    assert said == "2 of 4 people, whose maximum came nearest to the label from furthest (neck, 'before' to 'after')"


def test_nobody_without_a_label_comes_nearer() -> None:
    assert nearer(9)[0] == [2, 3, 0]


def test_there_is_a_line_for_every_person_and_column(drawn: Project) -> None:
    told = [(line["person"], line["column"], line["map"], line["joint"]) for line in values()]
    shown = [("before", "initial", "left knee"), ("after", "refined", "left knee"), ("all joints", "initial", "")]
    assert sorted(told) == sorted((person, *each) for person in ("im0010", "im0012") for each in shown)


def test_maxima_are_those_of_the_figure_of_refinement_units(drawn: Project) -> None:
    """Which takes its maps from the network by itself, and the same person first."""
    write(people=1, choose="nearer")
    units = {
        "kind": "heatmaps",
        "title": "Units",
        "experiment": ROW,
        "joints": ["left knee"],
        "steps": ["initial", "refined"],
    }
    FIGURES.write_text(FIGURES.read_text() + yaml.safe_dump({"hcrn_fig1": units}))
    for item in ("hcrn_fig0", "hcrn_fig1"):
        drawn.run("draw", item, "--scale", "mini")
    expected = pd.read_csv(str(VALUES).replace("fig0", "fig1"))
    found = pd.read_csv(VALUES).iloc[:2]
    pd.testing.assert_frame_equal(
        found[["person", "x", "y", "value"]], expected[["person", "x", "y", "value"]], atol=1e-3
    )


def test_the_figure_says_who_was_taken_and_which_maps_these_are(drawn: Project) -> None:
    told = " ".join(SVG.read_text().split())
    for text in ("2 of 4 people, evenly spaced", "before (initial)", "after (refined)", "all joints (initial)"):
        assert text in told


def test_the_same_maps_are_the_same_bytes(drawn: Project) -> None:
    before = SVG.read_bytes(), VALUES.read_bytes()
    SVG.unlink()
    drawn.run("draw", "hcrn_fig0", "--scale", "mini")
    assert (SVG.read_bytes(), VALUES.read_bytes()) == before


def test_of_what_a_scale_leaves_out_no_column_is_drawn(drawn: Project) -> None:
    drawn.edit("params/scales.yaml", lambda scales: scales["mini"].update(leaves_out=["released/*", OTHER]))
    drawn.run("draw", "hcrn_fig0", "--scale", "mini")
    assert {line["column"] for line in values()} == {"before", "after"}


def test_a_figure_of_which_nothing_is_left_is_refused(with_table: Project) -> None:
    write()
    with_table.edit(
        "params/scales.yaml", lambda scales: scales["mini"].update(leaves_out=["released/*", "hcrn/lsp-pc/*"])
    )
    assert "left out at mini scale" in with_table.refusal("draw", "hcrn_fig0", "--scale", "mini")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ([COLUMNS[0] | {"joint": "left kne"}], "hcrn_fig0.columns: no joint 'left kne'; did you mean 'left knee'?"),
        ([COLUMNS[0], COLUMNS[1] | {"experiment": "hcrn/lsp-oc/res101-hcrn"}], "are tested on different people"),
        ([COLUMNS[0] | {"experiment": "released/lsp-pc/yang16"}], "no experiment 'released/lsp-pc/yang16'"),
    ],
)
def test_columns_that_cannot_be_drawn_are_refused(
    with_table: Project, columns: list[dict[str, str]], said: str
) -> None:
    write(columns=columns)
    assert said in with_table.refusal("draw", "hcrn_fig0", "--scale", "mini")


def test_nearer_wants_two_columns_of_one_joint(with_table: Project) -> None:
    write(choose="nearer", columns=COLUMNS[1:])
    assert "choose: nearer compares the maxima" in with_table.refusal("draw", "hcrn_fig0", "--scale", "mini")
