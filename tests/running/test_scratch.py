"""Copies of crops on a node's own disk: read where they can be, shared, checked, and never missed."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from posetables.params import Recipes
from posetables.provenance.artifact import Artifact
from posetables.running import scratch
from posetables.stages import predict, train
from posetables.stages.artifacts import Artifacts

if TYPE_CHECKING:
    from conftest import Project

HG = "hcrn/lsp-pc/hg"
MINI = ("--scale", "mini")
STORE = Path("data/prepared/mini/lsp/crops.npy")


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node's own disk, named by the setting."""
    folder = tmp_path / "disk"
    folder.mkdir()
    monkeypatch.setenv("POSETABLES_SCRATCH", str(folder))
    return folder


@pytest.fixture
def inputs(project: Project) -> dict[str, Artifact]:
    """What a training reads: the crops of LSP and of LSPET."""
    return dict(Artifacts(Recipes(), "mini").train(HG, "main", 0).inputs)


def lsp(inputs: dict[str, Artifact]) -> dict[str, Artifact]:
    return {"lsp": inputs["lsp"]}


def used(inputs: dict[str, Artifact]) -> Path:
    """The store that a job would read."""
    with scratch.copies(inputs) as paths:
        return paths["lsp"]["pixels"]


def copies(disk: Path) -> set[str]:
    return {path.name for path in disk.glob("*/*") if path.is_dir()}


def test_training_and_test_read_the_copies_and_give_the_same_bytes(
    project: Project, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def noting(module: Any) -> None:
        usual = module.read_crops
        monkeypatch.setattr(
            module, "read_crops", lambda folder, *rest, **named: read.append(folder) or usual(folder, *rest, **named)
        )

    noting(train)
    noting(predict)
    made = [
        Path(f"results/mini/train/{HG}/seed0/main/weights.safetensors"),
        Path(f"results/mini/predictions/{HG}/seed0/pyramid3.parquet"),
    ]
    outcomes = []
    for setting in (str(disk), ""):
        monkeypatch.setenv("POSETABLES_SCRATCH", setting)
        project.run("train", HG, *MINI)
        project.run("predict", HG, *MINI)
        outcomes.append([path.read_bytes() for path in made])
        for path in made:
            path.unlink()
    assert [folder.is_relative_to(disk) for folder in read] == [True] * 3 + [False] * 3
    assert outcomes[0] == outcomes[1]


def test_the_folder_of_the_job_serves_where_no_setting_names_another(
    inputs: dict[str, Artifact], disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "job").mkdir()
    monkeypatch.setenv("SLURM_TMPDIR", str(tmp_path / "job"))
    assert used(inputs).is_relative_to(disk)
    monkeypatch.delenv("POSETABLES_SCRATCH")
    assert used(inputs).is_relative_to(tmp_path / "job")


def test_a_setting_may_name_a_variable_of_the_job(
    inputs: dict[str, Artifact], disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_DISK", str(disk))
    monkeypatch.setenv("POSETABLES_SCRATCH", "$NODE_DISK")
    assert used(inputs).is_relative_to(disk)


def test_an_empty_setting_turns_it_off(
    inputs: dict[str, Artifact], disk: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_TMPDIR", str(disk))
    monkeypatch.setenv("POSETABLES_SCRATCH", "")
    assert used(inputs) == STORE
    assert project.stderr() == ""


def test_a_later_job_finds_the_copy_of_the_first(
    inputs: dict[str, Artifact], disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = used(inputs)
    monkeypatch.setattr(shutil, "copyfile", None)
    assert used(inputs) == first


def test_of_jobs_that_begin_at_once_one_copies(
    inputs: dict[str, Artifact], disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied, usual = [], shutil.copyfile
    monkeypatch.setattr(shutil, "copyfile", lambda *files: copied.append(files) or usual(*files))
    with ThreadPoolExecutor(4) as jobs:
        found = set(jobs.map(lambda _: used(lsp(inputs)), range(4)))
    assert len(found) == 1
    assert len(copied) == 2  # the store and its table


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def alter(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut_short, alter, Path.unlink])
def test_a_damaged_copy_is_made_again(inputs: dict[str, Artifact], disk: Path, damage: Callable[[Path], None]) -> None:
    damage(used(inputs))
    assert used(inputs).read_bytes() == STORE.read_bytes()


def test_what_a_killed_job_has_left_is_removed(inputs: dict[str, Artifact], disk: Path) -> None:
    made = used(inputs)
    made.parent.rename(made.parent.with_suffix(".aside"))
    cut_short(made.parent.with_suffix(".aside") / made.name)
    assert used(inputs).read_bytes() == STORE.read_bytes()
    assert len(copies(disk)) == 2


# What goes wrong


def gone(disk: Path, _: pytest.MonkeyPatch) -> None:
    disk.rmdir()


def not_a_folder(disk: Path, _: pytest.MonkeyPatch) -> None:
    disk.rmdir()
    disk.touch()


def full(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))


def filled_by_others_meanwhile(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def copyfile(_: Path, to: Path) -> None:
        to.write_bytes(b"begun")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", copyfile)


def rotten(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "copyfile", lambda _, to: to.write_bytes(b"something else"))


def of_another_user(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    us = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: us + 1)


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (gone, "No such file or directory"),
        (not_a_folder, "Not a directory"),
        (full, "crops do not fit"),
        (filled_by_others_meanwhile, "No space left on device"),
        (rotten, "other bytes"),
        (of_another_user, "of another user"),
    ],
)
def test_without_a_copy_the_crops_are_read_where_they_lie_and_one_line_says_why(
    inputs: dict[str, Artifact],
    disk: Path,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Callable[[Path, pytest.MonkeyPatch], None],
    told: str,
) -> None:
    trouble(disk, monkeypatch)
    assert used(lsp(inputs)) == STORE
    (line,) = (line for line in project.stderr().splitlines() if "copying" not in line)
    assert line.startswith(f"scratch: {disk}: ")
    assert line.endswith(f"{STORE} is read where it lies")
    assert told in line


def test_a_copy_that_failed_leaves_nothing_on_the_disk(
    inputs: dict[str, Artifact], disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled_by_others_meanwhile(disk, monkeypatch)
    used(inputs)
    assert copies(disk) == set()


# What makes room


@pytest.fixture
def small_disk(disk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One with room for the store of LSP and for half as much again."""
    size = STORE.stat().st_size * 3 // 2

    def usage(_: Path) -> SimpleNamespace:
        return SimpleNamespace(free=size - sum(path.stat().st_size for path in disk.rglob("*") if path.is_file()))

    monkeypatch.setattr(shutil, "disk_usage", usage)
    return disk


@pytest.fixture
def others(small_disk: Path) -> list[Path]:
    """Copies of other crops, the one that was not used for longest first; together they leave no room."""
    folder = small_disk / f"posetables-{os.geteuid()}"
    made = []
    for age, name in enumerate("cba"):
        (folder / name).mkdir(parents=True)
        (folder / name / "crops.npy").write_bytes(bytes(STORE.stat().st_size // 3))
        os.utime(folder / name, (1e9 + age, 1e9 + age))
        made.append(folder / name)
    return made


def test_the_copy_that_was_not_used_for_longest_makes_room(inputs: dict[str, Artifact], others: list[Path]) -> None:
    assert used(lsp(inputs)) != STORE
    assert [path.exists() for path in others] == [False, False, True]


def test_a_copy_in_use_is_kept(inputs: dict[str, Artifact], small_disk: Path) -> None:
    with scratch.copies(lsp(inputs)) as held:
        assert used({"lsp": inputs["lspet"]}) == Path("data/prepared/mini/lspet/crops.npy")
        assert held["lsp"]["pixels"].exists()
    assert used({"lsp": inputs["lspet"]}).is_relative_to(small_disk)
    assert not held["lsp"]["pixels"].exists()


def test_no_copy_is_removed_where_that_would_not_be_enough(
    inputs: dict[str, Artifact], others: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=-STORE.stat().st_size))
    assert used(lsp(inputs)) == STORE
    assert all(path.exists() for path in others)
