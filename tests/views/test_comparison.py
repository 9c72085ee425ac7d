"""The paper's table and ours side by side, and nothing of ours that is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from posetables.cli import main

if TYPE_CHECKING:
    from conftest import Project


@pytest.fixture
def shown(with_table: Project, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> str:
    assert main(["compare", "hcrn_table1", "--scale", "mini", *getattr(request, "param", [])]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("shown", [[], ["--markdown"]], indirect=True)
def test_both_forms_show_the_printed_number_its_flag_and_why_there_is_no_verdict(shown: str) -> None:
    assert "81.3" in shown
    assert "0.067*" in shown
    assert "VGG16-HCRN / Time in secs.: audit C4" in shown
    assert "not comparable (mini scale)" in shown


@pytest.mark.parametrize("shown", [["--markdown"]], indirect=True)
def test_markdown_is_one_table_of_the_papers_shape(shown: str) -> None:
    lines = [line for line in shown.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 2
    assert {line.count(" | ") for line in lines} == {9}
    assert lines[0].startswith("| Methods | Head | Shoulder |")


def test_an_altered_table_is_not_shown(with_table: Project) -> None:
    with_table.replace("results/mini/tables/hcrn_table1.cells.csv", "measured", "rescored")
    assert "not what its stage wrote" in with_table.refusal("compare", "hcrn_table1", "--scale", "mini")
