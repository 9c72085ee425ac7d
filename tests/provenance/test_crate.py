"""A crate holds what it says it holds, leads from a table to its data, and is what its profile asks for."""

from __future__ import annotations

import hashlib
import importlib.resources
import io
import json
import os
import shlex
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import urllib3
from requests_cache import CachedSession
from rocrate_validator import services
from rocrate_validator.models import ValidationSettings

from posetables.errors import InputError
from posetables.params import Recipes
from posetables.provenance import crate
from posetables.provenance.artifact import Artifact, make
from posetables.provenance.lineage import Lineage, Node
from posetables.stages.artifacts import Artifacts

if TYPE_CHECKING:
    from conftest import Project

Entity = dict[str, Any]
CRATE = Path("crate")
ROOT = Path(__file__).parents[2]
LICENCE = "none stated; photographs, for research"


def made(stage: str, facts: Mapping[str, Any], outputs: Mapping[str, Path], **inputs: Artifact) -> Artifact:
    """Make an artifact whose files hold their own names, or a folder of images."""

    def run(_: object, places: Mapping[str, Path]) -> Mapping[str, Any]:
        for name, place in places.items():
            if place.suffix:
                place.write_text(f"{stage} {name}")
            else:
                place.mkdir()
                (place / "im1.jpg").write_bytes(b"not to be passed on")
        return dict(facts)

    manifest = next(iter(outputs.values())).with_suffix(".manifest.json")
    recipe = {"title": "A table", "scale": "lite", "dataset": "people"}
    artifact = Artifact(stage, recipe, ("posetables.errors",), outputs, manifest, inputs)
    assert make(artifact, run)
    return artifact


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Manifest of a table that rests on a data set; the test works in the root of its project."""
    monkeypatch.chdir(tmp_path)
    Path("workflow/rules").mkdir(parents=True)
    for name in ("Snakefile", "workflow/rules/make_tables.smk", "LICENSE", "constraints.txt"):
        shutil.copy(ROOT / name, name)
    facts = {
        "licence": LICENCE,
        "cite": "A. Author, BMVC 2010",
        "origins": {"https://example.org/a.zip": 1, "/home": 1},
    }
    results = Path("results")
    people = made("fetch", facts, {"files": Path("data/people")})
    weights = {"weights": results / "a.safetensors", "history": results / "a.csv"}
    trained = made("train", {"steps": 3}, weights, people=people)
    weights = {"weights": results / "a2.safetensors", "history": results / "a2.csv"}
    trained = made("train", {"steps": 3}, weights, start=trained)
    numbers = {"scores": results / "b.json", "hits": results / "b.hits.parquet"}
    scored = made("score", {}, numbers, people=people, weights=trained)
    cost = made("measure", {"device": "a processor"}, {"cost": results / "cost.json"})
    rendered = {"table": results / "c.csv", "cells": results / "c.cells.csv", "metrics": results / "c.json"}
    return made("tabulate", {"cells": 1}, rendered, cost=cost, score=scored).manifest


def node(manifest: Path) -> Node:
    return Lineage().node(manifest)


def entities(folder: Path = CRATE) -> dict[str, Entity]:
    graph = json.loads((folder / "ro-crate-metadata.json").read_text())["@graph"]
    found = {entity["@id"]: entity for entity in graph}
    assert len(found) == len(graph)
    return found


def named(value: Any) -> list[str]:
    """Identifiers that a property refers to."""
    return [each["@id"] for each in (value if isinstance(value, list) else [value])]


def of_type(kind: str) -> list[Entity]:
    return [entity for entity in entities().values() if kind in entity["@type"]]


# The profile


@pytest.fixture(scope="session")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The validator's own cache, filled as it would be online: nothing else is answered when it works offline.

    The context of RO-Crate 1.1 is that of 1.3, which the package rocrate ships, with the four terms of Bioschemas as
    1.1 has them. Of that of Workflow Run RO-Crate, the one term that our crates use.
    """
    shipped = json.loads((importlib.resources.files("rocrate") / "data/ro-crate.jsonld").read_text())["@context"]
    del shipped["sha256"]
    bioschemas = "https://bioschemas.org/"
    shipped |= {name: f"{bioschemas}{name}" for name in ("ComputationalWorkflow", "FormalParameter")}
    shipped |= {name: f"{bioschemas}ComputationalWorkflow#{name}" for name in ("input", "output")}
    terms = "https://w3id.org/ro/terms/workflow-run"
    served = {
        "https://w3id.org/ro/crate/1.1/context": shipped,
        f"{terms}/context": {"sha256": f"{terms}#sha256"},
    }
    place = tmp_path_factory.mktemp("contexts") / "cache"
    with CachedSession(str(place), backend="sqlite") as session:
        for url, context in served.items():
            session.cache.save_response(answer(url, json.dumps({"@context": context}).encode()))
    return place


def answer(url: str, content: bytes) -> requests.Response:
    response = requests.Response()
    response.status_code, response.url = 200, url
    response.headers["Content-Type"] = "application/ld+json"
    response.raw = urllib3.HTTPResponse(io.BytesIO(content), preload_content=False)
    response.request = requests.Request("GET", url).prepare()
    return response


def findings(contexts: Path) -> list[str]:
    """What the validator finds of all that the profile, and those that it extends, require."""
    settings = ValidationSettings(
        rocrate_uri=CRATE, profile_identifier="provenance-run-crate", offline=True, cache_path=contexts
    )
    return [str(issue.message) for issue in services.validate(settings).get_issues()]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of rdflib, by pyshacl
def test_the_validator_of_the_profile_finds_everything_that_is_required(table: Path, contexts: Path) -> None:
    crate.write(node(table), CRATE)
    assert findings(contexts) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("kind", "key", "finding"),
    [
        ("CreateAction", "instrument", "The Action MUST have an instrument"),
        ("FormalParameter", "additionalType", "FormalParameter MUST have an additionalType"),  # a term of Bioschemas
    ],
)
def test_the_validator_would_find_what_is_missing(
    table: Path, contexts: Path, kind: str, key: str, finding: str
) -> None:
    crate.write(node(table), CRATE)
    metadata = json.loads((CRATE / "ro-crate-metadata.json").read_text())
    del next(entity for entity in metadata["@graph"] if kind in entity["@type"])[key]
    (CRATE / "ro-crate-metadata.json").write_text(json.dumps(metadata))
    assert [each for each in findings(contexts) if finding in each]


# What it holds


def test_every_file_has_the_hash_and_the_size_that_are_told_of_it(table: Path) -> None:
    crate.write(node(table), CRATE)
    files = {str(path.relative_to(CRATE)): path.read_bytes() for path in CRATE.rglob("*") if path.is_file()}
    del files["ro-crate-metadata.json"]
    told = {each["@id"]: each for each in of_type("File") if not each["@id"].startswith("#")}
    assert {name: (each["sha256"], each["contentSize"]) for name, each in told.items()} == {
        name: (hashlib.sha256(content).hexdigest(), str(len(content))) for name, content in files.items()
    }


def test_numbers_and_the_records_of_all_stages_are_carried(table: Path) -> None:
    crate.write(node(table), CRATE)
    made = {str(path) for path in Path().rglob("*.manifest.json") if CRATE not in path.parents}
    numbers = "a.csv a2.csv b.json b.hits.parquet cost.json c.csv c.cells.csv c.json"
    assert made | {f"results/{name}" for name in numbers.split()} <= set(named(entities()["./"]["hasPart"]))


def test_images_and_weights_are_described_and_not_passed_on(table: Path) -> None:
    crate.write(node(table), CRATE)
    assert not [path for path in CRATE.rglob("*") if path.suffix in (".jpg", ".safetensors")]
    found = entities()
    weights, people = found["#results/a.safetensors"], found["#data/people/"]
    assert weights["sha256"] == hashlib.sha256(b"train weights").hexdigest()
    assert people["@type"] == "Dataset"
    assert found[named(people["license"])[0]]["name"] == LICENCE
    assert found[named(people["citation"])[0]]["name"] == "A. Author, BMVC 2010"
    assert named(people["isBasedOn"]) == ["https://example.org/a.zip"]  # and no folder of a machine


def test_pinned_packages_that_have_moved_on_since_are_not_carried(table: Path) -> None:
    Path("constraints.txt").write_text("numpy==99")
    crate.write(node(table), CRATE)
    assert not (CRATE / "constraints.txt").exists()


# What it tells


def test_actions_lead_from_the_table_to_the_data(table: Path) -> None:
    crate.write(node(table), CRATE)
    runs = [each for each in of_type("CreateAction") if each["@id"] != "#run"]
    maker = {result: run for run in runs for result in named(run["result"])}
    seen, waiting = set(), ["results/c.csv"]
    while waiting:
        name = waiting.pop()
        if name in maker and name not in seen:
            seen.add(name)
            waiting += named(maker[name]["object"])
    assert {"#results/a.safetensors", "#data/people/", "results/cost.json"} <= seen


def test_an_action_has_the_command_the_times_and_the_recipe_of_its_record(table: Path) -> None:
    crate.write(node(table), CRATE)
    found, record = entities(), json.loads(table.read_text())
    action = found["#run/results/c"]
    assert action["description"].startswith(shlex.join(record["circumstances"]["command"]))
    assert (action["startTime"], action["endTime"]) == tuple(record["circumstances"][key] for key in ("start", "end"))
    recipe = next(found[name] for name in named(action["object"]) if found[name]["@type"] == "PropertyValue")
    assert json.loads(recipe["value"]) == record["recipe"]
    tool = found[action["instrument"]["@id"]]
    assert tool["softwareVersion"] == record["code"]["sha256"]
    python = next(found[name] for name in named(tool["softwareRequirements"]) if found[name]["name"] == "Python")
    assert python["softwareVersion"] == record["environment"]["python"]


def test_a_tool_has_as_input_whatever_its_runs_have_read(table: Path) -> None:
    crate.write(node(table), CRATE)
    (trainer,) = (each for each in of_type("SoftwareApplication") if each["name"] == "posetables train")
    assert set(named(trainer["input"])) == {"#train/recipe", "#fetch/files", "#train/weights", "#train/history"}


def test_a_step_comes_after_those_whose_files_it_reads(table: Path) -> None:
    crate.write(node(table), CRATE)
    position = {each["name"]: int(each["position"]) for each in of_type("HowToStep")}
    assert sorted(position.values()) == list(range(5))
    assert position["fetch"] < position["train"] < position["score"] < position["tabulate"] > position["measure"]


def test_every_reference_inside_the_crate_has_its_entity(table: Path) -> None:
    crate.write(node(table), CRATE)
    found = entities()
    lists = [value for each in found.values() for value in each.values() if isinstance(value, dict | list)]
    names = [
        each["@id"] for value in lists for each in (value if isinstance(value, list) else [value]) if "@id" in each
    ]
    assert [name for name in names if not name.startswith("https://") and name not in found] == []


def test_the_same_table_gives_the_same_bytes(table: Path) -> None:
    crate.write(node(table), Path("one"))
    crate.write(node(table), Path("two"))
    one, two = ((Path(name) / "ro-crate-metadata.json").read_bytes() for name in ("one", "two"))
    assert one == two


# What is refused


@pytest.mark.parametrize("name", ["c.csv", "c.cells.csv", "b.json", "b.hits.parquet", "a.safetensors"])
def test_nothing_that_was_altered_enters_a_crate(table: Path, name: str) -> None:
    path = Path("results") / name
    times, content = path.stat(), path.read_text()
    path.write_text(content.swapcase())
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(
        InputError, match=f"results/{name}: not what its stage wrote; delete .* and run snakemake again"
    ):
        crate.write(node(table), CRATE)
    assert not CRATE.exists()


@pytest.mark.parametrize("name", ["c.manifest.json", "b.manifest.json", "c.csv", "b.hits.parquet"])
def test_what_is_not_there_is_named_with_the_remedy(table: Path, name: str) -> None:
    (Path("results") / name).unlink()
    with pytest.raises(InputError, match=f"results/{name}: not .*; run: snakemake results/{name}"):
        crate.write(node(table), CRATE)


def test_weights_that_are_on_another_machine_are_told_all_the_same(table: Path) -> None:
    crate.write(node(table), Path("before"))
    Path("results/a.safetensors").unlink()
    crate.write(node(table), CRATE)
    assert entities() == entities(Path("before"))


def a_file(folder: Path) -> None:
    folder.mkdir()
    (folder / "notes").write_text("mine")


@pytest.mark.parametrize("occupy", [a_file, lambda folder: folder.write_text("mine")], ids=["a folder", "a file"])
def test_a_place_that_is_taken_is_left_alone(table: Path, occupy: Callable[[Path], object]) -> None:
    occupy(CRATE)
    with pytest.raises(InputError, match="crate: not empty; delete it, or give another folder with --output"):
        crate.write(node(table), CRATE)
    assert "mine" in (CRATE / "notes" if CRATE.is_dir() else CRATE).read_text()


def test_a_crate_that_cannot_be_finished_leaves_nothing(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(path.name for path in Path().iterdir())
    monkeypatch.setattr(crate.ROCrate, "write", _dies)
    with pytest.raises(KeyboardInterrupt):
        crate.write(node(table), CRATE)
    assert sorted(path.name for path in Path().iterdir()) == before


def _dies(_: object, folder: Path) -> None:
    folder.mkdir()
    (folder / "half").write_text("")
    raise KeyboardInterrupt


# The verb


def test_the_verb_writes_beside_the_tables_and_no_copy_is_taken_for_an_artifact(project: Project) -> None:
    for name in ("Snakefile", "LICENSE"):
        shutil.copy(ROOT / name, name)
    project.edit("params/papers/hcrn/tables.yaml", lambda tables: tables["hcrn_table1"].update(rows={"HG": None}))
    project.run("tabulate", "hcrn_table1", "--scale", "mini")
    before = Artifacts(Recipes(), "mini").manifests()
    assert project.run("crate", "hcrn_table1", "--scale", "mini")[-1] == "results/mini/crates/hcrn_table1: written"
    assert "results/mini/tables/hcrn_table1.csv" in entities(Path("results/mini/crates/hcrn_table1"))
    assert Artifacts(Recipes(), "mini").manifests() == before


def test_a_table_that_was_never_made_is_refused_with_the_command_that_makes_it(project: Project) -> None:
    told = project.refusal("crate", "hcrn_table1", "--scale", "mini")
    assert "run: snakemake results/mini/tables/hcrn_table1.csv" in told
