"""The pipeline of dvc.yaml, by the real DVC: what is made travels between clones, and rot is found.

Of its stages those are taken that Table I has made everything for: others are no different, and each would train.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from posetables.provenance.hashes import sha256

pytestmark = pytest.mark.slow

Run = Callable[..., subprocess.CompletedProcess[str]]

TABLE = "results/mini/tables/hcrn_table5.csv"
SCORE = "results/mini/scores/hcrn/lsp-pc/hg-hcrn/seed0/pyramid3.json"


@dataclass(frozen=True)
class Clone:
    root: Path
    run_in: Run

    def run(self, *command: str) -> str:
        """Do what must succeed; all that it prints."""
        done = self.run_in(self.root, *command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def refusal(self, *command: str) -> str:
        done = self.run_in(self.root, *command)
        assert done.returncode != 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def commit(self) -> None:
        self.run("git", "add", "--all")
        self.run("git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "--quiet", "-m", "test")

    def manifests(self) -> dict[str, str]:
        """Each is written anew by a stage that runs."""
        found = [path for top in ("data", "results/mini") for path in (self.root / top).rglob("*manifest.json")]
        return {str(path.relative_to(self.root)): sha256(path) for path in found}


STAGES = ("lsp", "lspet", "hcrn-lsp-pc", "hcrn_table1", "hcrn_table5", "audit")


def keep_stages(file: Path) -> None:
    content = yaml.safe_load(file.read_text())
    content["stages"] = {name: content["stages"][name] for name in STAGES}
    content["stages"]["audit"]["deps"] = [f"results/mini/tables/{item}.manifest.json" for item in STAGES[3:5]]
    file.write_text(yaml.safe_dump(content, sort_keys=False))


@pytest.fixture(scope="module")
def first(made: Path, tmp_path_factory: pytest.TempPathFactory, run_in: Run) -> Clone:
    """A clone whose experiments Snakemake has made, before DVC has seen it."""
    root = tmp_path_factory.mktemp("first") / "clone"
    shutil.copytree(made, root)
    keep_stages(root / "dvc.yaml")
    clone = Clone(root, run_in)
    clone.run("git", "init", "--quiet")
    clone.commit()
    return clone


@pytest.fixture(scope="module")
def before(first: Clone) -> dict[str, str]:
    return first.manifests()


@pytest.fixture(scope="module")
def pushed(first: Clone, before: dict[str, str]) -> Clone:
    """The clone after `dvc repro` and `dvc push` into a folder beside it."""
    first.run("dvc", "repro")
    first.run("dvc", "remote", "add", "--default", "store", str(first.root.parent / "store"))
    first.run("dvc", "remote", "modify", "store", "verify", "true")
    first.commit()
    first.run("dvc", "push")
    return first


@pytest.fixture
def second(pushed: Clone, tmp_path: Path) -> Clone:
    """Another clone, its results pulled."""
    pushed.run("git", "clone", "--quiet", ".", str(tmp_path / "second"))
    clone = Clone(tmp_path / "second", pushed.run_in)
    clone.run("dvc", "pull")
    return clone


def stored(place: Path, file: Path) -> Path:
    """The object below a cache or a remote that holds a file's content."""
    name = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
    return place / "files/md5" / name[:2] / name[2:]


def flip(path: Path) -> None:
    """Change one digit, as rot on a disk would: behind the back of every program."""
    content = path.read_bytes()
    place = max(content.rfind(digit) for digit in (b"1", b"3", b"5"))
    path.chmod(0o644)
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    path.chmod(0o444)


def test_what_snakemake_has_made_is_not_made_again_because_dvc_asks(pushed: Clone, before: dict[str, str]) -> None:
    after = pushed.manifests()
    assert {name: after[name] for name in before} == before
    assert (pushed.root / TABLE).exists()


def test_a_second_repro_runs_the_audit_alone(pushed: Clone) -> None:
    said = pushed.run("dvc", "repro").splitlines()
    assert [line for line in said if line.startswith("Running stage")] == ["Running stage 'audit':"]


def test_pulled_results_are_current_for_snakemake_for_dvc_and_for_the_audit(second: Clone, pushed: Clone) -> None:
    assert second.manifests() == pushed.manifests()
    tables = [str(path.relative_to(second.root)) for path in second.root.glob("results/mini/tables/hcrn_*[0-9].csv")]
    assert "Nothing to be done" in second.run("snakemake", "-n", *tables)
    assert second.run("dvc", "status", "dvc.yaml").split() == ["audit:", "always", "changed"]
    assert "verified" in second.run("posetables", "audit", "--all", "--scale", "mini").splitlines()[-1]
    assert second.run("git", "status", "--porcelain") == ""


@pytest.mark.parametrize("file", [TABLE, SCORE])
def test_a_rotten_object_of_the_cache_is_refused_with_its_file_and_cells(second: Clone, file: str) -> None:
    flip(stored(second.root / ".dvc/cache", second.root / file))
    (second.root / file).unlink()
    second.run("dvc", "checkout")  # says nothing, which is the threat
    said = second.refusal("dvc", "repro")
    assert f"broken {file}: not what its stage wrote" in said
    assert "hcrn_table5 (mini): HG-HCRN: Head, Shoulder, Elbow, Wrist, Hip, Knee, Ankle, Avg" in said


def test_without_cache_and_file_the_same_content_is_made_again_and_nothing_else(second: Clone) -> None:
    before, content = second.manifests(), sha256(second.root / SCORE)
    shutil.rmtree(second.root / ".dvc/cache")
    (second.root / SCORE).unlink()
    second.run("dvc", "repro")
    changed = {name for name, known in second.manifests().items() if before[name] != known}
    assert changed == {SCORE.replace(".json", ".manifest.json")}
    assert sha256(second.root / SCORE) == content


def test_a_rotten_object_of_the_remote_never_arrives(pushed: Clone, tmp_path: Path) -> None:
    shutil.copytree(pushed.root.parent / "store", tmp_path / "store")
    pushed.run("git", "clone", "--quiet", ".", str(tmp_path / "third"))
    third = Clone(tmp_path / "third", pushed.run_in)
    third.run("dvc", "remote", "modify", "--local", "store", "url", str(tmp_path / "store"))
    flip(stored(tmp_path / "store", pushed.root / TABLE))
    assert TABLE in third.refusal("dvc", "pull")
    assert not (third.root / TABLE).exists()


def test_a_difference_of_params_names_the_key_and_both_values(second: Clone) -> None:
    scales = second.root / "params/scales.yaml"
    paper, mini = scales.read_text().split("\nmini:")
    scales.write_text(f"{paper}\nmini:{mini.replace('vgg16: {epochs: 15', 'vgg16: {epochs: 16')}")
    moved = json.loads(second.run("dvc", "params", "diff", "--json"))
    assert moved == {"params/scales.yaml": {"mini.trainings.vgg16.epochs": {"old": 15, "new": 16, "diff": 1}}}


def test_the_metrics_are_the_numbers_of_the_cells(pushed: Clone) -> None:
    shown = json.loads(pushed.run("dvc", "metrics", "show", "--json"))[""]["data"]
    rows = shown[TABLE.replace(".csv", ".json")]["data"]
    with (pushed.root / TABLE.replace(".csv", ".cells.csv")).open(newline="") as file:
        cells = [cell for cell in csv.DictReader(file) if cell["kind"] == "measured"]
    assert {(row, name): value for row, columns in rows.items() for name, value in columns.items()} == {
        (cell["row"], cell["column"]): float(cell["value"]) for cell in cells
    }
