"""Why a job failed is told from what it said, how it ended and what Slurm and the kernel say."""

from __future__ import annotations

import pytest

from posetables.running.triage import Facts, Kind, judge

CRASH = (
    "epoch 1: loss 0.3",
    "Traceback (most recent call last):",
    '  File "/repo/src/posetables/cli.py", line 88, in _run',
    "    return options.run(artifacts, options) or 0",
    '  File "/repo/src/posetables/stages/train.py", line 70, in train',
    "    maps = network(images)",
    '  File "/repo/.venv/lib/python3.11/site-packages/torch/nn/module.py", line 5, in call',
    "    return forward()",
)
STEP_LIMIT = "slurmstepd-n1: error: *** JOB 1 ON n1 CANCELLED AT 2026-11-21T21:56:34 DUE TO TIME LIMIT ***"
CANCELLED = "slurmstepd-n1: error: *** JOB 6 ON n1 CANCELLED AT 2026-11-21T21:55:36 ***"
OVER_MEMORY = "slurmstepd-n1: error: Job 2 exceeded memory limit (614400 > 204800), being killed"
STOPPED = "stopped at step 12 of 90 by SIGTERM; the same command goes on from there"
CUDA = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 10 GiB"
CPU = (
    "RuntimeError: [enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory:"
    " you tried to allocate 4096 bytes. Error code 12 (Cannot allocate memory)"
)
NUMPY = "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 9 GiB"
SPENT = "posetables: train: out of memory; raise paper.resources.train.mem_mb of params/scales.yaml"
FULL = "posetables: results/mini/x: no space left on the disk; make room and run again"
LABELS = "posetables: data/raw/lsp/joints.mat: joints: not 3 x 14; fetch it again"

CASES: dict[str, tuple[Facts, Kind]] = {
    "Slurm: memory": (Facts(slurm="OUT_OF_MEMORY", lines=["epoch 1"]), "memory"),
    "Slurm: time": (Facts(slurm="TIMEOUT", code=143, lines=[STOPPED]), "time"),
    "Slurm: deadline": (Facts(slurm="DEADLINE"), "time"),
    "Slurm: node": (Facts(slurm="NODE_FAIL", lines=["epoch 1"]), "node"),
    "Slurm: node did not boot": (Facts(slurm="BOOT_FAIL"), "node"),
    "Slurm: preempted": (Facts(slurm="PREEMPTED", code=143, lines=[STOPPED]), "stopped"),
    "Slurm: cancelled": (Facts(slurm="CANCELLED", slurm_lines=[CANCELLED]), "stopped"),
    "Slurm: cancelled while it said nothing wrong": (Facts(slurm="CANCELLED", code=143, lines=[STOPPED]), "stopped"),
    "Slurm has forgotten the job, its log has not": (Facts(lines=["epoch 1"], slurm_lines=[STEP_LIMIT]), "time"),
    "Slurm: cancelled for memory": (Facts(slurm="CANCELLED", slurm_lines=[OVER_MEMORY, CANCELLED]), "memory"),
    "Slurm: preempted, and then cancelled": (
        Facts(slurm="CANCELLED", slurm_lines=[CANCELLED.removesuffix("***") + "DUE TO PREEMPTION ***"]),
        "stopped",
    ),
    "Slurm: a failed step that the kernel killed": (
        Facts(slurm="FAILED", slurm_lines=["slurmstepd: error: Detected 1 oom_kill event in StepId=7.batch."]),
        "memory",
    ),
    "CUDA: memory": (Facts(code=1, lines=[*CRASH, CUDA]), "memory"),
    "CPU: memory": (Facts(code=1, lines=[*CRASH, CPU]), "memory"),
    "Python: memory": (Facts(code=1, lines=[*CRASH, "MemoryError"]), "memory"),
    "NumPy: memory": (Facts(code=1, lines=[*CRASH, NUMPY]), "memory"),
    "our line: memory": (Facts(code=2, lines=[SPENT]), "memory"),
    "kernel: memory": (Facts(kernel=True, lines=["epoch 1"]), "memory"),
    "our line: disk": (Facts(code=2, lines=["epoch 1", FULL]), "disk"),
    "crash: disk": (Facts(code=1, lines=[*CRASH, "OSError: [Errno 28] No space left on device: 'x'"]), "disk"),
    "crash: quota": (Facts(code=1, lines=[*CRASH, "OSError: [Errno 122] Disk quota exceeded: 'x'"]), "disk"),
    "crash: limit of a file": (Facts(code=1, lines=[*CRASH, "OSError: [Errno 27] File too large"]), "disk"),
    "crash: file system of the node": (Facts(code=1, lines=[*CRASH, "OSError: [Errno 116] Stale file handle"]), "node"),
    "crash: GPU of the node": (Facts(code=1, lines=[*CRASH, "RuntimeError: No CUDA-capable device"]), "node"),
    "bad input": (Facts(code=2, lines=["epoch 1", LABELS]), "data"),
    "bad input on Slurm": (Facts(code=2, lines=[LABELS], slurm="FAILED", slurm_lines=["Error in rule crop"]), "data"),
    "crash": (Facts(code=1, lines=[*CRASH, "ValueError: shapes differ"]), "code"),
    "crash of a process beside the first, which was then stopped": (
        Facts(code=143, lines=[*CRASH, "ValueError: shapes differ", STOPPED]),
        "code",
    ),
    "an exit status and nothing else": (Facts(code=1), "code"),
    "asked to stop": (Facts(code=143, lines=[STOPPED]), "stopped"),
    "Ctrl-C": (Facts(code=130, lines=[STOPPED]), "stopped"),
    "no last word": (Facts(lines=["epoch 1: loss 0.3"]), "killed"),
    "no word at all": (Facts(), "killed"),
    "never began": (Facts(slurm="FAILED", slurm_lines=["/bin/sh: 1: posetables: not found"]), "node"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_class_of_a_failure(name: str) -> None:
    facts, kind = CASES[name]
    assert judge(facts).kind == kind


def test_preemption_is_told_from_scancel() -> None:
    assert judge(Facts(slurm="PREEMPTED")).why != judge(Facts(slurm="CANCELLED")).why


def test_bad_input_is_told_in_its_own_line() -> None:
    assert judge(Facts(code=2, lines=[LABELS])).why == LABELS.removeprefix("posetables: ")


def test_a_crash_is_told_by_its_last_line_and_our_deepest_one() -> None:
    verdict = judge(Facts(code=1, lines=[*CRASH, "ValueError: shapes differ", "one more word"]))
    assert verdict.why == "ValueError: shapes differ"
    assert verdict.change == "mend /repo/src/posetables/stages/train.py:70"


def test_memory_names_the_key_to_raise() -> None:
    verdict = judge(Facts(slurm="OUT_OF_MEMORY", asks="paper.resources.train"))
    assert verdict.change == "raise paper.resources.train.mem_mb of params/scales.yaml"


def test_memory_of_a_gpu_names_the_model_to_ask_for() -> None:
    verdict = judge(Facts(code=1, lines=[*CRASH, CUDA], asks="paper.resources.train"))
    assert verdict.change == "a larger GPU, by paper.resources.train.gpu_model of params/scales.yaml"


def test_a_stage_without_a_request_of_its_own_is_given_more_in_the_profile() -> None:
    assert judge(Facts(slurm="TIMEOUT")).change == "raise runtime in default-resources of slurm/config.yaml"


def test_a_training_out_of_time_is_said_to_go_on() -> None:
    verdict = judge(Facts(slurm="TIMEOUT", asks="paper.resources.train", resumes=True))
    assert verdict.change.startswith("nothing, it goes on from its checkpoint")


@pytest.mark.parametrize("facts", [Facts(code=143, lines=[STOPPED]), Facts(), Facts(slurm="CANCELLED")])
def test_what_was_only_stopped_asks_for_no_change(facts: Facts) -> None:
    assert judge(facts).change == ""


def test_the_last_lines_are_told_and_no_more() -> None:
    assert judge(Facts(lines=[f"epoch {at}" for at in range(9)])).lines == tuple(f"epoch {at}" for at in range(4, 9))


def test_slurms_words_are_told_where_the_job_said_nothing() -> None:
    assert judge(Facts(slurm="TIMEOUT", slurm_lines=[STEP_LIMIT])).lines == (STEP_LIMIT,)


def test_slurms_last_word_stands_below_the_jobs_own() -> None:
    assert judge(Facts(slurm="TIMEOUT", lines=["epoch 1"], slurm_lines=[STEP_LIMIT])).lines == ("epoch 1", STEP_LIMIT)
