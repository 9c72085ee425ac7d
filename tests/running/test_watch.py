"""What a person who watches a run is told: what it is, what failed and why, how to go on, how long it takes."""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from posetables.cli import main
from posetables.logs import Attempt
from posetables.provenance.artifact import Artifact
from posetables.running.job_states import Seen, State
from posetables.running.jobs import job_of
from posetables.running.training_progress import Progress
from posetables.running.watch import time_left

if TYPE_CHECKING:
    from conftest import Project

ROW = "hcrn/lsp-pc/vgg16-hcrn"
LOG = f"logs/mini/train/{ROW}/seed0/main.log"
TABLE = "results/mini/tables/hcrn_table1.csv"
NOW = datetime.datetime(2026, 1, 31, 18, tzinfo=datetime.UTC)


@pytest.fixture
def unfinished(with_table: Project) -> Project:
    """One row of the table is to be made."""
    for kind in ("train", "predictions", "scores"):
        shutil.rmtree(with_table.root / "results/mini" / kind / ROW)
    shutil.rmtree(with_table.root / "results/mini/tables")
    return with_table


@pytest.fixture
def failing(unfinished: Project) -> Project:
    """Its training has been refused: somebody has damaged the crops."""
    crops = unfinished.root / "data/prepared/mini/lsp/crops.npy"
    crops.write_bytes(crops.read_bytes()[:-1])
    assert main(["train", ROW, "--scale", "mini", "--log", LOG]) == 2
    return unfinished


def printed(capsys: pytest.CaptureFixture[str], *command: str) -> tuple[int, str]:
    capsys.readouterr()
    return main(command), capsys.readouterr().out


def run_of_snakemake(*arguments: str) -> None:
    """What a run leaves behind that was asked for the table."""
    told = {"at": NOW.isoformat(), "host": "n0", "process": 1, "command": ["snakemake", *arguments], "targets": [TABLE]}
    Path(".snakemake").mkdir()
    Path(".snakemake/run.lock").write_text(json.dumps(told))


def test_a_picture_counts_the_jobs_of_each_stage(unfinished: Project, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = printed(capsys, "watch", "hcrn_table1", "--scale", "mini", "--once")
    assert code == 0
    counts = {words[0]: words[1:] for line in told.splitlines() if len(words := line.split()) == 5}
    assert counts["train"] == ["1", ".", "1", "."]
    assert counts["tabulate"] == [".", ".", "1", "."]


def test_without_a_target_the_run_of_snakemake_is_watched(
    unfinished: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    run_of_snakemake("all", "--profile", "slurm")
    _, told = printed(capsys, "watch", "--once")
    assert told.startswith(f"{TABLE}, mini scale")


def test_another_scale_than_that_of_the_run_is_watched_whole(
    unfinished: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    run_of_snakemake("all")
    _, told = printed(capsys, "watch", "--scale", "lite", "--once")
    assert told.startswith("everything, lite scale")


def test_programs_are_told_the_same(failing: Project, capsys: pytest.CaptureFixture[str]) -> None:
    _, told = printed(capsys, "watch", TABLE, "--json")
    found = json.loads(told)
    states = {each["job"]: each["state"] for each in found["jobs"]}
    assert states[f"train {ROW}/seed0/main"] == "failed"
    assert [(each["kind"], each["job"]) for each in found["failures"]] == [("data", f"train {ROW}/seed0/main")]


def test_an_unknown_target_is_refused(with_table: Project) -> None:
    line = with_table.refusal("watch", "hcrn_tabel1")
    assert line == "posetables: hcrn_tabel1: no item, experiment or artifact; see: posetables status"


def test_why_names_the_file_at_fault_and_the_command_to_go_on(
    failing: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = printed(capsys, "why", "hcrn_table1", "--scale", "mini")
    assert code == 1
    assert told.startswith(f"data     train {ROW}/seed0/main: ")
    assert "data/prepared/mini/lsp/crops.npy: not what its stage wrote" in told
    assert f"log: {LOG}" in told
    assert told.splitlines()[-1] == f"go on: snakemake {TABLE}"


def test_going_on_keeps_the_profile_of_the_run(failing: Project, capsys: pytest.CaptureFixture[str]) -> None:
    run_of_snakemake("--profile", "slurm", "all")
    _, told = printed(capsys, "why", "hcrn_table1", "--scale", "mini")
    assert told.splitlines()[-1] == f"go on: snakemake {TABLE} --profile slurm"


def test_without_a_target_the_run_is_gone_on_with(failing: Project, capsys: pytest.CaptureFixture[str]) -> None:
    run_of_snakemake("make_paper", "--config", "paper=hcrn", "scale=mini")
    _, told = printed(capsys, "why")
    assert told.splitlines()[-1] == "go on: snakemake make_paper --config paper=hcrn scale=mini"


def test_failures_of_an_earlier_run_are_left_out(failing: Project, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hour) for hour in (-1, 1))
    assert printed(capsys, "why", "--since", before.isoformat())[0] == 1
    assert printed(capsys, "why", "--since", after.isoformat()) == (0, "nothing has failed\n")


def test_what_failed_and_has_been_made_since_is_no_failure(
    failing: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (failing.root / "data/prepared/mini/lsp").glob("crops*"):
        path.unlink()
    failing.run("crop", "lsp", "--scale", "mini")
    failing.run("train", ROW, "--scale", "mini")
    assert printed(capsys, "why", "hcrn_table1", "--scale", "mini") == (0, "nothing has failed\n")


def test_jobs_that_fail_for_one_reason_are_told_together(failing: Project, capsys: pytest.CaptureFixture[str]) -> None:
    other = ROW.replace("vgg16-hcrn", "vgg16-holistic")
    shutil.rmtree(failing.root / "results/mini/train" / other)
    shutil.rmtree(failing.root / "results/mini/predictions" / other)
    shutil.rmtree(failing.root / "results/mini/scores" / other)
    assert main(["train", other, "--scale", "mini", "--log", LOG.replace(ROW, other)]) == 2
    _, told = printed(capsys, "why", "hcrn_table1", "--scale", "mini")
    assert told.count("not what its stage wrote") == 1
    assert f"the same: train {other}/seed0/main" in told


def test_a_disk_that_is_full_is_told_from_bad_data(unfinished: Project, capsys: pytest.CaptureFixture[str]) -> None:
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000));"
        "from posetables.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", limited, "train", ROW, "--scale", "mini", "--log", LOG]
    assert subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode != 0
    code, told = printed(capsys, "why", "hcrn_table1", "--scale", "mini")
    assert (code, told.partition(" ")[0]) == (1, "disk")


def chain() -> dict[str, Artifact]:
    """Two trainings, their predictions, one table."""

    def made(stage: str, manifest: str, **inputs: Artifact) -> Artifact:
        return Artifact(stage=stage, recipe={}, modules=(), outputs={}, manifest=Path(manifest), inputs=inputs)

    found = {}
    for name in ("a", "b"):
        place = f"hcrn/lsp-pc/{name}/seed0"
        found[f"train {name}"] = made("train", f"results/mini/train/{place}/main/manifest.json")
        weights = found[f"train {name}"]
        found[f"predict {name}"] = made("predict", f"results/mini/predictions/{place}/p.manifest.json", weights=weights)
    both = {name: found[f"predict {name}"] for name in ("a", "b")}
    found["table"] = made("tabulate", "results/mini/tables/t.manifest.json", **both)
    return found


def picture(states: Mapping[str, State], took: Mapping[str, float], **progress: Progress) -> list[Seen]:
    """The chain in some states; training a, if it runs, began a minute ago."""
    begun = Attempt("posetables", "n1", 1, None, NOW - datetime.timedelta(minutes=1), (), None)
    return [
        Seen(
            job_of(each), states.get(name, "pending"), attempts=(begun,), seconds=took.get(name),
            progress=progress.get(name.replace(" ", "_")),
        )
        for name, each in chain().items()
    ]  # fmt: skip


def test_the_time_left_is_the_work_shared_among_those_that_run() -> None:
    # By hand: training b 100 s, both predictions 10 s, no table known: 120 s by one; the longest chain is 110 s.
    left = time_left(picture({"train a": "done", "predict a": "done"}, {"train a": 100, "predict a": 10}), 0)
    assert (left.seconds, left.at_once, left.unknown) == (110, 1, {"tabulate": 1})


def test_the_time_left_is_no_shorter_than_the_longest_chain() -> None:
    # By hand: training b says 300 s of itself and its prediction takes 10 s after it, though two run at once.
    told = Progress(step=10, steps=40, epoch=1, epochs=4, seconds_per_step=10, host="n1", at=NOW)
    states: dict[str, State] = {"train a": "done", "predict a": "running", "train b": "running"}
    left = time_left(picture(states, {"train a": 100, "predict a": 10}, train_b=told), NOW.timestamp())
    assert left.at_once == 2
    assert left.seconds == 310


def test_a_job_that_runs_has_only_the_rest_before_it() -> None:
    # By hand: of 100 s, as training b took, 60 are over.
    left = time_left(picture({"train a": "running", "train b": "done"}, {"train b": 100}), NOW.timestamp())
    assert left.seconds == 40
    assert left.unknown == {"predict": 2, "tabulate": 1}
