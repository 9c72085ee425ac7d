"""COCO's top-down path on real photographs: found people, crops, both stages of a network, rescoring, OKS-NMS, AP."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from engines import environment_of, write_clone

pytestmark = pytest.mark.slow

MIRROR = Path(os.environ.get("POSETABLES_MIRROR", ""))
NAME = "gpcnn/coco-128/r50/seed0/refined"


@pytest.mark.skipif(
    not os.environ.get("POSETABLES_MIRROR") or not (MIRROR / "coco_mini").is_dir(),
    reason="needs photographs of COCO: set POSETABLES_MIRROR to a folder that holds coco_mini/",
)
def test_every_found_person_of_real_photographs_is_posed_and_their_average_precision_scored(tmp_path: Path) -> None:
    clone = write_clone(tmp_path / "clone")
    environment = environment_of(clone) | {"POSETABLES_MIRROR": str(MIRROR.resolve())}
    command = ["snakemake", f"results/lite/scores/{NAME}.json"]
    done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    oks = json.loads((clone / f"results/lite/scores/{NAME}.json").read_text())["oks"]
    assert {"AP", "AP50", "AP75", "AR"} <= oks.keys()
    record = json.loads((clone / f"results/lite/scores/{NAME}.manifest.json").read_text())
    assert record["facts"]["images"] == 79
    assert 0 < record["facts"]["poses"] <= record["facts"]["of boxes"]
