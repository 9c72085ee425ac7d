"""What `posetables plan` says will run is what Snakemake runs."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Run, Snakemake

RULES = {
    "fetch_dataset": "fetch", "fetch_images": "fetch", "annotate_people": "annotate", "crop_people": "crop",
    "crop_boxes": "crop", "detect_people": "detect", "train_stage": "train",
    "calibrate_thresholds": "calibrate", "predict_people": "predict",
    "adopt_predictions": "adopt", "score_predictions": "score", "measure_network": "measure", "time_test": "speed",
    "tabulate_item": "tabulate", "draw_figure": "draw",
}  # fmt: skip


@pytest.mark.parametrize("target", ["tables/hcrn_table1.csv", "tables/hcrn_table10.csv", "figures/hcrn_fig7.svg"])
def test_plan_and_engine_count_the_same_jobs(target: str, clone: Path, snakemake: Snakemake, run_in: Run) -> None:
    told = snakemake("-n", f"results/{target}")
    assert told.returncode == 0, told.stderr
    lines = re.findall(r"^(\w+) +(\d+)$", told.stdout + told.stderr, re.MULTILINE)
    engine = Counter()
    for rule, count in dict(lines).items():
        if rule in RULES:
            engine[RULES[rule]] += int(count)
    planned = run_in(clone, "posetables", "plan", Path(target).stem, "--json")
    assert planned.returncode == 0, planned.stderr
    assert Counter(job["stage"] for job in json.loads(planned.stdout)["jobs"]) == engine
