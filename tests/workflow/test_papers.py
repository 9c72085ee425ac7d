"""MCA, MSSA and PHR at mini scale, every item, and a part of Graph-PCNN, by the real engine, from nothing.

What is asked of them holds whatever their networks have learnt, so that each is trained for two epochs.
"""

from __future__ import annotations

import csv
import itertools
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from posetables.params import Recipes
from posetables.stages.artifacts import Artifacts

pytestmark = pytest.mark.slow

Run = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[2]
MINI = Artifacts(Recipes(ROOT / "params"), "mini")
PAPERS = ("mca", "mssa", "phr")
PART = [
    "results/mini/tables/gpcnn_table1.csv",
    "results/mini/tables/gpcnn_table4.csv",
    "results/mini/tables/gpcnn_sec4.2.csv",
    "results/mini/figures/gpcnn_fig3.svg",
    "results/mini/scores/gpcnn/coco-128/hr32/seed0/refined.json",
]
"""Of Graph-PCNN, which has too many networks for a test: both stages at every size, a figure, another backbone."""


@pytest.fixture(scope="module")
def papers(made: Path, run_in: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every table, figure and claim of the papers; people whom Table I of HCRN has used are there."""
    root = tmp_path_factory.mktemp("papers") / "clone"
    shutil.copytree(made, root)
    train_briefly(root / "params/scales.yaml")
    for paper in PAPERS:
        done = run_in(root, "snakemake", "make_paper", "--config", f"paper={paper}", "scale=mini")
        assert done.returncode == 0, done.stdout + done.stderr
    return root


@pytest.fixture(scope="module")
def part(papers: Path, run_in: Run) -> Path:
    """The same, with the part of Graph-PCNN."""
    done = run_in(papers, "snakemake", *PART)
    assert done.returncode == 0, done.stdout + done.stderr
    return papers


def train_briefly(file: Path) -> None:
    scales = yaml.safe_load(file.read_text())
    for training in scales["mini"]["trainings"].values():
        training["epochs"] = 2
    file.write_text(yaml.safe_dump(scales, sort_keys=False))


def cells(root: Path, item: str) -> list[dict[str, str]]:
    with (root / f"results/mini/tables/{item}.cells.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("paper", PAPERS)
def test_every_table_figure_and_claim_is_there(papers: Path, paper: str) -> None:
    made = [path for artifact in MINI.of_paper(paper) for path in artifact.tracked]
    assert len(made) > 20
    assert [path for path in made if not (papers / path).is_file()] == []


def record(manifest: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(manifest.read_text())
    return found


def own_numbers(item: str) -> set[tuple[str, str]]:
    """(row, column) of what a paper prints as its own."""
    with (ROOT / "params/papers" / item.partition("_")[0] / "published.csv").open(newline="") as file:
        printed = [cell for cell in csv.DictReader(file) if (cell["item"], cell["kind"]) == (item, "own")]
    return {(cell["row"], cell["column"]) for cell in printed}


def measured(root: Path, item: str) -> set[tuple[str, str]]:
    return {(cell["row"], cell["column"]) for cell in cells(root, item) if cell["kind"] == "measured"}


@pytest.mark.parametrize(
    "item",
    [
        "mca_table1", "mca_table2", "mca_fig8", "mca_sec7.2",
        "mssa_table1", "mssa_table2", "mssa_sec4.3",
        "phr_table5", "phr_table6", "phr_table7",
    ],
)  # fmt: skip
def test_every_own_number_is_measured_and_none_else(papers: Path, item: str) -> None:
    own, ours = own_numbers(item), measured(papers, item)
    assert ours == own if own else ours


@pytest.mark.parametrize("item", ["gpcnn_table1", "gpcnn_table4"])
def test_every_own_number_of_graph_pcnn_is_measured_and_none_else(part: Path, item: str) -> None:
    assert measured(part, item) == own_numbers(item)


def test_boxes_are_scored_where_labels_are_public_and_nowhere_else(part: Path) -> None:
    assert measured(part, "gpcnn_sec4.2") == {("person detector / val2017", "AP")}


def test_a_gain_is_the_difference_of_its_two_rows(papers: Path) -> None:
    values = {(cell["row"], cell["column"]): float(cell["value"]) for cell in cells(papers, "mssa_sec4.3")}
    rows = list(dict.fromkeys(row for row, _ in values))
    gains = [(row, before) for before, row in itertools.pairwise(rows) if (row, "gain") in values]
    assert len(gains) == 3
    for row, before in gains:
        assert values[row, "gain"] == pytest.approx(values[row, "Total"] - values[before, "Total"])


def test_a_stage_that_two_networks_begin_with_is_trained_once(papers: Path) -> None:
    trained = papers / "results/mini/train/mssa/mpii"
    goes_on = record(trained / "mss-msr/seed0/msr/manifest.json")
    begun = record(trained / "mss/seed0/mss/manifest.json")
    assert goes_on["inputs"]["init:supervision"]["identity"] == begun["identity"]
    assert [path.parent.name for path in trained.glob("full/seed0/*/manifest.json")] == ["joint"]


def test_the_detection_that_two_networks_of_phr_share_is_trained_once(papers: Path) -> None:
    trained = papers / "results/mini/train/phr/mpii"
    detection = record(trained / "res-detection/seed0/detection/manifest.json")
    regression = record(trained / "res/seed0/regression/manifest.json")
    assert regression["inputs"]["init:detection"]["identity"] == detection["identity"]
    assert sorted(path.parent.name for path in trained.glob("res/seed0/*/manifest.json")) == ["joint", "regression"]


@pytest.mark.parametrize(("lsp", "mpii"), [("lsp/res", "mpii/res"), ("lsp-vgg/vgg", "mpii-vgg/vgg")])
def test_what_is_tested_on_lsp_goes_on_from_the_joint_training_on_mpii(papers: Path, lsp: str, mpii: str) -> None:
    trained = papers / "results/mini/train/phr"
    begun = record(trained / mpii / "seed0/joint/manifest.json")
    assert record(trained / lsp / "seed0/lsp/manifest.json")["inputs"]["init:"]["identity"] == begun["identity"]
    assert [path.parent.name for path in (trained / lsp).glob("seed0/*/manifest.json")] == ["lsp"]


@pytest.mark.parametrize(("size", "setup"), [("128x96", "coco-128"), ("256x192", "coco-256"), ("384x288", "coco-384")])
def test_both_stages_of_graph_pcnn_are_one_training_tested_in_two_ways(part: Path, size: str, setup: str) -> None:
    row = {cell["column"]: cell for cell in cells(part, "gpcnn_table1") if cell["row"] == f"Graph-PCNN / {size}"}
    place = f"gpcnn/{setup}/r50/seed0"
    ways = {"stage1 AP": "quarter", "stage2 AP": "refined"}
    assert {column: cell["artifact"] for column, cell in row.items()} == {
        column: f"results/mini/scores/{place}/{way}.json" for column, way in ways.items()
    }
    tests = [record(part / f"results/mini/predictions/{place}/{way}.manifest.json") for way in ways.values()]
    training = record(part / f"results/mini/train/{place}/main/manifest.json")
    assert [test["inputs"]["weights"]["identity"] for test in tests] == [training["identity"]] * 2


def test_the_baseline_of_graph_pcnn_has_no_second_stage(part: Path) -> None:
    columns = {cell["column"] for cell in cells(part, "gpcnn_table1") if cell["row"].startswith("SBN")}
    assert columns == {"stage1 AP"}
    tested = (part / "results/mini/predictions/gpcnn").glob("coco-*/sbn-r50/seed0/*.parquet")
    assert {path.stem for path in tested} == {"quarter"}


def test_a_finished_paper_has_nothing_to_be_done_and_every_file_verifies(papers: Path, run_in: Run) -> None:
    for paper in PAPERS:
        done = run_in(papers, "snakemake", "-n", "make_paper", "--config", f"paper={paper}", "scale=mini")
        assert "Nothing to be done" in done.stdout + done.stderr
    audited = run_in(papers, "posetables", "audit", "mssa_table2", "--row", "Our method", "--scale", "mini")
    assert audited.returncode == 0, audited.stdout
    assert "thresholds.json" in audited.stdout


def test_a_finished_part_of_a_paper_has_nothing_to_be_done(part: Path, run_in: Run) -> None:
    done = run_in(part, "snakemake", "-n", *PART)
    assert "Nothing to be done" in done.stdout + done.stderr
    assert [path for path in PART if not (part / path).is_file()] == []
