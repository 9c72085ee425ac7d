"""Whatever is altered between the data and a table, the audit names it and the cells that rest on it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posetables.cli import main
from posetables.provenance.identity import canonical_json
from posetables.provenance.manifest import Manifest

if TYPE_CHECKING:
    from conftest import Project

ROW = "hcrn/lsp-pc/vgg16-hcrn"
OTHER = "hcrn/lsp-pc/vgg16-holistic"
RESULTS = "results/mini"
SCORES = f"{RESULTS}/scores/{ROW}/seed0/pyramid3.json"
WEIGHTS = f"{RESULTS}/train/{ROW}/seed0/main/weights.safetensors"
TABLE = f"{RESULTS}/tables/hcrn_table1.csv"
CELLS = f"{RESULTS}/tables/hcrn_table1.cells.csv"

KINDS = {
    "fetched": ("data/raw/mini/lsp/images/im0001.jpg", "VGG16-HCRN"),
    "people": ("data/prepared/mini/lsp/people.parquet", "VGG16-HCRN"),
    "crops": ("data/prepared/mini/lspet/crops.npy", "VGG16-HCRN"),
    "weights": (WEIGHTS, "VGG16-HCRN"),
    "history": (WEIGHTS.replace("weights.safetensors", "history.csv"), "VGG16-HCRN"),
    "predictions": (f"{RESULTS}/predictions/{OTHER}/seed0/pyramid3.parquet", "VGG16-Holistic"),
    "scores": (SCORES, "VGG16-HCRN"),
    "hits": (SCORES.replace(".json", ".hits.parquet"), "VGG16-HCRN"),
    "cost": (f"{RESULTS}/scores/{OTHER}/cost.json", "VGG16-Holistic"),
    "table": (TABLE, "VGG16-HCRN"),
    "metrics": (TABLE.replace(".csv", ".json"), "VGG16-HCRN"),
}
"""Kind of artifact -> one of its files, and a row that rests on it."""


@pytest.fixture
def audit(with_table: Project, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Exit status and what `audit --json` says."""

    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = main(["audit", *(arguments or ("--all",)), "--scale", "mini", "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def faults(told: dict[str, Any]) -> str:
    return "\n".join(fault for each in told["broken"] for fault in each["faults"])


def rows_touched(told: dict[str, Any]) -> set[str]:
    return {line.split(": ")[1] for each in told["broken"] for line in each["touches"]}


@contextmanager
def keeping_times(path: Path) -> Iterator[None]:
    times = path.stat()
    yield
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def edit_manifest(path: str, change: Callable[[dict[str, Any]], None]) -> None:
    content = json.loads(Path(path).read_text())
    change(content)
    with keeping_times(Path(path)):
        Path(path).write_text(canonical_json(content) + "\n")


def fit(file: str, manifest: str) -> None:
    """Make a manifest say what its file now is, as a careful forger would."""
    from posetables.provenance.hashes import sha256

    def change(content: dict[str, Any]) -> None:
        for output in content["outputs"].values():
            if output["path"] == file:
                output["sha256"] = sha256(Path(file))

    edit_manifest(manifest, change)


def manifest_of(file: str) -> str:
    return file.rpartition(".")[0] + ".manifest.json"


Audit = Callable[..., tuple[int, dict[str, Any]]]


def test_what_nobody_touched_verifies_to_the_last_artifact(audit: Audit) -> None:
    code, told = audit()
    assert (code, told["verified"], told["broken"]) == (0, told["of"], [])
    # Two data sets fetched, annotated and cut out; twice train, predict, score, measure; a table.
    assert told["of"] == 2 * 3 + 2 * 4 + 1


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_of_any_kind_of_artifact_is_found_with_its_cells(
    audit: Audit, kind: str, place: float, bit: int
) -> None:
    file, row = KINDS[kind]
    path = Path(file)
    before = path.read_bytes()
    altered = bytearray(before)
    altered[int(place * len(before))] ^= 1 << bit
    with keeping_times(path):
        path.write_bytes(altered)
    code, told = audit()
    with keeping_times(path):
        path.write_bytes(before)
    assert code == 1
    assert f"{file}: not what its stage wrote" in faults(told)
    assert row in rows_touched(told)


def test_truncated_weights_with_their_old_times_are_found(audit: Audit) -> None:
    with keeping_times(Path(WEIGHTS)):
        os.truncate(WEIGHTS, Path(WEIGHTS).stat().st_size - 1)
    assert f"{WEIGHTS}: not what its stage wrote" in faults(audit()[1])


def test_weights_that_changed_places_are_both_found(audit: Audit) -> None:
    other = WEIGHTS.replace(ROW, OTHER)
    shutil.move(WEIGHTS, "aside")
    shutil.move(other, WEIGHTS)
    shutil.move("aside", other)
    _, told = audit()
    assert {f"{path}: not what its stage wrote" for path in (WEIGHTS, other)} <= set(faults(told).splitlines())
    assert rows_touched(told) == {"VGG16-HCRN", "VGG16-Holistic"}


def test_a_cell_edited_by_hand_is_named(audit: Audit, with_table: Project) -> None:
    line = next(line for line in Path(CELLS).read_text().splitlines() if ",VGG16-HCRN,Wrist," in line)
    with_table.replace(CELLS, line, line.replace(line.split(",")[3], "76.1", 1))
    assert f"{CELLS}: VGG16-HCRN / Wrist: not what its score gives" in faults(audit()[1])


@pytest.mark.parametrize("file", [CELLS, TABLE])
def test_a_table_is_found_though_its_manifest_was_edited_to_fit(audit: Audit, with_table: Project, file: str) -> None:
    with_table.replace(file, "VGG16-HCRN,", "VGG16-HCRN,9")
    fit(file, f"{RESULTS}/tables/hcrn_table1.manifest.json")
    code, told = audit("hcrn_table1")
    assert code == 1
    assert "not what its scores give" in faults(told)


def test_a_table_that_other_code_made_is_not_rendered_again_and_this_is_told(
    audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    from posetables.provenance import identity

    true = identity._syntax
    moved = "posetables.papers.verdict"
    monkeypatch.setattr(
        identity, "_syntax", lambda name: true(name)._replace(tree="another") if name == moved else true(name)
    )
    code, told = audit("hcrn_table1")
    assert code == 0
    assert [each["note"] for each in told["artifacts"] if each["note"]] == ["not rendered again: other code made it"]


def test_a_score_is_found_though_its_manifest_was_edited_to_fit(audit: Audit, with_table: Project) -> None:
    with_table.replace(SCORES, '"value": ', '"value": 9')
    fit(SCORES, manifest_of(SCORES))
    code, told = audit("hcrn_table1", "--row", "VGG16-HCRN", "--column", "Wrist")
    assert code == 1
    assert f"{manifest_of(SCORES)}: not the content that {manifest_of(TABLE)} was made from" in faults(told)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        (("recipe", "labels"), "oc", "recipe_sha256: does not follow"),
        (("recipe_sha256",), "0" * 64, "recipe_sha256: does not follow"),
        (("code", "modules", "posetables.errors"), "0" * 64, "code: does not follow"),
        (("identity",), "0" * 64, "identity: does not follow"),
        (("circumstances", "git_dirty"), "true", "edited after"),
        (("environment", "processor"), "another", "edited after"),
        (("facts", "people"), 11000, "edited after"),
        (("stage",), 7, "not a manifest of this project"),
    ],
)
def test_an_edited_record_is_found_though_every_file_is_whole(
    audit: Audit, key: tuple[str, ...], value: Any, told: str
) -> None:
    def change(content: dict[str, Any]) -> None:
        for part in key[:-1]:
            content = content[part]
        content[key[-1]] = value

    edit_manifest(manifest_of(SCORES), change)
    code, found = audit("hcrn_table1")
    assert code == 1
    assert told in faults(found)


def test_rows_that_do_not_rest_on_it_are_not_accused(audit: Audit) -> None:
    with keeping_times(Path(WEIGHTS)):
        os.truncate(WEIGHTS, 0)
    assert rows_touched(audit()[1]) == {"VGG16-HCRN"}
    assert audit("hcrn_table1", "--row", "VGG16-Holistic")[0] == 0


def test_a_time_does_not_rest_on_the_weights(audit: Audit) -> None:
    with keeping_times(Path(WEIGHTS)):
        os.truncate(WEIGHTS, 0)
    (touches,) = audit()[1]["broken"][0]["touches"]
    assert "Avg" in touches
    assert "Time in secs." not in touches


def test_what_is_recorded_but_not_here_is_told_apart_from_what_does_not_verify(audit: Audit) -> None:
    Path(WEIGHTS).unlink()
    shutil.rmtree("data/raw/mini/lsp")
    code, told = audit()
    states = {each["manifest"]: each["state"] for each in told["artifacts"]}
    assert (code, told["broken"]) == (0, [])
    assert {path for path, state in states.items() if state == "recorded"} == {
        WEIGHTS.replace("weights.safetensors", "manifest.json"),
        "data/raw/mini/lsp.manifest.json",
    }


def test_an_artifact_whose_very_record_is_gone_is_known_from_its_consumer(audit: Audit) -> None:
    shutil.rmtree(Path(WEIGHTS).parent)
    code, told = audit("hcrn_table1", "--row", "VGG16-HCRN", "--column", "Avg")
    assert code == 0
    assert told["verified"] == told["of"] - 1


def test_what_was_made_again_to_the_same_bytes_verifies(audit: Audit, with_table: Project) -> None:
    shutil.rmtree(Path(WEIGHTS).parent)
    with_table.run("train", ROW, "--scale", "mini")
    code, told = audit()
    assert (code, told["verified"]) == (0, told["of"])


def test_what_another_recipe_made_again_to_the_same_bytes_verifies(audit: Audit, with_table: Project) -> None:
    def useless(content: dict[str, Any]) -> None:
        content["trainings"]["sgd"]["milestones"][249] = 0.05  # what the rate has been since epoch 230

    with_table.edit("params/papers/hcrn/experiments.yaml", useless)
    before = Path(WEIGHTS).read_bytes()
    with_table.run("train", ROW, "--scale", "mini")
    assert Path(WEIGHTS).read_bytes() == before
    code, told = audit()
    assert (code, told["verified"]) == (0, told["of"])


def test_what_was_made_again_otherwise_is_told_from_a_forgery(audit: Audit, with_table: Project) -> None:
    cost = Path(KINDS["cost"][0])
    cost.unlink()
    with_table.run("measure", OTHER, "--scale", "mini")
    code, told = audit("hcrn_table1")
    assert code == 1
    assert f"made again, otherwise, since {manifest_of(TABLE)} read it" in faults(told)


def test_a_file_that_was_verified_is_not_read_again(audit: Audit, with_table: Project, monkeypatch: Any) -> None:
    from posetables.provenance import hashes

    monkeypatch.setattr(hashes, "SETTLED_SECONDS", -1.0)
    audit()
    read: list[Path] = []
    monkeypatch.setattr(hashes, "sha256", lambda path: read.append(path) or "0" * 64)
    hashes.remembered(Path(WEIGHTS))
    assert read == []


def test_a_lying_memory_of_hashes_is_not_asked_by_a_deep_audit(audit: Audit, monkeypatch: Any) -> None:
    from posetables.provenance import hashes

    monkeypatch.setattr(hashes, "SETTLED_SECONDS", -1.0)
    truth = hashes.sha256(Path(WEIGHTS))
    with keeping_times(Path(WEIGHTS)):
        os.truncate(WEIGHTS, 0)
    lie = hashes.Remembered(Path(WEIGHTS))
    lie(Path(WEIGHTS))
    lie.known[WEIGHTS][-1] = truth
    lie.keep()
    assert audit()[0] == 0
    assert audit("--all", "--deep")[0] == 1


def test_a_file_that_changed_a_moment_ago_is_not_remembered(with_table: Project, monkeypatch: Any) -> None:
    from posetables.provenance import hashes

    monkeypatch.setattr(hashes, "SETTLED_SECONDS", 1e9)
    Path(SCORES).write_text("{}")
    hashes.remembered(Path(SCORES))
    assert SCORES not in hashes.Remembered(Path(SCORES)).known


def test_a_cell_knows_its_number_and_what_the_paper_prints(audit: Audit) -> None:
    (cell,) = audit("hcrn_table1", "--row", "VGG16-HCRN", "--column", "Avg")[1]["cells"]
    assert (cell["published"], cell["kind"], cell["verdict"], cell["artifact"]) == (
        "81.3",
        "measured",
        "not comparable",
        SCORES,
    )


def test_the_tree_of_a_number_ends_with_the_count_of_what_verified(
    with_table: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "hcrn_table1", "--row", "VGG16-HCRN", "--column", "Avg", "--scale", "mini"]) == 0
    told = capsys.readouterr().out
    for stage in ("tabulate", "score", "predict", "train", "crop", "annotate", "fetch"):
        assert stage in told
    assert told.splitlines()[-1] == "verified 10 of 10"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("hcrn_table1", "--row", "VGG16-HCNR"), "no row 'VGG16-HCNR'; did you mean 'VGG16-HCRN'?"),
        (("hcrn_table1", "--column", "Wirst"), "no column 'Wirst'; did you mean 'Wrist'?"),
        (("hcrn_tabel1",), "no table 'hcrn_tabel1'"),
        ((), "name a table or a figure, or give --all"),
    ],
)
def test_a_wrong_name_is_refused_with_the_right_one(with_table: Project, arguments: tuple[str, ...], told: str) -> None:
    assert told in with_table.refusal("audit", *arguments, "--scale", "mini")


def test_a_table_that_was_never_made_is_refused_with_the_command_that_makes_it(with_table: Project) -> None:
    assert "run: snakemake results/tables/hcrn_table1.csv" in with_table.refusal("audit", "hcrn_table1")


# A rerun


def test_a_forged_score_is_never_tabulated(with_table: Project) -> None:
    before = Path(TABLE).read_bytes()
    with_table.replace(SCORES, '"value": ', '"value": 9')
    Path(TABLE).unlink()
    assert f"{SCORES}: not what its stage wrote" in with_table.refusal("tabulate", "hcrn_table1", "--scale", "mini")
    with_table.run("score", ROW, "--scale", "mini")
    with_table.run("tabulate", "hcrn_table1", "--scale", "mini")
    assert Path(TABLE).read_bytes() == before


def test_every_manifest_is_of_the_published_schema(with_table: Project) -> None:
    for path in Path(RESULTS).rglob("*manifest.json"):
        assert Manifest.model_validate_json(path.read_bytes()).identity
