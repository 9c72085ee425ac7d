"""What Slurm costs: a target made on this machine and through a Slurm on it, as a ratio, and where the rest goes.

    python benchmarks/slurm.py
    python benchmarks/slurm.py results/mini/tables/hcrn_table5.csv

Two nodes share the cores of this machine, on which nothing else should run. Of the run through Slurm: how long both
were idle, since the controller had not looked yet (the plugin looks after seconds, later after minutes), and what a job
takes of its node besides the work that manifests record: two starts of Snakemake and one of a step.
"""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from engines import environment_of, write_clone
from private_slurm import NODES, PrivateSlurm, missing, private_slurm

TARGET = "results/mini/tables/hcrn_table1.csv"
AIM = 2.0


def main(target: str = TARGET) -> None:
    if (reason := missing()) is not None:
        sys.exit(reason)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        local = make(folder / "local", target, os.environ)
        print(f"on this machine {local:.0f} s", flush=True)
        (folder / "lab").mkdir()
        with private_slurm(folder / "lab", cpus=max(1, (os.cpu_count() or 1) // len(NODES))) as slurm:
            through = make(folder / "through", target, slurm.environment, "--profile", "slurm")
            jobs = jobs_of(slurm)
        work = work_of(folder / "through", jobs)
    idle = idle_seconds(list(jobs.values()))
    print(f"through Slurm   {through:.0f} s: {through / local:.2f} times, aim {AIM}; {len(jobs)} jobs")
    print(f"both nodes idle {idle:.0f} s; without that {(through - idle) / local:.2f} times")
    print(f"a job, besides its work, {(sum(end - start for start, end in jobs.values()) - work) / len(jobs):.1f} s")


def make(folder: Path, target: str, outer: Mapping[str, str], *options: str) -> float:
    """Seconds from nothing to the target, in a new clone."""
    folder.mkdir()
    write_clone(folder)
    command, environment = ["snakemake", target, *options], environment_of(folder, outer)
    begin = time.monotonic()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    return time.monotonic() - begin


def jobs_of(slurm: PrivateSlurm) -> dict[str, tuple[float, float]]:
    """Number of each job -> when it began and ended, in seconds."""
    lines = slurm.ask("sacct", "-XPn", "-o", "jobid,start,end").splitlines()
    return {number: (at(start), at(end)) for number, start, end in (line.split("|") for line in lines)}


def at(time_of: str) -> float:
    return datetime.datetime.fromisoformat(time_of).timestamp()


def work_of(clone: Path, jobs: Mapping[str, object]) -> float:
    """Seconds that the stages took in jobs of Slurm."""
    told = [json.loads(path.read_text())["circumstances"] for path in clone.rglob("*manifest.json")]
    return sum(each["seconds"] for each in told if each["slurm_job"] in jobs)


def idle_seconds(jobs: list[tuple[float, float]]) -> float:
    """Seconds between the first and the last job in which none ran."""
    idle, busy = 0.0, min(jobs)[0]
    for start, end in sorted(jobs):
        idle, busy = idle + max(0.0, start - busy), max(busy, end)
    return idle


if __name__ == "__main__":
    main(*sys.argv[1:])
