"""Kills, forgeries, edits and two runs at once, against the real engine: plain commands put all of it right."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engines import environment_of
from posetables.provenance.hashes import sha256

pytestmark = pytest.mark.slow

TABLE = "results/mini/tables/hcrn_table1.csv"
ROW = "hcrn/lsp-pc/vgg16-hcrn"
WEIGHTS = f"results/mini/train/{ROW}/seed0/main/weights.safetensors"
SCORES = f"results/mini/scores/{ROW}/seed0/pyramid3.json"


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """The clone with its table, elsewhere: other times, other inodes, nothing that the engine remembers."""
    copy = tmp_path / "clone"
    forgotten = shutil.ignore_patterns(".snakemake", ".posetables")
    shutil.copytree(made, copy, ignore=forgotten, copy_function=shutil.copyfile, symlinks=True)
    return copy


def start(folder: Path, program: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [Path(sys.executable).with_name(program), *arguments], cwd=folder, env=environment_of(folder), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def run(folder: Path, program: str, *arguments: str) -> tuple[int, str]:
    process = start(folder, program, *arguments)
    told, _ = process.communicate()
    return process.returncode, told


def read_until(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"ended without saying {text!r}")


def forget_row(folder: Path) -> dict[str, str]:
    """Delete everything of one row, and the table; what it was."""
    paths = [WEIGHTS, f"results/mini/predictions/{ROW}/seed0/pyramid3.parquet", SCORES]
    before = {path: sha256(folder / path) for path in paths}
    for kind in ("train", "predictions", "scores"):
        shutil.rmtree(folder / "results/mini" / kind / ROW)
    (folder / TABLE).unlink()
    return before


def states(folder: Path) -> dict[str, str]:
    code, told = run(folder, "posetables", "status", "hcrn_table1", "--scale", "mini", "--json")
    assert code == 0, told
    return {each["manifest"]: each["state"] for each in json.loads(told)}


def stages(folder: Path, state: str) -> set[str]:
    """Stages of the artifacts that are in a state."""
    _, told = run(folder, "posetables", "status", "hcrn_table1", "--scale", "mini", "--json")
    return {each["stage"] for each in json.loads(told) if each["state"] == state}


def verified(folder: Path) -> bool:
    code, told = run(folder, "posetables", "audit", "--all", "--scale", "mini", "--deep")
    return code == 0 and "broken" not in told


def kill_all(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "kill",
    [kill_all, subprocess.Popen.kill],  # what the controller alone has started lives on, and holds its artifact
    ids=["everything", "the controller"],
)
def test_after_kill_9_in_a_training_a_plain_command_finishes_with_the_same_bytes(
    folder: Path, kill: Callable[[subprocess.Popen[str]], None]
) -> None:
    before = forget_row(folder)
    process = start(folder, "snakemake", TABLE, "--cores", "1")
    read_until(process, "epoch 3: ")
    kill(process)
    process.wait()
    code, told = run(folder, "snakemake", TABLE, "--cores", "1")
    process.communicate()
    assert code == 0, told
    assert {path: sha256(folder / path) for path in before} == before
    assert verified(folder)


def test_of_two_runs_at_once_the_second_refuses_and_the_first_finishes(folder: Path) -> None:
    before = forget_row(folder)
    first = start(folder, "snakemake", TABLE, "--cores", "1")
    read_until(first, "epoch 1: ")
    code, told = run(folder, "snakemake", TABLE, "--cores", "1")
    assert code == 1
    assert "another run is under way in this folder" in told
    first.communicate()
    assert first.returncode == 0
    assert {path: sha256(folder / path) for path in before} == before
    assert verified(folder)


def test_a_plan_may_be_asked_for_while_a_run_is_under_way(folder: Path) -> None:
    forget_row(folder)
    first = start(folder, "snakemake", TABLE, "--cores", "1")
    read_until(first, "epoch 1: ")
    assert run(folder, "snakemake", "-n", TABLE)[0] == 0
    kill_all(first)
    first.communicate()


@pytest.mark.parametrize("edited", [TABLE, SCORES, WEIGHTS], ids=["table", "score", "weights"])
def test_what_was_edited_by_hand_is_made_again_when_it_is_asked_for(folder: Path, edited: str) -> None:
    before = sha256(folder / edited)
    content = bytearray((folder / edited).read_bytes())
    content[-20] ^= 1
    (folder / edited).write_bytes(content)
    code, told = run(folder, "snakemake", edited, "--cores", "1")
    assert code == 0, told
    assert sha256(folder / edited) == before
    assert verified(folder)


def test_a_forged_score_never_reaches_a_table(folder: Path) -> None:
    before = sha256(folder / TABLE)
    (folder / SCORES).write_text((folder / SCORES).read_text().replace('"value": ', '"value": 9'))
    (folder / TABLE).unlink()
    code, told = run(folder, "snakemake", TABLE, "--cores", "1")
    assert code == 0, told
    assert sha256(folder / TABLE) == before


def test_elsewhere_with_other_times_and_without_the_engines_memory_the_verdicts_are_the_same(
    made: Path, folder: Path
) -> None:
    assert states(folder) == states(made)
    assert set(states(folder).values()) == {"current"}


def prepend(path: str, text: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        file = folder / path
        file.write_text(text + (file.read_text() if file.exists() else ""))

    return edit


def define_more(path: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        file = folder / path
        file.write_text(file.read_text() + "\n\nEXTRA = 1\n")

    return edit


def replace(path: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        text = (folder / path).read_text()
        assert old in text
        (folder / path).write_text(text.replace(old, new, 1))

    return edit


BELOW_TRAINING = {"train", "predict", "score", "tabulate"}


@pytest.mark.parametrize(
    ("edit", "stale"),
    [
        (prepend("src/posetables/models/hcrn.py", "# A comment.\n"), set()),
        (replace("src/posetables/models/hcrn.py", '"""', '"""Reworded: '), set()),
        (prepend("src/posetables/models/mca.py", "def build(skeleton): ...\n"), set()),
        (define_more("src/posetables/data/skeletons/flic.py"), set()),
        (define_more("src/posetables/data/readers/flic.py"), set()),
        (define_more("src/posetables/models/hcrn.py"), BELOW_TRAINING | {"measure"}),
        (define_more("src/posetables/metrics/pck.py"), {"score", "tabulate"}),
        (define_more("src/posetables/stages/crop.py"), BELOW_TRAINING | {"crop"}),
        (define_more("src/posetables/cli.py"), set()),
        (replace("params/papers/hcrn/experiments.yaml", "blur: 3", "blur: 4"), {"predict", "score", "tabulate"}),
        (replace("params/papers/hcrn/experiments.yaml", "rotation: 40", "rotation: 41"), BELOW_TRAINING),
        (replace("params/scales.yaml", "runtime: 2880", "runtime: 2881"), set()),
    ],
    ids=[
        "a comment",
        "a docstring",
        "another paper's model",
        "joints of another data set",
        "a reader of another data set",
        "the model",
        "an imported helper",
        "how people are cut out",
        "the command line",
        "a parameter of testing",
        "a parameter of training",
        "what a cluster is asked for",
    ],
)  # fmt: skip
def test_an_edit_makes_stale_what_can_depend_on_it_and_nothing_else(
    folder: Path, edit: Callable[[Path], None], stale: set[str]
) -> None:
    edit(folder)
    assert stages(folder, "stale") == stale
    assert stages(folder, "behind") == set()


def test_a_moved_lock_file_leaves_everything_behind_and_runs_nothing(folder: Path) -> None:
    prepend("constraints.txt", "new==1\n")(folder)
    assert set(states(folder).values()) == {"behind"}
    assert "Nothing to be done" in run(folder, "snakemake", "-n", TABLE)[1]


def test_a_cell_is_regenerated_to_the_same_bytes(folder: Path) -> None:
    code, told = run(
        folder, "posetables", "regenerate", "hcrn_table1", "--row", "VGG16-HCRN", "--column", "Avg", "--scale", "mini"
    )
    assert code == 0, told
    assert "identical: 3 of 3 artifacts, byte for byte" in told


def test_a_difference_is_traced_to_the_first_artifact_that_differs(folder: Path) -> None:
    replace("src/posetables/stages/predict.py", "boxes + shown.center", "boxes + 1.0 + shown.center")(folder)
    code, told = run(
        folder, "posetables", "regenerate", "hcrn_table1", "--row", "VGG16-HCRN", "--column", "Avg",
        "--from", "predict", "--scale", "mini",
    )  # fmt: skip
    assert code == 1
    assert f"first difference: results/mini/predictions/{ROW}/seed0/pyramid3.parquet" in told
    assert "code posetables.stages.predict" in told
    assert "moved by" in told
