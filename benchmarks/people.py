"""People a second, from what lies on the disk to augmented images and target maps, as a ratio to the usual way.

    python benchmarks/people.py

The usual way is that of HRNet's JointsDataset (deep-high-resolution-net, lib/dataset/JointsDataset.py): in every epoch
each person's image is decoded, flipped, warped and normalised by itself, and one Gaussian is pasted for each joint.
Here a stored crop is read, and a whole batch is warped at once. Both run on one thread, on the same people, with the
network input and the target maps of `hcrn/lsp-pc/hg` at lite scale, in turn; times are CPU seconds, so that other
programs count little. What our store costs once is printed beside it.

Synthetic people need no download; with POSETABLES_MIRROR the images of LSPET follow.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from posetables.data.codecs import map_codec_of
from posetables.data.loading import training_batches
from posetables.data.people import Crops, People, read_crops
from posetables.data.readers import lsp, lspet
from posetables.data.skeletons.lsp import SKELETON as LSP
from posetables.data.sources import MIRROR_VARIABLE
from posetables.data.synthetic import lsp as synthetic
from posetables.params import Recipes
from posetables.recipe import Experiment
from posetables.stages.annotate import tabled
from posetables.stages.crop import crop
from posetables.stages.train import Batches

PEOPLE, BATCH, ROUNDS, STRIDE, AIM = 256, 32, 5, 4, 4.0
MEAN, DEVIATION = (torch.tensor(values).view(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


# --- the usual way ---------------------------------------------------------------------------------------------------


def decoded(people: People, raw: Path, recipe: Experiment) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Images (B, 3, S, S), targets (B, J, S/4, S/4) and weights (B, J, 1) of batches of people."""
    random = np.random.default_rng(0)
    for start in range(0, PEOPLE, BATCH):
        batch = [decode(people, raw, i, recipe, random) for i in range(start, start + BATCH)]
        yield tuple(torch.stack(parts) for parts in zip(*batch, strict=True))  # type: ignore[misc]


def decode(
    people: People, raw: Path, person: int, recipe: Experiment, random: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """JointsDataset.__getitem__: decode, flip, warp, normalise, then the targets."""
    image = cv2.imread(str(raw / people.images[person]), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    joints, visible = people.labels["pc"].joints[person].copy(), people.labels["pc"].visible[person] > 0
    height, width = image.shape[:2]
    center = np.array([width - 1, height - 1]) / 2 if people.center is None else people.center[person].copy()
    side = max(width, height) if people.side is None else people.side[person]
    if random.random() < recipe.augment.flip:
        image = image[:, ::-1, :]
        joints[:, 0] = width - joints[:, 0] - 1
        joints, visible = joints[list(LSP.flip)], visible[list(LSP.flip)]
        center[0] = width - center[0] - 1
    angle = random.uniform(-recipe.augment.rotation, recipe.augment.rotation)
    matrix = cv2.getRotationMatrix2D(center, angle, random.uniform(*recipe.augment.scale) * recipe.input / side)
    matrix[:, 2] += (recipe.input - 1) / 2 - center
    warped = cv2.warpAffine(image, matrix, (recipe.input, recipe.input), flags=cv2.INTER_LINEAR)
    pixels = torch.from_numpy(warped.transpose(2, 0, 1)).contiguous().float().div(255).sub_(MEAN).div_(DEVIATION)
    for joint in np.flatnonzero(visible):
        joints[joint] = matrix @ np.append(joints[joint], 1)
    targets, weights = gaussians(joints, visible, recipe.input // STRIDE, recipe.codecs["*"].radius / STRIDE)
    return pixels, torch.from_numpy(targets), torch.from_numpy(weights)


def gaussians(joints: np.ndarray, visible: np.ndarray, side: int, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """JointsDataset.generate_target: maps (J, side, side) and weights (J, 1)."""
    targets = np.zeros((len(joints), side, side), np.float32)
    weights = visible.astype(np.float32)[:, None]
    reach = int(sigma * 3)
    for joint, (x, y) in enumerate((joints / STRIDE + 0.5).astype(int)):
        left, top, right, bottom = x - reach, y - reach, x + reach + 1, y + reach + 1
        if left >= side or top >= side or right < 0 or bottom < 0:
            weights[joint] = 0
            continue
        across = np.arange(0, 2 * reach + 1, 1, np.float32)
        patch = np.exp(-((across - reach) ** 2 + (across[:, None] - reach) ** 2) / (2 * sigma**2))
        rows, columns = slice(max(0, top), min(bottom, side)), slice(max(0, left), min(right, side))
        if weights[joint] > 0.5:
            targets[joint, rows, columns] = patch[
                rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
            ]
    return targets, weights


# --- this project's --------------------------------------------------------------------------------------------------


def stored(crops: Crops, recipe: Experiment) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """The same from stored crops, with the background map besides."""
    batches = Batches(
        recipe, recipe.stage(recipe.final_stage), (recipe.input, recipe.input), PEOPLE, 0, torch.device("cpu")
    )
    for batch in training_batches([crops], 0, BATCH, range(PEOPLE // BATCH)):
        images, truth = batches(batch)
        side = recipe.input // STRIDE
        yield images, *map_codec_of("initial", recipe.codecs).encode(truth, (side, side))


def cropped(dataset: str, people: People, raw: Path, folder: Path) -> Crops:
    """Crops of people of LSP or LSPET at lite scale, in a store in `folder`."""
    table = folder / "people.parquet"
    tabled(people).to_parquet(table, index=False)
    outputs = {"crops": folder / "crops.parquet", "pixels": folder / "crops.npy"}
    crop(Recipes().cropping(dataset, "lite"), table, raw, outputs)
    return read_crops(folder, "train", "pc", range(len(LSP.joints)))


# --- the comparison --------------------------------------------------------------------------------------------------


def seconds(batches: Iterator[tuple[Tensor, Tensor, Tensor]]) -> float:
    start = time.process_time()
    for _ in batches:
        pass
    return time.process_time() - start


def compare(title: str, dataset: str, people: People, raw: Path) -> None:
    recipe = Recipes().experiment("hcrn/lsp-pc/hg", "lite")
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        crops = cropped(dataset, people, raw, Path(folder))
        once = time.process_time() - start
        times = [(seconds(decoded(people, raw, recipe)), seconds(stored(crops, recipe))) for _ in range(ROUNDS)]
    usual, ours = (PEOPLE / statistics.median(column) for column in zip(*times, strict=True))
    verdict = "" if ours / usual >= AIM else f", short of the aim of {AIM:g}x"
    print(f"{title:17} {ours:5.0f} / {usual:.0f} people a second = {ours / usual:.1f}x{verdict}")
    print(f"{'':17} the store costs {1000 * once / PEOPLE:.1f} ms a person, once; decoding {1000 / usual:.1f} an epoch")


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    splits = {"train": (1, PEOPLE)}
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder)
        synthetic.write(raw, splits, 0)
        compare("synthetic people", "lsp", lsp.read(raw, splits), raw)
    if mirror := os.environ.get(MIRROR_VARIABLE):
        raw = Path(mirror) / "lspet"
        compare("LSPET", "lspet", lspet.read(raw, splits), raw)
    else:
        print(f"LSPET: skipped, {MIRROR_VARIABLE} is not set")


if __name__ == "__main__":
    main()
