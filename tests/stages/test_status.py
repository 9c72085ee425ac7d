"""What is current and what is not follows from recipes, code, inputs and content, and the reason is told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from posetables.cli import main
from posetables.provenance import identity

if TYPE_CHECKING:
    from conftest import Project

SCALES, TABLES = "params/scales.yaml", "params/papers/hcrn/tables.yaml"
ROW = "hcrn/lsp-pc/vgg16-hcrn"
WEIGHTS = Path(f"results/mini/train/{ROW}/seed0/main/weights.safetensors")

Status = Callable[..., dict[str, tuple[str, str]]]


@pytest.fixture
def status(with_table: Project, capsys: pytest.CaptureFixture[str]) -> Status:
    """Stage of each artifact of one row, or `table` -> (state, why)."""

    def run(*target: str) -> dict[str, tuple[str, str]]:
        capsys.readouterr()
        assert main(["status", *(target or ("hcrn_table1",)), "--scale", "mini", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        return {
            each["stage"]: (each["state"], each["why"]) for each in found if "vgg16-holistic" not in each["manifest"]
        }

    return run


def states(found: dict[str, tuple[str, str]], *besides: str) -> set[str]:
    return {stage for stage, (state, _) in found.items() if state not in ("current", *besides)}


STAGES = {"fetch", "annotate", "crop", "train", "predict", "score", "measure", "tabulate"}


def test_what_was_just_made_is_current(status: Status) -> None:
    found = status()
    assert (set(found), states(found)) == (STAGES, set())


def test_a_changed_rate_makes_training_and_all_below_stale_and_names_the_key(
    status: Status, with_table: Project
) -> None:
    with_table.edit(SCALES, lambda scales: scales["mini"]["trainings"]["vgg16"].update(lr=0.003))
    found = status()
    assert states(found) == {"train", "predict", "score", "tabulate"}
    assert found["train"] == ("stale", "recipe stage.optimizer.lr")
    assert found["predict"] == ("stale", "input weights")


def test_a_parameter_that_only_another_network_reads_moves_nothing(status: Status, with_table: Project) -> None:
    with_table.edit(SCALES, lambda scales: scales["mini"]["trainings"]["hourglass"].update(lr=0.003))
    assert states(status()) == set()


def test_rows_in_another_order_are_another_table(status: Status, with_table: Project) -> None:
    def turn(tables: dict[str, dict[str, dict[str, str]]]) -> None:
        rows = tables["hcrn_table1"]["rows"]
        tables["hcrn_table1"]["rows"] = dict(reversed(rows.items()))

    with_table.edit(TABLES, turn)
    assert states(status()) == {"tabulate"}


def test_a_changed_published_number_touches_the_table_alone(status: Status, with_table: Project) -> None:
    with_table.replace("params/papers/hcrn/published.csv", "VGG16-HCRN,Avg,81.3", "VGG16-HCRN,Avg,81.4")
    found = status()
    assert states(found) == {"tabulate"}
    assert found["tabulate"] == ("stale", "recipe published.VGG16-HCRN/Avg.printed")


@pytest.mark.parametrize(
    ("module", "moved"),
    [
        ("posetables.models.hcrn", {"train", "predict", "score", "measure", "tabulate"}),
        ("posetables.metrics.pck", {"score", "tabulate"}),
        ("posetables.data.skeletons", STAGES),
        ("posetables.data.skeletons.lsp", STAGES),
        ("posetables.data.skeletons.nobody", set()),
        ("posetables.models.nobody", set()),
    ],
)
def test_changed_code_moves_what_can_reach_it_and_is_named(
    status: Status, monkeypatch: pytest.MonkeyPatch, module: str, moved: set[str]
) -> None:
    true = identity._syntax
    monkeypatch.setattr(
        identity, "_syntax", lambda name: true(name)._replace(tree="another") if name == module else true(name)
    )
    found = status()
    assert states(found) == moved
    for state, why in found.values():
        assert state == "current" or why == f"code {module}" or f"code {module}; input" in why or "input" in why


def test_other_packages_leave_artifacts_behind_and_none_stale(status: Status, with_table: Project) -> None:
    with_table.replace("constraints.txt", "torch==1", "torch==2")
    found = status()
    assert {state for state, _ in found.values()} == {"behind"}
    assert found["train"][1] == "constraints.txt: other packages than these"


def test_an_altered_file_is_told_from_a_stale_one(status: Status) -> None:
    WEIGHTS.write_bytes(WEIGHTS.read_bytes()[:-1])
    found = status()
    assert found["train"] == ("altered", f"{WEIGHTS}: not what its stage wrote")
    assert states(found) == {"train"}


def test_a_record_without_its_files_is_recorded(status: Status) -> None:
    WEIGHTS.unlink()
    assert status()["train"] == ("recorded", f"not on this disk: {WEIGHTS}")


def test_what_was_never_made_is_missing(status: Status) -> None:
    shutil.rmtree(WEIGHTS.parent)
    assert status()["train"][0] == "missing"


def test_an_input_made_again_with_other_content_makes_its_consumer_stale(status: Status, with_table: Project) -> None:
    cost = Path(f"results/mini/scores/{ROW}/cost.json")
    cost.unlink()
    with_table.run("measure", ROW, "--scale", "mini")
    why = f"input {cost.with_name('cost.manifest.json')}: made again since, with other content"
    assert status()["tabulate"] == ("stale", why)


@pytest.mark.parametrize("target", [str(WEIGHTS), ROW, str(WEIGHTS.with_name("manifest.json"))])
def test_a_target_is_a_path_or_an_experiment(status: Status, target: str) -> None:
    assert {"fetch", "annotate", "crop", "train"} <= set(status(target))
    assert "tabulate" not in status(target)


def test_an_unknown_target_is_refused(with_table: Project) -> None:
    assert "hcrn_tabel1: no item, experiment or artifact" in with_table.refusal("status", "hcrn_tabel1")


def test_an_unknown_scale_is_refused(with_table: Project) -> None:
    assert "no scale 'light'; did you mean 'lite'?" in with_table.refusal("status", "--scale", "light")


def test_reasons_are_printed_and_what_was_never_made_is_only_counted(
    with_table: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    with_table.edit(SCALES, lambda scales: scales["mini"]["trainings"]["vgg16"].update(lr=0.003))
    assert main(["status"]) == 0
    told = capsys.readouterr().out
    assert f"stale {WEIGHTS.with_name('manifest.json')}: recipe stage.optimizer.lr" in told
    assert "missing results/lite" not in told
