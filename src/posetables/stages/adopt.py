"""Take published predictions for ours: the same people, the same form, so that one score serves both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from posetables.data.people import read_people
from posetables.data.releases import READERS
from posetables.errors import InputError
from posetables.recipe import pick
from posetables.stages.native import folder_of

if TYPE_CHECKING:
    from posetables.recipe import Release


def adopt(recipe: Release, inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]) -> dict[str, Any]:
    """Write `predictions`: one line a person with its joints in pixels of the image, as the file has them.

    A file names nobody: it holds the people of the split in their order, or it is refused.
    """
    path = folder_of(inputs["release"]) / recipe.file
    joints = pick(READERS, recipe.layout, "layout", "params/releases.yaml")(path)
    person = read_people(inputs["people"]["people"], recipe.test.split, "person")["person"]
    if len(joints) != len(person):
        split = f"{recipe.test.dataset}/{recipe.test.split}"
        raise InputError(f"{path}: {len(joints)} people, {split} has {len(person)}; check test in releases.yaml")
    table = pd.DataFrame({"person": person})
    table["joints"] = list(joints.reshape(len(joints), -1))
    table.to_parquet(outputs["predictions"], index=False)
    return {"people": len(table), "file": recipe.file}
