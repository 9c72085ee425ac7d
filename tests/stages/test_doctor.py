"""The doctor finds what is wrong with a data set, says so by name, and leaves everything as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scipy.io import loadmat, savemat

from posetables.cli import main
from tests.conftest import PEOPLE, Project

LSP = ("doctor", "lsp")


def lines(project: Project, capsys: pytest.CaptureFixture[str], *arguments: str, wrong: int = 0) -> list[str]:
    """What is printed; `wrong` is the exit status. Nothing on the disk may have changed."""
    before = project.files()
    capsys.readouterr()
    assert main(arguments) == wrong
    assert project.files() == before
    return capsys.readouterr().out.splitlines()


def bad(printed: list[str]) -> list[str]:
    return [line.split("wrong ", 1)[1] for line in printed if line.startswith("  wrong")]


def whole(source: dict[str, Any]) -> None:
    """The few people of the mirror are all that there are."""
    source["counts"] = {split: {"people": last - first + 1} for split, (first, last) in PEOPLE["lsp"].items()}


@pytest.fixture
def in_mirror(project: Project, mirror: Path) -> Path:
    """LSP's folder in the mirror, which has the whole of it."""
    project.edit("params/datasets/lsp.yaml", whole)
    return mirror / "lsp"


def test_synthetic_people_are_well(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    printed = lines(project, capsys, "doctor", "--scale", "mini")
    assert bad(printed) == []
    assert [line.split()[0] for line in printed if not line.startswith(" ")][:-1] == ["lsp", "lspet"]
    assert not any("hash" in line for line in printed)


def test_a_data_set_that_is_only_in_the_mirror_is_examined_there(
    project: Project, in_mirror: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = lines(project, capsys, *LSP)
    assert printed[0].endswith(str(in_mirror))
    assert bad(printed) == []
    assert "  well  files with the pinned hash: 14 of 14 (expected: all)" in printed
    assert "  well  counts of test: 4 people, 4 images (expected: 4 people)" in printed
    assert "  well  images that are here: 12 of 12 (expected: all)" in printed


def test_a_truncated_label_file_is_named_with_what_is_wrong_inside(
    project: Project, in_mirror: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = in_mirror / "joints_PC.mat"
    path.write_bytes(path.read_bytes()[:-100])
    hashes, labels = bad(lines(project, capsys, *LSP, wrong=1))
    assert hashes == "files with the pinned hash: 13 of 14; truncated or altered: joints_PC.mat (expected: all)"
    assert labels.startswith(f"labels can be read: {path}: ")


def test_flags_that_mean_the_opposite_are_told_though_every_hash_is_right(
    project: Project, in_mirror: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    joints = loadmat(in_mirror / "joints_PC.mat")["joints"]
    joints[2] = 1 - joints[2]
    savemat(in_mirror / "joints_PC.mat", {"joints": joints})
    project.pin("lsp")
    (line,) = bad(lines(project, capsys, *LSP, wrong=1))
    assert line.startswith("third row is 1 where a joint is occluded: ")


def test_a_split_with_another_number_of_people_than_is_known_is_told(
    project: Project, in_mirror: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project.edit("params/datasets/lsp.yaml", lambda source: source["counts"]["test"].update(people=5))
    assert bad(lines(project, capsys, *LSP, wrong=1)) == ["counts of test: 4 people, 4 images (expected: 5 people)"]


def test_a_split_that_the_scale_narrows_is_not_held_against_the_whole(
    project: Project, in_mirror: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project.edit(
        "params/scales.yaml",
        lambda scales: scales["lite"].update(people={"lsp": {"train": [1, 5], "test": [9, 12]}}),
    )
    printed = lines(project, capsys, *LSP, "--scale", "lite")
    assert "  told  counts of train: 5 people, 5 images (expected: the whole has 8 people)" in printed


def test_images_that_the_mirror_lacks_are_told_and_those_that_were_fetched_are_asked_for(
    project: Project, in_mirror: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["fetch", "lsp"]) == main(["annotate", "lsp"]) == main(["fetch", "lsp", "--images"]) == 0
    (in_mirror / "images/im0003.jpg").unlink()
    assert bad(lines(project, capsys, *LSP)) == []  # fetched files come before the mirror
    (project.root / "data/raw/lsp/images/im0004.jpg").unlink()
    missing = "images that are here: 11 of 12; missing: images/im0004.jpg (expected: all)"
    assert bad(lines(project, capsys, *LSP, wrong=1)) == [missing]
    for name in ("joints_PC.mat", "joints_OC.mat"):
        (project.root / "data/raw/lsp" / name).unlink()
    assert f"  told  {missing.replace('4', '3')}" in lines(project, capsys, *LSP)


def test_a_data_set_that_is_not_here_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert project.refusal(*LSP).endswith("lsp: not here; run: posetables fetch lsp --scale paper")
    assert "no data set 'lps'" in project.refusal("doctor", "lps")
    assert "no data set here" in project.refusal("doctor")
