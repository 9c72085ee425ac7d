"""The files of DVC name what the project makes: nothing is missing when params grow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from posetables.params import Recipes
from posetables.provenance.artifact import Artifact
from posetables.recipe import ScaleName, is_released
from posetables.stages.artifacts import Artifacts

ROOT = Path(__file__).parents[2]
FILES: dict[ScaleName, str] = {"mini": "dvc.yaml", "lite": "workflow/lite/dvc.yaml", "paper": "workflow/paper/dvc.yaml"}

RECIPES = Recipes(ROOT / "params")


def tables(scale: ScaleName) -> list[str]:
    """Those with a number of ours."""
    return [item for item in RECIPES.tables if Artifacts(RECIPES, scale).table(item).inputs]


TABLES = [(item, scale) for scale in FILES for item in tables(scale)]


def stages(scale: ScaleName) -> dict[str, Any]:
    """Name -> stage, with the names of tables and data sets filled in."""
    found = yaml.safe_load((ROOT / FILES[scale]).read_text())["stages"]
    return {
        name: filled(stage, {k: v for each in stage.get("vars", []) for k, v in each.items()})
        for name, stage in found.items()
    }


def filled(entry: Any, values: dict[str, str]) -> Any:
    if isinstance(entry, dict):
        return {filled(key, values): filled(value, values) for key, value in entry.items()}
    if isinstance(entry, list):
        return [filled(each, values) for each in entry]
    for name, value in values.items():
        entry = entry.replace(f"${{{name}}}", value) if isinstance(entry, str) else entry
    return entry


def outputs(stage: dict[str, Any]) -> set[str]:
    return {path for entry in stage.get("outs", []) + stage.get("metrics", []) for path in entry}


def lies_in(path: str, places: set[str]) -> bool:
    return not places.isdisjoint({path, *map(str, Path(path).parents)})


def behind(artifact: Artifact) -> Iterator[Artifact]:
    yield artifact
    for each in artifact.inputs.values():
        yield from behind(each)


@pytest.mark.parametrize(("item", "scale"), TABLES)
def test_every_table_with_a_number_of_ours_has_a_stage_of_its_name(item: str, scale: ScaleName) -> None:
    stage = stages(scale)[item.replace(".", "_")]
    table = Artifacts(RECIPES, scale).table(item)
    assert outputs(stage) == set(table.tracked)
    assert stage["cmd"].split()[-1] in table.tracked


@pytest.mark.parametrize("scale", FILES)
def test_dvc_deletes_no_output_before_snakemake_has_looked_at_it(scale: ScaleName) -> None:
    for name, stage in stages(scale).items():
        for entry in stage.get("outs", []) + stage.get("metrics", []):
            assert all(options["persist"] for options in entry.values()), name


def test_all_that_a_table_rests_on_is_kept_at_mini_scale() -> None:
    kept = {path for stage in stages("mini").values() for path in outputs(stage)}
    made = {each for item in tables("mini") for each in behind(Artifacts(RECIPES, "mini").table(item))}
    for artifact in made:
        for path in (*artifact.outputs.values(), artifact.manifest):
            assert lies_in(str(path), kept)


@pytest.mark.parametrize(("item", "scale"), [(item, scale) for item, scale in TABLES if scale != "lite"])
def test_a_table_waits_for_the_scores_that_it_is_made_from(item: str, scale: ScaleName) -> None:
    waits_for = set(stages(scale)[item.replace(".", "_")]["deps"])
    for name, score in Artifacts(RECIPES, scale).table(item).inputs.items():
        published = is_released(name.partition(":")[2])
        assert lies_in("params/releases.yaml" if published else str(score.manifest), waits_for)


def test_the_audit_comes_after_every_table() -> None:
    manifests = {str(Artifacts(RECIPES, "mini").table(item).manifest) for item in tables("mini")}
    assert set(stages("mini")["audit"]["deps"]) == manifests


@pytest.mark.parametrize("scale", ["lite", "paper"])
def test_photographs_are_never_outputs_that_dvc_could_pass_on(scale: ScaleName) -> None:
    for name, stage in stages(scale).items():
        assert not any(path.startswith("data") for path in outputs(stage)), name
