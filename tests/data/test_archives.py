"""Threats that come inside an archive; what is wanted is read, nothing else is ever written."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import IO

import pytest

from posetables.data import archives
from posetables.errors import InputError

ROOMY = 10**9


def unpacked(archive: Path, max_bytes: int = ROOMY) -> dict[str, bytes]:
    found: dict[str, bytes] = {}

    def put(name: str, stream: IO[bytes]) -> None:
        found[name] = stream.read()

    archives.unpack(
        archive, lambda member: member if member.startswith("in/") else None, put, max_bytes=max_bytes, called="here"
    )
    return found


def zip_of(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def tar_of(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def link(name: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


def test_only_wanted_members_are_read_from_a_zip(tmp_path: Path) -> None:
    assert unpacked(zip_of(tmp_path / "a.zip", ("in/a", b"1"), ("out/b", b"2"))) == {"in/a": b"1"}


def test_a_tar_reads_like_a_zip_also_with_leading_dots(tmp_path: Path) -> None:
    archive = tar_of(tmp_path / "a.tar.gz", (tarfile.TarInfo("./in/a"), b"1"), (tarfile.TarInfo("./out"), b"2"))
    assert unpacked(archive) == {"in/a": b"1"}


@pytest.mark.parametrize("name", ["/in/a", "../in/a", "in/../../a", "..\\a", "C:\\a"])
def test_a_member_that_leads_out_of_the_folder_condemns_the_archive(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="leads out of the folder"):
        unpacked(zip_of(tmp_path / "a.zip", (name, b"")))
    with pytest.raises(InputError, match="leads out of the folder"):
        unpacked(tar_of(tmp_path / "a.tar.gz", (tarfile.TarInfo(name), b"")))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_a_wanted_member_of_a_tar_is_a_plain_file_or_refused(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(InputError, match="in/a is no plain file"):
        unpacked(tar_of(tmp_path / "a.tar.gz", (link("in/a", kind), b"")))


def test_a_symlink_in_a_zip_is_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("in/a")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(InputError, match="in/a is no plain file"):
        unpacked(zip_of(tmp_path / "a.zip", (info, b"/etc/passwd")))


def test_a_bomb_is_refused_by_its_ratio_although_it_is_within_the_size(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unpacks to more than"):
        unpacked(zip_of(tmp_path / "a.zip", ("in/a", bytes(3_000_000))))
    with pytest.raises(InputError, match="unpacks to more than"):
        unpacked(tar_of(tmp_path / "a.tar.gz", (tarfile.TarInfo("in/a"), bytes(3_000_000))))


def test_the_size_limit_counts_all_members_together(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "a.zip", ("in/a", b"x" * 60), ("in/b", b"y" * 60))
    with pytest.raises(InputError, match="unpacks to more than 100 bytes"):
        unpacked(archive, max_bytes=100)


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBERS", 2)
    with pytest.raises(InputError, match="more than 2 members"):
        unpacked(zip_of(tmp_path / "a.zip", *((f"out/{i}", b"") for i in range(3))))


def test_a_member_that_declares_less_than_it_holds_is_refused(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "a.zip", ("in/a", b"x" * 5000))
    content = archive.read_bytes()
    assert content.count((5000).to_bytes(4, "little")) == 2
    archive.write_bytes(content.replace((5000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(InputError, match="here: damaged"):
        unpacked(archive)


@pytest.mark.parametrize("kept", [0.3, 0.7, 0.97])
def test_a_truncated_archive_is_one_clear_line(tmp_path: Path, kept: float) -> None:
    noise = bytes((i * i * 31 + i // 7) % 251 for i in range(4000))
    for archive in (
        zip_of(tmp_path / "a.zip", ("in/a", noise)),
        tar_of(tmp_path / "a.tar.gz", (tarfile.TarInfo("in/a"), noise)),
    ):
        content = archive.read_bytes()
        archive.write_bytes(content[: int(kept * len(content))])
        with pytest.raises(InputError, match="here: damaged"):
            unpacked(archive)


def test_a_login_page_instead_of_an_archive_is_one_clear_line(tmp_path: Path) -> None:
    page = tmp_path / "a.zip"
    page.write_bytes(b"<html>please sign in</html>")
    with pytest.raises(InputError, match="here: damaged, or no zip or tar.gz archive"):
        unpacked(page)
