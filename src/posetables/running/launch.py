"""What a cluster is asked for, and the words before the command of a training that runs as several processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posetables.schemas import Request

MOST = 3
"""Memory and time grow with each attempt, up to this many times what was asked for first: a request that no node can
meet would wait for ever."""


def cpus(request: Request, threads: int) -> int:
    """CPUs of each node, where the recipe has `threads` for each process."""
    return (request.cpus or threads) * request.processes


def resources(request: Request, threads: int, attempt: int) -> dict[str, int | str]:
    """Resources of one job by their names in snakemake-executor-plugin-slurm, for its first (1) or a later attempt."""
    growth = min(attempt, MOST)
    asked: dict[str, int | str] = {
        "nodes": request.nodes,  # else GPUs of one job may lie on several
        "cpus_per_task": cpus(request, threads),
        "mem_mb": request.mem_mb * growth,
        "runtime": request.runtime * growth,
    }
    if request.nodes > 1:
        # One task a node, which `launch` starts: `mpi` keeps the plugin from starting the job in a step of its own.
        # `tasks_per_gpu` 0 keeps it from taking `tasks` for tasks of each GPU, and `gres` counts by node, `gpu` in all.
        asked |= {"mpi": "srun", "tasks": request.nodes, "tasks_per_gpu": 0}
        if request.gpu:
            asked["gres"] = ":".join(["gpu", *filter(None, [request.gpu_model]), str(request.gpu)])
    elif request.gpu:
        asked["gpu"] = request.gpu
        if request.gpu_model is not None:
            asked["gpu_model"] = request.gpu_model
    return asked


def launch(request: Request, threads: int) -> str:
    """Shell words that go before a command to run it as `nodes` x `processes` processes; none for a single one.

    For a shell on the first node of a Slurm job, where there are several.
    """
    if request.nodes == request.processes == 1:
        return ""
    if request.nodes == 1:
        return f"torchrun --standalone --nproc-per-node {request.processes} --no-python -- "
    return (
        # A step is given one CPU a task where it does not ask, whatever the job has.
        f"srun --overlap --nodes {request.nodes} --ntasks {request.nodes} --ntasks-per-node 1"
        f" --cpus-per-task {cpus(request, threads)}"
        f" torchrun --nnodes {request.nodes} --nproc-per-node {request.processes} --rdzv-backend c10d"
        ' --rdzv-endpoint "$(hostname):$((20000 + SLURM_JOB_ID % 20000))" --rdzv-id "$SLURM_JOB_ID" --no-python -- '
    )
