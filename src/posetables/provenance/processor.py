"""The model of the CPU: part of what a time, or the last bits of a sum, depend on."""

from __future__ import annotations

import platform
from pathlib import Path


def processor() -> str:
    """As the kernel names it, or the machine's architecture where there is no such file."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
