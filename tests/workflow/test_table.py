"""HCRN's Table I at mini scale, by the real engine, from nothing."""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from posetables.provenance.hashes import sha256

pytestmark = pytest.mark.slow

Snakemake = Callable[..., subprocess.CompletedProcess[str]]

TABLE = "results/mini/tables/hcrn_table1.csv"
TIME = "Time in secs."
ROW = "hcrn/lsp-pc/vgg16-hcrn"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def artifacts_of_row(root: Path) -> list[Path]:
    folder = root / "results/mini"
    return [
        folder / f"train/{ROW}/seed0/main/weights.safetensors",
        folder / f"train/{ROW}/seed0/main/history.csv",
        folder / f"predictions/{ROW}/seed0/pyramid3.parquet",
        folder / f"scores/{ROW}/seed0/pyramid3.json",
    ]


def test_the_table_has_the_rows_and_columns_of_the_paper_in_its_order(made: Path) -> None:
    published = rows(made / "params/papers/hcrn/published.csv")
    printed = [cell for cell in published if cell["item"] == "hcrn_table1"]
    table = rows(made / TABLE)
    assert [row["Methods"] for row in table] == list(dict.fromkeys(cell["row"] for cell in printed))
    columns = list(dict.fromkeys(cell["column"] for cell in printed))
    assert list(table[0]) == ["Methods", *columns, "kind", "source", "flags"]


def test_every_cell_is_measured_and_lies_in_its_interval(made: Path) -> None:
    cells = rows(made / "results/mini/tables/hcrn_table1.cells.csv")
    assert len(cells) == 13 * 9
    for cell in cells:
        assert cell["kind"] == "measured"
        assert float(cell["low"]) <= float(cell["value"]) <= float(cell["high"]), cell


def test_average_is_the_mean_of_the_seven_columns(made: Path) -> None:
    for row in rows(made / TABLE):
        parts = [float(row[name]) for name in ("Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle")]
        assert float(row["Avg"]) == pytest.approx(sum(parts) / 7, abs=0.11)


@pytest.mark.parametrize("remembers", [True, False], ids=["with", "without"])
def test_a_changed_rate_plans_all_below_it_with_and_without_the_engines_memory(
    made: Path, snakemake: Snakemake, remembers: bool
) -> None:
    if not remembers:
        shutil.rmtree(made / ".snakemake")
    scales = made / "params/scales.yaml"
    before = scales.read_text()
    mini = before[before.index("\nmini:") :]
    rate = mini[mini.index("vgg16: {epochs") :].splitlines()[0]
    scales.write_text(before.replace(rate, rate.replace("lr: ", "lr: 1")))
    done = snakemake("-n", f"results/mini/scores/{ROW}/seed0/pyramid3.json")
    scales.write_text(before)
    plan = done.stdout + done.stderr
    assert done.returncode == 0, plan
    planned = {line.split()[0] for line in plan[plan.index("Job stats:") :].splitlines() if line.split()[1:] == ["1"]}
    assert planned == {"train_stage", "predict_people", "score_predictions"}


def test_a_second_run_has_nothing_to_do_whatever_the_times_say(made: Path, snakemake: Snakemake) -> None:
    (made / "data/prepared/mini/lsp/people.parquet").touch()
    (made / f"results/mini/train/{ROW}/seed0/main/weights.safetensors").touch()
    shutil.rmtree(made / ".snakemake")
    done = snakemake(TABLE)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


def test_a_row_made_again_by_one_job_at_a_time_has_the_same_bytes(made: Path, snakemake: Snakemake) -> None:
    before = [sha256(path) for path in artifacts_of_row(made)]
    table = [{name: value for name, value in row.items() if name != TIME} for row in rows(made / TABLE)]
    for kind in ("train", "predictions", "scores"):
        shutil.rmtree(made / "results/mini" / kind / ROW)
    (made / TABLE).unlink()
    done = snakemake(TABLE, "--cores", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [sha256(path) for path in artifacts_of_row(made)] == before
    assert [{name: value for name, value in row.items() if name != TIME} for row in rows(made / TABLE)] == table


def test_table_x_says_whose_boxes_each_cell_rests_on_and_cites_what_it_cites(made: Path, snakemake: Snakemake) -> None:
    done = snakemake("results/mini/tables/hcrn_table10.csv")
    assert done.returncode == 0, done.stdout + done.stderr
    cells = {(cell["row"], cell["column"]): cell for cell in rows(made / "results/mini/tables/hcrn_table10.cells.csv")}
    assert {place: cell["kind"] for place, cell in cells.items() if place[1] == "AP"} == {
        ("OpenPose [65]", "AP"): "cited",
        ("OpenPose + HG-HCRN", "AP"): "measured",
        ("MaskRCNN [66]", "AP"): "cited",
        ("MaskRCNN + HG-HCRN", "AP"): "measured",
    }
    for row, boxes in (("MaskRCNN + HG-HCRN", "hog instead of mask-rcnn"), ("OpenPose + HG-HCRN", "around-hg-hcrn")):
        for column in ("AP", "Times[s]"):
            assert f"boxes: {boxes}" in cells[row, column]["convention"]
    found, whole = (float(cells[row, "Times[s]"]["value"]) for row in ("MaskRCNN [66]", "MaskRCNN + HG-HCRN"))
    assert 0 < found < whole
