"""What a cluster is asked for, and how several processes are started."""

from __future__ import annotations

from posetables.running import launch
from posetables.schemas import Request

ONE = Request(gpu=1, mem_mb=1000, runtime=60)


def test_cpus_are_those_of_the_recipe_unless_the_scale_says_others() -> None:
    assert launch.resources(ONE, 8, 1)["cpus_per_task"] == 8
    assert launch.resources(ONE.model_copy(update={"cpus": 12}), 8, 1)["cpus_per_task"] == 12


def test_every_process_of_a_node_has_its_cpus() -> None:
    assert launch.resources(ONE.model_copy(update={"processes": 4}), 8, 1)["cpus_per_task"] == 32


def test_memory_and_time_grow_with_each_attempt_up_to_three_times() -> None:
    asked = [launch.resources(ONE, 8, attempt) for attempt in (1, 2, 3, 9)]
    assert [(each["mem_mb"], each["runtime"]) for each in asked] == [(1000, 60), (2000, 120), (3000, 180), (3000, 180)]


def test_a_model_is_named_only_where_there_is_a_gpu() -> None:
    model = {"gpu_model": "a100"}
    assert launch.resources(ONE.model_copy(update=model), 8, 1).items() >= {"gpu": 1, "gpu_model": "a100"}.items()
    assert not {"gpu", "gpu_model"} & launch.resources(ONE.model_copy(update=model | {"gpu": 0}), 8, 1).keys()


def test_gpus_of_one_node_are_never_found_on_two() -> None:
    assert launch.resources(ONE.model_copy(update={"gpu": 2}), 8, 1).items() >= {"gpu": 2, "nodes": 1}.items()


def test_gpus_of_several_nodes_are_counted_by_node() -> None:
    asked = launch.resources(ONE.model_copy(update={"nodes": 2, "gpu": 4, "gpu_model": "a100", "processes": 4}), 8, 1)
    assert asked.items() >= {"nodes": 2, "tasks": 2, "gres": "gpu:a100:4", "cpus_per_task": 32}.items()
    assert "gpu" not in asked


def test_one_process_is_started_by_nothing() -> None:
    assert launch.launch(ONE, 8) == ""


def test_processes_of_one_node_are_started_by_torchrun() -> None:
    command = launch.launch(ONE.model_copy(update={"processes": 4}), 8)
    assert command == "torchrun --standalone --nproc-per-node 4 --no-python -- "


def test_on_several_nodes_srun_starts_one_torchrun_each() -> None:
    command = launch.launch(ONE.model_copy(update={"nodes": 2, "processes": 4}), 8)
    assert command.startswith("srun --overlap --nodes 2 --ntasks 2 --ntasks-per-node 1 --cpus-per-task 32 torchrun ")
    assert " --nnodes 2 --nproc-per-node 4 " in command
