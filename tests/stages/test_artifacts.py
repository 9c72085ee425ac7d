"""What follows from what: a change of params moves what reads it, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from posetables.params import Recipes
from posetables.provenance import identity
from posetables.provenance.artifact import Artifact
from posetables.recipe import SCALES as EVERY_SCALE
from posetables.recipe import ScaleName
from posetables.stages.artifacts import Artifacts

if TYPE_CHECKING:
    from conftest import Project

PARAMS = Path(__file__).parents[2] / "params"
EXPERIMENTS, TABLES = "params/papers/hcrn/experiments.yaml", "params/papers/hcrn/tables.yaml"
SCALES = "params/scales.yaml"


def identities() -> dict[str, str]:
    artifacts = Artifacts(Recipes(), "mini")
    hg = "hcrn/lsp-pc/hg"
    return {
        "fetch": artifacts.fetch("lsp").identity,
        "annotate": artifacts.annotate("lsp").identity,
        "crop": artifacts.crop("lsp").identity,
        "train": artifacts.train(hg, "main", 0).identity,
        "predict": artifacts.predict(hg, "pyramid3", 0).identity,
        "score": artifacts.score(hg, "pyramid3", 0).identity,
        "measure": artifacts.measure(hg).identity,
        "table": artifacts.table("hcrn_table1").identity,
        "another network": artifacts.train("hcrn/lsp-pc/vgg16-hcrn", "main", 0).identity,
    }


@pytest.mark.parametrize(
    ("file", "old", "new", "moved"),
    [
        (TABLES, "with and without the", "with or without the", "table"),
        ("params/papers/hcrn/published.csv", "HG,Avg,85.4", "HG,Avg,85.5", "table"),
        (EXPERIMENTS, "blur: 3", "blur: 4", "predict score table"),
        (EXPERIMENTS, "lr: 2.5e-4}", "lr: 2.5e-4, momentum: 0.1}", "train predict score table"),
        (EXPERIMENTS, "radius: 10", "radius: 11", "train predict score table, another network"),
        (EXPERIMENTS, "stacks: 8, head: holistic", "head: holistic", ""),  # the scale says how many
        (EXPERIMENTS, "rotation: 40", "rotation: 30", "train predict score table, another network"),
        (SCALES, "resolution: 64", "resolution: 63", "crop train predict score table, another network"),
        ("params/datasets/lsp.yaml", "title: ", "title: New ", ""),
        (SCALES, "runtime: 2880", "runtime: 2881", ""),
    ],
)  # fmt: skip
def test_a_change_of_params_moves_what_reads_it_and_nothing_else(
    project: Project, file: str, old: str, new: str, moved: str
) -> None:
    before = identities()
    project.replace(file, old, new)
    after = identities()
    first, _, more = moved.partition(", ")
    assert {name for name in before if before[name] != after[name]} == {*first.split(), *([more] if more else [])}


Edit = Callable[[str, str], None]


@pytest.fixture
def edit(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Edit]:
    """Append a line of code to a module of a copy of the package, a new one if it is not there."""
    package = project.root / "src/posetables"
    shutil.copytree(identity.ROOT / "posetables", package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(identity, "ROOT", package.parent)

    def run(module: str, line: str) -> None:
        with (package / module).open("a") as file:
            file.write(f"\n{line}\n")
        forget()

    forget()
    yield run
    forget()


def forget() -> None:
    """Sources are read once in the life of a command; here they change in between."""
    for function in vars(identity).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()


TRAINED = "train predict score table, another network"


@pytest.mark.parametrize(
    ("module", "moved"),
    [
        ("data/skeletons/other.py", ""),
        ("data/readers/other.py", ""),
        ("data/synthetic/other.py", ""),
        ("data/skeletons/lsp.py", f"fetch annotate crop measure {TRAINED}"),
        ("data/synthetic/lsp.py", f"fetch annotate crop {TRAINED}"),
        ("data/readers/lsp.py", f"fetch annotate crop {TRAINED}"),  # synthetic labels are made by a rule of theirs
        ("stages/annotate.py", f"annotate crop {TRAINED}"),
        ("stages/crop.py", f"crop {TRAINED}"),
        ("stages/predict.py", "predict score table"),
        ("metrics/pck.py", "score table"),
    ],
)
def test_a_change_of_code_moves_what_runs_it_and_nothing_else(edit: Edit, module: str, moved: str) -> None:
    before = identities()
    edit(module, "CHANGED = True")
    after = identities()
    first, _, more = moved.partition(", ")
    assert {name for name in before if before[name] != after[name]} == {*first.split(), *([more] if more else [])}


PEOPLE = [file.stem for file in sorted((PARAMS / "datasets").glob("*.yaml")) if "\nreader:" in file.read_text()]


@pytest.mark.parametrize("dataset", PEOPLE)
@pytest.mark.parametrize("scale", EVERY_SCALE)
def test_every_data_set_of_people_has_a_reader_and_synthetic_people(dataset: str, scale: ScaleName) -> None:
    crops = Artifacts(Recipes(PARAMS), scale).crop(dataset)
    assert crops.identity
    drawn = {each.recipe["reader"] for each in crops.all() if each.stage == "fetch" and each.modules}
    assert drawn == ({Recipes(PARAMS).source(dataset).reader} if scale == "mini" else set())


# What rests on labels, and what on images


def behind(artifact: Artifact) -> set[str]:
    return {str(each.manifest) for each in artifact.all() if each.stage in ("fetch", "annotate", "crop")}


@pytest.fixture
def real() -> Artifacts:
    """What is made of real people."""
    return Artifacts(Recipes(PARAMS), "lite")


def test_the_score_of_published_predictions_rests_on_labels_alone(real: Artifacts) -> None:
    assert behind(real.score("released/lsp-pc/yang16", "published", 0)) == {
        "data/raw/lite/lsp.labels.manifest.json",
        "data/raw/lite/lsp-predictions.manifest.json",
        "data/prepared/lite/lsp/people.manifest.json",
    }


def test_crops_rest_on_labels_and_on_the_images_that_these_name(real: Artifacts) -> None:
    assert behind(real.crop("lsp")) == {
        "data/raw/lite/lsp.labels.manifest.json",
        "data/prepared/lite/lsp/people.manifest.json",
        "data/raw/lite/lsp.images.manifest.json",
        "data/prepared/lite/lsp/crops.manifest.json",
    }


def test_how_crops_are_cut_or_images_known_leaves_published_scores_alone(edit: Edit, project: Project) -> None:
    def found() -> dict[str, str]:
        artifacts = Artifacts(Recipes(), "lite")
        published, own = artifacts.score("released/lsp-pc/yang16", "published", 0), artifacts.crop("lsp")
        return {"published": published.identity, "crop": own.identity}

    before = found()
    edit("stages/crop.py", "CHANGED = True")
    coded = found()
    project.replace("params/datasets/lsp.sha256", "  images/im0001.jpg", "  images/im0001.jpg.old")
    pinned = found()
    assert before["published"] == coded["published"] == pinned["published"]
    assert len({before["crop"], coded["crop"], pinned["crop"]}) == 3


def test_checkpoints_of_another_recipe_are_never_found(project: Project) -> None:
    def place() -> Path:
        artifacts = Artifacts(Recipes(), "mini")
        return artifacts.checkpoints(artifacts.train("hcrn/lsp-pc/hg", "main", 0))

    before = place()
    project.replace(EXPERIMENTS, "rotation: 40", "rotation: 30")
    assert place() != before


def test_seeds_have_identities_and_places_of_their_own(project: Project) -> None:
    artifacts = Artifacts(Recipes(), "mini")
    trained = [artifacts.train("hcrn/lsp-pc/hg", "main", seed) for seed in range(3)]
    assert len({each.identity for each in trained}) == len({each.manifest for each in trained}) == 3
