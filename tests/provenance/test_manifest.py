"""The record beside an artifact: what it says of the content is checked, and it is there whole or not at all."""

from __future__ import annotations

import datetime
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from posetables.errors import InputError
from posetables.provenance import hashes, manifest

CONTENT = b"0123456789" * 1000


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, dict[str, Path]]:
    """A manifest and its two outputs, a file and a folder."""
    outputs = {"file": tmp_path / "file", "folder": tmp_path / "folder"}
    outputs["file"].write_bytes(CONTENT)
    (outputs["folder"] / "images").mkdir(parents=True)
    for i in range(3):
        (outputs["folder"] / f"images/im{i}.jpg").write_bytes(CONTENT + bytes([i]))
    record = {name: manifest.describe(path, path) for name, path in outputs.items()}
    manifest.write(tmp_path / "manifest.json", a_manifest(outputs=record))
    return tmp_path / "manifest.json", outputs


def a_manifest(**changed: Any) -> manifest.Manifest:
    return manifest.Manifest(
        **{
            "stage": "train",
            "identity": "one",
            "seed": 0,
            "recipe": {"b": 1, "a": 2},
            "recipe_sha256": "two",
            "code": {"sha256": "three", "modules": {}},
            "inputs": {},
            "outputs": {},
            "facts": {},
            "environment": manifest.environment(),
            "circumstances": manifest.circumstances(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), 0),
            **changed,
        }
    )


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def keeping_time(change: Callable[[Path], None], path: Path) -> None:
    times = path.stat()
    change(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_untouched_outputs_are_verified(recorded: tuple[Path, dict[str, Path]]) -> None:
    assert set(manifest.verify(*recorded).outputs) == {"file", "folder"}


@pytest.mark.parametrize("change", [flip_a_bit, truncate, append])
@pytest.mark.parametrize("changed", ["file", "folder/images/im1.jpg"])
def test_changed_content_is_found_though_the_time_is_the_old_one(
    recorded: tuple[Path, dict[str, Path]], tmp_path: Path, changed: str, change: Callable[[Path], None]
) -> None:
    keeping_time(change, tmp_path / changed)
    with pytest.raises(
        InputError, match=f"{tmp_path / changed}: not what its stage wrote; delete .* and run snakemake again"
    ):
        manifest.verify(*recorded)


@pytest.mark.parametrize(
    ("change", "first"),
    [
        (lambda folder: (folder / "images/im1.jpg").unlink(), "images/im1.jpg"),
        (lambda folder: (folder / "images/im3.jpg").write_bytes(b""), "images/im3.jpg"),
        (lambda folder: (folder / "images/im1.jpg").rename(folder / "images/im9.jpg"), "images/im1.jpg"),
        (lambda folder: (folder / "images/im1.jpg").rename(folder / "a.jpg"), "a.jpg"),
    ],
    ids=["one less", "one more", "renamed", "moved"],
)
def test_a_folder_is_its_names_as_well_as_its_contents(
    recorded: tuple[Path, dict[str, Path]], change: Callable[[Path], object], first: str
) -> None:
    change(recorded[1]["folder"])
    with pytest.raises(InputError, match=f"folder/{first}: not what its stage wrote"):
        manifest.verify(*recorded)


def test_two_files_of_a_folder_that_change_places_are_found(recorded: tuple[Path, dict[str, Path]]) -> None:
    first, second = (recorded[1]["folder"] / f"images/im{i}.jpg" for i in (0, 1))
    contents = first.read_bytes(), second.read_bytes()
    second.write_bytes(contents[0])
    first.write_bytes(contents[1])
    with pytest.raises(InputError, match="folder/images/im0.jpg: not what its stage wrote"):
        manifest.verify(*recorded)


def test_a_missing_output_is_named(recorded: tuple[Path, dict[str, Path]]) -> None:
    recorded[1]["file"].unlink()
    with pytest.raises(
        InputError, match="file: missing, though recorded; delete .*manifest.json and run snakemake again"
    ):
        manifest.verify(*recorded)


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"\xff", b"{}", b'{"outputs": {"file": {}}}'])
def test_a_missing_or_damaged_manifest_is_named_with_the_remedy(
    recorded: tuple[Path, dict[str, Path]], content: bytes | None
) -> None:
    path, outputs = recorded
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(InputError, match="manifest.json: missing or unreadable; run: snakemake") as raised:
        manifest.verify(path, outputs)
    assert len(str(raised.value).splitlines()) == 1


def test_the_hash_of_a_file_is_its_sha256(recorded: tuple[Path, dict[str, Path]]) -> None:
    assert hashes.content(recorded[1]["file"])[0] == hashlib.sha256(CONTENT).hexdigest()


def test_the_hash_of_a_folder_does_not_depend_on_where_it_lies_or_when_it_was_written(tmp_path: Path) -> None:
    for name, order in (("here", (1, 2)), ("there", (2, 1))):
        (tmp_path / name).mkdir()
        for i in order:
            (tmp_path / name / f"{i}").write_bytes(bytes([i]))
            os.utime(tmp_path / name / f"{i}", (len(name), i))
    assert hashes.content(tmp_path / "here")[0] == hashes.content(tmp_path / "there")[0]


def test_equal_records_are_equal_bytes(tmp_path: Path) -> None:
    one = a_manifest()
    manifest.write(tmp_path / "a.json", one)
    manifest.write(tmp_path / "b.json", one.model_copy(update={"recipe": {"a": 2, "b": 1}}))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_a_record_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    one = a_manifest()
    manifest.write(path, one)
    with pytest.raises(ValueError, match="JSON"):
        manifest.write(path, one.model_copy(update={"facts": {"seconds": float("nan")}}))
    assert manifest.read(path) == one
    assert list(tmp_path.iterdir()) == [path]


def test_the_environment_names_torch_only_where_the_stage_has_loaded_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(manifest.sys.modules, "torch", raising=False)
    assert manifest.environment().torch is None
