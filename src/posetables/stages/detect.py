"""Find the people of a split: boxes in COCO's format, from a detector that looks or from what others found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from posetables import device as devices
from posetables.data import detections, detectors
from posetables.data.detectors import around
from posetables.data.people import read_columns, read_people
from posetables.progress import track
from posetables.stages.annotate import tabled
from posetables.stages.crop import read_image
from posetables.stages.native import folder_of

if TYPE_CHECKING:
    import torch

    from posetables.data.detections import Detections
    from posetables.data.detectors import Detector as Look
    from posetables.recipe import Detector, Split


def detect(
    recipe: Detector, test: Split, inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]
) -> dict[str, Any]:
    """Write `boxes` (JSON, a list of COCO detections), and `people` (Parquet): whom to crop, one line a box."""
    images = read_people(inputs["people"]["frames"], test.split, "image")["image"].tolist()
    if recipe.predictions is not None:
        found = around_predictions(inputs["predictions"]["predictions"], inputs["crops"]["crops"])
    elif recipe.file is not None:
        reader = around if recipe.kind else detections
        found = reader.read(folder_of(inputs["file"]) / recipe.file)
    else:
        detector, _ = load(recipe, inputs)
        folder = folder_of(inputs["images"])
        seen = {image: detector(read_image(folder / image)) for image in track(images, f"detect {recipe.name}")}
        found = detections.of_images(seen)
    detections.write(found, outputs["boxes"])
    people = detections.people_of(found, {test.split: images})
    tabled(people).to_parquet(outputs["people"], index=False)
    return {"images": len(images), "boxes": len(people.names)}


def load(recipe: Detector, inputs: Mapping[str, Mapping[str, Path]]) -> tuple[Look, torch.device]:
    """A detector that looks at images, and the device that it runs on."""
    device = devices.device()
    weights = next(iter(inputs["weights"].values())) if "weights" in inputs else None
    return detectors.named(recipe.kind or "").load(weights, str(device)), device


def around_predictions(predictions: Path, crops: Path) -> Detections:
    """Boxes around the joints that a network of ours found."""
    predicted = read_columns(predictions, "person", "joints", "scores")
    image = pd.read_parquet(crops).set_index("person").loc[predicted["person"].tolist(), "image"].tolist()
    joints = predicted["joints"].reshape(len(image), -1, 2)
    return around.around(image, joints, predicted["scores"])
