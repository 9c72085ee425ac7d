"""An artifact is whole or not there, is made once, and is never made from what its producer did not write."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from posetables.errors import InputError
from posetables.provenance.artifact import Artifact, make

Paths = Mapping[str, Path]


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def an_artifact(name: str = "words", recipe: Any = "once", **inputs: Artifact) -> Artifact:
    folder = Path("results")
    return Artifact(
        stage="write",
        recipe={"text": recipe},
        modules=("posetables.errors",),
        outputs={"text": folder / f"{name}.txt", "copy": folder / f"{name}.copy"},
        manifest=folder / f"{name}.manifest.json",
        inputs=inputs,
    )


def write(text: str) -> Callable[..., Mapping[str, Any]]:
    def stage(_: Mapping[str, Paths], outputs: Paths) -> dict[str, Any]:
        for path in outputs.values():
            path.write_text(text)
        return {"letters": len(text)}

    return stage


def never(_: Mapping[str, Paths], __: Paths) -> dict[str, Any]:
    raise AssertionError("this stage must not run")


def left() -> list[str]:
    """Everything in the folder of results but locks."""
    return sorted(path.name for path in Path("results").rglob("*") if path.suffix != ".lock")


ALL = ["words.copy", "words.manifest.json", "words.txt"]


# Made once


def test_a_second_call_does_nothing() -> None:
    assert make(an_artifact(), write("hello"))
    assert not make(an_artifact(), never)
    assert left() == ALL


def test_the_manifest_says_what_came_of_what() -> None:
    make(an_artifact(), write("hello"))
    after = an_artifact("more", first=an_artifact())
    make(after, write("world"))
    record = json.loads(after.manifest.read_text())
    assert record["outputs"]["text"]["path"] == "results/more.txt"
    assert record["outputs"]["text"]["sha256"] == hashlib.sha256(b"world").hexdigest()
    assert record["inputs"]["first"]["outputs"]["text"] == hashlib.sha256(b"hello").hexdigest()
    assert record["inputs"]["first"]["identity"] == an_artifact().identity
    assert record["identity"] == after.identity
    assert record["facts"] == {"letters": 5}


@pytest.mark.parametrize("name", ["text", "copy"])
def test_an_output_that_changed_since_is_made_again_whatever_its_time_says(name: str) -> None:
    make(an_artifact(), write("hello"))
    path = an_artifact().outputs[name]
    times = path.stat()
    path.write_text("jello")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert make(an_artifact(), write("hello"))
    assert path.read_text() == "hello"


def test_an_output_that_was_touched_is_not_made_again() -> None:
    make(an_artifact(), write("hello"))
    os.utime(an_artifact().outputs["text"], (0, 0))
    assert not make(an_artifact(), never)


def test_a_missing_output_is_made_again() -> None:
    make(an_artifact(), write("hello"))
    an_artifact().outputs["copy"].unlink()
    assert make(an_artifact(), write("hello"))


def test_what_lies_elsewhere_than_recorded_is_made_again() -> None:
    make(an_artifact(), write("hello"))
    moved = replace(an_artifact(), outputs={"text": Path("results/moved.txt"), "copy": Path("results/words.copy")})
    Path("results/words.txt").rename("results/moved.txt")
    assert moved.freshness().state == "stale"
    assert make(moved, write("hello"))


def test_another_identity_is_made_in_its_place() -> None:
    make(an_artifact(), write("hello"))
    assert make(an_artifact(recipe="twice"), write("hello hello"))
    assert an_artifact().outputs["text"].read_text() == "hello hello"
    assert not make(an_artifact(recipe="twice"), never)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"identity": ', b"\xff\xfe", b'{"identity": "%s"}'])
def test_an_artifact_with_a_damaged_manifest_is_made_again(content: bytes) -> None:
    make(an_artifact(), write("hello"))
    an_artifact().manifest.write_bytes(content.replace(b"%s", an_artifact().identity.encode()))
    assert make(an_artifact(), write("hello"))
    assert not make(an_artifact(), never)


def test_a_folder_takes_the_place_of_the_folder_before_it() -> None:
    def fill(*names: str) -> Callable[..., Mapping[str, Any]]:
        def stage(_: Mapping[str, Paths], outputs: Paths) -> dict[str, Any]:
            outputs["files"].mkdir()
            for name in names:
                (outputs["files"] / name).write_text(name)
            return {}

        return stage

    files = {"files": Path("results/files")}
    make(replace(an_artifact(), outputs=files), fill("a", "b"))
    make(replace(an_artifact(recipe="twice"), outputs=files), fill("c"))
    assert sorted(path.name for path in Path("results/files").iterdir()) == ["c"]


# Whole or not there


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_stage_that_fails_leaves_nothing(error: type[BaseException]) -> None:
    def fail(_: Mapping[str, Paths], outputs: Paths) -> dict[str, Any]:
        outputs["text"].write_text("half")
        raise error

    with pytest.raises(error):
        make(an_artifact(), fail)
    assert left() == []


def test_a_stage_that_forgets_an_output_leaves_nothing() -> None:
    def forget(_: Mapping[str, Paths], outputs: Paths) -> dict[str, Any]:
        outputs["text"].write_text("whole")
        return {}

    with pytest.raises(FileNotFoundError):
        make(an_artifact(), forget)
    assert left() == []


def test_what_was_there_looks_finished_no_more_once_its_successor_failed() -> None:
    make(an_artifact(), write("hello"))
    with pytest.raises(AssertionError, match="must not run"):
        make(an_artifact(recipe="twice"), never)
    assert "words.manifest.json" not in left()
    assert make(an_artifact(), write("hello"))


def test_what_a_killed_stage_left_aside_is_not_in_the_way_of_the_next() -> None:
    aside = Path("results/.words.manifest.json.aside")
    aside.mkdir(parents=True)
    (aside / "words.txt").write_text("half")
    (aside / "rubbish").write_text("half")
    make(an_artifact(), write("hello"))
    assert left() == ALL


def test_outputs_without_a_manifest_are_made_again() -> None:
    make(an_artifact(), write("hello"))
    an_artifact().manifest.unlink()
    assert make(an_artifact(), write("hello"))


# Only from what its producers wrote


def flip_a_bit(path: Path) -> None:
    times = path.stat()
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("name", ["text", "copy"])
@pytest.mark.parametrize("forge", [flip_a_bit, truncate, Path.unlink])
def test_a_forged_input_is_refused_and_nothing_is_written(forge: Callable[[Path], None], name: str) -> None:
    make(an_artifact(), write("hello"))
    path = an_artifact().outputs[name]
    forge(path)
    with pytest.raises(InputError, match=f"{path}: "):
        make(an_artifact("more", first=an_artifact()), never)
    assert [name for name in left() if name.startswith(("more", ".more"))] == []


def test_an_input_without_a_manifest_is_refused_and_nothing_is_written() -> None:
    make(an_artifact(), write("hello"))
    an_artifact().manifest.unlink()
    with pytest.raises(InputError, match=r"words.manifest.json: missing"):
        make(an_artifact("more", first=an_artifact()), never)
    assert left() == ["words.copy", "words.txt"]


def test_a_stale_input_is_refused() -> None:
    make(an_artifact(recipe="before the recipe changed"), write("hello"))
    with pytest.raises(InputError, match=r"words.manifest.json: "):
        make(an_artifact("more", first=an_artifact()), never)


# One at a time


def test_the_lock_is_held_while_a_stage_runs_and_not_after() -> None:
    lock = Path("results/.words.manifest.json.lock")

    def try_lock() -> None:
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def stage(inputs: Mapping[str, Paths], outputs: Paths) -> Mapping[str, Any]:
        with pytest.raises(BlockingIOError):
            try_lock()
        return write("hello")(inputs, outputs)

    make(an_artifact(), stage)
    try_lock()


SECOND = """
import sys
from pathlib import Path
from posetables.provenance.artifact import Artifact, make
words = Path("results/words.txt")
artifact = Artifact("write", {"text": "once"}, ("posetables.errors",), {"text": words}, Path("results/words.json"))
print("here", flush=True)
print(make(artifact, lambda _, outputs: {"letters": outputs["text"].write_text("second")}))
"""


def test_a_second_process_waits_and_then_finds_the_work_done() -> None:
    words = Path("results/words.txt")
    artifact = Artifact("write", {"text": "once"}, ("posetables.errors",), {"text": words}, Path("results/words.json"))
    others: list[subprocess.Popen[str]] = []

    def stage(_: Mapping[str, Paths], outputs: Paths) -> dict[str, Any]:
        others.append(subprocess.Popen([sys.executable, "-c", SECOND], stdout=subprocess.PIPE, text=True))
        assert others[0].stdout is not None and others[0].stdout.readline() == "here\n"
        return {"letters": outputs["text"].write_text("first")}

    make(artifact, stage)
    assert others[0].communicate()[0] == "False\n"
    assert words.read_text() == "first"
