"""A label file is read as float64 or refused in one line that names file, key and remedy."""

from __future__ import annotations

import os
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


@pytest.mark.parametrize(
    ("name", "shape"), [("lsp/joints_PC.mat", (3, 14, 2000)), ("lspet/joints.mat", (14, 3, 10000))]
)
def test_the_published_label_files_are_read(name: str, shape: tuple[int, ...]) -> None:
    mirror = os.environ.get("POSETABLES_MIRROR", "")
    if not (Path(mirror) / name).is_file():
        pytest.skip(f"POSETABLES_MIRROR has no {name}")
    assert matfiles.read(Path(mirror) / name, "joints", shape).shape == shape
