"""Kills at random moments of a run, each put right by the plain command: does the end have the same bytes?

    python benchmarks/kills.py --kills 20 --seed 1
    python benchmarks/kills.py results/mini/tables/hcrn_table5.csv --profile slurm

In a clone of the last commit a target is made without a break. In others the same command is killed: at a random
moment, one random process of those that it has started, whether the controller, a stage or a loader, gets SIGKILL, and
the command is given again whenever it has ended. Once the target is made, every file but manifests and times is
compared. That is repeated in another clone until all kills are done. A seed gives the same moments and choices; what
runs at a moment depends on the machine, so that each kill is printed. Processes are known by a variable in their
environment, and thus also where Slurm runs them, if on this machine.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from posetables.provenance.hashes import sha256

ROOT = Path(__file__).parents[1]
TARGET = "results/mini/tables/hcrn_table1.csv"
MARK = f"POSETABLES_KILLS={uuid.uuid4().hex}"
MADE = ("data", "results/mini")
TIMED = ("manifest.json", ".lock", "cost.json", ".speed.json")


class Run:
    """A fresh clone in an empty folder, and the one command that is given in it."""

    def __init__(self, origin: Path, folder: Path, command: list[str]) -> None:
        subprocess.run(["git", "clone", "--quiet", origin, folder], check=True)
        self.folder, self.command = folder, command
        name, _, value = MARK.partition("=")
        programs = os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()])
        self.environment = os.environ | {"PATH": programs, "PYTHONPATH": str(folder / "src"), name: value}

    def start(self) -> subprocess.Popen[bytes]:
        with (self.folder / "said").open("ab") as said:
            return subprocess.Popen(
                self.command, cwd=self.folder, env=self.environment, stdout=said, stderr=said, start_new_session=True
            )

    def finish(self) -> None:
        if self.start().wait() != 0:
            sys.exit((self.folder / "said").read_text() + f"\n{self.folder}: failed though nothing was killed")

    def finish_killed(self, moments: random.Random, longest: float, most: int) -> int:
        """Make the target with up to `most` kills, `longest` seconds apart at most; how many these were."""
        kills, killed = 0, False
        controller = self.start()
        while kills < most:
            try:
                code = controller.wait(moments.uniform(0, longest))
            except subprocess.TimeoutExpired:
                kills, killed = kills + kill_one(moments), True
                continue
            if code == 0:
                return kills
            if not killed:
                self.finish()  # tells what is wrong
            killed, controller = False, self.start()
        if controller.wait() != 0:
            self.finish()
        return kills

    def made(self) -> dict[str, str]:
        """Every file that was made -> its content, but for what holds times."""
        paths = [path for top in MADE for path in (self.folder / top).rglob("*") if path.is_file()]
        return {str(path.relative_to(self.folder)): content(path) for path in paths if not path.name.endswith(TIMED)}


def content(path: Path) -> str:
    """Hash of a file; of a table, its text without times."""
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            lines = [line for line in csv.DictReader(file) if not line.get("column", "").startswith("Time")]
        return str([{key: value for key, value in line.items() if not key.startswith("Time")} for line in lines])
    if path.parent.name == "tables" and path.suffix == ".json":
        rows = json.loads(path.read_text()).items()
        return str([(row, [cell for cell in cells.items() if not cell[0].startswith("Time")]) for row, cells in rows])
    return sha256(path)


def marked() -> dict[int, str]:
    """Processes that a run has started -> their command lines."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and MARK.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it has ended
            continue
    return {process: line for process, line in found.items() if line}  # none: it has ended, and nobody was told


def kill_one(moments: random.Random) -> int:
    """1, unless nothing was left to kill."""
    found = marked()
    if not found:
        return 0
    process = sorted(found)[int(moments.random() * len(found))]
    print(f"  kill -9 {process} of {len(found)}: {found[process][:150]}", flush=True)
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1


def wait_for_strays() -> None:
    """What a killed controller has left runs to its end; it finds its work done."""
    while marked():
        time.sleep(0.2)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("target", nargs="?", default=TARGET, help=f"at mini scale (default: {TARGET})")
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--profile", help="slurm, for instance (default: here)")
    given = options.parse_args()
    command = ["snakemake", given.target, *(["--profile", given.profile] if given.profile else [])]
    moments = random.Random(given.seed)  # noqa: S311 - no secret
    with tempfile.TemporaryDirectory(prefix="kills-") as top:
        whole, start = Run(ROOT, Path(top) / "whole", command), time.monotonic()
        whole.finish()
        seconds, before = time.monotonic() - start, whole.made()
        print(f"{' '.join(command)}: {seconds:.0f} s without a break, {len(before)} files", flush=True)
        done = good = 0
        while done < given.kills:
            run = Run(whole.folder, Path(tempfile.mkdtemp(dir=top)), command)  # of one commit, whatever happens here
            kills = run.finish_killed(moments, seconds / 2, given.kills - done)
            wait_for_strays()
            after = run.made()
            differing = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
            print(f"  made after {kills} kills, differing: {', '.join(differing) or 'nothing'}", flush=True)
            done, good = done + kills, good + (0 if differing else kills)
    print(f"{good} of {done}")
    sys.exit(good != done)


if __name__ == "__main__":
    main()
