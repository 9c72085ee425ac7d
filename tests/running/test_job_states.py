"""Done, running, pending or failed is told by manifests, locks, logs and Slurm, whatever else is on the disk."""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from posetables.params import Recipes
from posetables.running.engine import is_locked
from posetables.running.job_states import Finished, Seen, look
from posetables.running.slurm_jobs import Queue, SlurmJob
from posetables.stages.artifacts import Artifacts

if TYPE_CHECKING:
    from conftest import Project

ROW = "hcrn/lsp-pc/vgg16-hcrn"
LOG = Path(f"logs/mini/train/{ROW}/seed0/main.log")
COMMENT = "rule_train_stage_wildcards_mini__hcrn_lsp-pc_vgg16-hcrn_0_main"
BEGIN = "== 2026-01-31T18:00:00+00:00 posetables train {row} on {host}, process {process}{job}\n"
NO_SLURM = Queue()


def forget(project: Project) -> None:
    """Everything of one row, and the table, is to be made again."""
    for kind in ("train", "predictions", "scores"):
        shutil.rmtree(project.root / "results/mini" / kind / ROW)
    shutil.rmtree(project.root / "results/mini/tables")


def log(host: str = "elsewhere", process: int = 1, job: str = "", says: str = "", ended: int | None = None) -> None:
    """A run of the training, as its log tells of it."""
    LOG.parent.mkdir(parents=True, exist_ok=True)
    end = "" if ended is None else f"== 2026-01-31T18:05:00+00:00 ended with {ended}\n"
    begin = BEGIN.format(row=ROW, host=host, process=process, job=job and f", Slurm job {job}")
    with LOG.open("a") as file:
        file.write(f"{begin}{says}{end}")


@pytest.fixture
def artifacts(with_table: Project) -> Artifacts:
    """One row of the table is to be made."""
    forget(with_table)
    return Artifacts(Recipes(), "mini")


def seen(artifacts: Artifacts, queue: Queue = NO_SLURM) -> dict[str, Seen]:
    """Stage -> its job for the one row, or for the table."""
    found = look(artifacts, [artifacts.table("hcrn_table1")], queue, Finished())
    return {each.job.artifact.stage: each for each in found if "holistic" not in str(each.job.artifact.manifest)}


def training(artifacts: Artifacts, queue: Queue = NO_SLURM) -> str:
    return seen(artifacts, queue)["train"].state


def in_slurm(state: str, number: str = "17", comment: str = COMMENT) -> Queue:
    return Queue((SlurmJob(number, state, comment=comment),), answers=True)


def test_what_is_made_is_done_and_what_is_missing_is_pending(artifacts: Artifacts) -> None:
    states = {stage: each.state for stage, each in seen(artifacts).items()}
    assert states == dict.fromkeys(("fetch", "annotate", "crop"), "done") | dict.fromkeys(
        ("train", "predict", "score", "measure", "tabulate"), "pending"
    )


def test_nothing_behind_a_finished_table_is_waited_for(with_table: Project) -> None:
    shutil.rmtree(with_table.root / f"results/mini/train/{ROW}")
    found = look(artifacts := Artifacts(Recipes(), "mini"), [artifacts.table("hcrn_table1")], NO_SLURM, Finished())
    assert {each.state for each in found} == {"done"}


def test_a_job_that_holds_its_lock_is_running(artifacts: Artifacts) -> None:
    lock = artifacts.train(ROW, "main", 0).lock
    lock.parent.mkdir(parents=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert training(artifacts) == "running"
    assert training(artifacts) == "pending"


def test_looking_at_a_lock_takes_it_from_nobody(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    assert not is_locked(lock)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_run_that_ended_badly_has_failed(artifacts: Artifacts) -> None:
    log(ended=2)
    assert training(artifacts) == "failed"


def test_the_last_run_of_a_log_counts(artifacts: Artifacts) -> None:
    log(ended=2)
    log(ended=0)
    assert training(artifacts) == "pending"


def test_what_failed_in_an_earlier_run_is_pending_in_this_one(artifacts: Artifacts) -> None:
    log(ended=2)
    ends, began = [artifacts.table("hcrn_table1")], datetime.datetime(2026, 1, 31, 18, 1, tzinfo=datetime.UTC)
    states = {each.job.name: each.state for each in look(artifacts, ends, NO_SLURM, Finished(), began)}
    assert states[f"train {ROW}/seed0/main"] == "pending"


def test_a_real_training_runs_until_it_is_killed_and_has_then_failed(artifacts: Artifacts, with_table: Project) -> None:
    with_table.edit("params/scales.yaml", lambda scales: scales["mini"]["trainings"]["vgg16"].update(epochs=10**5))
    artifacts = Artifacts(Recipes(), "mini")
    command = [sys.executable, "-m", "posetables.cli", "train", ROW, "--scale", "mini", "--log", str(LOG)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while training(artifacts) != "running" and time.monotonic() < deadline:
            assert process.poll() is None
        assert training(artifacts) == "running"
        process.send_signal(signal.SIGKILL)
    assert training(artifacts) == "failed"


def test_another_process_that_took_the_number_of_a_dead_one_is_not_taken_for_it(artifacts: Artifacts) -> None:
    log(host=os.uname().nodename, process=os.getpid())
    assert training(artifacts) == "failed"


def test_a_run_on_another_machine_goes_on_for_all_that_is_known(artifacts: Artifacts) -> None:
    log(host="elsewhere")
    assert training(artifacts) == "running"


@pytest.mark.parametrize(
    ("state", "told"),
    [("PENDING", "pending"), ("CONFIGURING", "running"), ("RUNNING", "running"), ("TIMEOUT", "failed")],
)
def test_a_job_that_has_not_said_a_word_is_as_slurm_has_it(artifacts: Artifacts, state: str, told: str) -> None:
    assert training(artifacts, in_slurm(state)) == told


def test_a_failed_run_whose_next_attempt_is_queued_is_pending(artifacts: Artifacts) -> None:
    log(job="16", ended=143)
    assert training(artifacts, in_slurm("PENDING")) == "pending"


def test_a_job_that_slurm_ended_without_its_last_word_has_failed(artifacts: Artifacts) -> None:
    log(job="17")
    assert training(artifacts, in_slurm("RUNNING", comment="rule_of_a_group")) == "running"
    assert training(artifacts, in_slurm("NODE_FAIL")) == "failed"


def test_a_job_that_slurm_no_longer_knows_has_failed(artifacts: Artifacts) -> None:
    log(job="17")
    assert training(artifacts, Queue(answers=True)) == "failed"


def test_a_training_says_how_far_it_is(artifacts: Artifacts) -> None:
    told = {
        "experiment": ROW, "stage": "main", "seed": 0, "step": 30, "steps": 90, "epoch": 2, "epochs": 6, "loss": 0.25,
        "rate": 0.1, "score": None, "seconds_per_step": 0.5, "processes": 1, "restarts": 1, "host": "n1", "process": 7,
        "job": None, "at": datetime.datetime.now(datetime.UTC).isoformat(),
    }  # fmt: skip
    checkpoints = artifacts.checkpoints(artifacts.train(ROW, "main", 0))
    checkpoints.mkdir(parents=True)
    (checkpoints / "progress.json").write_text(json.dumps(told))
    progress = seen(artifacts)["train"].progress
    assert progress is not None
    assert (progress.step, progress.loss, progress.restarts, progress.seconds_left) == (30, 0.25, 1, 30.0)


def test_a_damaged_word_of_progress_is_no_word(artifacts: Artifacts) -> None:
    checkpoints = artifacts.checkpoints(artifacts.train(ROW, "main", 0))
    checkpoints.mkdir(parents=True)
    (checkpoints / "progress.json").write_text('{"step": 3')
    assert seen(artifacts)["train"].progress is None
