"""Speed of a deep audit against SHA-256 alone over the same files, in one process.

    python benchmarks/audit.py

A lineage as large as a real one: few heavy files (weights, crops) and a folder of many small ones (images). What the
audit does besides hashing - reading records, holding them against each other and themselves - is the difference.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from posetables.provenance import hashes
from posetables.provenance.artifact import Artifact, make
from posetables.provenance.lineage import Lineage

HEAVY, HEAVY_BYTES = 8, 128 << 20
IMAGES, IMAGE_BYTES = 4000, 20_000
ROUNDS, AIM = 3, 0.8


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        images = artifact("images", None)
        make(images, fill_images)
        heavy = images
        for i in range(HEAVY):
            heavy = artifact(f"weights{i}", heavy)
            make(heavy, fill_heavy)
        files = [path for path in Path.cwd().rglob("*") if path.is_file() and path.suffix in (".jpg", ".bin")]
        raw, deep = [], []
        for _ in range(ROUNDS):
            start = time.process_time()
            for file in files:
                with file.open("rb") as content:
                    hashlib.file_digest(content, "sha256")
            hashed = time.process_time()
            node = Lineage(hashes.content).node(heavy.manifest)
            deep.append(time.process_time() - hashed)
            raw.append(hashed - start)
            assert all(each.state == "verified" for each in node.all())
    ratio = min(raw) / min(deep)
    size = sum((HEAVY * HEAVY_BYTES, IMAGES * IMAGE_BYTES)) / 1e9
    print(f"deep audit of {size:.2f} GB: {ratio:.2f} of the speed of SHA-256 alone (aim {AIM})")


def artifact(name: str, before: Artifact | None) -> Artifact:
    place = Path(name) if before is None else Path(f"{name}.bin")
    return Artifact(
        stage="write",
        recipe={},
        modules=("posetables.errors",),
        outputs={"content": place},
        manifest=Path(f"{name}.manifest.json"),
        inputs={} if before is None else {"before": before},
    )


def fill_images(_: object, outputs: Mapping[str, Path]) -> dict[str, Any]:
    outputs["content"].mkdir()
    for i in range(IMAGES):
        (outputs["content"] / f"{i}.jpg").write_bytes(os.urandom(IMAGE_BYTES))
    return {}


def fill_heavy(_: object, outputs: Mapping[str, Path]) -> dict[str, Any]:
    outputs["content"].write_bytes(os.urandom(HEAVY_BYTES))
    return {}


if __name__ == "__main__":
    main()
