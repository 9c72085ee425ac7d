"""Logs of jobs: what was said, when, where, and how it ended."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from posetables import logs


def speak(*lines: str, code: int = 0) -> int:
    for line in lines:
        print(line, file=sys.stderr)
    return code


def test_a_log_tells_of_every_run_what_it_said_and_how_it_ended(tmp_path: Path) -> None:
    log = tmp_path / "new/train.log"
    assert logs.logged(log, ["train", "x"], lambda: speak("epoch 1", code=2)) == 2
    assert logs.logged(log, ["train", "x"], lambda: speak("epoch 1", "epoch 2")) == 0
    assert [(run.command, run.lines, run.code) for run in logs.read(log)] == [
        ("posetables train x", ("epoch 1",), 2),
        ("posetables train x", ("epoch 1", "epoch 2"), 0),
    ]


def test_a_crash_is_in_the_log_with_its_last_words(tmp_path: Path) -> None:
    def crash() -> int:
        raise RuntimeError("no such thing")

    assert logs.logged(tmp_path / "log", ["score"], crash) == 1
    (run,) = logs.read(tmp_path / "log")
    assert run.code == 1
    assert run.lines[-1] == "RuntimeError: no such thing"


def test_a_run_that_was_killed_has_no_end(tmp_path: Path) -> None:
    def killed() -> int:
        speak("epoch 1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        logs.logged(tmp_path / "log", ["train"], killed)
    logs.logged(tmp_path / "log", ["train"], lambda: speak("epoch 2"))
    assert [run.code for run in logs.read(tmp_path / "log")] == [None, 0]


def test_the_number_of_the_slurm_job_is_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    logs.logged(tmp_path / "log", ["train"], speak)
    assert [run.job for run in logs.read(tmp_path / "log")] == ["17"]


def test_the_work_goes_on_when_nobody_listens_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed:
        def write(self, text: str) -> None:
            raise BrokenPipeError

        flush = write

    monkeypatch.setattr(sys, "stderr", Closed())
    assert logs.logged(tmp_path / "log", ["train"], lambda: speak("epoch 1")) == 0
    assert logs.read(tmp_path / "log")[0].lines == ("epoch 1",)


def test_processes_beside_the_first_add_what_they_say_and_no_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "FIRST", False)
    logs.logged(tmp_path / "log", ["train"], lambda: speak("process 1: lost"))
    assert (tmp_path / "log").read_text() == "process 1: lost\n"
    assert logs.read(tmp_path / "log") == []


def test_without_a_log_there_is_none(tmp_path: Path) -> None:
    assert logs.read(tmp_path / "log") == []
