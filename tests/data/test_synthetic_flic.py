"""Synthetic actors in the layout of FLIC: the fields of the official file, people inside their frames, backs turned."""

import cv2
import numpy as np
import pytest
from scipy.io import loadmat

from posetables.data.synthetic import flic

PEOPLE = {"train": 40, "test": 20}

# The order of MODEC's release, as SOURCES of the field have it: 11 of 29 columns are labelled.
LABELLED = [0, 1, 2, 3, 4, 5, 6, 9, 12, 13, 16]
LEFT, RIGHT, EYES, NOSE = [0, 1, 2, 6], [3, 4, 5, 9], [12, 13], 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flic")
    flic.write(folder, {split: (1, count) for split, count in PEOPLE.items()}, seed=0)
    return folder


@pytest.fixture(scope="module")
def examples(folder):
    return loadmat(folder / "examples_original.mat", struct_as_record=False)["examples"]


@pytest.fixture(scope="module")
def coords(examples):
    return np.stack([example.coords for example in examples[0]])


def test_examples_have_the_fields_types_and_shapes_of_the_official_file(examples):
    assert examples.shape == (1, sum(PEOPLE.values()))
    for example in examples[0]:
        found = {
            name: (getattr(example, name).dtype.kind, getattr(example, name).shape) for name in example._fieldnames
        }
        assert found == {
            "poselet_hit_idx": ("u", (1, 1)),
            "moviename": ("U", (1,)),
            "coords": ("f", (2, 29)),
            "filepath": ("U", (1,)),
            "imgdims": ("u", (1, 3)),
            "currframe": ("u", (1, 1)),
            "torsobox": ("f", (1, 4)),
            "istrain": ("u", (1, 1)),
            "istest": ("u", (1, 1)),
        }


def test_every_person_is_of_one_official_split_and_both_are_mixed_in_the_file(examples):
    train, test = (np.array([getattr(it, name).item() for it in examples[0]]) for name in ("istrain", "istest"))
    assert (train + test == 1).all()
    assert (train.sum(), test.sum()) == (PEOPLE["train"], PEOPLE["test"])
    assert (np.diff(train[:10]) != 0).all()


def test_images_are_there_in_the_size_that_the_file_says(folder, examples):
    named = {example.filepath.item(): example.imgdims[0].tolist() for example in examples[0]}
    assert {path.name for path in (folder / "images").iterdir()} == set(named)
    for name in list(named)[:5]:
        assert list(cv2.imread(str(folder / "images" / name)).shape) == named[name]


def test_eleven_joints_are_labelled_and_lie_inside_the_frame(coords):
    assert np.flatnonzero(~np.isnan(coords).any((0, 1))).tolist() == LABELLED
    assert np.isnan(np.delete(coords, LABELLED, axis=2)).all()
    joints = coords[:, :, LABELLED]
    assert (joints >= 1).all() and (joints <= np.array(flic.SIZE)[:, None]).all()


def test_some_are_seen_from_behind_and_all_their_left_joints_lie_left(coords):
    behind = coords[:, 0, 0] < coords[:, 0, 3]
    assert 0.03 < behind.mean() < 0.25
    shoulder_hip = coords[:, 0][:, [LEFT[0], LEFT[3], RIGHT[0], RIGHT[3]]]
    left, right = shoulder_hip[:, :2], shoulder_hip[:, 2:]
    assert (left[behind].max(1) < right[behind].min(1)).all()
    assert (left[~behind].min(1) > right[~behind].max(1)).all()


def test_torso_boxes_are_half_again_as_high_as_wide_around_shoulders_and_hips(examples, coords):
    boxes = np.stack([example.torsobox[0] for example in examples[0]])
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    np.testing.assert_allclose(height / width, 1.5, rtol=1e-3)
    torso = coords[:, :, [0, 3, 6, 9]].mean(2)
    assert (np.abs((boxes[:, :2] + boxes[:, 2:]) / 2 - torso) < 0.25 * height[:, None]).all()
    assert np.median(height) / flic.SIZE[1] == pytest.approx(0.3, abs=0.05)


def test_faces_lie_above_the_shoulders(coords):
    shoulders = coords[:, 1][:, [0, 3]].mean(1)
    assert (coords[:, 1][:, EYES].mean(1) < shoulders).all()
    assert (coords[:, 1, NOSE] < shoulders + 5).all()
