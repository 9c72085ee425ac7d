"""What goes wrong on a cluster, each in the middle of a training: plain commands end in the same bytes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from engines import Run, environment_of, write_clone
from posetables import logs
from posetables.provenance import manifest
from posetables.provenance.hashes import sha256
from private_slurm import PrivateSlurm, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

TABLE = "results/mini/tables/hcrn_table3.csv"
ROW = "hcrn/lsp-pc/vgg16-hcrn"
WEIGHTS = f"results/mini/train/{ROW}/seed0/main/weights.safetensors"
PREDICTIONS, SCORES = (f"results/mini/{kind}/{ROW}/seed0/pyramid3" for kind in ("predictions", "scores"))
MADE = [WEIGHTS, f"{PREDICTIONS}.parquet", f"{SCORES}.json", TABLE]
LOG = f"logs/mini/train/{ROW}/seed0/main.log"
PROFILE = ("--profile", "slurm", "--slurm-init-seconds-before-status-checks", "1")
PATIENCE = 240.0


class Row:
    """A clone with HCRN's Table III but for one row, whose training is made again through Slurm."""

    def __init__(self, folder: Path, slurm: PrivateSlurm) -> None:
        self.folder, self.slurm = folder, slurm
        self.environment = environment_of(folder, slurm.environment)
        self.before = {path: sha256(folder / path) for path in MADE}
        for kind in ("train", "predictions", "scores"):
            shutil.rmtree(folder / "results/mini" / kind / ROW)
        (folder / TABLE).unlink()
        shutil.rmtree(folder / "logs")
        self.controllers: list[subprocess.Popen[bytes]] = []

    def start(self, *target: str, **variables: str) -> subprocess.Popen[bytes]:
        """Begin to make the weights through Slurm."""
        with (self.folder / "told").open("ab") as told:
            process = subprocess.Popen(
                ["snakemake", *(target or [WEIGHTS]), *PROFILE], cwd=self.folder, env=self.environment | variables,
                stdout=told, stderr=told, start_new_session=True,
            )  # fmt: skip
        self.controllers.append(process)
        return process

    @property
    def run(self) -> logs.Attempt | None:
        """The training's last run; Snakemake deletes what an earlier one said."""
        found = logs.read(self.folder / LOG)
        return found[-1] if found else None

    def until_epoch(self, number: int, other_than: logs.Attempt | None = None) -> logs.Attempt:
        """Wait for an epoch of the training's first run, or of the one after another."""

        def reached() -> bool:
            run = self.run
            new = run is not None and (other_than is None or run.process != other_than.process)
            return new and run is not None and any(line.startswith(f"epoch {number}:") for line in run.lines)

        wait_until(reached, f"epoch {number}", PATIENCE)
        assert self.run is not None
        return self.run

    def said(self, job: str | None) -> str:
        """What a job of Slurm that failed has left."""
        (log,) = (self.folder / "logs/slurm/rule_train_stage").glob(f"*/{job}.log")
        return log.read_text()

    @property
    def record(self) -> manifest.Manifest:
        """Of the finished training."""
        record = manifest.read(self.folder / WEIGHTS.replace("weights.safetensors", "manifest.json"))
        assert record is not None
        return record

    @property
    def restarts(self) -> int:
        """How often it went on from a checkpoint."""
        return self.record.circumstances.restarts

    def ends(self, controller: subprocess.Popen[bytes]) -> int:
        return controller.wait(PATIENCE)

    def is_finished_as_before(self) -> bool:
        """A plain command, and the same bytes."""
        done = subprocess.run(
            ["snakemake", TABLE, "--cores", "2"], cwd=self.folder, env=self.environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, self.told() + done.stderr
        return {path: sha256(self.folder / path) for path in MADE} == self.before

    def node(self, run: logs.Attempt) -> str:
        return self.slurm.ask("squeue", "-h", "-j", str(run.job), "-o", "%N").strip()

    def slurm_name(self) -> str:
        """By which the plugin calls all jobs of a run."""
        return next(line.split()[-1] for line in self.told().splitlines() if line.startswith("SLURM run ID"))

    def told(self) -> str:
        return (self.folder / "told").read_text()

    def state(self, job: str | None) -> str:
        return self.slurm.ask("squeue", "-h", "--states=all", "-j", str(job), "-o", "%T").strip()

    def close(self) -> None:
        for process in self.controllers:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.slurm.ask("scancel", "--user=root", "--full")
        wait_until(lambda: not self.slurm.ask("squeue", "-h"), "the end of all jobs", PATIENCE)


@pytest.fixture(scope="module")
def with_table(run_in: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_clone(tmp_path_factory.mktemp("table"))
    done = run_in(folder, "snakemake", TABLE)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def row(with_table: Path, cluster: PrivateSlurm, tmp_path: Path) -> Iterator[Row]:
    folder = tmp_path / "clone"
    forgotten = shutil.ignore_patterns(".snakemake", ".posetables")
    shutil.copytree(with_table, folder, ignore=forgotten, copy_function=shutil.copyfile, symlinks=True)
    row = Row(folder, cluster)
    yield row
    row.close()


ASKED_TO_STOP = "by SIGTERM; the same command goes on from there"


def test_scancel_keeps_the_last_step_and_the_run_goes_on_from_it(row: Row) -> None:
    controller = row.start()
    job = row.until_epoch(5).job
    row.slurm.ask("scancel", str(job))
    assert row.ends(controller) == 0, row.told()
    assert ASKED_TO_STOP in row.said(job)
    assert row.restarts == 1
    assert row.is_finished_as_before()


def test_a_time_limit_that_strikes_twice_costs_two_attempts_and_no_step(row: Row) -> None:
    controller, run, struck = row.start(), None, []
    for epoch in (4, 8):
        run = row.until_epoch(epoch, other_than=run)
        os.kill(run.process, signal.SIGSTOP)  # Slurm looks at limits twice a minute, and wakes what it ends
        row.slurm.ask("scontrol", "update", f"jobid={run.job}", "EndTime=now")
        struck.append(run.job)
    assert row.ends(controller) == 0, row.told()
    assert [row.state(job) for job in struck] == ["TIMEOUT", "TIMEOUT"]
    assert all(ASKED_TO_STOP in row.said(job) for job in struck)
    assert row.restarts == 2
    assert row.is_finished_as_before()


def test_kill_9_of_a_training_costs_what_came_after_its_checkpoint(row: Row) -> None:
    controller = row.start()
    os.kill(row.until_epoch(10).process, signal.SIGKILL)
    assert row.ends(controller) == 0, row.told()
    assert row.restarts == 1
    assert row.is_finished_as_before()


def test_preemption_queues_the_job_again_and_costs_no_attempt(row: Row) -> None:
    controller = row.start()
    run = row.until_epoch(5)
    row.slurm.ask("sbatch", "-p", "urgent", "--exclusive", "--nodes=2", "--output=/dev/null", "--wrap", "true")
    assert row.ends(controller) == 0, row.told()
    assert row.run is not None
    assert row.run.job == run.job
    assert row.restarts == 1
    assert "Trying to restart job" not in row.told()
    assert row.is_finished_as_before()


def test_a_node_that_loses_its_daemon_for_a_while_loses_no_job(row: Row) -> None:
    controller = row.start()
    node = row.node(row.until_epoch(4))
    row.slurm.kill(node)
    row.until_epoch(8)
    row.slurm.start_daemon(node)
    assert row.ends(controller) == 0, row.told()
    assert row.restarts == 0
    assert row.is_finished_as_before()


def test_a_job_whose_node_dies_is_queued_again_and_goes_on(row: Row) -> None:
    controller = row.start()
    run = row.until_epoch(10)
    node = row.node(run)
    row.slurm.kill(node)
    for process in steps_of(run.job):
        os.kill(process, signal.SIGKILL)
    wait_until(lambda: row.state(run.job) != "RUNNING", "the loss of the node", PATIENCE)
    row.slurm.start_daemon(node)
    assert row.ends(controller) == 0, row.told()
    assert row.restarts == 1
    assert row.is_finished_as_before()


def steps_of(job: str | None) -> list[int]:
    """Processes of a job: what takes care of its steps on the node, and all below."""
    found = subprocess.run(["pgrep", "-f", f"slurmstepd: \\[{job}\\."], capture_output=True, text=True, check=False)
    waiting, all_of_them = [int(number) for number in found.stdout.split()], []
    while waiting:
        process = waiting.pop()
        all_of_them.append(process)
        below = subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True, check=False)
        waiting += [int(number) for number in below.stdout.split()]
    return all_of_them


def test_a_restart_of_the_slurm_controller_goes_unnoticed(row: Row) -> None:
    controller = row.start()
    row.until_epoch(4)
    row.slurm.kill("slurmctld")
    row.until_epoch(8)
    row.slurm.start_daemon("slurmctld")
    assert row.ends(controller) == 0, row.told()
    assert row.restarts == 0
    assert row.is_finished_as_before()


def test_a_job_out_of_memory_is_given_more(row: Row) -> None:
    scales = row.folder / "params/scales.yaml"
    content = yaml.safe_load(scales.read_text())
    content["mini"]["resources"]["train"]["mem_mb"] = 220
    scales.write_text(yaml.safe_dump(content, sort_keys=False))
    assert row.ends(row.start()) == 0, row.told()
    asked = row.slurm.ask("sacct", "-Xnp", "-o", "reqmem,state", f"--name={row.slurm_name()}").split()
    assert asked[0] == "220M|FAILED|"  # OUT_OF_MEMORY takes cgroups
    assert asked[-1] in ("440M|COMPLETED|", "660M|COMPLETED|")
    assert row.is_finished_as_before()


def test_a_full_scratch_is_told_and_does_without(row: Row, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", scratch], check=False)
    if mounted.returncode:
        pytest.skip("may not mount a file system, which would stand for a full disk")
    try:
        assert row.ends(row.start(POSETABLES_SCRATCH=str(scratch))) == 0, row.told()
        assert row.run is not None
        assert any(line.startswith(f"scratch: {scratch}: ") for line in row.run.lines)
        assert row.is_finished_as_before()
    finally:
        subprocess.run(["umount", scratch], check=True)


def test_a_controller_that_was_killed_and_started_again_neither_loses_nor_doubles_the_running_job(row: Row) -> None:
    first = row.start()
    run = row.until_epoch(3)
    os.killpg(first.pid, signal.SIGKILL)
    second = row.start()
    assert row.ends(second) == 0, row.told()
    assert row.record.circumstances.slurm_job == run.job
    assert row.restarts == 0
    assert row.is_finished_as_before()
