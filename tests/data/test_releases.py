"""Published prediction files of three layouts give the same joints of the same people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from posetables.data.releases import READERS
from posetables.errors import InputError

JOINTS = np.random.default_rng(0).uniform(0, 100, (3, 14, 2))
"""(people, joints, xy), the first pixel at 0."""


def save(path: Path, **arrays: np.ndarray) -> Path:
    scipy.io.savemat(path, arrays)
    return path


STICKS = [(0, 1), (1, 2), (3, 4), (4, 5), (6, 7), (7, 8), (9, 10), (10, 11), (12, 13)]
"""Joints at the ends of nine sticks of the public files; the tenth is the torso, between means of joints."""


def sticks(joints: np.ndarray) -> np.ndarray:
    """(people, 20, 2): both ends of each stick."""
    ends = joints[:, [joint for stick in STICKS for joint in stick]]
    return np.concatenate([ends, joints[:, [2, 3]]], axis=1)


@pytest.mark.parametrize(
    ("layout", "arrays"),
    [
        ("keypoints", {"pred": (JOINTS + 1).transpose(2, 1, 0)}),
        ("sticks", {"pred": (sticks(JOINTS) + 1).transpose(2, 1, 0)}),
        ("cpm", {"prediction_all": (JOINTS + 1).transpose(1, 2, 0)}),
    ],
)
def test_joints_come_in_pixels_from_0_in_the_order_of_lsp(
    tmp_path: Path, layout: str, arrays: dict[str, np.ndarray]
) -> None:
    assert np.allclose(READERS[layout](save(tmp_path / "file.mat", **arrays)), JOINTS)


def test_a_joint_that_was_not_found_stays_unknown(tmp_path: Path) -> None:
    joints = JOINTS.copy()
    joints[1, 2] = np.nan
    found = READERS["keypoints"](save(tmp_path / "file.mat", pred=(joints + 1).transpose(2, 1, 0)))
    assert np.argwhere(np.isnan(found)).tolist() == [[1, 2, 0], [1, 2, 1]]


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"pred": np.zeros((14, 2, 3))}, "pred is 14 x 2 x 3, not 2 x 14 x N"),
        ({"prediction_all": np.zeros((14, 2, 3))}, "pred is missing"),
    ],
)
def test_another_layout_is_told(tmp_path: Path, arrays: dict[str, np.ndarray], told: str) -> None:
    with pytest.raises(InputError, match=f"{told}.*; check layout in releases.yaml"):
        READERS["keypoints"](save(tmp_path / "file.mat", **arrays))


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n", b"MATLAB 5.0 and then nothing"])
def test_a_file_that_cannot_be_read_is_told_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.mat"
    path.write_bytes(content)
    with pytest.raises(InputError, match="file.mat: no MATLAB file of versions 4 to 7"):
        READERS["keypoints"](path)
