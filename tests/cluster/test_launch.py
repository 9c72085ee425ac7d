"""Processes of one training on several nodes find each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines import Run
from posetables.running import launch
from posetables.schemas import Request
from private_slurm import PrivateSlurm

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

SUM = """\
import os, torch
torch.distributed.init_process_group("gloo")
ranks = torch.tensor([torch.distributed.get_rank()])
torch.distributed.all_reduce(ranks)
print(f"on {os.environ['SLURMD_NODENAME']} sum {ranks.item()}\\n", end="", flush=True)
torch.distributed.destroy_process_group()
"""


@pytest.mark.parametrize(("nodes", "processes"), [(1, 2), (2, 2)])
def test_all_processes_take_part_in_one_sum(
    cluster: PrivateSlurm, run_in: Run, tmp_path: Path, nodes: int, processes: int
) -> None:
    (tmp_path / "sum.py").write_text(SUM)
    words = launch.launch(Request(gpu=0, mem_mb=4000, runtime=5, nodes=nodes, processes=processes), 1)
    asked = [f"--nodes={nodes}", f"--ntasks={nodes}", f"--cpus-per-task={processes}", "--mem=4000"]
    done = run_in(
        tmp_path, "sbatch", "--wait", "--output=told", *asked, "--wrap", f"exec {words}python sum.py",
        environment=cluster.environment,
    )  # fmt: skip
    told = (tmp_path / "told").read_text()
    assert done.returncode == 0, told
    sums = [line.split() for line in told.splitlines() if line.startswith("on ")]
    count = nodes * processes
    assert [each[-1] for each in sums] == [str(count * (count - 1) // 2)] * count
    assert len({each[1] for each in sums}) == nodes
