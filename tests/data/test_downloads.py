"""A download goes on where it stopped, waits longer each time, and gives up in one line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from posetables.data.downloads import download
from posetables.errors import InputError

if TYPE_CHECKING:
    from conftest import Site

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def waits() -> list[float]:
    return []


def get(site: Site, target: Path, waits: list[float], max_bytes: int = 10**6) -> bytes:
    site.files.setdefault("a.zip", CONTENT)
    download(site.url("a.zip"), target, max_bytes=max_bytes, session=requests.Session(), sleep=waits.append)
    return target.read_bytes()


def test_a_file_arrives_whole_and_leaves_no_part(site: Site, tmp_path: Path, waits: list[float]) -> None:
    assert get(site, tmp_path / "a.zip", waits) == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_dropped_line_is_resumed_at_the_byte_where_it_dropped(site: Site, tmp_path: Path, waits: list[float]) -> None:
    site.failures["a.zip"] = [-1000]
    assert get(site, tmp_path / "a.zip", waits) == CONTENT
    assert site.asked == [("a.zip", None), ("a.zip", "bytes=1000-")]


def test_a_part_of_an_earlier_call_is_resumed(site: Site, tmp_path: Path, waits: list[float]) -> None:
    (tmp_path / "a.zip.part").write_bytes(CONTENT[:777])
    assert get(site, tmp_path / "a.zip", waits) == CONTENT
    assert site.asked == [("a.zip", "bytes=777-")]


def test_a_server_without_ranges_starts_the_file_again(site: Site, tmp_path: Path, waits: list[float]) -> None:
    site.ranges = False
    (tmp_path / "a.zip.part").write_bytes(b"something else")
    assert get(site, tmp_path / "a.zip", waits) == CONTENT


def test_a_part_that_is_already_whole_is_taken(site: Site, tmp_path: Path, waits: list[float]) -> None:
    (tmp_path / "a.zip.part").write_bytes(CONTENT)
    assert get(site, tmp_path / "a.zip", waits) == CONTENT
    assert len(site.asked) == 1


def test_a_part_longer_than_the_file_is_thrown_away(site: Site, tmp_path: Path, waits: list[float]) -> None:
    (tmp_path / "a.zip.part").write_bytes(CONTENT + b"more")
    assert get(site, tmp_path / "a.zip", waits) == CONTENT


def test_a_file_that_is_there_is_not_asked_for(site: Site, tmp_path: Path, waits: list[float]) -> None:
    (tmp_path / "a.zip").write_bytes(b"here")
    assert get(site, tmp_path / "a.zip", waits) == b"here"
    assert site.asked == []


def test_a_busy_server_is_asked_three_times_with_doubled_waits(site: Site, tmp_path: Path, waits: list[float]) -> None:
    site.failures["a.zip"] = [503, 429, 503]
    with pytest.raises(InputError, match=r"a.zip: HTTP 503 .* \(3 tries\)"):
        get(site, tmp_path / "a.zip", waits)
    assert waits == [1.0, 2.0]


def test_bytes_that_arrived_before_giving_up_are_kept(site: Site, tmp_path: Path, waits: list[float]) -> None:
    site.failures["a.zip"] = [-1000, 503, 503]
    with pytest.raises(InputError):
        get(site, tmp_path / "a.zip", waits)
    assert (tmp_path / "a.zip.part").read_bytes() == CONTENT[:1000]


def test_a_file_that_is_not_there_is_asked_for_once(site: Site, tmp_path: Path, waits: list[float]) -> None:
    site.failures["a.zip"] = [404]
    with pytest.raises(InputError, match="a.zip: HTTP 404"):
        get(site, tmp_path / "a.zip", waits)
    assert waits == []


def test_a_host_that_does_not_answer_is_one_line_without_internals(tmp_path: Path, waits: list[float]) -> None:
    with pytest.raises(InputError) as caught:
        download("http://127.0.0.1:1/a", tmp_path / "a", max_bytes=9, session=requests.Session(), sleep=waits.append)
    assert "\n" not in str(caught.value) and "HTTPConnection" not in str(caught.value)
    assert str(caught.value).startswith("http://127.0.0.1:1/a: ")


def test_a_file_over_the_limit_is_refused_and_not_kept(site: Site, tmp_path: Path, waits: list[float]) -> None:
    with pytest.raises(InputError, match="more than 100 bytes"):
        get(site, tmp_path / "a.zip", waits, max_bytes=100)
    assert list(tmp_path.iterdir()) == []
