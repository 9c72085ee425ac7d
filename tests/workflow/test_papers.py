"""MCA and MSSA at mini scale, every item by the real engine, from nothing."""

from __future__ import annotations

import csv
import itertools
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from posetables.params import Recipes
from posetables.stages.artifacts import Artifacts

pytestmark = pytest.mark.slow

Run = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[2]
MINI = Artifacts(Recipes(ROOT / "params"), "mini")
PAPERS = ("mca", "mssa")


@pytest.fixture(scope="module")
def papers(made: Path, run_in: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every table, figure and claim of the two papers; people whom Table I of HCRN has used are there."""
    root = tmp_path_factory.mktemp("papers") / "clone"
    shutil.copytree(made, root)
    for paper in PAPERS:
        done = run_in(root, "snakemake", "make_paper", "--config", f"paper={paper}", "scale=mini")
        assert done.returncode == 0, done.stdout + done.stderr
    return root


def cells(root: Path, item: str) -> list[dict[str, str]]:
    with (root / f"results/mini/tables/{item}.cells.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("paper", PAPERS)
def test_every_table_figure_and_claim_is_there(papers: Path, paper: str) -> None:
    made = [path for artifact in MINI.of_paper(paper) for path in artifact.tracked]
    assert len(made) > 20
    assert [path for path in made if not (papers / path).is_file()] == []


@pytest.mark.parametrize(
    "item", ["mca_table1", "mca_table2", "mca_fig8", "mca_sec7.2", "mssa_table1", "mssa_table2", "mssa_sec4.3"]
)
def test_every_own_number_is_measured_and_none_else(papers: Path, item: str) -> None:
    with (ROOT / "params/papers" / item.partition("_")[0] / "published.csv").open(newline="") as file:
        own = {
            (cell["row"], cell["column"])
            for cell in csv.DictReader(file)
            if (cell["item"], cell["kind"]) == (item, "own")
        }
    measured = {(cell["row"], cell["column"]) for cell in cells(papers, item) if cell["kind"] == "measured"}
    assert measured == own if own else measured


def test_a_gain_is_the_difference_of_its_two_rows(papers: Path) -> None:
    values = {(cell["row"], cell["column"]): float(cell["value"]) for cell in cells(papers, "mssa_sec4.3")}
    rows = list(dict.fromkeys(row for row, _ in values))
    gains = [(row, before) for before, row in itertools.pairwise(rows) if (row, "gain") in values]
    assert len(gains) == 3
    for row, before in gains:
        assert values[row, "gain"] == pytest.approx(values[row, "Total"] - values[before, "Total"])


def test_a_stage_that_two_networks_begin_with_is_trained_once(papers: Path) -> None:
    trained = papers / "results/mini/train/mssa/mpii"
    record = json.loads((trained / "mss-msr/seed0/msr/manifest.json").read_text())
    begun = json.loads((trained / "mss/seed0/mss/manifest.json").read_text())
    assert record["inputs"]["init:supervision"]["identity"] == begun["identity"]
    assert [path.parent.name for path in trained.glob("full/seed0/*/manifest.json")] == ["joint"]


def test_a_finished_paper_has_nothing_to_be_done_and_every_file_verifies(papers: Path, run_in: Run) -> None:
    for paper in PAPERS:
        done = run_in(papers, "snakemake", "-n", "make_paper", "--config", f"paper={paper}", "scale=mini")
        assert "Nothing to be done" in done.stdout + done.stderr
    audited = run_in(papers, "posetables", "audit", "mssa_table2", "--row", "Our method", "--scale", "mini")
    assert audited.returncode == 0, audited.stdout
    assert "thresholds.json" in audited.stdout
