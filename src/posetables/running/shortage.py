"""Too little memory or disk, as one line that says what to ask for instead."""

from __future__ import annotations

import errno

from posetables.running.requests import REQUESTS

ON_A_GPU = ("CUDA out of memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
ON_THE_HOST = (
    "DefaultCPUAllocator",  # torch
    "killed by signal: Killed",  # a loader process of torch, by the kernel or by Slurm
    "Insufficient memory",  # OpenCV
)


def shortage(error: Exception, verb: str, scale: str) -> str | None:
    """What to tell of an error that means too little memory or disk; None: it means something else."""
    number, kind = getattr(error, "errno", None), REQUESTS.get(verb, "data")
    if number in (errno.ENOSPC, errno.EDQUOT):
        return f"{getattr(error, 'filename', None) or 'results'}: no space left on the disk; make room and run again"
    if _says(error, "OutOfMemoryError", ON_A_GPU):
        among_more = ", or for more of them (processes), which share a batch" if kind == "train" else ""
        where, remedy = "of the GPU", f"a larger one (gpu_model){among_more}"
    elif _says(error, "MemoryError", ON_THE_HOST) or number == errno.ENOMEM:
        where, remedy = "of the machine", "more (mem_mb)"
    else:
        return None
    said = str(error).partition("\n")[0]
    asked = f"params/scales.yaml: {scale}: resources: {kind}"
    return f"{asked}: out of memory {where}: {said or type(error).__name__}; ask for {remedy}"


def _says(error: Exception, kind: str, texts: tuple[str, ...]) -> bool:
    """By the names of its classes, as torch is not loaded for this, or by its text."""
    return kind in {each.__name__ for each in type(error).__mro__} or any(text in str(error) for text in texts)
