"""The one place that chooses a device and makes its arithmetic repeatable."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import torch

from posetables.provenance.processor import processor

if TYPE_CHECKING:
    from posetables.recipe import Compute


def device() -> torch.device:
    """The GPU where there is one: its own for each of the processes that torchrun started on this node."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def choose(compute: Compute) -> torch.device:
    """The device, with deterministic kernels and the recipe's number of threads."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS is not deterministic
    # The flag of `use_deterministic_algorithms`, which itself would import the whole compiler.
    torch.set_deterministic_debug_mode("error")
    # Nothing reads it, and filling it is an eighth of a small step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.set_num_threads(compute.threads)
    return device()


def precision(compute: Compute, device: torch.device) -> AbstractContextManager[object]:
    """Autocast to bfloat16 where the recipe says so, else nothing."""
    return torch.autocast(device.type, torch.bfloat16, enabled=compute.precision == "bfloat16")


def name(device: torch.device) -> str:
    """What a time was measured on."""
    if device.type == "cuda":
        return torch.cuda.get_device_name()
    return f"{processor()}, {torch.get_num_threads()} threads"
