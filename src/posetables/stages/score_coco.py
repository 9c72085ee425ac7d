"""Score what was found in the images of a split as COCO does: poses by OKS, boxes by their overlap.

A person or an image can be found too often, so nothing here adds up over people. Intervals are over images: every draw
of the bootstrap is an evaluation of its own (`metrics.average_precision`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from posetables.data.boxes import framed, stretched
from posetables.data.detections import number_of
from posetables.data.people import read_columns, read_people
from posetables.metrics import bootstrap, detection, oks
from posetables.metrics.average_precision import Evaluation, draws
from posetables.progress import say
from posetables.stages.score import BOOTSTRAP_KEY, summary

if TYPE_CHECKING:
    from posetables.recipe import Experiment, Split, Tested

Files = Mapping[str, Mapping[str, Path]]
"""Input -> output of it -> where it lies."""


def score_poses(
    recipe: Experiment, inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]
) -> dict[str, Any]:
    """Write `scores` (JSON): oks -> AP, AP50, ... with 95 % intervals, in per cent; and `hits` (Parquet): their values
    in every draw of the bootstrap.

    The score of a pose is that of its box times that of its joints; of two poses that are one, by OKS, the lesser goes.
    """
    numbers = image_numbers(inputs["people"]["frames"], recipe.test.split)
    truth = truth_of(inputs["people"]["people"], recipe.test.split, recipe.labels, numbers)
    found, boxes = found_poses(inputs["predictions"]["predictions"], inputs["crops"]["crops"], numbers, recipe.aspect)
    evaluation = oks.evaluate(truth, found, len(numbers))
    write(evaluation, "oks", recipe.test, len(numbers), outputs)
    say(f"{recipe.name}: oks AP {100 * evaluation.values['AP']:.2f}")
    return {"images": len(numbers), "people": len(truth.image), "poses": len(found.image), "of boxes": boxes}


def score_boxes(
    recipe: Tested, inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]
) -> dict[str, Any]:
    """The same for the boxes of a detector: detection -> AP, AP50, ..., against the boxes of everybody labelled."""
    numbers = image_numbers(inputs["people"]["frames"], recipe.test.split)
    truth = truth_of(inputs["people"]["people"], recipe.test.split, recipe.labels, numbers)
    image, box, score = read_people(inputs["boxes"]["people"], recipe.test.split, "image", "box", "score").values()
    number = np.array([numbers[name] for name in image.tolist()], np.int64)
    evaluation = detection.evaluate(truth, detection.Boxes(number, box.reshape(len(number), 4), score), len(numbers))
    write(evaluation, "detection", recipe.test, len(numbers), outputs)
    say(f"{recipe.name}: box AP {100 * evaluation.values['AP']:.2f}")
    return {"images": len(numbers), "people": len(truth.image), "boxes": len(number)}


def image_numbers(frames: Path, split: str) -> dict[str, int]:
    """Image of a split -> its number, in the order of COCO's ids: by it pycocotools breaks ties of scores."""
    images = read_people(frames, split, "image")["image"].tolist()
    return {image: number for number, image in enumerate(sorted(images, key=number_of))}


def truth_of(people: Path, split: str, labels: str, numbers: Mapping[str, int]) -> oks.Truth:
    """Everybody in the images, crowds and those without joints included."""
    names = ("image", f"joints_{labels}", f"visible_{labels}", "area", "box", "crowd")
    image, joints, visible, area, box, crowd = read_people(people, split, *names).values()
    number = np.array([numbers[name] for name in image.tolist()], np.int64)
    return oks.Truth(number, box, area, crowd, joints.reshape(*visible.shape, 2), visible)


def found_poses(predictions: Path, crops: Path, numbers: Mapping[str, int], aspect: float) -> tuple[oks.Poses, int]:
    """Predicted poses with their scores, without those that OKS-NMS drops, and in how many boxes they were looked for.

    A labelled box is certain: its score is 1. The network's input is `aspect` times as wide as high.
    """
    predicted = read_columns(predictions, "person", "joints", "scores")
    table = pd.read_parquet(crops).set_index("person").loc[predicted["person"].tolist()]
    box_score = table["score"].to_numpy() if "score" in table else np.ones(len(table))
    number = np.array([numbers[image] for image in table["image"]], np.int64)
    joints = predicted["joints"].reshape(len(table), -1, 2)
    poses = oks.Poses(number, joints, oks.rescore(box_score, predicted["scores"]))
    kept = oks.nms(poses, areas(table, aspect))
    return oks.Poses(poses.image[kept], poses.joints[kept], poses.score[kept]), len(kept)


def areas(table: pd.DataFrame, aspect: float) -> np.ndarray:
    """(N,) pixels^2 of the regions that were cut out, whose poses OKS-NMS compares: HRNet's product of scale * 200."""
    side = table["side"].to_numpy()
    if aspect != 1:
        box = np.array(table["box"].tolist()).reshape(-1, 4)
        side = side * stretched(framed(box, table[["center_x", "center_y"]].to_numpy()), aspect)
    area: np.ndarray = side**2 * aspect
    return area


def write(evaluation: Evaluation, metric: str, test: Split, images: int, outputs: Mapping[str, Path]) -> None:
    """Scores and their draws. Draws of one split are of the same images, whatever was found in them."""
    names = list(evaluation.values)
    values = 100 * np.array(list(evaluation.values.values()))
    drawn = 100 * draws(evaluation.matches, bootstrap.resamples(images, BOOTSTRAP_KEY))
    outputs["scores"].write_text(json.dumps({metric: summary(values, drawn, names)}, indent=1) + "\n")
    columns: dict[str, Sequence[Any]] = {"over": [f"{images} images of {test.dataset}/{test.split}"] * len(drawn)}
    pd.DataFrame(columns | {f"{metric} {name}": drawn[:, i] for i, name in enumerate(names)}).to_parquet(
        outputs["hits"], index=False
    )
