"""HCRN's Table I at mini scale through `--profile slurm`, on two nodes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from engines import Run, write_clone
from posetables.provenance.hashes import sha256
from private_slurm import NODES, PrivateSlurm

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

TABLE = "results/mini/tables/hcrn_table1.csv"
TIME = "Time in secs."


@pytest.fixture(scope="module")
def through_slurm(cluster: PrivateSlurm, run_in: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_clone(tmp_path_factory.mktemp("slurm-clone"))
    done = run_in(folder, "snakemake", TABLE, "--profile", "slurm", environment=cluster.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def contents(root: Path) -> dict[str, str]:
    """What every file of the table's DAG holds, but for records of a run and measured times."""
    results = root / "results/mini"
    paths = [path for kind in ("train", "predictions", "scores") for path in (results / kind).rglob("*.*")]
    told = {".manifest.json", "manifest.json", "cost.json", ".lock"}
    return {str(path.relative_to(results)): sha256(path) for path in paths if not any(map(path.name.endswith, told))}


def without_times(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return [{name: value for name, value in row.items() if name != TIME} for row in csv.DictReader(file)]


def test_weights_predictions_and_scores_are_those_of_a_local_run_to_the_byte(through_slurm: Path, made: Path) -> None:
    local = contents(made)
    assert len(local) == 13 * 5
    assert contents(through_slurm) == local


def test_the_table_is_that_of_a_local_run_but_for_its_times(through_slurm: Path, made: Path) -> None:
    assert without_times(through_slurm / TABLE) == without_times(made / TABLE)


def test_both_nodes_worked(through_slurm: Path, cluster: PrivateSlurm) -> None:
    jobs = [job.split("|") for job in cluster.ask("sacct", "-XPn", "-o", "nodelist,workdir").splitlines()]
    assert {nodes for nodes, folder in jobs if Path(folder) == through_slurm} == set(NODES)


def test_one_job_times_all_networks_on_a_node_that_it_has_to_itself(through_slurm: Path, cluster: PrivateSlurm) -> None:
    jobs = cluster.ask("sacct", "-XPn", "-o", "alloccpus,comment").splitlines()
    assert [job.split("|")[0] for job in jobs if "measure_network" in job] == [str(cluster.cpus)]


def test_only_what_failed_leaves_a_log_of_slurm(through_slurm: Path) -> None:
    assert not list((through_slurm / "logs/slurm").rglob("*.log"))
    assert (through_slurm / "logs/mini/train/hcrn/lsp-pc/vgg16-hcrn/seed0/main.log").exists()
