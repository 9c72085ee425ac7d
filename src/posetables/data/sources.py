"""Where a data set comes from, and how it gets from there into a folder: every file by its name and its hash.

A file is known by its native name (`images/im0001.jpg`), the name under which readers look for it, and verified by
itself, so that an archive, an unpacked mirror and single downloads are one and the same. What is not there yet is
asked of one place after the other: folders of this machine, the user's mirror, the official address, further mirrors.
The folder appears only when it is complete.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from posetables.data.archives import unpack
from posetables.data.downloads import download
from posetables.errors import InputError
from posetables.progress import progress, say

if TYPE_CHECKING:
    import requests

MIRROR_VARIABLE = "POSETABLES_MIRROR"
CHUNK = 1 << 20

_Url = Annotated[str, Field(pattern=r"^https?://\S+$")]
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
_WholeDigest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Interval = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]


class Origin(BaseModel):
    """One address, official or mirror: an archive, or a single file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: _Url
    gives: str | dict[str, str]
    """A native name: the address is that file. Native name -> member: it is an archive (zip or tar.gz); one `*` on
    both sides stands for the same run of characters without `/`."""
    inside: str = ""
    """Folder of the archive below which the members lie."""
    sha256: _WholeDigest | None = None
    """Of what the address gives, where the authors or others published it: of the archive, not of its files."""
    bytes: int | None = Field(default=None, gt=0)
    """Of what the address gives, as far as is known; to plan by, nothing checks it."""
    note: str = ""

    def offers(self, names: Iterable[str]) -> list[str]:
        """Those of the native names that this address says it gives."""
        return [name for name in names if any(_fill(pattern, pattern, name) for pattern in self.patterns)]

    def gives_any(self, files: Iterable[str]) -> bool:
        """Whether any of the files, `*` for a name, is among what it gives."""
        return any(_fill(own, own, given) for own in files for given in self.patterns)

    @property
    def patterns(self) -> tuple[str, ...]:
        """The native names that it gives, `*` as in `gives`."""
        return (self.gives,) if isinstance(self.gives, str) else tuple(self.gives)


class Count(BaseModel):
    """What the whole of a split is known to have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    people: int | None = Field(default=None, ge=0)
    images: int | None = Field(default=None, ge=0)


class DataSource(BaseModel):
    """A data set as `params/datasets/<name>.yaml` describes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    licence: str
    homepage: _Url
    cite: str
    terms: str
    """What the user is told before anything is fetched."""
    skeleton: str | None = None
    reader: str | None = None
    """Of its people: `posetables.data.readers.<reader>`."""
    labels: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    """What its people are scored by."""
    splits: dict[str, _Interval] = {}
    """Split -> first and last number, both 1-based and inclusive; what is counted is the reader's."""
    counts: dict[str, Count] = {}
    """Split -> what it has where it is whole."""
    labelled: dict[str, int] = {}
    """Split -> how many of its people have a labelled joint, where not all have: whom networks train on."""
    mirror: str
    """Name of the folder under the user's mirror."""
    native: tuple[str, ...] = Field(min_length=1)
    """Every file of the data set but its images."""
    images: tuple[str, ...] = ()
    """Where its images lie, `*` for a name: which there are, its labels tell."""
    pins: str | None = None
    """Name of the pin file (`sha256sum` format). A native file without a pin is accepted as it comes."""
    sha256: dict[str, _Digest] = {}
    """Native name -> hash or its first digits, for a file whose address says no more."""
    max_bytes: int = Field(default=20_000_000_000, gt=0)
    """Limit on each download and on what each archive unpacks to."""
    sources: tuple[Origin, ...] = ()
    by_hand: dict[str, str] = {}
    """Native name (one `*` allowed) -> what a person places there when no source gives it."""

    def bytes_of(self, files: Sequence[str]) -> int | None:
        """What is downloaded for some of its files, `*` for a name; None where that is not known of one of them."""
        chosen: dict[str, int] = {}
        for file in files:
            known = (origin for origin in self.sources if origin.bytes and origin.gives_any([file]))
            if (origin := next(known, None)) is None:
                return None
            chosen[origin.address] = origin.bytes or 0
        return sum(chosen.values())

    @model_validator(mode="after")
    def _names_fit(self) -> DataSource:
        files = (*self.native, *self.images)
        for name in (self.mirror, *files):
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise ValueError(f"{name} leads out of the folder of the data set")
        for origin in self.sources:
            if not origin.gives_any(self.images) and not origin.offers(self.native):
                raise ValueError(f"sources: nothing that {origin.address} gives is listed in native or images")
        for unknown in set(self.sha256) - set(self.native):
            raise ValueError(f"sha256: {unknown} is not listed in native")
        for unknown in set(self.counts) - set(self.splits):
            raise ValueError(f"counts: {unknown} is not listed in splits")
        for split, (first, last) in self.splits.items():
            if first > last:
                raise ValueError(f"splits: {split} ends before it begins")
        return self


@dataclass(frozen=True)
class FetchedFile:
    """One file of a data set in its place."""

    name: str
    """Native name: the path below the data set's folder, with `/`."""
    sha256: str
    size: int
    """Bytes."""
    origin: str
    """The address or folder that it came from."""
    pinned: bool
    """Whether its full hash was known before; otherwise the caller records it."""


def read_pins(path: Path) -> dict[str, str]:
    """Native name -> SHA-256 in hexadecimal digits, from a file in `sha256sum` format.

    Raises `InputError`, naming the file and the line, for anything else.
    """
    pins: dict[str, str] = {}
    if not path.is_file():
        raise InputError(f"{path}: no such file; restore it from version control")
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        match = re.fullmatch(r"([0-9a-f]{64}) [ *](?:\./)?(\S.*)", line)
        if match is None:
            raise InputError(f"{path}, line {number}: not a line of sha256sum; restore the file from version control")
        pins[match[2]] = match[1]
    return pins


def fetch(
    source: DataSource,
    pins: Mapping[str, str],
    destination: Path,
    *,
    names: Sequence[str] | None = None,
    mirror: Path | None,
    others: Sequence[Path] = (),
    downloads: Path | None = None,
    session: requests.Session | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[FetchedFile]:
    """Fill `destination` with the native files `names` (by default all but the images), each verified.

    `pins`: native name -> SHA-256. `mirror`: the user's folder of data sets. `others`: folders with the native layout
    that earlier fetches made (another scale's); like `destination` itself they only give files that have a pin.
    Unfinished downloads stay in the folder `downloads`, by default beside `destination`; the next call resumes them.

    Raises `InputError`, with nothing changed at `destination`, when the mirror is not there or holds an altered file,
    when files are missing after all sources were tried (saying what was tried and what to place by hand), and when
    the disk is full.
    """
    if mirror is not None and not mirror.is_dir():
        raise InputError(f"{MIRROR_VARIABLE} names {mirror}, which is no folder; correct it or unset it")
    say(f"{source.title}: {source.licence}. {source.terms}")
    aside = destination.with_name(f".{destination.name}.aside")
    downloads = downloads or destination.with_name(f".{destination.name}.downloads")
    names = source.native if names is None else names
    intake = _Intake(aside, {**source.sha256, **pins}, dict.fromkeys(names))
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        for folder in (destination, *others):
            _take_from_folder(intake, folder)
        if mirror is not None and intake.missing:
            _take_from_mirror(intake, mirror / source.mirror)
        _take_from_addresses(intake, source, downloads, session, sleep)
        if intake.missing:
            raise InputError(_what_to_do(intake, source, mirror))
        _replace(aside, destination)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            shutil.rmtree(downloads, ignore_errors=True)
            raise InputError(f"{destination}: no space left on the disk; make room and run again") from error
        raise InputError(f"{error.filename or destination}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    shutil.rmtree(downloads, ignore_errors=True)
    return _tell_unpinned(source, [intake.taken[name] for name in names])


@dataclass
class _Intake:
    """The only door into the folder: a file enters under a missing native name, with its hash, or not at all."""

    folder: Path
    pins: Mapping[str, str]
    missing: dict[str, None]
    taken: dict[str, FetchedFile] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def put(self, name: str, stream: IO[bytes], origin: str) -> None:
        """Copy a file in; `InputError` naming it, with the hash found and expected, if it is another one."""
        place = self._place(name)
        with place.open("wb") as out:
            digest, size = hashlib.sha256(), 0
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                size += out.write(chunk)
        self._accept(name, digest.hexdigest(), size, origin)

    def link(self, name: str, path: Path, origin: str) -> None:
        """The same for a file of this project on this machine, without a second copy where the disk allows."""
        try:
            os.link(path.resolve(), self._place(name))
        except OSError:
            with path.open("rb") as stream:
                self.put(name, stream, origin)
            return
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        self._accept(name, digest, path.stat().st_size, origin)

    def _place(self, name: str) -> Path:
        place = self.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def _accept(self, name: str, found: str, size: int, origin: str) -> None:
        expected = self.pins.get(name, "")
        if not found.startswith(expected):
            self._place(name).unlink()
            raise InputError(f"{name} from {origin} has SHA-256 {found}, expected {expected}: truncated or altered")
        del self.missing[name]
        self.taken[name] = FetchedFile(name, found, size, origin, pinned=len(expected) == 64)


def _take_from_folder(intake: _Intake, folder: Path) -> None:
    for name in list(intake.missing):
        # Without a pin nobody could tell whether the file was altered since it was fetched.
        if name in intake.pins and (folder / name).is_file():
            try:
                intake.link(name, folder / name, str(folder))
            except InputError as error:
                say(f"{error}; looking elsewhere")


def _take_from_mirror(intake: _Intake, folder: Path) -> None:
    there = [name for name in intake.missing if (folder / name).is_file()]
    with progress(f"{folder.name}: copying from the mirror", len(there)) as advance:
        for name in there:
            try:
                with (folder / name).open("rb") as stream:
                    intake.put(name, stream, str(folder))
            except InputError as error:
                # The mirror is the user's choice: they want to know, not to wait for a download instead.
                raise InputError(f"{error}; put a good copy at {folder / name}, or unset {MIRROR_VARIABLE}") from None
            advance(1)
    if intake.missing:
        intake.failures.append(f"{folder} (has {len(there):,} of {len(there) + len(intake.missing):,} files)")


def _take_from_addresses(
    intake: _Intake,
    source: DataSource,
    downloads: Path,
    session: requests.Session | None,
    sleep: Callable[[float], None],
) -> None:
    for origin in source.sources:
        if not origin.offers(intake.missing):
            continue
        if session is None:
            import requests

            session = requests.Session()
        file = _place_for(origin.address, downloads)
        try:
            download(origin.address, file, max_bytes=source.max_bytes, session=session, sleep=sleep)
            _check_download(origin, file)
            _take_from_download(intake, origin, file, source.max_bytes)
        except InputError as error:
            # What arrived in full and was still no use is not kept: the next call would find it no better.
            file.unlink(missing_ok=True)
            say(f"{error}; trying the next source")
            intake.failures.append(f"{error} ({origin.note})" if origin.note else str(error))


def _check_download(origin: Origin, file: Path) -> None:
    if origin.sha256 is None:
        return
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != origin.sha256:
        raise InputError(f"{origin.address} has SHA-256 {found}, expected {origin.sha256}: truncated or altered")


def _take_from_download(intake: _Intake, origin: Origin, file: Path, max_bytes: int) -> None:
    if isinstance(origin.gives, str):
        with file.open("rb") as stream:
            intake.put(origin.gives, stream, origin.address)
    else:
        folder = f"{origin.inside}/" if origin.inside else ""
        members = {native: folder + member for native, member in origin.gives.items()}
        _take_from_archive(intake, origin, members, file, max_bytes)


def _take_from_archive(intake: _Intake, origin: Origin, members: Mapping[str, str], file: Path, max_bytes: int) -> None:
    refused: list[InputError] = []

    def choose(member: str) -> str | None:
        names = (_fill(pattern, native, member) for native, pattern in members.items())
        return next((name for name in names if name in intake.missing), None)

    def put(name: str, stream: IO[bytes]) -> None:
        try:
            intake.put(name, stream, origin.address)
        except InputError as error:
            refused.append(error)
        advance(1)

    with progress(f"{file.name}: unpacking", len(origin.offers(intake.missing))) as advance:
        unpack(file, choose, put, max_bytes=max_bytes, called=origin.address)
    if refused:
        raise InputError(f"{refused[0]}" + (f" (and {len(refused) - 1:,} more)" if len(refused) > 1 else ""))
    if absent := origin.offers(intake.missing):
        raise InputError(f"{origin.address} holds no {absent[0]}")


def _what_to_do(intake: _Intake, source: DataSource, mirror: Path | None) -> str:
    """One line: what is missing, what was tried, which file a person places where."""
    missing = list(intake.missing)
    more = f" and {len(missing) - 1:,} more files" if len(missing) > 1 else ""
    tried = "; ".join(intake.failures) or "nothing, as no source is known"
    folder = (mirror or Path(f"${MIRROR_VARIABLE}")) / source.mirror
    steps = [
        f"{what} at {folder / name}"
        for name, what in source.by_hand.items()
        if any(_fill(name, name, file) for file in missing)
    ]
    by_hand = "; ".join(steps) or f"the missing files under {folder}"
    setting = "" if mirror else f" (set {MIRROR_VARIABLE} to a folder of your own)"
    return f"{source.title}: no source gave {missing[0]}{more}. Tried: {tried}. By hand, put {by_hand}{setting}"


def _replace(aside: Path, destination: Path) -> None:
    retired = destination.with_name(f".{destination.name}.retired")
    shutil.rmtree(retired, ignore_errors=True)
    if destination.exists():
        destination.rename(retired)
    aside.rename(destination)
    shutil.rmtree(retired, ignore_errors=True)


def _tell_unpinned(source: DataSource, files: list[FetchedFile]) -> list[FetchedFile]:
    unpinned = sum(not file.pinned for file in files)
    if unpinned:
        say(f"{source.title}: no hash was known for {unpinned:,} of {len(files):,} files; accepted as they came")
    return files


def _place_for(address: str, downloads: Path) -> Path:
    """One folder for each address, as two addresses may well end in the same name."""
    return downloads / hashlib.sha256(address.encode()).hexdigest()[:12] / (address.rsplit("/", 1)[-1] or "index")


def _fill(pattern: str, template: str, text: str) -> str | None:
    """What `*` stands for when `text` is read as `pattern`, filled into `template`; None if it cannot be so read."""
    head, star, tail = pattern.partition("*")
    if not star:
        return template if text == pattern else None
    middle = text[len(head) : len(text) - len(tail)]
    fits = text == head + middle + tail and middle and "/" not in middle
    return template.replace("*", middle) if fits else None
