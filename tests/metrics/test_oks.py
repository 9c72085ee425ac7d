"""OKS: published answers on real people, and what becomes of joints, poses and people that are not there."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posetables.data import boxes
from posetables.metrics import oks

MIRROR = Path(os.environ.get("POSETABLES_MIRROR", ""))
needs_mirror = pytest.mark.skipif(
    not os.environ.get("POSETABLES_MIRROR") or not (MIRROR / "coco_eval_fixtures").is_dir(),
    reason="needs evaluations with known answers: set POSETABLES_MIRROR to a folder that holds coco_eval_fixtures/",
)


def read_truth(path: Path) -> tuple[oks.Truth, list[int]]:
    """The people of a COCO file and the ids of its images."""
    content = json.loads(path.read_text())
    images = [image["id"] for image in content["images"]]
    people: list[dict[str, Any]] = content["annotations"]
    keypoints = np.array([person["keypoints"] for person in people], float).reshape(len(people), -1, 3)
    return oks.Truth(
        image=np.array([images.index(person["image_id"]) for person in people]),
        box=np.array([person["bbox"] for person in people]),
        area=np.array([person["area"] for person in people]),
        crowd=np.array([person["iscrowd"] for person in people]),
        joints=keypoints[..., :2],
        visible=keypoints[..., 2],
    ), images


def person(x: float = 100.0, **changes: Any) -> oks.Truth:
    """One person of 100 x 100 pixels, all of whose joints are labelled."""
    joints = x + np.random.default_rng(0).uniform(0, 100, (1, 17, 2))
    truth = oks.Truth(
        image=np.array([0]),
        box=np.array([[x, x, 100.0, 100.0]]),
        area=np.array([8000.0]),
        crowd=np.array([0]),
        joints=joints,
        visible=np.full((1, 17), 2),
    )
    return replace(truth, **changes)


def both(a: oks.Truth, b: oks.Truth) -> oks.Truth:
    return oks.Truth(**{name: np.concatenate([getattr(a, name), getattr(b, name)]) for name in vars(a)})


def poses(*joints: np.ndarray, score: list[float] | None = None) -> oks.Poses:
    """Poses in image 0, the first the best."""
    scores = np.linspace(1, 0.5, len(joints)) if score is None else np.array(score)
    return oks.Poses(np.zeros(len(joints), int), np.array(joints).reshape(-1, 17, 2), scores)


def ap(truth: oks.Truth, found: oks.Poses, images: int = 1) -> float:
    return oks.evaluate(truth, found, images).values["AP"]


@needs_mirror
def test_answer_that_faster_coco_eval_states_is_met_to_the_last_digit() -> None:
    folder = MIRROR / "coco_eval_fixtures/faster_coco_eval"
    truth, images = read_truth(folder / "gt_dataset.json")
    results = json.loads((folder / "dt_dataset.json").read_text())
    found = oks.Poses(
        image=np.array([images.index(result["image_id"]) for result in results]),
        joints=np.array([result["keypoints"] for result in results]).reshape(len(results), -1, 3)[..., :2],
        score=np.array([result["score"] for result in results]),
    )
    assert oks.evaluate(truth, found, len(images)).values == {
        "AP": 0.5048844884488449,
        "AP50": 0.7227722772277227,
        "AP75": 0.6336633663366337,
        "APM": 0.46633663366336636,
        "APL": 0.7504950495049505,
        "AR": 0.5181818181818182,
        "AR50": 0.7272727272727273,
        "AR75": 0.6363636363636364,
        "ARM": 0.4666666666666666,
        "ARL": 0.75,
    }


@needs_mirror
@pytest.mark.parametrize(
    "file", ["coco_eval_fixtures/mmpose4/test_coco.json", "coco_mini/annotations/person_keypoints_val2017.json"]
)
def test_perfect_poses_of_real_people_score_1_and_none_score_0(file: str) -> None:
    truth, images = read_truth(MIRROR / file)
    perfect = oks.Poses(truth.image, truth.joints, (truth.visible > 0).sum(axis=1).astype(float))
    nothing = oks.Poses(np.zeros(0, int), np.zeros((0, 17, 2)), np.zeros(0))
    for found, share in ((perfect, 1), (nothing, 0)):
        values = oks.evaluate(truth, found, len(images)).values
        assert list(values.values()) == pytest.approx([share] * 10)


# Rescoring and suppression among the boxes that a detector found of real people


@dataclass(frozen=True)
class Looked:
    """Everybody with joints in four images, and a pose for each box of theirs, which is that of their labels."""

    truth: oks.Truth
    of: np.ndarray
    """(D,) whose pose it is."""
    found: oks.Poses
    """Scored as the boxes are."""
    joint_score: np.ndarray
    """(D, J) .9 for a joint that is labelled, else .1."""
    area: np.ndarray
    """(D,) of HRNet's regions around the boxes for an input of 192 x 256 pixels."""


@pytest.fixture(scope="module")
def looked() -> Looked:
    truth, images = read_truth(MIRROR / "coco_eval_fixtures/mmpose4/test_coco.json")
    known = (truth.visible > 0).any(axis=1)
    truth = oks.Truth(**{name: value[known] for name, value in vars(truth).items()})
    of, scores, areas = [], [], []
    for entry in json.loads((MIRROR / "coco_eval_fixtures/mmpose4/test_coco_det_AP_H_56.json").read_text()):
        here = truth.image == images.index(entry["image_id"])
        shared = np.where(here, boxes.overlap(np.array(entry["bbox"]), truth.box), 0)
        if shared.max() >= 0.5:
            width, height = entry["bbox"][2:]
            of.append(shared.argmax())
            scores.append(entry["score"])
            areas.append(1.25**2 * max(width, 0.75 * height) * max(height, width / 0.75))
    labelled = truth.visible > 0
    middle = truth.box[:, None, :2] + truth.box[:, None, 2:] / 2
    joints = np.where(labelled[..., None], truth.joints, middle)[of]
    found = oks.Poses(truth.image[of], joints, np.array(scores))
    return Looked(truth, np.array(of), found, np.where(labelled, 0.9, 0.1)[of], np.array(areas))


@needs_mirror
def test_of_many_boxes_of_real_people_one_remains_for_each_and_it_is_the_surest(looked: Looked) -> None:
    assert (len(looked.truth.image), len(looked.of)) == (12, 52)
    scored = replace(looked.found, score=oks.rescore(looked.found.score, looked.joint_score))
    kept = oks.nms(scored, looked.area)
    best = {person: max(0.9 * looked.found.score[looked.of == person]) for person in range(12)}
    assert dict(zip(looked.of[kept], scored.score[kept], strict=True)) == pytest.approx(best)
    assert kept.sum() == 12
    remaining = oks.Poses(scored.image[kept], scored.joints[kept], scored.score[kept])
    assert list(oks.evaluate(looked.truth, remaining, 4).values.values()) == pytest.approx([1] * 10)


@needs_mirror
@pytest.mark.parametrize("seed", range(5))
def test_scores_and_suppression_are_those_of_hrnet_in_loops(looked: Looked, seed: int) -> None:
    random = np.random.default_rng(seed)
    reach = random.uniform(0, 0.05, (52, 1, 1)) * np.sqrt(looked.area)[:, None, None]
    joints = looked.found.joints + reach * random.normal(size=(52, 17, 2))
    joint_score = random.uniform(0, 0.8, (52, 17)) * random.uniform(0.1, 1, (52, 1))
    expected, remaining = slow_hrnet(looked, joints, joint_score)
    score = oks.rescore(looked.found.score, joint_score)
    kept = oks.nms(oks.Poses(looked.found.image, joints, score), looked.area)
    np.testing.assert_allclose(score, expected)
    assert set(np.flatnonzero(kept)) == remaining
    assert 12 < len(remaining) < 52


def slow_hrnet(looked: Looked, joints: np.ndarray, joint_score: np.ndarray) -> tuple[list[float], set[int]]:
    """Scores, and who remains where none of its image that is as good or better is more alike than .9."""
    scores = []
    for box, heights in zip(looked.found.score, joint_score, strict=True):
        sure = [height for height in heights if height > 0.2]
        scores.append(box * (sum(sure) / len(sure) if sure else 0))

    def similarity(a: int, b: int) -> float:
        total = 0.0
        for joint in range(17):
            square = ((joints[a, joint] - joints[b, joint]) ** 2).sum()
            total += np.exp(-square / (2 * oks.SIGMAS[joint]) ** 2 / ((looked.area[a] + looked.area[b]) / 2) / 2)
        return float(total / 17)

    remaining: set[int] = set()
    for pose in sorted(range(len(scores)), key=lambda pose: -scores[pose]):
        image = looked.found.image
        if all(similarity(pose, other) <= 0.9 for other in remaining if image[pose] == image[other]):
            remaining.add(pose)
    return scores, remaining


def test_similarity_at_the_distance_of_one_deviation_is_that_of_a_gaussian() -> None:
    # Every joint is off by 2 sigma sqrt(area), so OKS is exp(-1/2) = .6065: found at .5, .55 and .6.
    truth = person()
    off = np.stack([2 * oks.SIGMAS * np.sqrt(truth.area[0]), np.zeros(17)], axis=1)
    assert ap(truth, poses(truth.joints[0] + off)) == pytest.approx(0.3)


def test_joint_that_was_not_found_is_as_far_as_can_be() -> None:
    truth = person()
    missing, far = truth.joints[0].copy(), truth.joints[0].copy()
    missing[:5, 0], far[:5] = np.nan, 1e9
    # 12 of 17 joints: OKS .706, found at 5 of the ten thresholds.
    assert ap(truth, poses(missing)) == ap(truth, poses(far)) == pytest.approx(0.5)


@pytest.mark.parametrize("score", [0.9, np.nan])
def test_pose_without_any_joint_or_without_a_score_is_none(score: float) -> None:
    truth = person()
    joints = truth.joints[0] + 1000 if np.isnan(score) else np.full((17, 2), np.nan)
    assert ap(truth, poses(joints, truth.joints[0], score=[score, 0.5])) == pytest.approx(1)
    assert ap(truth, poses(joints, score=[score])) == 0


def test_pose_of_nobody_costs_precision_where_it_is_the_surer_one() -> None:
    truth = person()
    nobody = truth.joints[0] + 1000
    assert ap(truth, poses(nobody, truth.joints[0])) == pytest.approx(0.5)
    assert ap(truth, poses(truth.joints[0], nobody)) == pytest.approx(1)


def test_pose_in_an_image_without_people_costs_precision() -> None:
    truth = person()
    found = poses(truth.joints[0], truth.joints[0])
    assert ap(truth, replace(found, image=np.array([1, 0])), images=2) == pytest.approx(0.5)


@pytest.mark.parametrize("changes", [{"visible": np.zeros((1, 17))}, {"crowd": np.array([1])}])
def test_person_without_labels_and_crowd_need_not_be_found_but_may_be(changes: dict[str, np.ndarray]) -> None:
    truth, other = person(), person(500.0, **changes)
    mine, theirs = truth.joints[0], other.joints[0]
    assert ap(both(truth, other), poses(mine)) == pytest.approx(1)
    assert ap(both(truth, other), poses(theirs, mine)) == pytest.approx(1)
    assert np.isnan(ap(other, poses(theirs)))


@given(st.lists(st.booleans(), min_size=17, max_size=17).filter(any))
def test_unlabelled_joint_is_not_looked_at_whatever_its_coordinates(labelled: list[bool]) -> None:
    truth = person()
    predicted = np.where(np.array(labelled)[:, None], truth.joints[0], 1e6)
    junk = np.where(np.array(labelled)[:, None], truth.joints, np.nan)
    partly = replace(truth, joints=junk, visible=np.array([labelled]) * 2)
    assert ap(partly, poses(predicted)) == pytest.approx(1)


def test_label_without_a_position_is_refused() -> None:
    with pytest.raises(ValueError, match="joint 0 of person 0 is labelled"):
        ap(person(joints=np.full((1, 17, 2), np.nan)), poses())


def test_score_of_a_pose_is_that_of_its_box_times_the_mean_of_its_sure_joints() -> None:
    joints = np.array([[0.9, 0.7, 0.2, np.nan], [0.2, 0.1, np.nan, np.nan]])
    assert oks.rescore(np.array([0.5, 1.0]), joints) == pytest.approx([0.5 * 0.8, 0])


def test_lesser_of_two_poses_of_a_person_is_dropped_and_a_pose_elsewhere_is_not() -> None:
    joints = person().joints[0]
    found = poses(joints + 1, joints, joints + 200, score=[0.3, 0.9, 0.1])
    assert oks.nms(found, np.full(3, 1e4)).tolist() == [False, True, True]


def test_pose_in_another_image_drops_nothing() -> None:
    found = replace(poses(person().joints[0], person().joints[0]), image=np.array([3, 7]))
    assert oks.nms(found, np.full(2, 1e4)).all()


def test_dropped_pose_drops_nothing_itself() -> None:
    # Each is like the next and not like the one after it.
    joints = person().joints[0]
    step = 0.06 * np.sqrt(1e4) * np.stack([2 * oks.SIGMAS, np.zeros(17)], axis=1) / 0.15
    found = poses(joints, joints + step, joints + 2 * step)
    assert oks.nms(found, np.full(3, 1e4)).tolist() == [True, False, True]


def test_poses_are_compared_over_the_joints_that_both_have() -> None:
    joints = person().joints[0]
    upper, lower = joints.copy(), joints.copy()
    upper[9:], lower[:9] = np.nan, np.nan
    assert oks.nms(poses(joints, upper), np.full(2, 1e4)).tolist() == [True, False]
    assert oks.nms(poses(upper, lower), np.full(2, 1e4)).tolist() == [True, True]


def test_pose_without_a_score_is_dropped() -> None:
    assert oks.nms(poses(person().joints[0], score=[np.nan]), np.full(1, 1e4)).tolist() == [False]


@settings(deadline=None)
@given(st.integers(0, 10**6))
def test_no_two_poses_that_remain_are_alike_and_each_dropped_one_is_like_a_better_one(seed: int) -> None:
    draw = np.random.default_rng(seed)
    joints = person().joints + draw.normal(0, 8, (12, 1, 2))
    found = poses(*joints, score=draw.random(12).tolist())
    area = draw.uniform(5e3, 2e4, 12)
    kept = oks.nms(found, area)

    def alike(a: int, b: int) -> bool:
        squares = ((joints[a] - joints[b]) ** 2).sum(axis=1)
        return bool(np.exp(-squares / (2 * (2 * oks.SIGMAS) ** 2 * (area[a] + area[b]) / 2)).mean() > 0.9)

    best_first = [pose for pose in np.argsort(-found.score) if kept[pose]]
    assert not any(alike(a, b) for a in best_first for b in best_first if a != b)
    for pose in np.flatnonzero(~kept):
        assert any(alike(pose, better) for better in best_first if found.score[better] > found.score[pose])
