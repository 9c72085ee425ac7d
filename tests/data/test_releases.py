"""Published prediction files of many layouts give the joints of the same people in the order of their skeleton."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from posetables.data.readers import flic, mpii
from posetables.data.releases import FLIC_JOINTS, READERS
from posetables.data.skeletons.flic import SKELETON as FLIC
from posetables.data.skeletons.mpii import SKELETON as MPII
from posetables.errors import InputError
from posetables.metrics import pck

MIRROR = Path(os.environ.get("POSETABLES_MIRROR", ""))
needs_mirror = pytest.mark.skipif(
    not os.environ.get("POSETABLES_MIRROR") or not (MIRROR / "flic/predictions").is_dir(),
    reason="needs published predictions: set POSETABLES_MIRROR to a folder that holds flic/ and mpii/",
)

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


# FLIC


def test_files_for_flic_give_its_ten_joints_with_the_neck_between_the_shoulders(tmp_path: Path) -> None:
    xy = np.random.default_rng(0).uniform(0, 100, (3, 11, 2))
    found = READERS["flic"](save(tmp_path / "file.mat", pred=(xy + 1).transpose(2, 1, 0)))
    for joint in ("left shoulder", "right wrist", "right hip", "nose"):
        np.testing.assert_allclose(found[:, FLIC.index(joint)], xy[:, FLIC_JOINTS.index(joint)])
    np.testing.assert_allclose(found[:, FLIC.index("neck")], (xy[:, 0] + xy[:, 3]) / 2)


@pytest.fixture
def modec(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A file of MODEC beside FLIC's labels, and the joints (2, 11, 2) that it found in pixels of the image."""
    xy = np.random.default_rng(0).uniform(200, 300, (2, 11, 2))
    examples = np.empty((1, 3), [(name, object) for name in ("coords", "istest")])
    columns = [*flic.COLUMNS.values()]
    for i in range(3):
        coords = np.full((2, 29), np.nan)
        coords[:, columns] = 7.0 if i == 0 else xy[i - 1, [FLIC_JOINTS.index(joint) for joint in flic.COLUMNS]].T + 1
        examples[0, i] = (coords, np.uint8(i > 0))
    save(tmp_path / flic.LABELS, examples=examples)
    found, window = xy[:, :6] + 3, np.array([[150.0, 90.0], [-20.0, 40.0]])[:, None]
    truth = np.full((2, 29, 2), np.nan)
    truth[:, :6] = _observed(xy)[:, :6] - window
    (tmp_path / "predictions").mkdir()
    path = save(
        tmp_path / "predictions/modec.mat",
        pred_coords=(found - window).transpose(2, 1, 0),
        gt_coords=truth.transpose(2, 1, 0),
    )
    return path, found


def _observed(xy: np.ndarray) -> np.ndarray:
    """Observer-centric joints in the order of the files."""
    joints = np.stack([xy[:, FLIC_JOINTS.index(j)] if j != "neck" else xy[:, 0] for j in FLIC.joints], 1)
    observed = flic.observer_centric(joints)
    return np.stack([observed[:, FLIC.index(j)] if j in FLIC.joints else xy[:, 0] for j in FLIC_JOINTS], 1)


def test_windows_of_modec_are_found_by_the_truth_that_its_file_holds(modec: tuple[Path, np.ndarray]) -> None:
    path, joints = modec
    found = READERS["modec"](path)
    for i, joint in enumerate(FLIC_JOINTS[:6]):
        np.testing.assert_allclose(found[:, FLIC.index(joint)], joints[:, i])
    for joint in ("nose", "left hip", "right hip"):
        assert np.isnan(found[:, FLIC.index(joint)]).all()


def test_a_file_of_modec_for_other_people_is_refused(modec: tuple[Path, np.ndarray]) -> None:
    path, _ = modec
    save(path, pred_coords=np.zeros((2, 6, 3)), gt_coords=np.zeros((2, 29, 3)))
    with pytest.raises(InputError, match="modec.mat: 3 people, examples_original.mat has 2"):
        READERS["modec"](path)


@needs_mirror
@pytest.mark.parametrize(
    ("layout", "file", "elbow", "wrist"),
    [
        ("flic", "WeiCVPR16__pred_keypoints_flic_oc.mat", 97.59, 95.03),
        ("flic", "ChenYuilleNIPS14__pred_keypoints_flic_oc.mat", 94.93, 91.98),
        # MODEC's own measure in its own windows gives 75.49 and 57.87.
        ("modec", "MODEC_results_paper.mat", 75.69, 57.97),
    ],
)
def test_published_predictions_for_flic_score_as_they_are_known_to(
    layout: str, file: str, elbow: float, wrist: float
) -> None:
    truth = flic.read(MIRROR / "flic", {"test": (1, 1016)}).labels["oc"]
    torso = pck.torso_normaliser(truth.joints, FLIC.index("left shoulder"), FLIC.index("right hip"))
    found = READERS[layout](MIRROR / "flic/predictions" / file)
    hits = pck.correct(pck.distances(found, truth.joints, truth.visible > 0, torso), 0.2)
    columns = pck.columns(hits, [[FLIC.index(j) for j in FLIC.groups[name]] for name in ("Elbow", "Wrist")])
    np.testing.assert_allclose(columns, (elbow, wrist), atol=0.005)


# MPII


def test_files_for_mpii_give_its_joints_in_pixels_from_0(tmp_path: Path) -> None:
    xy = np.random.default_rng(0).uniform(0, 100, (3, 16, 2))
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["preds"] = (xy + 1).transpose(2, 1, 0)
    np.testing.assert_allclose(READERS["mpii"](save(tmp_path / "file.mat", preds=xy + 1)), xy)
    np.testing.assert_allclose(READERS["mpii-h5"](tmp_path / "file.h5"), xy)


@needs_mirror
@pytest.mark.parametrize(
    ("layout", "file", "total"),
    [
        ("mpii", "bearpaw-hg_s2_b1.mat", 87.30),
        ("mpii", "bearpaw-hg_s8_b1.mat", 89.09),
        ("mpii-h5", "tompson.h5", 82.34),
    ],
)
def test_published_predictions_for_mpii_score_as_they_are_known_to(layout: str, file: str, total: float) -> None:
    people = mpii.read(MIRROR / "mpii", {"val": (1, 2958)})
    truth, found = people.labels["pc"], READERS[layout](MIRROR / "mpii/predictions_val" / file)
    far = pck.distances(found, truth.joints, truth.visible > 0, people.measures["head"])
    hits = pck.correct(far, 0.5)[:, [i for i, joint in enumerate(MPII.joints) if joint not in ("pelvis", "thorax")]]
    assert 100 * np.nanmean(hits) == pytest.approx(total, abs=0.02)
