"""Cut people out of their images: one store of crops, and one table that says whose they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import mmcv
import numpy as np
import pandas as pd

from posetables.errors import InputError
from posetables.progress import track

if TYPE_CHECKING:
    from posetables.recipe import Cropping

GREY = (128, 128, 128)

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
JPEG_TAIL = 512
"""Bytes in which a JPEG must end; some of LSP's images carry a few more after their end."""

OUTSIDE_LIMIT = 0.01
"""Share of labelled joints outside of their images above which labels and images do not belong together. LSPET has a
few (1 in 10,000): these are taken as unlabelled."""


def crop(recipe: Cropping, people: Path, images: Path, outputs: Mapping[str, Path]) -> dict[str, Any]:
    """Write `crops` (Parquet, one line a person) and `pixels` (uint8, N x 3 x S x S); return how many joints strayed.

    The store holds each person's surroundings at the finest density that any network of the scale reads, but never
    finer than the image, so that no epoch decodes or shrinks an image again. Whoever has labels but none of a joint
    teaches nothing and is left out.
    """
    table = labelled(pd.read_parquet(people))
    count = len(table)
    store_side = round(recipe.resolution * recipe.margin)
    pixels = np.lib.format.open_memmap(outputs["pixels"], "w+", np.uint8, (count, 3, store_side, store_side))
    frames = np.empty((count, 2))
    center, side = table[["center_x", "center_y"]].to_numpy(copy=True), table["side"].to_numpy(copy=True)
    density = np.empty(count)
    image, before = np.empty((0, 0, 3), np.uint8), ""
    for i, name in enumerate(track(table["image"].tolist(), f"crop {recipe.dataset}")):
        if name != before:
            image, before = read_image(images / name), name
        frames[i] = image.shape[1], image.shape[0]
        if np.isnan(side[i]):
            center[i], side[i] = (frames[i] - 1) / 2, frames[i].max()
        density[i] = min(side[i], recipe.resolution)
        pixels[i] = cut(image, center[i], density[i] / side[i], store_side).transpose(2, 0, 1)
    pixels.flush()
    table["center_x"], table["center_y"], table["side"] = center[:, 0], center[:, 1], side
    table.insert(3, "row", np.arange(count))
    table.insert(7, "density", density)
    strays = without_strays(table, frames, images)
    table.to_parquet(outputs["crops"], index=False)
    return {"people": count, "joints outside of their image": strays}


def labelled(table: pd.DataFrame) -> pd.DataFrame:
    """The people of whom any label set knows a joint; all, where there are no labels."""
    known = [table[name].map(np.any) for name in table if name.startswith("visible_")]
    return table[np.logical_or.reduce(known)].reset_index(drop=True) if known else table


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


def without_strays(table: pd.DataFrame, frames: np.ndarray, images: Path) -> int:
    """Take joints that lie outside of their image as unlabelled; how many these were."""
    strays = 0
    for name in [name.removeprefix("joints_") for name in table if name.startswith("joints_")]:
        visible = np.stack(table[f"visible_{name}"].tolist())
        joints = np.stack(table[f"joints_{name}"].tolist()).reshape(*visible.shape, 2)
        known = visible > 0
        out = known & ((joints < -1) | (joints > frames[:, None])).any(2)
        if out.sum() > OUTSIDE_LIMIT * known.sum():
            raise InputError(
                f"{images}: joints ({name}): {out.sum()} of {known.sum()} lie outside of their images, first in "
                f"{table['image'][int(out.any(1).argmax())]}; labels and images must be of one data set"
            )
        table[f"visible_{name}"] = list(np.where(out, 0, visible).astype(np.int8))
        strays += int(out.sum())
    return strays
