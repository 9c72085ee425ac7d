"""A project in miniature: the real params, shrunk to a handful of synthetic people who are also a mirror of LSP."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

# Before NumPy or torch is loaded: on a shared machine several threads spend their time waiting for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from posetables.cli import main

pytest_plugins = ["engines"]

PARAMS = Path(__file__).parents[1] / "params"
PEOPLE = {"lsp": {"train": (1, 8), "test": (9, 12)}, "lspet": {"train": (1, 8)}}
"""Data set -> split -> its first and last person."""


@dataclass(frozen=True)
class Project:
    """The folder that a test works in, its current directory."""

    root: Path
    stderr: Callable[[], str]

    def run(self, *arguments: str) -> list[str]:
        """Do what must succeed; the lines on standard error."""
        code = main(arguments)
        lines = self.stderr().splitlines()
        assert code == 0, lines
        return lines

    def refusal(self, *arguments: str) -> str:
        """The one line that the user is told when a command is refused; nothing on the disk may have changed."""
        before = self.files()
        self.stderr()
        code = main(arguments)
        (line,) = (line for line in self.stderr().splitlines() if line.startswith("posetables: "))
        assert code == 2
        assert self.files() == before
        return line

    def files(self) -> dict[str, str]:
        """Path -> content hash of everything but locks, remembered hashes and checkpoints; folders that something was
        made aside in count as well."""
        passing = {".posetables", "checkpoints"}
        paths = [path for path in self.root.rglob("*") if path.suffix != ".lock" and not passing & {*path.parts}]
        return {
            str(path.relative_to(self.root)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            for path in paths
            if path.is_file() or "aside" in path.name
        }

    def replace(self, file: str, old: str, new: str) -> None:
        """Edit one place of a text file, as a person would."""
        text = (self.root / file).read_text()
        assert old in text, f"{file} has no {old!r}"
        (self.root / file).write_text(text.replace(old, new, 1))

    def edit(self, file: str, change: Callable[[dict[str, Any]], None]) -> None:
        _edit(self.root / file, change)

    def pin(self, dataset: str, folder: str | None = None) -> None:
        """Take the files of the mirror, as they are now, for the good ones; folder: theirs, if not called as they."""
        _pin(self.root, dataset, folder or dataset)


CopyOf = Callable[[Path], Project]


@pytest.fixture
def copy_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CopyOf:
    """A copy of a made project for a test to work in, with no mirror in use."""

    def copy(made: Path) -> Project:
        root = tmp_path / "project"
        shutil.copytree(made, root)
        monkeypatch.chdir(root)
        monkeypatch.delenv("POSETABLES_MIRROR", raising=False)
        return Project(root, lambda: capsys.readouterr().err)

    return copy


@pytest.fixture
def project(prepared_project: Path, copy_of: CopyOf) -> Project:
    """Params, a mirror that no variable names yet, and people fetched and cut out at mini scale."""
    return copy_of(prepared_project)


ROWS = {"VGG16-HCRN": "hcrn/lsp-pc/vgg16-hcrn", "VGG16-Holistic": "hcrn/lsp-pc/vgg16-holistic"}
"""What is left of HCRN's Table I in `table_project`."""


@pytest.fixture(scope="session")
def table_project(prepared_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with a table of two rows, made at mini scale by the verbs."""
    root = tmp_path_factory.mktemp("table") / "project"
    shutil.copytree(prepared_project, root)
    for entry in (root / "params/papers").iterdir():
        if entry.name != "hcrn":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    (root / "params/papers/hcrn/claims.yaml").unlink(missing_ok=True)
    _edit(root / "params/scales.yaml", _forget_other_papers)
    tables = root / "params/papers/hcrn/tables.yaml"
    table = yaml.safe_load(tables.read_text())["hcrn_table1"] | {"rows": ROWS}
    tables.write_text(yaml.safe_dump({"hcrn_table1": table}, sort_keys=False))
    with contextlib.chdir(root):
        for experiment in ROWS.values():
            for verb in ("train", "predict", "score", "measure"):
                assert main([verb, experiment, "--scale", "mini"]) == 0
        assert main(["tabulate", "hcrn_table1", "--scale", "mini"]) == 0
    return root


@pytest.fixture
def with_table(table_project: Path, copy_of: CopyOf) -> Project:
    """The same with a table of two rows, made at mini scale."""
    return copy_of(table_project)


@pytest.fixture
def mirror(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's mirror, in use."""
    monkeypatch.setenv("POSETABLES_MIRROR", str(project.root / "mirror"))
    return project.root / "mirror"


@pytest.fixture(scope="session")
def prepared_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    _write_params(root)
    with contextlib.chdir(root):
        for verb in ("fetch", "annotate", "crop"):
            for dataset in ("lsp", "lspet"):
                assert main([verb, dataset, "--scale", "mini"]) == 0
    return root


def _write_params(root: Path) -> None:
    from posetables.data.synthetic import lsp, lspet

    shutil.copytree(PARAMS, root / "params")
    (root / "constraints.txt").write_text("torch==1\n")
    _edit(root / "params/scales.yaml", _shrink_scales)
    for dataset, write in (("lsp", lsp.write), ("lspet", lspet.write)):
        write(root / "mirror" / dataset, PEOPLE[dataset], 1)
        # No addresses: a test that needs the network is no test.
        few = {"sources": [], "splits": {split: list(ends) for split, ends in PEOPLE[dataset].items()}}
        _edit(root / f"params/datasets/{dataset}.yaml", lambda source, few=few: source.update(few))
        _pin(root, dataset, dataset)


def _shrink_scales(scales: dict[str, Any]) -> None:
    scales["lite"]["people"] = {}
    scales["mini"] |= {
        "people": {name: {split: list(ends) for split, ends in splits.items()} for name, splits in PEOPLE.items()},
        "networks": {
            "hourglass": {"stacks": 2, "features": 8},
            "resnet101": {"width": 0.01},
            "vgg16": {"width": 0.01, "dropout": 0.5},
            "cpm": {"width": 0.01},
        },
        "trainings": {
            backbone: {"epochs": 2, "lr": 0.002, "batch": 4} for backbone in ("hourglass", "resnet101", "vgg16", "cpm")
        },
    }


def _forget_other_papers(scales: dict[str, Any]) -> None:
    """What small scales change of papers that are not there would be a mistake."""
    for scale in (scales["mini"], scales["lite"]):
        scale["input"] = {side: small for side, small in scale["input"].items() if side in (368, 384)}
        backbones = {"cpm", "hourglass", "resnet101", "vgg16"}
        scale["networks"] = {name: each for name, each in scale["networks"].items() if name in backbones}
        known = {"vgg16/sgd-l2", *scale["networks"]}
        scale["trainings"] = {name: each for name, each in scale["trainings"].items() if name in known}


def _edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def _pin(root: Path, dataset: str, folder: str) -> None:
    files = root / "mirror" / folder
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(files)}\n"
        for path in sorted(files.rglob("*"))
        if path.is_file()
    ]
    (root / "params/datasets" / f"{dataset}.sha256").write_text("".join(lines))
