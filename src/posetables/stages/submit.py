"""Write predictions as the server of a benchmark takes them, and read the file back as it would."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from posetables.data.detections import number_of
from posetables.data.people import read_columns
from posetables.data.submissions import coco_test, mpii_mat
from posetables.progress import say
from posetables.stages.native import folder_of
from posetables.stages.score_coco import found_poses, image_numbers

if TYPE_CHECKING:
    from posetables.recipe import Experiment


def submit_poses(
    recipe: Experiment, inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]
) -> dict[str, Any]:
    """COCO: the poses that a score counts, rescored and without those that OKS-NMS drops."""
    numbers = image_numbers(inputs["people"]["frames"], recipe.test.split)
    poses, boxes = found_poses(inputs["predictions"]["predictions"], inputs["crops"]["crops"], numbers, recipe.aspect)
    ids = np.array([number_of(name) for name in numbers], np.int64)
    coco_test.write(outputs["submission"], coco_test.Results(ids[poses.image], poses.joints, poses.score))
    read = coco_test.read(outputs["submission"], ids.tolist())
    name = coco_test.sent_as(recipe.test.split, recipe.name.rpartition("/")[2])
    say(f"{recipe.name}: {len(read.image):,} poses; name it {name} and upload it alone in a zip archive of that name")
    return {"images": len(ids), "poses": len(read.image), "of boxes": boxes, "sent as": name}


def submit_joints(
    recipe: Experiment, inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]
) -> dict[str, Any]:
    """MPII: the joints of every test person, in the annotations of the test images."""
    predicted = read_columns(inputs["predictions"]["predictions"], "person", "joints")
    joints = dict(zip(predicted["person"].tolist(), predicted["joints"].reshape(-1, 16, 2), strict=True))
    labels = folder_of(inputs["labels"])
    mpii_mat.write(outputs["submission"], labels, joints)
    read = mpii_mat.read(outputs["submission"], labels)
    assert read.keys() == joints.keys() and all(np.allclose(read[name], joints[name]) for name in joints)
    name = mpii_mat.sent_as(recipe.test.split, recipe.name.rpartition("/")[2])
    say(f"{recipe.name}: {len(read):,} people; send it as {name} (human-pose.mpi-inf.mpg.de, evaluation)")
    return {"people": len(read), "sent as": name}
