"""A label file is read as float64 or refused in one line that names file, key and remedy."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from posetables.data import matfiles
from posetables.errors import InputError

SHAPE = (3, 14, None)
JOINTS = np.arange(3 * 14 * 5, dtype=np.float64).reshape(3, 14, 5)


def mat(tmp_path: Path, value: Any = JOINTS, key: str = "joints", compressed: bool = False) -> Path:
    path = tmp_path / "joints.mat"
    savemat(path, {key: value}, do_compression=compressed)
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_numbers_come_back_as_they_were_written(tmp_path: Path, compressed: bool) -> None:
    np.testing.assert_array_equal(matfiles.read(mat(tmp_path, JOINTS, compressed=compressed), "joints", SHAPE), JOINTS)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32, np.bool_])
def test_every_numeric_class_becomes_float64(tmp_path: Path, kind: type) -> None:
    read = matfiles.read(mat(tmp_path, (JOINTS % 2).astype(kind)), "joints", SHAPE)
    assert read.dtype == np.float64
    np.testing.assert_array_equal(read, JOINTS % 2)


def struct_array() -> Any:
    return np.array([(1.0, 2.0)], dtype=[("x", float), ("y", float)])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (JOINTS.transpose(1, 0, 2), "joints is 14 x 3 x 5, expected 3 x 14 x any"),
        (JOINTS[0], "joints is 14 x 5, expected 3 x 14 x any"),
        (struct_array(), "joints is a struct array, numbers are expected"),
        (np.array([[1, "a"]], dtype=object), "joints is a cell array, numbers are expected"),
        ("text", "joints is a char array, numbers are expected"),
        (JOINTS + 1j, "joints holds complex numbers"),
        (np.where(JOINTS == 5, np.nan, JOINTS), r"joints\[0, 1, 0\] is nan"),
        (np.where(JOINTS == 5, np.inf, JOINTS), r"joints\[0, 1, 0\] is inf"),
    ],
    ids=["transposed", "2-d", "struct", "cell", "char", "complex", "nan", "infinite"],
)
def test_what_is_no_array_of_real_numbers_of_the_shape_is_refused(tmp_path: Path, value: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"joints.mat: {message}"):
        matfiles.read(mat(tmp_path, value), "joints", SHAPE)


def test_a_missing_key_is_named_with_the_keys_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"joints.mat: no array 'joints' \(it holds pose\)"):
        matfiles.read(mat(tmp_path, key="pose"), "joints", SHAPE)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere.mat: no such file"):
        matfiles.read(tmp_path / "nowhere.mat", "joints", SHAPE)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kept", [60, 130, 300, -4, -1])
def test_a_truncated_file_is_named(tmp_path: Path, kept: int, compressed: bool) -> None:
    path = mat(tmp_path, compressed=compressed)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match="joints.mat: (truncated|not a MATLAB 5 file)"):
        matfiles.read(path, "joints", SHAPE)


def test_damage_inside_a_compressed_array_is_named(tmp_path: Path) -> None:
    path = mat(tmp_path, compressed=True)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match="joints.mat: damaged"):
        matfiles.read(path, "joints", SHAPE)


def test_a_compressed_bomb_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = mat(tmp_path, np.zeros((3, 14, 5000)), compressed=True)
    monkeypatch.setattr(matfiles, "MAX_BYTES", 100_000)
    assert path.stat().st_size < 100_000
    with pytest.raises(InputError, match="unpacks to more than 100,000 bytes"):
        matfiles.read(path, "joints", SHAPE)


def test_matlab_7_3_says_how_to_save_it_again(tmp_path: Path) -> None:
    path = tmp_path / "joints.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(126) + b"IM" + bytes(512))
    with pytest.raises(InputError, match="MATLAB 7.3 .* with -v7"):
        matfiles.read(path, "joints", SHAPE)


# Structs


def records(*rows: dict[str, Any]) -> Any:
    """A struct array as MATLAB has it, 1 x n."""
    array = np.empty((1, len(rows)), [(name, object) for name in rows[0]])
    for i, row in enumerate(rows):
        array[0, i] = tuple(row.values())
    return array


EMPTY = np.zeros((0, 0))


def cells(*content: Any) -> Any:
    array = np.empty((len(content), 1), object)
    for i, each in enumerate(content):
        array[i, 0] = each
    return array


@pytest.fixture
def people(tmp_path: Path) -> matfiles.Struct:
    inner = records({"x": 1.0}, {"x": 2.0})
    rows = (
        {
            "name": "a.jpg",
            "box": np.array([[1.0, np.nan]]),
            "id": np.uint8(7),
            "points": inner,
            "apart": cells(1, EMPTY),
        },
        {"name": "b.jpg", "box": np.array([[3.0, 4.0]]), "id": "1", "points": EMPTY, "apart": cells([2, 3])},
        {"name": "c.jpg", "box": np.array([[5.0, 6.0]]), "id": EMPTY, "points": records({"x": 3.0}), "apart": cells()},
    )
    return matfiles.read_struct(mat(tmp_path, records(*rows), key="people"), "people")


def test_a_struct_gives_its_fields_record_by_record(people: matfiles.Struct) -> None:
    assert len(people) == 3
    assert "box" in people and "boxes" not in people
    assert people.texts("name") == ["a.jpg", "b.jpg", "c.jpg"]
    np.testing.assert_array_equal(people.numbers("box", (1, 2))[:, 0], [[1, np.nan], [3, 4], [5, 6]])


def test_an_empty_scalar_is_nan_and_a_digit_is_its_number(people: matfiles.Struct) -> None:
    np.testing.assert_array_equal(people.scalars("id"), [7, 1, np.nan])


def test_a_struct_in_a_struct_may_be_empty(people: matfiles.Struct) -> None:
    assert [inner.scalars("x").tolist() for inner in people.structs("points")] == [[1, 2], [], [3]]


def test_cells_hold_any_count_of_numbers(people: matfiles.Struct) -> None:
    found = people.cells("apart")
    assert [[cell.tolist() for cell in each] for each in found] == [[[1], []], [[2, 3]], []]


@pytest.mark.parametrize(
    ("take", "told"),
    [
        (lambda people: people.numbers("box", (2, 2)), r"people\(1\).box is no 2 x 2 numbers"),
        (lambda people: people.numbers("name", (1,)), r"people\(1\).name is no 1 numbers"),
        (lambda people: people.scalars("box"), r"people\(1\).box is no single number"),
        (lambda people: people.scalars("name"), r"people\(1\).name is no single number"),
        (lambda people: people.texts("id"), r"people\(1\).id is no line of text"),
        (lambda people: people.structs("box"), r"people\(1\).box is no struct"),
        (lambda people: people.cells("box"), r"people\(1\).box is no cell array of numbers"),
        (lambda people: people.texts("file"), r"no field 'file' \(it has name, box, id, points, apart\)"),
        (lambda people: people.structs("points")[0].texts("x"), r"people\(1\).points\(1\).x is no line of text"),
    ],
)
def test_a_field_of_another_form_is_told_with_its_place(
    people: matfiles.Struct, take: Callable[[matfiles.Struct], Any], told: str
) -> None:
    with pytest.raises(InputError, match=f"joints.mat: .*{told}"):
        take(people)


def test_what_is_no_struct_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="joints is a double array, a struct is expected"):
        matfiles.read_struct(mat(tmp_path), "joints")


def test_a_struct_is_checked_as_any_label_file_is(tmp_path: Path) -> None:
    path = mat(tmp_path, struct_array(), compressed=True)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(InputError, match="joints.mat: truncated"):
        matfiles.read_struct(path, "joints")


@pytest.mark.parametrize(
    ("name", "shape"), [("lsp/joints_PC.mat", (3, 14, 2000)), ("lspet/joints.mat", (14, 3, 10000))]
)
def test_the_published_label_files_are_read(name: str, shape: tuple[int, ...]) -> None:
    mirror = os.environ.get("POSETABLES_MIRROR", "")
    if not (Path(mirror) / name).is_file():
        pytest.skip(f"POSETABLES_MIRROR has no {name}")
    assert matfiles.read(Path(mirror) / name, "joints", shape).shape == shape
