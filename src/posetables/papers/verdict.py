"""What our number says about the printed one."""

from __future__ import annotations

from typing import Literal

Kind = Literal["measured", "rescored", "cited", "missing"]
"""measured: trained, counted or timed here; rescored: a published prediction file, scored here; cited: copied from the
paper; missing: the paper's own number, and none of ours."""

Verdict = Literal["reproduced", "differs", "not comparable", "missing", ""]


def verdict(
    kind: Kind,
    value: float | None,
    printed: float | None,
    tolerance: float | None,
    *obstacles: str | None,
) -> tuple[Verdict, str]:
    """The verdict on one cell, and the reason for it; a cited number, or one that the paper lacks, has none.

    obstacles: why the two could not agree whatever the method is worth: scale, split, device. The first is named.
    """
    if kind == "cited" or (printed is None and kind != "missing"):
        return "", ""
    if value is None or printed is None:
        return "missing", "no experiment of ours"
    if (obstacle := next(filter(None, obstacles), None)) is not None:
        return "not comparable", obstacle
    if tolerance is None:
        return "not comparable", "no tolerance is set for this metric"
    # Printed digits are decimal, so that the boundary itself must not fall to binary rounding.
    near = abs(value - printed) <= tolerance + 1e-9
    return ("reproduced" if near else "differs"), f"{value - printed:+.4g} of the printed, within {tolerance:g} allowed"
