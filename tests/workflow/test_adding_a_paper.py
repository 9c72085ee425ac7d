"""A sixth method, from the files that docs/adding-a-paper.md shows, through every engine that the five papers use."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

Run = Callable[..., subprocess.CompletedProcess[str]]

GUIDE = Path(__file__).parents[2] / "docs/adding-a-paper.md"
FILE = re.compile(r"^`(\w+/[\w./]+)`[^\n]*:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINES = 60


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """Path -> content of every file that the guide adds."""
    return dict(FILE.findall(GUIDE.read_text()))


@pytest.fixture(scope="module")
def extended(made: Path, files: dict[str, str], run_in: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with these files and the method's table at mini scale; LSP's people are there."""
    root = tmp_path_factory.mktemp("sixth") / "clone"
    shutil.copytree(made, root)
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    done = run_in(root, "snakemake", "results/mini/tables/plain_lsp.csv")
    assert done.returncode == 0, done.stdout + done.stderr
    return root


def test_a_method_costs_a_network_three_files_of_params_and_less_than_sixty_lines(files: dict[str, str]) -> None:
    assert sorted(Path(name).name for name in files) == ["experiments.yaml", "plain.py", "published.csv", "tables.yaml"]
    assert sum(len(content.splitlines()) for content in files.values()) < LINES


def test_its_numbers_are_measured(extended: Path) -> None:
    with (extended / "results/mini/tables/plain_lsp.cells.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    assert [(cell["column"], cell["kind"]) for cell in cells] == [("Wrist", "measured"), ("Total", "measured")]


def test_the_audit_leads_from_its_number_to_its_people(extended: Path, run_in: Run) -> None:
    command = ("posetables", "audit", "plain_lsp", "--row", "HRNet-W32", "--column", "Wrist", "--scale", "mini")
    audited = run_in(extended, *command)
    assert audited.returncode == 0, audited.stdout
    for part in ("plain_lsp.csv", "results/mini/train/plain/lsp/hrnet/", "data/raw/mini/lsp/"):
        assert part in audited.stdout


def test_a_cluster_is_planned_for_it_at_the_scale_of_papers(extended: Path, run_in: Run) -> None:
    planned = run_in(extended, "posetables", "plan", "plain_lsp")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert re.search(r"^train +1 ", planned.stdout, re.MULTILINE)


def test_what_the_five_papers_have_made_stays_as_it_is(extended: Path, run_in: Run) -> None:
    done = run_in(extended, "snakemake", "-n", "results/mini/tables/hcrn_table1.csv")
    assert "Nothing to be done" in done.stdout + done.stderr
