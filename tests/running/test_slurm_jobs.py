"""Slurm's answers are read as Slurm 22.05 prints them; one that does not answer stops nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from posetables.running import slurm_jobs

TRAINING = "rule_train_stage_wildcards_mini__hcrn_lsp-pc_hg_0_main"
SQUEUE = f"""\
6|CANCELLED|n1|None|2026-01-31T17:00:00|{{folder}}|{TRAINING}
9|PENDING||Resources|2026-01-31T18:00:00|{{folder}}|{TRAINING}
3|RUNNING|n1|None|2026-01-31T17:00:00|{{folder}}|rule_x
4|FAILED||BadConstraints|2026-01-31T17:00:00|/elsewhere|rule_x
"""
SACCT = """\
1|TIMEOUT|n1
1.batch|CANCELLED|n1
6|CANCELLED by 0|n1
6.batch|CANCELLED|n1
8|FAILED|n2
8.batch|FAILED|n2
8.0|OUT_OF_MEMORY|n2
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only programs that can be found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def install(programs: Path, name: str, answer: str, ends: str = "") -> None:
    path = programs / name
    path.write_text(f"#!/bin/sh\n/bin/cat <<'END'\n{answer}END\n{ends}\n")
    path.chmod(0o755)


def test_only_jobs_of_this_folder_are_in_the_queue(programs: Path, tmp_path: Path) -> None:
    install(programs, "squeue", SQUEUE.format(folder=tmp_path))
    assert [each.number for each in slurm_jobs.queue(tmp_path).jobs] == ["6", "9", "3"]


def test_of_several_attempts_the_last_counts(programs: Path, tmp_path: Path) -> None:
    install(programs, "squeue", SQUEUE.format(folder=tmp_path))
    job = slurm_jobs.queue(tmp_path).called(TRAINING)
    assert job is not None
    assert (job.number, job.waits, job.reason) == ("9", True, "Resources")


def test_a_running_job_says_on_which_node(programs: Path, tmp_path: Path) -> None:
    install(programs, "squeue", SQUEUE.format(folder=tmp_path))
    job = slurm_jobs.queue(tmp_path).job("3")
    assert job is not None
    assert (job.runs, job.waits, job.node) == (True, False, "n1")


def test_without_slurm_there_is_no_queue_and_no_fault(programs: Path, tmp_path: Path) -> None:
    queue = slurm_jobs.queue(tmp_path)
    assert (queue.jobs, queue.answers, queue.fault) == ((), False, "")


def test_a_controller_that_is_down_is_told_and_stops_nothing(programs: Path, tmp_path: Path) -> None:
    words = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"
    install(programs, "squeue", "", f"echo '{words}' >&2; exit 1")
    queue = slurm_jobs.queue(tmp_path)
    assert (queue.jobs, queue.answers, queue.fault) == ((), False, words)


def test_accounts_say_how_each_job_ended(programs: Path) -> None:
    install(programs, "sacct", SACCT)
    found = slurm_jobs.accounts(["1", "6", "8"])
    assert {number: job.state for number, job in found.items()} == {
        "1": "TIMEOUT",
        "6": "CANCELLED",
        "8": "OUT_OF_MEMORY",
    }


def test_a_cluster_that_keeps_no_accounts_says_nothing(programs: Path) -> None:
    install(programs, "sacct", "", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    assert slurm_jobs.accounts(["1"]) == {}
