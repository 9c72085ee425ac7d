"""What `posetables plan` says of a cluster that answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engines import Run
from private_slurm import NODES, PrivateSlurm

pytestmark = [pytest.mark.slow, pytest.mark.slurm]


def test_plan_says_what_this_cluster_gives_and_what_would_wait_for_ever(
    clone: Path, run_in: Run, cluster: PrivateSlurm
) -> None:
    done = run_in(clone, "posetables", "plan", "hcrn_table1", "--json", environment=cluster.environment)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["cluster"]
    assert (told["partition"], told["gpus"]) == ("gpu", 2 * len(NODES))
    trainings = [line for line in told["warnings"] if "params/scales.yaml: paper.resources.train: 13 of" in line]
    assert len(trainings) == 1
    assert "mem_mb: 32000 where no node has more than" in trainings[0]
