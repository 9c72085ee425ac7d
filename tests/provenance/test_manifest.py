"""The record beside an artifact: what it says of the content is checked, and it is there whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from posetables.errors import InputError
from posetables.provenance import manifest

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
    manifest.write(tmp_path / "manifest.json", {"identity": "one", "outputs": record})
    return tmp_path / "manifest.json", outputs


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
    assert set(manifest.verify(*recorded)["outputs"]) == {"file", "folder"}


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
    assert manifest.hash_path(recorded[1]["file"]) == hashlib.sha256(CONTENT).hexdigest()


def test_the_hash_of_a_folder_does_not_depend_on_where_it_lies_or_when_it_was_written(tmp_path: Path) -> None:
    for name, order in (("here", (1, 2)), ("there", (2, 1))):
        (tmp_path / name).mkdir()
        for i in order:
            (tmp_path / name / f"{i}").write_bytes(bytes([i]))
            os.utime(tmp_path / name / f"{i}", (len(name), i))
    assert manifest.hash_path(tmp_path / "here") == manifest.hash_path(tmp_path / "there")


def test_equal_records_are_equal_bytes(tmp_path: Path) -> None:
    manifest.write(tmp_path / "a.json", {"stage": "train", "inputs": {"b": 1, "a": 2}})
    manifest.write(tmp_path / "b.json", {"inputs": {"a": 2, "b": 1}, "stage": "train"})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_a_record_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    manifest.write(path, {"stage": "train"})
    with pytest.raises(ValueError, match="JSON"):
        manifest.write(path, {"stage": "train", "seconds": float("nan")})
    assert json.loads(path.read_text()) == {"stage": "train"}
    assert list(tmp_path.iterdir()) == [path]


def test_the_environment_names_torch_only_where_the_stage_has_loaded_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(manifest.sys.modules, "torch", raising=False)
    assert "torch" not in manifest.environment()
    assert {"python", "platform", "processor", "lock", "numpy"} <= set(manifest.environment())
