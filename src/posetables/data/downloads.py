"""One address to one file: resumed where it stopped, tried again when the network fails, limited in size."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from posetables.errors import InputError
from posetables.progress import progress

if TYPE_CHECKING:
    import requests

TRIES = 3
FIRST_WAIT = 1.0
"""Seconds before the second try; each further wait is twice as long."""
TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and without a byte."""
CHUNK = 1 << 16
"""Bytes that are lost at most when the line drops: a chunk that has not come whole is not written."""


class _Interrupted(Exception):
    """The network or the server failed in a way that may pass."""


def download(
    address: str,
    target: Path,
    *,
    max_bytes: int,
    session: requests.Session,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Get `address` as the file `target`; nothing to do if it is there.

    Bytes that have arrived stay in `<target>.part`, from which the next try or the next call goes on (HTTP Range).
    A file that changed on the server in between ends up mixed: the caller verifies the content.

    Raises `InputError`, naming the address, when the server refuses, `TRIES` tries fail or the file exceeds
    `max_bytes`.
    """
    if target.exists():
        return
    part = target.with_name(f"{target.name}.part")
    for attempt in range(1, TRIES + 1):
        try:
            _get_rest(address, part, max_bytes, session)
            part.rename(target)
            return
        except _Interrupted as error:
            if attempt == TRIES:
                raise InputError(f"{address}: {error} ({TRIES} tries)") from error
            sleep(FIRST_WAIT * 2 ** (attempt - 1))


def _get_rest(address: str, part: Path, max_bytes: int, session: requests.Session) -> None:
    import requests

    try:
        # Without `identity` a server may compress, and then ranges and sizes no longer count bytes of the file.
        have = part.stat().st_size if part.exists() else 0
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with session.get(address, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == 416:
                _settle(answer, part, have)
            else:
                _save(answer, part, _offset(answer, have), max_bytes)
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise _Interrupted(_reason(error)) from error
    except requests.RequestException as error:
        raise InputError(f"{address}: {_reason(error)}") from error


def _offset(answer: requests.Response, have: int) -> int:
    """Where in the file the answer begins; a server that knows no ranges begins at 0."""
    if answer.status_code == 200:
        return 0
    if answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        return have
    reason = f"HTTP {answer.status_code} {answer.reason}"
    if answer.status_code >= 500 or answer.status_code == 429:
        raise _Interrupted(reason)
    raise InputError(f"{answer.url}: {reason}")


def _settle(answer: requests.Response, part: Path, have: int) -> None:
    """The server has no byte after the first `have`: the part is the whole file, or not of this file at all."""
    if answer.headers.get("Content-Range") != f"bytes */{have}":
        part.unlink(missing_ok=True)
        raise _Interrupted("the part downloaded earlier does not fit")


def _save(answer: requests.Response, part: Path, offset: int, max_bytes: int) -> None:
    length = answer.headers.get("Content-Length", "")
    total = offset + int(length) if length.isdigit() else None
    size = offset
    name = answer.url.rsplit("/", 1)[-1]
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab" if offset else "wb") as out, progress(name, total, done=offset, unit="MB") as advance:
        for chunk in answer.iter_content(CHUNK):
            size += out.write(chunk)
            advance(len(chunk))
            if max(size, total or 0) > max_bytes:
                part.unlink()
                raise InputError(f"{answer.url}: more than {max_bytes:,} bytes; refused")
    if total is not None and size < total:
        raise _Interrupted(f"ended after {size:,} of {total:,} bytes")


def _reason(error: Exception) -> str:
    """The innermost cause in words, without the object addresses and pools that requests wraps around it."""
    inner = error.args[0] if error.args else error
    text = str(getattr(inner, "reason", inner)).replace("\n", " ")
    return re.sub(r"^(<.*?>|\w+\(host=.*?\)): ", "", text) or type(error).__name__
