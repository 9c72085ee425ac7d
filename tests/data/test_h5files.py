"""An HDF5 file is read as float64 or refused in one line that names file, key and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from posetables.data import h5files
from posetables.errors import InputError

PREDS = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def h5(folder: Path, value: Any = PREDS) -> Path:
    with h5py.File(folder / "file.h5", "w") as file:
        file["preds"] = value
    return folder / "file.h5"


def test_numbers_come_back_as_they_were_written(tmp_path: Path) -> None:
    found = h5files.read(h5(tmp_path), "preds", (2, 3, None))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, PREDS)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (PREDS[0], "preds is float32 3 x 4, expected numbers 2 x 3 x any"),
        (PREDS.transpose(2, 1, 0), "preds is float32 4 x 3 x 2, expected"),
        (PREDS.astype("S3"), "preds is .* expected numbers"),
        (PREDS.astype(complex), "preds is complex128 .* expected numbers"),
        (np.where(PREDS == 5, np.nan, PREDS), r"preds\[0, 1, 1\] is nan"),
    ],
)
def test_what_is_no_array_of_real_numbers_of_the_shape_is_refused(tmp_path: Path, value: Any, told: str) -> None:
    with pytest.raises(InputError, match=f"file.h5: {told}"):
        h5files.read(h5(tmp_path, value), "preds", (2, 3, None))


def test_a_missing_key_is_named_with_the_keys_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no data set 'part' \(it holds preds\)"):
        h5files.read(h5(tmp_path), "part", (None,))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere.h5: no such file"):
        h5files.read(tmp_path / "nowhere.h5", "preds", (None,))


@pytest.mark.parametrize("kept", [0, 8, 200, -10])
def test_a_truncated_file_is_told_in_one_line(tmp_path: Path, kept: int) -> None:
    path = h5(tmp_path, np.random.default_rng(0).uniform(size=(2, 3, 4)))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"file.h5: damaged, or no HDF5 file \([^\n]*\); get the file again"):
        h5files.read(path, "preds", (2, 3, None))


def test_a_file_that_points_to_another_one_is_refused(tmp_path: Path) -> None:
    secret = h5(tmp_path).rename(tmp_path / "secret.h5")
    layout = h5py.VirtualLayout((2, 3, 4), "f4")
    layout[:] = h5py.VirtualSource(secret, "preds", (2, 3, 4))
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["link"] = h5py.ExternalLink(str(secret), "preds")
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("external", (2, 3, 4), "f4", external=[(str(secret), 0, 96)])
    for key in ("link", "virtual", "external"):
        with pytest.raises(InputError, match=f"{key} is no data set of this file"):
            h5files.read(tmp_path / "file.h5", key, (2, 3, 4))


def test_a_compressed_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file.create_dataset("preds", (2, 3, 100_000_000), "u1", chunks=(2, 3, 1_000_000), compression=9)
    assert (tmp_path / "file.h5").stat().st_size < 100_000
    with pytest.raises(InputError, match="preds unpacks to more than 256,000,000 bytes"):
        h5files.read(tmp_path / "file.h5", "preds", (2, 3, None))
