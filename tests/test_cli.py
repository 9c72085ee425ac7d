"""What a user meets on the command line: verbs that do their work once, and one clear line for whatever is wrong."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat, savemat

from posetables.cli import main
from posetables.data import sources
from posetables.errors import InputError

if TYPE_CHECKING:
    from conftest import Project

LITE = ("--scale", "lite")
MINI = ("--scale", "mini")
HG = "hcrn/lsp-pc/hg"


@pytest.fixture
def lite(project: Project, mirror: Path) -> Project:
    """People of the mirror, labels and images fetched at lite scale."""
    fetch_all(project)
    return project


def fetch_all(project: Project) -> None:
    """The labels of the mirror, and the images that they name."""
    for verb in ("fetch", "lsp"), ("annotate", "lsp"), ("fetch", "lsp", "--images"):
        project.run(*verb, *LITE)


# The path from people to a table


def test_the_verbs_lead_from_people_to_a_table_and_a_second_round_does_nothing(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.edit("params/papers/hcrn/tables.yaml", lambda tables: tables["hcrn_table1"].update(rows={"HG": HG}))
    verbs = [("train", HG), ("predict", HG), ("score", HG), ("measure", HG), ("tabulate", "hcrn_table1")]
    for verb in verbs:
        project.run(*verb, *MINI)
    table = pd.read_csv("results/mini/tables/hcrn_table1.csv")
    cells = pd.read_csv("results/mini/tables/hcrn_table1.cells.csv")
    scores = json.loads(Path(f"results/mini/scores/{HG}/seed0/pyramid3.json").read_text())
    assert table["Methods"].tolist() == ["HG"]
    assert table["Avg"].item() == pytest.approx(scores["pck"]["Avg"]["value"], abs=0.05)
    assert cells.set_index("column")["published"]["Avg"] == 85.4  # HCRN Table I
    done = project.files()
    assert [project.run(*verb, *MINI)[-1].endswith(": up to date") for verb in verbs] == [True] * len(verbs)
    assert project.files() == done
    project.run("show", "hcrn_table1", *MINI)


def test_identities_of_the_whole_dag_are_known_without_loading_torch(project: Project) -> None:
    code = (
        "import sys; from posetables.params import Recipes; from posetables.stages.artifacts import Artifacts; "
        "Artifacts(Recipes(), 'mini').table('hcrn_table1').identity; print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


# Names that do not exist


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("tabulate", "hcrn_table11"), ["params/papers/*/tables.yaml", "table 'hcrn_table11'", "'hcrn_table1'"]),
        (("show", "hcrn_table1", "--row", "HG-HRCN"), ["hcrn_table1", "row 'HG-HRCN'", "'HG-HCRN'"]),
        (("show", "hcrn_tabel1"), ["params/papers/*/tables.yaml", "table 'hcrn_tabel1'", "'hcrn_table1'"]),
        (("train", "hcrn/lsp-pc/hg-hrcn"), ["hcrn/experiments.yaml", "experiment 'hcrn/lsp-pc/hg-hrcn'", "hg-hcrn"]),
        (("train", "hcrn/lsp-pc/HG"), ["hcrn/experiments.yaml", "experiment 'hcrn/lsp-pc/HG'", "lsp-pc/hg"]),
        (("train", "hcnr/lsp-pc/hg"), ["experiments.yaml", "experiment 'hcnr/lsp-pc/hg'", "'hcrn/lsp-pc/hg'"]),
        (("measure", "hg"), ["experiments.yaml", "experiment 'hg'", "hcrn/lsp-pc/hg"]),
        (("train", HG, "--stage", "mian"), [HG, "stage 'mian'", "main"]),
        (("predict", HG, "--protocol", "pyramid"), [HG, "protocol 'pyramid'", "pyramid3"]),
        (("score", HG, "--protocol", "pyramid"), [HG, "protocol 'pyramid'", "pyramid3"]),
        (("fetch", "lps"), ["params/datasets", "data set 'lps'", "'lsp'"]),
        (("fetch", "lps", "--images"), ["params/datasets", "data set 'lps'", "'lsp'"]),
        (("annotate", "lps"), ["params/datasets", "data set 'lps'", "'lsp'"]),
        (("crop", "lps"), ["params/datasets", "data set 'lps'", "'lsp'"]),
        (("annotate", "imagenet-vgg16"), ["params/datasets/imagenet-vgg16.yaml", "reader"]),
        (("crop", "imagenet-vgg16"), ["params/datasets/imagenet-vgg16.yaml", "reader"]),
        (("fetch", "imagenet-vgg16", "--images"), ["params/datasets/imagenet-vgg16.yaml", "reader"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_an_unknown_name_is_told_with_file_and_remedy(
    project: Project, arguments: tuple[str, ...], told: list[str]
) -> None:
    line = project.refusal(*arguments, *MINI)
    assert [part for part in told if part not in line] == []


@pytest.mark.parametrize(
    "verb", ["fetch lsp", "annotate lsp", "crop lsp", f"train {HG}", f"measure {HG}", "tabulate hcrn_table1"]
)
def test_an_unknown_scale_is_told_by_every_verb(project: Project, verb: str) -> None:
    line = project.refusal(*verb.split(), "--scale", "minni")
    assert line == "posetables: params/scales.yaml: no scale 'minni'; did you mean 'mini'?"


def test_a_seed_below_zero_is_refused(project: Project) -> None:
    assert "seed" in project.refusal("train", HG, "--seed", "-1", *MINI)


def test_outside_of_the_project_the_user_is_told_where_to_go(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root / "mirror")
    assert "root of the project" in project.refusal("tabulate", "hcrn_table1", *MINI)


# Params


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("scales.yaml", "    epochs: ", "    epohcs: ", ["scales.yaml", "epohcs", "'epochs'"]),
        ("datasets/lsp.yaml", "licence: ", "license: ", ["datasets/lsp.yaml", "license", "'licence'"]),
        ("papers/hcrn/experiments.yaml", "rotation: ", "rotaton: ", ["experiments.yaml", "rotaton", "'rotation'"]),
        ("papers/hcrn/tables.yaml", "row_header: ", "rowheader: ", ["tables.yaml", "rowheader", "'row_header'"]),
    ],
)
def test_a_misspelt_key_is_told_with_file_and_remedy(
    project: Project, file: str, old: str, new: str, told: list[str]
) -> None:
    project.replace(f"params/{file}", old, new)
    line = project.refusal("tabulate", "hcrn_table1", *MINI)
    assert [part for part in told if part not in line] == []


# The mirror


def test_a_mirror_that_is_not_there_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSETABLES_MIRROR", "nowhere")
    assert "POSETABLES_MIRROR names nowhere" in project.refusal("fetch", "lsp", *LITE)


def test_an_image_missing_from_the_mirror_is_told_with_the_place_to_put_it(project: Project, mirror: Path) -> None:
    project.run("fetch", "lsp", *LITE)
    project.run("annotate", "lsp", *LITE)
    (mirror / "lsp/images/im0003.jpg").unlink()
    line = project.refusal("fetch", "lsp", "--images", *LITE)
    assert "no source gave images/im0003.jpg" in line
    assert f"at {mirror}/lsp/images" in line


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, flip_a_bit])
def test_a_damaged_label_file_of_the_mirror_is_told(project: Project, mirror: Path, damage: Any) -> None:
    damage(mirror / "lsp/joints_PC.mat")
    line = project.refusal("fetch", "lsp", *LITE)
    assert f"joints_PC.mat from {mirror}/lsp has SHA-256" in line


@pytest.mark.parametrize("damage", [truncate, flip_a_bit])
def test_a_damaged_image_of_the_mirror_is_told(project: Project, mirror: Path, damage: Any) -> None:
    project.run("fetch", "lsp", *LITE)
    project.run("annotate", "lsp", *LITE)
    damage(mirror / "lsp/images/im0003.jpg")
    line = project.refusal("fetch", "lsp", "--images", *LITE)
    assert f"images/im0003.jpg from {mirror}/lsp has SHA-256" in line


# What is fetched


def test_the_images_that_labels_name_are_fetched_and_no_others(project: Project, mirror: Path) -> None:
    few = {"lsp": {"train": [1, 2], "test": [9, 9]}}
    project.edit("params/scales.yaml", lambda scales: scales["lite"].update(people=few))
    (mirror / "lsp/images/im0005.jpg").unlink()  # nobody asks for it
    fetch_all(project)
    found = sorted(path.name for path in Path("data/raw/lite/lsp").rglob("*.jpg"))
    assert found == ["im0001.jpg", "im0002.jpg", "im0009.jpg"]
    project.run("crop", "lsp", *LITE)


def test_labels_come_without_images_and_images_leave_labels_alone(project: Project, mirror: Path) -> None:
    project.run("fetch", "lsp", *LITE)
    labels = {path.name: path.stat().st_ino for path in Path("data/raw/lite/lsp").iterdir()}
    assert set(labels) == {"joints_PC.mat", "joints_OC.mat"}
    project.run("annotate", "lsp", *LITE)
    project.run("fetch", "lsp", "--images", *LITE)
    found = {path.name: path.stat().st_ino for path in Path("data/raw/lite/lsp").iterdir() if path.is_file()}
    assert found == labels


def test_which_images_are_wanted_is_not_known_before_the_labels_are_read(project: Project, mirror: Path) -> None:
    project.run("fetch", "lsp", *LITE)
    line = project.refusal("fetch", "lsp", "--images", *LITE)
    assert "data/prepared/lite/lsp/people.manifest.json" in line


def test_synthetic_people_come_with_their_images_whatever_is_asked_for(project: Project) -> None:
    before = project.files()
    assert project.run("fetch", "lsp", "--images", *MINI)[-1].endswith(": up to date")
    assert project.files() == before


# What was fetched


@pytest.mark.parametrize("damage", [truncate, flip_a_bit])
def test_a_label_file_that_changed_since_is_not_read(lite: Project, damage: Any) -> None:
    shutil.rmtree("data/prepared/lite/lsp")
    damage(lite.root / "data/raw/lite/lsp/joints_PC.mat")
    assert "data/raw/lite/lsp/joints_PC.mat: not what its stage wrote" in lite.refusal("annotate", "lsp", *LITE)


def test_a_label_file_that_is_gone_is_told_with_the_remedy(lite: Project) -> None:
    shutil.rmtree("data/prepared/lite/lsp")
    (lite.root / "data/raw/lite/lsp/joints_PC.mat").unlink()
    line = lite.refusal("annotate", "lsp", *LITE)
    assert "joints_PC.mat: missing, though recorded; delete data/raw/lite/lsp.labels.manifest.json and run" in line


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, Path.unlink])
def test_an_image_that_changed_since_is_not_cut(lite: Project, damage: Any) -> None:
    damage(lite.root / "data/raw/lite/lsp/images/im0003.jpg")
    assert "data/raw/lite/lsp/images/im0003.jpg: not what its stage wrote" in lite.refusal("crop", "lsp", *LITE)


def test_joints_outside_of_their_images_are_refused_with_the_first_image(project: Project, mirror: Path) -> None:
    path = mirror / "lsp/joints_PC.mat"
    joints = loadmat(path)["joints"]
    joints[0, :, 4:] += 1000
    savemat(path, {"joints": joints})
    project.pin("lsp")
    fetch_all(project)
    line = project.refusal("crop", "lsp", *LITE)
    assert "data/raw/lite/lsp: joints (pc): 112 of 168 lie outside of their images, first in images/im0005.jpg" in line


def test_a_label_file_of_another_shape_is_refused(project: Project, mirror: Path) -> None:
    savemat(mirror / "lsp/joints_PC.mat", {"joints": np.zeros((14, 3, 12))})
    project.pin("lsp")
    project.run("fetch", "lsp", *LITE)
    line = project.refusal("annotate", "lsp", *LITE)
    assert "data/raw/lite/lsp/joints_PC.mat: joints is 14 x 3 x 12, expected 3 x 14 x any" in line


def test_a_file_that_is_no_image_is_refused(project: Project, mirror: Path) -> None:
    (mirror / "lsp/images/im0003.jpg").write_bytes(b"<html>404 Not Found</html>")
    project.pin("lsp")
    fetch_all(project)
    assert "data/raw/lite/lsp/images/im0003.jpg: not an image" in project.refusal("crop", "lsp", *LITE)


# Fetching again


def test_good_label_files_that_are_there_are_not_asked_for_again(lite: Project) -> None:
    flip_a_bit(lite.root / "data/raw/lite/lsp/joints_PC.mat")
    (lite.root / "mirror/lsp/joints_OC.mat").unlink()
    lite.run("fetch", "lsp", *LITE)


def test_good_images_that_are_there_are_not_asked_for_again(lite: Project) -> None:
    flip_a_bit(lite.root / "data/raw/lite/lsp/images/im0003.jpg")
    for image in (lite.root / "mirror/lsp/images").iterdir():
        if image.name != "im0003.jpg":
            image.unlink()
    lite.run("fetch", "lsp", "--images", *LITE)


def test_a_download_that_stopped_goes_on_where_it_was(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    parts_found = []

    def download(address: str, target: Path, **_: Any) -> NoReturn:
        part = target.with_name(f"{target.name}.part")
        parts_found.append(part.exists())
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(b"the first half")
        raise InputError(f"{address}: line dropped")

    monkeypatch.setattr(sources, "download", download)
    origin = {"address": "http://people.example/lsp.zip", "gives": {"joints_*.mat": "joints_*.mat"}}
    project.edit("params/datasets/lsp.yaml", lambda source: source.update(sources=[origin]))
    for _ in range(2):
        assert main(["fetch", "lsp", *LITE]) == 2
    assert parts_found == [False, True]


# The disk


def full(*_: Any, **__: Any) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told_when_fetching(project: Project, mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources._Intake, "put", full)
    assert "no space left on the disk; make room and run again" in project.refusal("fetch", "lsp", *LITE)


@pytest.mark.parametrize("verb", ["annotate", "crop"])
def test_a_full_disk_is_told_when_tables_are_written(lite: Project, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    if verb == "annotate":
        shutil.rmtree("data/prepared/lite/lsp")
    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    assert "no space left on the disk; make room and run again" in lite.refusal(verb, "lsp", *LITE)


def test_a_full_disk_is_told_when_training(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    assert "no space left on the disk; make room and run again" in project.refusal("train", HG, *MINI)
