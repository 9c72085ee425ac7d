"""What every writer of synthetic people owes: bytes that repeat, and images that more people do not change."""

import importlib
import pkgutil
import time
from pathlib import Path

import pytest

from posetables.data import synthetic
from posetables.errors import InputError

SPLITS = {
    "lsp": ("train", "test"),
    "lspet": ("train",),
    "flic": ("train", "test"),
    "mpii": ("train", "val"),
    "mpii_mat": ("train", "test"),
    "coco": ("train", "val"),
    "coco_test": ("test-dev",),
}


@pytest.fixture(params=SPLITS)
def reader(request):
    return request.param


def write(reader: str, folder: Path, count: int, seed: int = 0) -> dict[str, bytes]:
    """Relative path -> content of all files."""
    splits = dict.fromkeys(SPLITS[reader], (1, count))
    importlib.import_module(f"posetables.data.synthetic.{reader}").write(folder, splits, seed)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def images(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if name.endswith(".jpg")}


def test_every_writer_is_tested_here():
    modules = (module.name for module in pkgutil.iter_modules(synthetic.__path__))
    writers = {name for name in modules if hasattr(importlib.import_module(f"{synthetic.__name__}.{name}"), "write")}
    assert writers == set(SPLITS)


def test_a_second_call_writes_the_same_bytes_at_another_time(reader, tmp_path, monkeypatch):
    once = write(reader, tmp_path / "once", 3, seed=3)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 5000)
    assert write(reader, tmp_path / "again", 3, seed=3) == once


def test_no_matlab_file_carries_a_time_stamp(reader, tmp_path):
    for name, content in write(reader, tmp_path, 1).items():
        if name.endswith(".mat"):
            assert content.startswith(b"MATLAB 5.0 MAT-file") and b"Created on" not in content[:128]


def test_asking_for_more_people_changes_no_image(reader, tmp_path):
    few, many = (images(write(reader, tmp_path / str(count), count)) for count in (2, 4))
    assert few.items() < many.items()


def test_a_split_does_not_depend_on_the_others(reader, tmp_path):
    module = importlib.import_module(f"posetables.data.synthetic.{reader}")
    last = SPLITS[reader][-1]
    module.write(tmp_path, {last: (1, 2)}, 0)
    alone = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*.jpg")}
    assert alone.items() <= write(reader, tmp_path / "all", 2).items()


def test_no_two_images_are_the_same_whatever_the_split_or_seed(reader, tmp_path):
    found = [*images(write(reader, tmp_path / "0", 3)).values(), *images(write(reader, tmp_path / "1", 3, 1)).values()]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(("count", "seed", "key"), [(0, 0, " is 0"), (-2, 0, " is -2"), (1, -1, "seed is -1")])
def test_a_request_for_nobody_is_refused_before_anything_is_written(reader, count, seed, key, tmp_path):
    with pytest.raises(InputError, match=key):
        write(reader, tmp_path / "none", count, seed)
    assert not (tmp_path / "none").exists()


def test_a_split_that_coco_does_not_have_is_refused(tmp_path):
    with pytest.raises(InputError, match="COCO has no labels of a split 'test'; there are train, val"):
        importlib.import_module("posetables.data.synthetic.coco").write(tmp_path / "none", {"test": (1, 2)}, 0)
    assert not (tmp_path / "none").exists()
