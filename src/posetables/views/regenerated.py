"""What was made anew beside what was recorded: the numbers, and where the bytes first differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from posetables.provenance import manifest

if TYPE_CHECKING:
    from posetables.provenance.artifact import Artifact
    from posetables.stages.cells import Cell
    from posetables.stages.regenerate import Comparison


def print_regenerated(
    chosen: Sequence[Cell], values: Mapping[tuple[str, str], float], compared: Sequence[Comparison]
) -> int:
    """The numbers side by side, then `identical` or where the first difference arose; 1 if there is one.

    A measured time is never the same twice: it is shown, and not held against anything.
    """
    for cell in chosen:
        value, before = values[cell.row, cell.column], cell.value
        moved = "" if before is None else f", recorded {before:.6g}, moved by {value - before:+.3g}"
        print(f"{cell.row} / {cell.column}: {value:.6g}{moved}")
    judged = [each for each in compared if each.artifact.stage != "measure"]
    for each in judged:
        if each.different is None:
            print(f"{each.artifact.manifest}: nothing was recorded")
    differing = [each for each in judged if each.different]
    same = sum(each.different == () for each in judged)
    if len(judged) < len(compared):
        print("measured anew, and never the same bytes: parameters and seconds")
    print(f"identical: {same} of {len(judged)} artifacts, byte for byte")
    if differing:
        first = differing[0]
        files = ", ".join(str(first.artifact.outputs[name]) for name in first.different or ())
        print(f"first difference: {files}; {_reason(first.artifact)}")
    return int(same < len(judged))


def _reason(artifact: Artifact) -> str:
    """What is known to change bytes and is not the same as then."""
    record = manifest.read(artifact.manifest)
    if record is None:
        return "nothing was recorded"
    if record.identity != artifact.identity:
        return f"recorded for another recipe or code: {artifact.freshness().why}"
    then, now = record.environment, manifest.environment()
    moved = [
        f"{name} was {getattr(then, name)}, is {getattr(now, name)}"
        for name in ("processor", "gpu", "lock", "python", "numpy")
        if getattr(then, name) != getattr(now, name)
    ]
    return "; ".join(moved) or "on the same processor and packages: this should not happen"
