"""Content hashes, and the memory that spares reading again what cannot have changed.

A file is not read again while its size, times of modification and of change, and inode are those of the moment it was
hashed. The time of change cannot be set back by a user, so that an edit which keeps size and time of modification is
still seen. Deleting the memory costs time, nothing else.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from posetables.provenance import memory
from posetables.provenance.identity import digest

MEMORY = Path(".posetables/hashes")
"""Below the root of the project, one file for every path that was asked for, so that no two programs share one."""

SETTLED_SECONDS = 2.0
"""Clocks of file systems are coarse: a file that changed so recently could change again without showing it."""

Hash = Callable[[Path], str]


def sha256(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_below(folder: Path, hash_file: Hash = sha256) -> dict[str, str]:
    """Every file below a folder -> its SHA-256."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): hash_file(file) for file in files}


class Remembered:
    """SHA-256 of files, read anew only if they may have changed since they were last hashed below `place`."""

    def __init__(self, place: Path) -> None:
        self.memory = MEMORY / f"{hashlib.sha256(os.path.abspath(place).encode()).hexdigest()}.json"  # noqa: PTH100
        self.known: dict[str, list[object]] = self._read()
        self.learnt = False

    def __call__(self, path: Path) -> str:
        name, before = str(path), _signature(path)
        match self.known.get(name):
            case [*signature, str(found)] if signature == before:
                return found
        found = sha256(path)
        if (
            _signature(path) == before
            and time.time() - max(path.stat().st_ctime, path.stat().st_mtime) > SETTLED_SECONDS
        ):
            self.known[name] = [*before, found]
            self.learnt = True
        return found

    def keep(self) -> None:
        """Remember what was read; where nothing can be written, it is read again the next time."""
        if self.learnt:
            memory.keep(self.memory, self.known)

    def _read(self) -> dict[str, list[object]]:
        content = memory.recall(self.memory)
        return content if isinstance(content, dict) else {}


def content(path: Path, hash_file: Hash = sha256) -> tuple[str, dict[str, str] | None]:
    """SHA-256 of a file and None, or of the names and hashes of a folder's files and these."""
    if path.is_dir():
        files = files_below(path, hash_file)
        return digest(files), files
    return hash_file(path), None


def remembered(path: Path) -> tuple[str, dict[str, str] | None]:
    """As `content`, but reads only what may have changed since the last time."""
    memory = Remembered(path)
    found = content(path, memory)
    memory.keep()
    return found


def _signature(path: Path) -> list[object]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
