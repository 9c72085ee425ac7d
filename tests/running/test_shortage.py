"""Too little memory or disk ends a job with one line that names what to ask for; other errors stay what they are."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import torch

from posetables.stages import predict, train

if TYPE_CHECKING:
    from conftest import Project

HG = "hcrn/lsp-pc/hg"
MINI = ("--scale", "mini")


def on_the_gpu() -> None:
    # Its text as torch 2.13 gives it on a GPU.
    raise torch.OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 15.89 GiB."
    )


def by_a_library_of_the_gpu() -> None:
    raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


def in_torch() -> None:
    torch.empty(10**14)


def in_numpy() -> None:
    np.empty(10**14)


def in_opencv() -> None:
    cv2.resize(np.zeros((10, 10, 3), np.uint8), (2**30, 2**30))


def in_the_kernel() -> None:
    raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


def in_a_loader_process() -> None:
    raise RuntimeError("DataLoader worker (pid 12) is killed by signal: Killed. ")


GPU = "resources: train: out of memory of the GPU: "
HOST = "resources: train: out of memory of the machine: "


@pytest.mark.parametrize(
    ("fail", "told", "remedy"),
    [
        (on_the_gpu, GPU + "CUDA out of memory. Tried to allocate 20.00 GiB", "gpu_model), or for more of them"),
        (by_a_library_of_the_gpu, GPU, "gpu_model"),
        (in_torch, HOST, "mem_mb"),
        (in_numpy, HOST + "Unable to allocate 728. TiB", "mem_mb"),
        (in_opencv, HOST, "mem_mb"),
        (in_the_kernel, HOST + "[Errno 12] Cannot allocate memory", "mem_mb"),
        (in_a_loader_process, HOST, "mem_mb"),
    ],
)
def test_a_training_without_memory_ends_with_what_to_ask_for(
    project: Project, monkeypatch: pytest.MonkeyPatch, fail: Callable[[], None], told: str, remedy: str
) -> None:
    monkeypatch.setattr(train, "train", lambda *_: fail())
    line = project.refusal("train", HG, *MINI)
    assert line.startswith(f"posetables: params/scales.yaml: mini: {told}")
    assert remedy in line.rpartition(";")[2]


def test_a_test_without_memory_names_its_own_request(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.run("train", HG, *MINI)
    monkeypatch.setattr(predict, "predict", lambda *_: on_the_gpu())
    line = project.refusal("predict", HG, *MINI)
    assert "mini: resources: predict: out of memory of the GPU" in line
    assert "processes" not in line  # one tests alone


LIMITED = """
import resource, sys
from pathlib import Path
from posetables.cli import main
from posetables.stages import train  # what it loads is not to fail
pages = int(Path("/proc/self/statm").read_text().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**26,) * 2)
sys.exit(main(sys.argv[1:]))
"""


def test_a_limit_on_memory_that_the_system_sets_is_told(project: Project) -> None:
    project.replace("params/scales.yaml", "features: 8", "features: 1024")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, "train", HG, *MINI], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "mini: resources: train: out of memory of the machine" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "error", [RuntimeError("size mismatch"), ValueError("memory"), FileNotFoundError(errno.ENOENT, "gone", "a")]
)
def test_another_error_keeps_its_traceback(project: Project, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(train, "train", fail)
    with pytest.raises(type(error)):
        project.run("train", HG, *MINI)
