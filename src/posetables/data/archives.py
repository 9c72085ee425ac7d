"""Archives from strangers: named files are read out of them, nothing is ever extracted by its own path.

A path that escapes the folder, a link or device where a file is wanted, a bomb, and a damaged archive are refused.
"""

from __future__ import annotations

import gzip
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from posetables.errors import InputError

MAX_MEMBERS = 500_000
"""Above the largest archive of a pose data set: COCO's train2017.zip has 118,287 images."""
MAX_RATIO = 200
"""Unpacked over packed size. Photographs have 1, COCO's annotations 8, a bomb up to 1,032 (deflate's own limit)."""
SLACK = 1_000_000
"""Bytes that any archive may unpack to: a few repetitive text files are no bomb."""

_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    ValueError,
)


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    plain: bool
    open: Callable[[], IO[bytes] | None]


def unpack(
    archive: Path,
    choose: Callable[[str], str | None],
    put: Callable[[str, IO[bytes]], None],
    *,
    max_bytes: int,
    called: str,
) -> None:
    """Read the chosen files of a zip or tar.gz archive.

    `choose` maps a member's name to the name under which it is wanted, or None. `put(name, stream)` gets each one.
    The size of all members together, as the archive declares it, is limited to `max_bytes` and to `MAX_RATIO` times
    the archive; zipfile and tarfile never yield more bytes than a member declares.

    Raises `InputError`, naming the archive as `called` (where it came from) and the member, for everything described
    above.
    """
    try:
        members = _zip(archive) if zipfile.is_zipfile(archive) else _tar(archive)
        for member in _within_limits(members, min(max_bytes, MAX_RATIO * archive.stat().st_size + SLACK), called):
            name = choose(member.name.removeprefix("./"))
            if name is None:
                continue
            stream = member.open() if member.plain else None
            if stream is None:
                raise InputError(f"{called}: {member.name} is no plain file (a link, a device, encrypted); refused")
            with stream:
                put(name, stream)
    except _DAMAGE as error:
        raise InputError(f"{called}: damaged, or no zip or tar.gz archive ({error})") from error


def _within_limits(members: Iterator[_Member], limit: int, called: str) -> Iterator[_Member]:
    total = 0
    for count, member in enumerate(members, 1):
        total += member.size
        if _escapes(member.name):
            raise InputError(f"{called}: {member.name!r} leads out of the folder; the archive is refused")
        if count > MAX_MEMBERS:
            raise InputError(f"{called}: more than {MAX_MEMBERS:,} members; the archive is refused")
        if total > limit:
            raise InputError(f"{called}: unpacks to more than {limit:,} bytes; the archive is refused")
        yield member


def _escapes(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or bool(re.match("[A-Za-z]:", name))


def _zip(path: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            encrypted = bool(info.flag_bits & 1)
            known = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            plain = kind in (0, stat.S_IFREG) and not info.is_dir() and not encrypted and known
            yield _Member(info.filename, info.file_size, plain, partial(archive.open, info))


def _tar(path: Path) -> Iterator[_Member]:
    with tarfile.open(path, "r:gz") as archive:
        for info in archive:
            yield _Member(info.name, info.size, info.isreg(), partial(archive.extractfile, info))
