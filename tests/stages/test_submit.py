"""From synthetic people to the file that a server takes; what is withheld is not scored, what is not is not sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from posetables.data.submissions import mpii_mat
from posetables.params import Recipes
from posetables.stages.artifacts import Artifacts
from tests.conftest import Project

MINI = ("--scale", "mini")
PEOPLE = {
    "mpii": {"train": [1, 4], "val": [1, 1]},
    "mpii-test": {"test": [1, 3]},
    "coco": {"train": [1, 4], "val": [1, 1]},
    "coco-test": {"test-dev": [1, 2]},
}
MPII, COCO = "hcrn/mpii/hg-hcrn", "hcrn/coco/hg-hcrn"
PARAMS = "params/papers/hcrn/experiments.yaml"


@pytest.fixture
def few(project: Project) -> Project:
    """A handful of people of each data set."""

    def shrink(scales: dict[str, Any]) -> None:
        scales["mini"]["people"] |= PEOPLE
        scales["mini"]["trainings"]["hourglass"] |= {"epochs": 1}

    project.edit("params/scales.yaml", shrink)
    return project


def prepare(project: Project, *verbs: str) -> None:
    for verb in verbs:
        project.run(*verb.split(), *MINI)


def facts(project: Project, submission: Path) -> dict[str, Any]:
    content = json.loads((project.root / submission.with_suffix(".manifest.json")).read_text())
    return dict(content["facts"])


def test_mpii_gets_the_joints_of_its_test_people(few: Project) -> None:
    prepare(few, "fetch mpii", "annotate mpii", "crop mpii", f"train {MPII}")
    prepare(few, "fetch mpii-test", "annotate mpii-test", "crop mpii-test")
    prepare(few, f"predict {MPII} --protocol pyramid3-test", f"submit {MPII} --protocol pyramid3-test")
    submission = Path("results/mini/submissions") / MPII / "seed0/pyramid3-test.mat"
    assert facts(few, submission) == {"people": 3, "sent as": "pred_keypoints_mpii.mat"}
    sent = mpii_mat.read(few.root / submission, few.root / "data/raw/mini/mpii-test")
    predicted = pd.read_parquet(few.root / f"results/mini/predictions/{MPII}/seed0/pyramid3-test.parquet")
    assert list(sent) == predicted["person"].tolist()
    np.testing.assert_allclose(np.stack(list(sent.values())).reshape(3, -1), np.stack(predicted["joints"].tolist()))


def test_coco_gets_poses_in_the_boxes_that_a_detector_found(few: Project) -> None:
    prepare(few, "fetch coco", "annotate coco", "crop coco", f"train {COCO}")
    prepare(few, "fetch coco-test", "annotate coco-test", "detect coco-test/test-dev hog")
    prepare(few, "crop coco-test --boxes test-dev/hog")
    prepare(few, f"predict {COCO} --protocol pyramid3-test-dev", f"submit {COCO} --protocol pyramid3-test-dev")
    submission = Path("results/mini/submissions") / COCO / "seed0/pyramid3-test-dev.json"
    told = facts(few, submission)
    sent = json.loads((few.root / submission).read_text())
    assert told["sent as"] == "person_keypoints_test-dev2017_hg-hcrn_results.json"
    assert 0 < told["poses"] == len(sent) <= told["of boxes"]
    images = json.loads(next((few.root / "data/raw/mini/coco-test").rglob("image_info*.json")).read_text())["images"]
    assert {pose["image_id"] for pose in sent} <= {image["id"] for image in images}


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        (f"score {MPII} --protocol pyramid3-test", "mpii-test/test: its labels are withheld; run: posetables submit"),
        (f"submit {MPII} --protocol pyramid3", "mpii/val: no server scores it, as its labels are here"),
        (f"submit {COCO} --protocol pyramid3-hog", "coco/val: no server scores it, as its labels are here"),
    ],
)
def test_labels_decide_between_a_score_and_a_submission(few: Project, verb: str, told: str) -> None:
    assert told in few.refusal(*verb.split(), *MINI)


@pytest.mark.parametrize(
    ("test", "told"),
    [
        ("lsp/test", "protocols.pyramid3-test.test: lsp/test has the joints of lsp, not mpii"),
        ("mpii-test/tset", "no split of mpii-test 'tset'; did you mean 'test'"),
    ],
)
def test_a_protocol_that_tests_on_other_joints_or_on_nobody_is_refused(few: Project, test: str, told: str) -> None:
    few.edit(PARAMS, lambda content: content["protocols"]["pyramid3-test"].update(test=test))
    assert told in few.refusal("predict", MPII, "--protocol", "pyramid3-test", *MINI)


def test_people_of_another_protocol_leave_the_predictions_of_the_setup_as_they_are(project: Project) -> None:
    before = Artifacts(Recipes(), "mini").predict(MPII, "pyramid3", 0).identity
    project.edit(PARAMS, lambda content: content["protocols"].pop("pyramid3-test"))
    project.edit(PARAMS, lambda content: content["setups"]["mpii"].update(protocols=["pyramid3"]))
    assert Artifacts(Recipes(), "mini").predict(MPII, "pyramid3", 0).identity == before
