"""Fetching: from where, in which order, and what is left on the disk when something is wrong."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from pydantic import ValidationError

from posetables.data import sources
from posetables.data.sources import DataSource, FetchedFile, read_pins
from posetables.errors import InputError

if TYPE_CHECKING:
    from conftest import Site

PARAMS = Path(__file__).parents[2] / "params" / "datasets"
FILES = {"images/im01.jpg": b"first", "images/im02.jpg": b"second", "joints_PC.mat": b"pc", "joints_OC.mat": b"oc"}
PINS = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
ENTRY: dict[str, Any] = {
    "title": "People",
    "licence": "none stated",
    "homepage": "http://people.example",
    "cite": "Nobody, 2000",
    "terms": "For research.",
    "mirror": "people",
    "native": ["joints_PC.mat", "joints_OC.mat"],
    "images": ["images/*.jpg"],
    "by_hand": {"images/*.jpg": "images/ of people.zip", "joints_OC.mat": "OC.mat of the authors"},
}
MEMBERS = {"images/im*.jpg": "images/im*.jpg", "joints_PC.mat": "joints.mat"}


def source_of(*origins: dict[str, Any], **changes: Any) -> DataSource:
    return DataSource.model_validate({**ENTRY, "sources": origins, **changes})


def people_zip(files: dict[str, bytes] = FILES, inside: str = "") -> bytes:
    """As the authors pack it: PC labels as joints.mat, no OC labels, and a folder that nobody wants."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            if name != "joints_OC.mat":
                archive.writestr(inside + name.replace("joints_PC", "joints"), content)
        archive.writestr(inside + "visualized/im01.jpg", b"with a pose drawn in")
    return packed.getvalue()


def write(folder: Path, files: dict[str, bytes] = FILES) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def read(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fetch(
    source: DataSource,
    destination: Path,
    pins: dict[str, str] = PINS,
    mirror: Path | None = None,
    others: Sequence[Path] = (),
    **options: Any,
) -> list[FetchedFile]:
    options = {"names": tuple(FILES)} | options
    return sources.fetch(source, pins, destination, mirror=mirror, others=others, sleep=lambda _: None, **options)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """The folder to fill; its parent shows whatever is left beside it."""
    return tmp_path / "raw" / "people"


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    return write(tmp_path / "mirror" / "people").parent


@pytest.fixture
def official(site: Site) -> dict[str, Any]:
    site.files |= {"people.zip": people_zip(), "OC.mat": FILES["joints_OC.mat"]}
    return {"address": site.url("people.zip"), "gives": MEMBERS}


@pytest.fixture
def labels(site: Site) -> dict[str, Any]:
    return {"address": site.url("OC.mat"), "gives": "joints_OC.mat"}


# Where files come from


def test_an_archive_and_an_unpacked_mirror_give_the_same_verified_folder(
    raw: Path, mirror: Path, official: dict[str, Any], labels: dict[str, Any]
) -> None:
    source = source_of(official, labels)
    from_zip = fetch(source, raw)
    from_mirror = fetch(source, raw.with_name("again"), mirror=mirror)
    assert read(raw) == read(raw.with_name("again")) == FILES
    assert [(f.name, f.sha256, f.size, f.pinned) for f in from_zip] == [
        (name, PINS[name], len(content), True) for name, content in FILES.items()
    ]
    assert [f.sha256 for f in from_mirror] == [f.sha256 for f in from_zip]


def test_each_file_says_where_it_came_from(
    raw: Path, site: Site, official: dict[str, Any], labels: dict[str, Any]
) -> None:
    origins = {file.name: file.origin for file in fetch(source_of(official, labels), raw)}
    assert origins["images/im01.jpg"] == origins["joints_PC.mat"] == site.url("people.zip")
    assert origins["joints_OC.mat"] == site.url("OC.mat")


def test_a_tar_with_its_own_top_folder_is_an_archive_too(raw: Path, site: Site, labels: dict[str, Any]) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in FILES.items():
            info = tarfile.TarInfo("repo-1234/lsp/" + name.replace("joints_PC", "joints"))
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    site.files |= {"repo.tar.gz": packed.getvalue(), "OC.mat": FILES["joints_OC.mat"]}
    origin = {"address": site.url("repo.tar.gz"), "gives": MEMBERS, "inside": "repo-1234/lsp"}
    fetch(source_of(origin, labels), raw)
    assert read(raw) == FILES


def test_the_mirror_is_asked_before_any_address(raw: Path, mirror: Path, site: Site, official: dict[str, Any]) -> None:
    fetch(source_of(official), raw, mirror=mirror)
    assert site.asked == []


def test_a_folder_of_another_scale_is_linked_before_the_mirror_is_read(raw: Path, mirror: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other")
    fetch(source_of(), raw, mirror=mirror, others=[other])
    assert (raw / "joints_PC.mat").samefile(other / "joints_PC.mat")


def test_an_altered_file_of_another_scale_is_replaced_from_the_mirror(raw: Path, mirror: Path, tmp_path: Path) -> None:
    fetch(source_of(), raw, mirror=mirror, others=[write(tmp_path / "other", FILES | {"joints_PC.mat": b"forged"})])
    assert read(raw) == FILES


def test_an_unpinned_file_is_not_trusted_from_an_earlier_fetch(raw: Path, mirror: Path) -> None:
    write(raw, FILES | {"images/im02.jpg": b"forged"})
    fetch(source_of(), raw, pins={n: h for n, h in PINS.items() if n != "images/im02.jpg"}, mirror=mirror)
    assert read(raw) == FILES


def test_what_the_mirror_lacks_is_downloaded(raw: Path, mirror: Path, site: Site, official: dict[str, Any]) -> None:
    (mirror / "people" / "images" / "im02.jpg").unlink()
    origins = {file.name: file.origin for file in fetch(source_of(official), raw, mirror=mirror)}
    assert origins["images/im02.jpg"] == site.url("people.zip")
    assert origins["images/im01.jpg"] == str(mirror / "people")


def test_only_the_wanted_files_are_fetched(raw: Path, site: Site, official: dict[str, Any]) -> None:
    fetched = fetch(source_of(official), raw, names=["images/im01.jpg", "joints_PC.mat"])
    assert [file.name for file in fetched] == ["images/im01.jpg", "joints_PC.mat"] and len(read(raw)) == 2


def test_an_archive_that_cannot_give_what_is_missing_is_not_downloaded(
    raw: Path, mirror: Path, site: Site, official: dict[str, Any], labels: dict[str, Any]
) -> None:
    (mirror / "people" / "joints_OC.mat").unlink()
    fetch(source_of(official, labels), raw, mirror=mirror)
    assert [path for path, _ in site.asked] == ["OC.mat"]


@pytest.mark.parametrize(
    "bad",
    [None, b"<html>moved</html>", people_zip()[:200], people_zip(FILES | {"images/im02.jpg": b"resized"})],
    ids=["gone", "login page", "truncated", "altered"],
)
def test_the_next_source_is_tried_when_one_fails(
    raw: Path, site: Site, official: dict[str, Any], labels: dict[str, Any], bad: bytes | None
) -> None:
    if bad is not None:
        site.files["old.zip"] = bad
    fetch(source_of({"address": site.url("old.zip"), "gives": MEMBERS}, official, labels), raw)
    assert read(raw) == FILES
    assert list(raw.parent.iterdir()) == [raw]


def test_a_download_that_was_cut_off_is_resumed_by_the_next_call(
    raw: Path, site: Site, official: dict[str, Any], labels: dict[str, Any]
) -> None:
    site.failures["people.zip"] = [-300, 503, 503]
    with pytest.raises(InputError, match="HTTP 503"):
        fetch(source_of(official, labels), raw)
    site.asked.clear()
    fetch(source_of(official, labels), raw)
    assert ("people.zip", "bytes=300-") in site.asked and read(raw) == FILES


# Hashes


def test_files_without_a_pin_are_accepted_and_said(
    raw: Path, official: dict[str, Any], labels: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    fetched = fetch(source_of(official, labels), raw, pins={"joints_PC.mat": PINS["joints_PC.mat"]})
    assert [file.pinned for file in fetched] == [False, False, True, False]
    assert "no hash was known for 3 of 4 files" in capsys.readouterr().err


def test_a_shortened_hash_is_checked_and_still_to_be_recorded(raw: Path, mirror: Path) -> None:
    short = {"joints_PC.mat": PINS["joints_PC.mat"][:8]}
    fetched = fetch(source_of(sha256=short), raw, pins={}, mirror=mirror)
    assert not any(file.pinned for file in fetched)
    (mirror / "people" / "joints_PC.mat").write_bytes(b"forged")
    with pytest.raises(InputError, match="joints_PC.mat"):
        fetch(source_of(sha256=short), raw.with_name("again"), pins={}, mirror=mirror)


def test_a_truncated_image_in_the_mirror_is_named_with_both_hashes(raw: Path, mirror: Path) -> None:
    (mirror / "people" / "images" / "im02.jpg").write_bytes(b"sec")
    with pytest.raises(InputError) as caught:
        fetch(source_of(), raw, mirror=mirror)
    message = str(caught.value)
    assert str(mirror / "people" / "images" / "im02.jpg") in message
    assert hashlib.sha256(b"sec").hexdigest() in message and PINS["images/im02.jpg"] in message
    assert list(raw.parent.iterdir()) == []


def test_an_archive_with_another_hash_than_was_published_is_not_unpacked(
    raw: Path, site: Site, official: dict[str, Any], labels: dict[str, Any]
) -> None:
    published = {"sha256": hashlib.sha256(people_zip()).hexdigest()}
    fetch(source_of(official | published, labels), raw, pins={})
    assert read(raw) == FILES
    site.files["people.zip"] = people_zip(FILES | {"images/im02.jpg": b"resized"})
    with pytest.raises(InputError, match="people.zip has SHA-256 .* truncated or altered"):
        fetch(source_of(official | published, labels), raw.with_name("again"), pins={})
    assert not raw.with_name("again").exists()


def test_a_download_with_a_wrong_hash_is_not_kept(raw: Path, site: Site, labels: dict[str, Any]) -> None:
    site.files["OC.mat"] = b"forged"
    with pytest.raises(InputError, match="joints_OC.mat from .* has SHA-256"):
        fetch(source_of(labels), raw, names=["joints_OC.mat"])
    assert read(raw.parent) == {}


# One clear line, and nothing half-written


def test_what_was_tried_and_what_to_place_by_hand_is_one_line(
    raw: Path, mirror: Path, site: Site, official: dict[str, Any]
) -> None:
    shutil.rmtree(mirror / "people")
    site.failures["people.zip"] = [404]
    with pytest.raises(InputError) as caught:
        fetch(source_of(official | {"note": "dead since 2021"}), raw, mirror=mirror)
    message = str(caught.value)
    assert "\n" not in message
    assert "no source gave images/im01.jpg and 3 more files" in message
    assert f"{mirror / 'people'} (has 0 of 4 files)" in message
    assert f"{site.url('people.zip')}: HTTP 404" in message and "(dead since 2021)" in message
    assert f"images/ of people.zip at {mirror / 'people' / 'images' / '*.jpg'}" in message
    assert f"OC.mat of the authors at {mirror / 'people' / 'joints_OC.mat'}" in message
    assert list(raw.parent.iterdir()) == []


def test_without_a_mirror_the_line_says_how_to_have_one(raw: Path) -> None:
    with pytest.raises(InputError, match=r"at \$POSETABLES_MIRROR/people/joints_OC.mat \(set POSETABLES_MIRROR to"):
        fetch(source_of(), raw)


def test_a_mirror_that_is_not_there_names_the_variable_and_the_folder(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"POSETABLES_MIRROR names {tmp_path}/nowhere"):
        fetch(source_of(), raw, mirror=tmp_path / "nowhere")
    assert not raw.parent.exists()


def test_a_failed_fetch_leaves_the_folder_of_an_earlier_one_alone(raw: Path, mirror: Path) -> None:
    fetch(source_of(), raw, mirror=mirror)
    (mirror / "people" / "joints_OC.mat").write_bytes(b"forged")
    with pytest.raises(InputError):
        fetch(source_of(), raw, pins=PINS | {"joints_OC.mat": "0" * 64}, mirror=mirror)
    assert read(raw) == FILES


def test_the_remains_of_a_killed_fetch_do_not_get_into_the_next(raw: Path, mirror: Path) -> None:
    write(raw.with_name(".people.aside"), {"stray.txt": b"", "joints_PC.mat": b"half"})
    fetch(source_of(), raw, mirror=mirror)
    assert read(raw) == FILES and list(raw.parent.iterdir()) == [raw]


def test_an_archive_that_escapes_writes_nothing_outside(raw: Path, site: Site, tmp_path: Path) -> None:
    site.files["evil.zip"] = people_zip(FILES | {"../../escaped": b""})
    with pytest.raises(InputError, match=r"evil.zip: '../../escaped' leads out of the folder"):
        fetch(source_of({"address": site.url("evil.zip"), "gives": MEMBERS}), raw)
    assert read(tmp_path) == {}


def test_an_archive_over_the_limit_of_the_data_set_is_refused(raw: Path, site: Site, official: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="people.zip: more than 100 bytes"):
        fetch(source_of(official, max_bytes=100), raw)


def test_a_full_disk_is_one_line_and_leaves_nothing(
    raw: Path, site: Site, official: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sources._Intake, "put", full)
    with pytest.raises(InputError, match=f"{raw}: no space left on the disk; make room"):
        fetch(source_of(official), raw)
    assert list(raw.parent.iterdir()) == []


# What a data set's YAML says


@pytest.mark.parametrize("file", sorted(PARAMS.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_data_sets_of_the_project_are_valid_and_every_pin_is_of_a_file_of_theirs(file: Path) -> None:
    source = DataSource.model_validate(yaml.safe_load(file.read_text()))
    pins = read_pins(PARAMS / source.pins) if source.pins else {}
    strangers = [name for name in pins if not any(Path(name).match(known) for known in source.native + source.images)]
    assert strangers == []


def test_lsp_pins_every_file_and_lspet_those_that_have_a_known_hash() -> None:
    lsp, lspet = read_pins(PARAMS / "lsp.sha256"), read_pins(PARAMS / "lspet.sha256")
    assert len(lsp) == 2002 and len(lspet) == 4001
    assert "images/im2000.jpg" in lsp and "images/im04000.jpg" in lspet and "joints.mat" in lspet


def test_the_real_mirror_fills_lsp(raw: Path) -> None:
    folder = Path(os.environ.get(sources.MIRROR_VARIABLE, "")) / "lsp"
    if not (folder / "joints_PC.mat").is_file():
        pytest.skip(f"{sources.MIRROR_VARIABLE} has no lsp")
    source = DataSource.model_validate(yaml.safe_load((PARAMS / "lsp.yaml").read_text()))
    pins = read_pins(PARAMS / "lsp.sha256")
    fetched = fetch(source, raw, pins, folder.parent, names=list(pins))
    assert len(fetched) == 2002 and all(file.pinned for file in fetched)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lisence": "MIT"}, "lisence"),
        ({"native": ["../joints.mat"]}, "leads out of the folder"),
        ({"sources": [{"address": "ftp://a/b", "gives": "joints_PC.mat"}]}, "sources.0.address"),
        ({"sources": [{"address": "http://a/b", "gives": "joints.mat"}]}, "nothing that http://a/b gives is listed"),
        ({"sha256": {"joints.mat": "0" * 64}}, "joints.mat is not listed"),
        ({"splits": {"train": [9, 1]}}, "train ends before it begins"),
    ],
    ids=["misspelt key", "escape", "address", "unlisted file", "unlisted hash", "split"],
)
def test_a_mistake_in_the_yaml_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        source_of(**change)


@pytest.mark.parametrize("given", ["images/*.jpg", "images/im*.jpg", "images/im01.jpg"])
def test_an_address_may_give_nothing_but_images(raw: Path, site: Site, given: str) -> None:
    site.files["people.zip"] = people_zip()
    source = source_of({"address": site.url("people.zip"), "gives": {given: given}})
    assert [file.name for file in fetch(source, raw, names=["images/im01.jpg"])] == ["images/im01.jpg"]


def test_images_of_another_folder_are_not_of_this_data_set() -> None:
    with pytest.raises(ValidationError, match="nothing that http://a/b gives"):
        source_of({"address": "http://a/b", "gives": {"visualized/*.jpg": "visualized/*.jpg"}})


def test_without_names_all_but_the_images_is_fetched(
    raw: Path, official: dict[str, Any], labels: dict[str, Any]
) -> None:
    fetch(source_of(official, labels), raw, names=None)
    assert set(read(raw)) == {"joints_PC.mat", "joints_OC.mat"}


@pytest.mark.parametrize("line", ["0123  a.mat", f"{'0' * 64} a.mat", f"{'g' * 64}  a.mat"])
def test_a_broken_line_of_a_pin_file_is_named(tmp_path: Path, line: str) -> None:
    pins = tmp_path / "people.sha256"
    pins.write_text(f"{'0' * 64}  b.mat\n{line}\n")
    with pytest.raises(InputError, match="people.sha256, line 2"):
        read_pins(pins)
