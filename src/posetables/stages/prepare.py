"""Prepare a data set: one annotation table, one line a person, and one store of crops."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import mmcv
import numpy as np
import pandas as pd

from posetables.data import lsp
from posetables.data.people import Labels, People
from posetables.errors import InputError
from posetables.progress import track

if TYPE_CHECKING:
    from posetables.recipe import Preparation

GREY = (128, 128, 128)

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
JPEG_TAIL = 512
"""Bytes in which a JPEG must end; some of LSP's images carry a few more after their end."""

READERS = {"lsp": lsp.read_lsp, "lspet": lsp.read_lspet}

OUTSIDE_LIMIT = 0.01
"""Share of labelled joints outside of their images above which labels and images do not belong together. LSPET has a
few (1 in 10,000): these are taken as unlabelled."""


def prepare(recipe: Preparation, raw: Path, outputs: Mapping[str, Path]) -> dict[str, Any]:
    """Write `annotations` (Parquet) and `crops` (uint8, N x 3 x S x S); return counts of people and of stray joints.

    The store holds each person's surroundings at the finest density that any network of the scale reads, but never
    finer than the image, so that no epoch decodes or shrinks an image again.
    """
    people = READERS[recipe.reader](raw, recipe.splits)
    count = len(people.images)
    store_side = round(recipe.resolution * recipe.margin)
    crops = np.lib.format.open_memmap(outputs["crops"], "w+", np.uint8, (count, 3, store_side, store_side))
    frames = np.empty((count, 2))
    center, side, density = np.empty((count, 2)), np.empty(count), np.empty(count)
    for i, name in enumerate(track(people.images, f"prepare {recipe.dataset}")):
        image = read_image(raw / name)
        frames[i] = image.shape[1], image.shape[0]
        center[i] = (frames[i] - 1) / 2 if people.center is None else people.center[i]
        side[i] = frames[i].max() if people.side is None else people.side[i]
        density[i] = min(side[i], recipe.resolution)
        crops[i] = cut(image, center[i], density[i] / side[i], store_side).transpose(2, 0, 1)
    crops.flush()
    labels, strays = _inside(people, frames, raw)
    table = _table(recipe.dataset, people, labels, center, side, density)
    table.to_parquet(outputs["annotations"], index=False)
    return {"people": table["split"].value_counts().sort_index().to_dict(), "joints outside of their image": strays}


def read_image(path: Path) -> np.ndarray:
    """RGB image (h, w, 3) uint8."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; fetch the data set again") from error
    # OpenCV paints what is missing of a JPEG grey and says nothing: only the end of the file tells.
    whole = not content.startswith(JPEG_START) or JPEG_END in content[-JPEG_TAIL:]
    try:
        if whole and (image := mmcv.imfrombytes(content, channel_order="rgb")) is not None:
            return np.asarray(image)
    except cv2.error:
        pass  # told below, like the rest
    raise InputError(f"{path}: not an image or cut short; delete it and fetch the data set again")


def cut(image: np.ndarray, center: np.ndarray, zoom: float, side: int) -> np.ndarray:
    """Square of `side` pixels around `center` (x, y) of an image resized by `zoom`; grey outside of the image."""
    rest = np.full(2, zoom)
    if zoom < 1:  # averaging over the area that a pixel covers: interpolation alone would alias
        height, width = image.shape[:2]
        small = (max(1, round(width * zoom)), max(1, round(height * zoom)))
        ratio = np.array(small) / (width, height)
        image = mmcv.imresize(image, small, interpolation="area")
        center, rest = (center + 0.5) * ratio - 0.5, zoom / ratio
    shift = (side - 1) / 2 - center * rest
    matrix = np.array([[rest[0], 0, shift[0]], [0, rest[1], shift[1]]])
    return np.asarray(cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderValue=GREY))


def _inside(people: People, frames: np.ndarray, raw: Path) -> tuple[dict[str, Labels], int]:
    """Labels without the joints that lie outside of their image, and how many these were."""
    kept, strays = {}, 0
    for name, labels in people.labels.items():
        known = labels.visible > 0
        out = known & ((labels.joints < -1) | (labels.joints > frames[:, None])).any(2)
        if out.sum() > OUTSIDE_LIMIT * known.sum():
            raise InputError(
                f"{raw}: joints ({name}): {out.sum()} of {known.sum()} lie outside of their images, first in "
                f"{people.images[int(out.any(1).argmax())]}; labels and images must be of one data set"
            )
        kept[name] = Labels(labels.joints, np.where(out, 0, labels.visible))
        strays += int(out.sum())
    return kept, strays


def _table(
    dataset: str,
    people: People,
    labels: Mapping[str, Labels],
    center: np.ndarray,
    side: np.ndarray,
    density: np.ndarray,
) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "person": [f"{dataset}/{Path(image).stem}" for image in people.images],
        "image": list(people.images),
        "split": list(people.split),
        "row": np.arange(len(people.images)),
        "center_x": center[:, 0],
        "center_y": center[:, 1],
        "side": side,
        "density": density,
    }
    for name, each in labels.items():
        columns[f"joints_{name}"] = list(each.joints.reshape(len(each.joints), -1))
        columns[f"visible_{name}"] = list(each.visible.astype(np.int8))
    return pd.DataFrame(columns)
