"""A log gets plain lines, few of them; a loop is never changed by being watched."""

from __future__ import annotations

import pytest

from posetables import progress


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def test_track_yields_every_item_and_says_first_and_last(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress.track(range(1500), "people")) == list(range(1500))
    first, last = lines(capsys)
    assert first == "people: 0 of 1,500"
    assert last.startswith("people: 1,500 of 1,500 in ")


def test_a_loop_left_early_says_how_far_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    for item in progress.track([1, 2, 3], "people"):
        if item == 2:
            break
    assert lines(capsys)[-1].startswith("people: 1 of 3 in ")


def test_a_log_gets_one_line_in_ten_seconds_with_rate_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    with progress.progress("steps", 100, clock=lambda: now) as advance:
        for now in map(float, range(1, 31)):  # noqa: B007 - the clock reads it
            advance(2)
    assert lines(capsys) == [
        "steps: 0 of 100",
        "steps: 20 of 100, 2.0/s, 40 s left",
        "steps: 40 of 100, 2.0/s, 30 s left",
        "steps: 60 of 100, 2.0/s, 20 s left",
        "steps: 60 of 100 in 30 s",
    ]


def test_a_resumed_download_counts_its_rate_from_where_it_resumed(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    with progress.progress("a.zip", 50_000_000, done=10_000_000, unit="MB", clock=lambda: now) as advance:
        now = 10.0
        advance(20_000_000)
    assert lines(capsys)[1] == "a.zip: 30.0 of 50.0 MB, 2.0 MB/s, 10 s left"


def test_an_unknown_total_has_no_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    with progress.progress("people", None, clock=lambda: now) as advance:
        now = 10.0
        advance(30)
    assert lines(capsys)[1] == "people: 30, 3.0/s"


def test_a_terminal_gets_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    assert list(progress.track([1, 2], "[people]")) == [1, 2]
    shown = "\n".join(lines(capsys))
    assert "[people]" in shown and "2 of 2" in shown and "━" in shown
