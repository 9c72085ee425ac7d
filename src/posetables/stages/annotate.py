"""Read the native labels of a data set: one table of its people, one of its images."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from posetables.data.people import People
    from posetables.recipe import Annotation


def annotate(recipe: Annotation, labels: Path, outputs: Mapping[str, Path]) -> dict[str, Any]:
    """Write `people` (Parquet), one line a person, and `frames` (Parquet), one line an image; return their counts.

    labels: folder of the native label files. A box is NaN where it is the whole image, whose size labels do not tell.
    """
    reader = importlib.import_module(f"posetables.data.readers.{recipe.reader}")
    people: People = reader.read(labels, recipe.splits)
    table = tabled(people)
    table.to_parquet(outputs["people"], index=False)
    frames = people.frames or {name: part["image"].unique() for name, part in table.groupby("split", sort=False)}
    pd.DataFrame(
        [(image, name) for name, images in frames.items() for image in images], columns=["image", "split"]
    ).to_parquet(outputs["frames"], index=False)
    counts = table["split"].value_counts().sort_index().to_dict()
    return {"people": counts, "images": {name: len(images) for name, images in frames.items()}}


def tabled(people: People) -> pd.DataFrame:
    """People as columns; arrays of a person become lists."""
    count = len(people.names)
    center = np.full((count, 2), np.nan) if people.center is None else people.center
    columns: dict[str, Any] = {
        "person": list(people.names),
        "image": list(people.images),
        "split": list(people.split),
        "center_x": center[:, 0],
        "center_y": center[:, 1],
        "side": np.full(count, np.nan) if people.side is None else people.side,
    }
    for name, each in people.labels.items():
        columns[f"joints_{name}"] = list(each.joints.reshape(count, 2 * each.joints.shape[1]))
        columns[f"visible_{name}"] = list(each.visible.astype(np.int8))
    columns |= {name: each if each.ndim == 1 else list(each) for name, each in people.measures.items()}
    return pd.DataFrame(columns)
