"""Tables III (four trainings) and II (their cost) of HCRN at mini scale through `--profile slurm`, on two nodes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engines import Run, write_clone
from posetables.provenance.hashes import sha256
from private_slurm import NODES, PrivateSlurm

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

ACCURACY, COST = (f"results/mini/tables/hcrn_table{number}.csv" for number in (3, 2))


@pytest.fixture(scope="module")
def through_slurm(cluster: PrivateSlurm, run_in: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_clone(tmp_path_factory.mktemp("slurm-clone"))
    done = run_in(folder, "snakemake", ACCURACY, COST, "--profile", "slurm", environment=cluster.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def local(made: Path, run_in: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone where this machine alone has made the same rows, and more."""
    folder = tmp_path_factory.mktemp("local") / "clone"
    shutil.copytree(made, folder)
    done = run_in(folder, "snakemake", ACCURACY)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def contents(root: Path) -> dict[str, str]:
    """What every file of the tables' DAG holds, but for records of a run and measured times."""
    results = root / "results/mini"
    paths = [path for kind in ("train", "predictions", "scores") for path in (results / kind).rglob("*.*")]
    told = {".manifest.json", "manifest.json", "cost.json", ".lock"}
    return {str(path.relative_to(results)): sha256(path) for path in paths if not any(map(path.name.endswith, told))}


def test_weights_predictions_and_scores_are_those_of_a_local_run_to_the_byte(through_slurm: Path, local: Path) -> None:
    ours, theirs = contents(through_slurm), contents(local)
    assert len(ours) == 4 * 5
    assert {name: theirs.get(name) for name in ours} == ours


def test_the_table_is_that_of_a_local_run(through_slurm: Path, local: Path) -> None:
    assert sha256(through_slurm / ACCURACY) == sha256(local / ACCURACY)


def test_both_nodes_worked(through_slurm: Path, cluster: PrivateSlurm) -> None:
    jobs = [job.split("|") for job in cluster.ask("sacct", "-XPn", "-o", "nodelist,workdir").splitlines()]
    assert {nodes for nodes, folder in jobs if Path(folder) == through_slurm} == set(NODES)


def test_one_job_times_all_networks_on_a_node_that_it_has_to_itself(through_slurm: Path, cluster: PrivateSlurm) -> None:
    jobs = cluster.ask("sacct", "-XPn", "-o", "alloccpus,comment").splitlines()
    assert [job.split("|")[0] for job in jobs if "measure_network" in job] == [str(cluster.cpus)]


def test_only_what_failed_leaves_a_log_of_slurm(through_slurm: Path) -> None:
    assert not list((through_slurm / "logs/slurm").rglob("*.log"))
    assert (through_slurm / "logs/mini/train/hcrn/lsp-pc/vgg16-hcrn/seed0/main.log").exists()
