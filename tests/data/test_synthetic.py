"""The synthetic people: native layouts, repeatable bytes, human bodies, and looks that tell left from right."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import loadmat

from posetables.data.skeletons.lsp import SKELETON as LSP
from posetables.data.synthetic import lsp as lsp_people
from posetables.data.synthetic import lspet as lspet_people
from posetables.data.synthetic.clothes import sample_kit
from posetables.data.synthetic.figure import EVERYDAY, FACE, FILM, SPORTS, Figure, Manner, sample_figure
from posetables.data.synthetic.painting import OVERSAMPLING, Canvas, Capsule, paint
from posetables.data.synthetic.scene import Person, enter, hidden, photograph, stage

PEOPLE = 60

# Winter, Biomechanics and Motor Control of Human Movement, Fig. 4.1 (Drillis and Contini 1966), fractions of stature.
WINTER = {
    ("shoulder", "elbow"): 0.186,
    ("elbow", "wrist"): 0.146,
    ("hip", "knee"): 0.530 - 0.285,
    ("knee", "ankle"): 0.285 - 0.039,
}


@pytest.fixture(scope="module")
def lsp(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lsp")
    lsp_people.write(folder, images(PEOPLE), seed=0)
    return folder


@pytest.fixture(scope="module")
def lspet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lspet")
    lspet_people.write(folder, images(PEOPLE), seed=0)
    return folder


@pytest.fixture(scope="module")
def figures():
    return [sample_figure(np.random.default_rng(i)) for i in range(200)]


def images(count: int) -> dict[str, tuple[int, int]]:
    return {"train": (1, count)}


def people(path: Path, axes: tuple[int, int, int]) -> np.ndarray:
    return loadmat(path)["joints"].transpose(axes)


def person_centric(folder: Path) -> np.ndarray:
    return people(folder / "joints_PC.mat", (2, 1, 0))


def pictures(folder: Path) -> list[np.ndarray]:
    return [cv2.imread(str(path)) for path in sorted((folder / "images").iterdir())]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def bend(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    """Degrees by which the chain a, b, c departs from a straight line."""
    first, second = (b - a) / np.linalg.norm(b - a), (c - b) / np.linalg.norm(c - b)
    return float(np.degrees(np.arccos(np.clip(first @ second, -1, 1))))


def test_lsp_has_the_native_layout(lsp):
    assert set(contents(lsp)) == {"joints_PC.mat", "joints_OC.mat"} | {
        f"images/im{i + 1:04d}.jpg" for i in range(PEOPLE)
    }
    for name in ("joints_PC.mat", "joints_OC.mat"):
        joints = loadmat(lsp / name)["joints"]
        assert (joints.shape, joints.dtype) == ((3, 14, PEOPLE), np.float64)


def test_lspet_has_the_native_layout(lspet):
    assert set(contents(lspet)) == {"joints.mat"} | {f"images/im{i + 1:05d}.jpg" for i in range(PEOPLE)}
    joints = loadmat(lspet / "joints.mat")["joints"]
    assert (joints.shape, joints.dtype) == ((14, 3, PEOPLE), np.float64)


def test_another_seed_gives_other_people(lsp, tmp_path):
    lsp_people.write(tmp_path, images(3), seed=1)
    assert not np.isclose(person_centric(tmp_path)[:, :, :2], person_centric(lsp)[:3, :, :2]).any()


def test_the_two_sets_share_no_poses(lsp, lspet):
    thighs = [
        np.ptp(joints[:, :3, :2], axis=1) for joints in (person_centric(lsp), people(lspet / "joints.mat", (2, 0, 1)))
    ]
    assert not np.isclose(*thighs).any()


def test_a_person_does_not_depend_on_how_many_are_asked_for(lsp, tmp_path):
    lsp_people.write(tmp_path, images(3), seed=0)
    few, many = contents(tmp_path), contents(lsp)
    assert all(few[name] == many[name] for name in few if name.startswith("images"))
    np.testing.assert_array_equal(person_centric(tmp_path), person_centric(lsp)[:3])


def test_every_joint_of_lsp_lies_inside_its_image(lsp):
    for picture, joints in zip(pictures(lsp), person_centric(lsp), strict=True):
        height, width = picture.shape[:2]
        assert (joints[:, :2] >= 1).all() and (joints[:, :2] <= (width, height)).all()


def test_lsp_frames_its_people_as_the_real_set_does(lsp):
    boxes = np.ptp(person_centric(lsp)[:, :, :2], axis=1).max(axis=1)
    sides = np.array([max(picture.shape) for picture in pictures(lsp)])
    assert np.median(sides / boxes) == pytest.approx(1.32, abs=0.04)
    assert sides.max() <= 215


def test_third_number_means_occluded_in_lsp_and_visible_in_lspet(lsp, lspet):
    occluded, visible = person_centric(lsp)[:, :, 2], people(lspet / "joints.mat", (2, 0, 1))[:, :, 2]
    assert set(np.unique(occluded)) == set(np.unique(visible)) == {0, 1}
    assert 0.02 < occluded.mean() < 0.2 and 0.8 < visible.mean() < 0.98


def test_unlabelled_joints_of_lspet_hold_junk_and_the_others_lie_inside(lspet):
    for picture, joints in zip(pictures(lspet), people(lspet / "joints.mat", (2, 0, 1)), strict=True):
        height, width = picture.shape[:2]
        labelled = joints[:, 2] == 1
        assert (joints[labelled, :2] >= 1).all() and (joints[labelled, :2] <= (width, height)).all()
        assert (joints[~labelled, :2] <= 0).all()


def test_observer_centric_labels_follow_the_rule_of_legs_and_arms(lsp):
    name = {joint: i for i, joint in enumerate(LSP.joints)}
    expected = person_centric(lsp)
    for person in expected:
        for limb in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
            if person[name[f"right {limb[0]}"], 0] > person[name[f"left {limb[0]}"], 0]:
                for joint in limb:
                    right, left = name[f"right {joint}"], name[f"left {joint}"]
                    person[right], person[left] = person[left].copy(), person[right].copy()
    np.testing.assert_array_equal(people(lsp / "joints_OC.mat", (2, 1, 0)), expected)
    assert 0.1 < (expected != person_centric(lsp)).any(axis=(1, 2)).mean() < 0.7


@pytest.mark.parametrize(("ends", "published"), WINTER.items())
def test_limbs_have_human_lengths(figures, ends, published):
    lengths = [
        [np.linalg.norm(np.subtract(*(f.points[f"{s} {e}"] for e in ends))) for s in ("right", "left")] for f in figures
    ]
    right, left = np.transpose(lengths)
    np.testing.assert_allclose(right, left)
    np.testing.assert_allclose(right, published, rtol=0.08)
    assert right.mean() == pytest.approx(published, rel=0.02)


@pytest.mark.parametrize(("chain", "most"), [(("shoulder", "elbow", "wrist"), 145), (("hip", "knee", "ankle"), 135)])
def test_elbows_and_knees_stay_within_human_limits(figures, chain, most):
    bends = [bend(*(f.points[f"{side} {joint}"] for joint in chain)) for f in figures for side in ("right", "left")]
    assert max(bends) <= most
    assert np.percentile(bends, 90) > 60


@pytest.mark.parametrize("side", ["right", "left"])
def test_knees_never_bend_forwards(figures, side):
    for figure in figures:
        hip, knee, ankle, toes = (figure.points[f"{side} {joint}"] for joint in ("hip", "knee", "ankle", "toes"))
        shin = (ankle - knee) / np.linalg.norm(ankle - knee)
        forward = (toes - ankle) - ((toes - ankle) @ shin) * shin
        assert (knee - hip) @ forward >= -1e-9


def test_someone_facing_us_has_the_right_side_on_our_left(figures):
    chests = [figure for figure in figures if figure.frames["chest"][2, 2] > 0.8 and figure.frames["chest"][1, 1] > 0.8]
    assert len(chests) > 20
    assert all(figure.points["right shoulder"][0] < figure.points["left shoulder"][0] for figure in chests)


def test_a_capsule_is_the_union_of_its_balls():
    rng = np.random.default_rng(0)
    for _ in range(20):
        start, end = rng.uniform(6, 18, (2, 3))
        radii = rng.uniform(2, 3, 2)
        canvas = Canvas.on(np.zeros((24 * OVERSAMPLING, 24 * OVERSAMPLING, 3), np.uint8))
        paint(canvas, Capsule(start, end, (radii[0], radii[1]), lambda along, surface: np.full((len(along), 3), 255)))
        y, x = (np.indices(canvas.depth.shape) + 0.5) / OVERSAMPLING - 0.5
        truth = np.full(x.shape, -np.inf)
        for t in np.linspace(0, 1, 400):
            (bx, by, bz), radius = start + t * (end - start), radii[0] + t * (radii[1] - radii[0])
            inside = radius**2 - (x - bx) ** 2 - (y - by) ** 2
            truth = np.maximum(truth, np.where(inside > 0, bz + np.sqrt(np.maximum(inside, 0)), -np.inf))
        both = np.isfinite(truth) & np.isfinite(canvas.depth)
        assert (np.isfinite(truth) != np.isfinite(canvas.depth)).mean() < 0.002
        assert np.abs(truth[both] - canvas.depth[both]).max() < 0.15


def test_the_far_shoulder_of_a_person_seen_from_the_side_is_hidden(figures):
    for i, figure in enumerate(figures[:10]):
        _, _, axes = np.linalg.svd((figure.points["left shoulder"] - figure.points["right shoulder"])[None])
        across = axes[[1, 2, 0]]
        sideways = Figure(
            {name: across @ p for name, p in figure.points.items()}, {n: across @ f for n, f in figure.frames.items()}
        )
        _, hidden = photograph(
            np.random.default_rng(i), sideways.placed(80, np.array([90, 90, 0])), 80, (180, 180), LSP.joints
        )
        far = min(("right shoulder", "left shoulder"), key=lambda joint: sideways.points[joint][2])
        assert hidden[LSP.index(far)]


@pytest.mark.parametrize("joint", ["wrist", "ankle"])
def test_right_limbs_look_warmer_than_left_limbs(lsp, joint):
    warmth = {"right": [], "left": []}
    for picture, joints in zip(pictures(lsp), person_centric(lsp), strict=True):
        for side, values in warmth.items():
            x, y, occluded = joints[LSP.index(f"{side} {joint}")]
            if not occluded:
                blue, _, red = picture[round(y - 1), round(x - 1)].astype(float)
                values.append(red - blue)
    right, left = np.array(warmth["right"]), np.array(warmth["left"])
    assert (right[:, None] > left).mean() > 0.8


@pytest.mark.parametrize("manner", [SPORTS, EVERYDAY, FILM])
def test_the_face_lies_in_front_of_the_head_between_crown_and_neck(manner):
    for figure in (sample_figure(np.random.default_rng(i), manner) for i in range(50)):
        left, down, forward = figure.frames["head"].T
        top, neck = figure.points["head top"], figure.points["neck"]
        nose, eyes, ears = (
            np.mean([figure.points[name] for name in FACE if name.endswith(part)], axis=0)
            for part in ("nose", "eye", "ear")
        )
        assert nose @ forward > eyes @ forward > ears @ forward
        assert top @ down < eyes @ down < nose @ down < neck @ down
        for part in ("eye", "ear"):
            assert (figure.points[f"left {part}"] - figure.points[f"right {part}"]) @ left > 0


def test_thorax_and_pelvis_are_the_middles_of_shoulders_and_hips(figures):
    for figure in figures:
        for middle, joint in (("thorax", "shoulder"), ("pelvis", "hip")):
            ends = figure.positions([f"right {joint}", f"left {joint}"])
            np.testing.assert_allclose(figure.points[middle], ends.mean(0), atol=1e-12)


def test_the_back_of_a_head_hides_its_face():
    front = figure_facing(1)
    for facing, hides in ((front, False), (figure_facing(-1), True)):
        canvas = stage(np.random.default_rng(0), (160, 160))
        placed = facing.placed(100, np.array([80, 110, 0]))
        enter(canvas, Person(placed, 100, sample_kit(np.random.default_rng(0))))
        face = hidden(canvas, placed, 100, ["nose", "right eye", "left eye"])
        assert face.all() if hides else not face.any()


def figure_facing(sign: int) -> Figure:
    """Somebody upright who faces us, or turns away: half a turn about the vertical."""
    upright = Manner((1, 0, 0, 0), 0, (1, 0, 0, 0), 0, 0, dict.fromkeys(SPORTS.limits, (-0.1, 0, 0.1)))
    figure = sample_figure(np.random.default_rng(0), upright)
    turned = np.diag([sign, 1, sign])
    return Figure(
        {name: turned @ point for name, point in figure.points.items()},
        {name: turned @ frame for name, frame in figure.frames.items()},
    )
