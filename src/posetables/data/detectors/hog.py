"""Upright people by their outline: histograms of oriented gradients and a linear support vector machine
(Dalal & Triggs, CVPR 2005), with the weights that OpenCV 4 carries. It needs no download, and no OpenCV 4, which took
its detector along when it went.

The descriptor is Dalal's: windows of 64 x 128 pixels, blocks of 2 x 2 cells of 8 x 8 pixels, 9 unsigned orientations,
votes shared between neighbouring cells and orientations. Windows lie 8 pixels apart, so that the blocks of all windows
of an image are the same and are computed once.

Its settings were chosen with 159 images of COCO in view, where people are small, hence the larger image, and crowded,
hence the lenient suppression: box AP 5.6 on 79 of val2017, 2.1 on 80 of train2017. Neither is an estimate for others.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posetables.data import boxes
from posetables.data.detectors import Detector
from posetables.data.detectors.hog_people import BIAS, WEIGHTS

CELL = 8
ORIENTATIONS = 9
WINDOW = (64, 128)
PERSON = (32, 96)
"""Pixels of a window that the person fills: Dalal's training windows have a margin of 16 on every side."""
PADDING = 32
"""Pixels by which each level is extended, so that a person may reach the edge of the image."""
LARGEST, STEP = 2.0, 1.1
"""Zoom of the largest level of the pyramid, and the ratio of one level to the next."""
LEAST_MARGIN = -0.7
"""Of the support vector machine: a window below it is no person. At 0 it is undecided."""
MOST_OVERLAP = 0.5
MOST_PEOPLE = 20
"""In one image: COCO's keypoint evaluation reads no more."""


def load(weights: Path | None, device: str) -> Detector:
    """The detector itself: it has no weights to load, and runs on the processor."""
    return detect


def detect(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """People of an RGB image (h, w, 3): (K, 5) x, y, w, h in pixels and a score, the best first.

    The score is the logistic function of the support vector machine's margin: in [0, 1], 0.5 where it is undecided.
    It ranks; nobody fitted it to be a probability.
    """
    found = [np.empty((0, 5)), *_levels(image)]
    windows = np.concatenate(found)
    size = np.array(image.shape[1::-1], float)
    first = np.clip(windows[:, :2], 0, size)
    windows[:, 2:4] = np.clip(windows[:, :2] + windows[:, 2:4], 0, size) - first
    windows[:, :2] = first
    kept: NDArray[np.float64] = windows[boxes.suppress(windows[:, :4], windows[:, 4], MOST_OVERLAP)[:MOST_PEOPLE]]
    kept[:, 4] = 1 / (1 + np.exp(-kept[:, 4]))
    return kept


def _levels(image: NDArray[np.uint8]) -> Iterator[NDArray[np.float64]]:
    """For every level of the pyramid (K, 5): boxes in pixels of the image, margins."""
    height, width = image.shape[:2]
    zoom = LARGEST
    while width * zoom >= WINDOW[0] and height * zoom >= WINDOW[1]:
        size = (round(width * zoom), round(height * zoom))
        level = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR if zoom >= 1 else cv2.INTER_AREA)
        border = cv2.copyMakeBorder(level, PADDING, PADDING, PADDING, PADDING, cv2.BORDER_REFLECT_101)
        margin = margins(np.asarray(border))
        row, column = np.nonzero(margin > LEAST_MARGIN)
        corner = np.stack([column, row], 1) * CELL - PADDING + (np.array(WINDOW) - PERSON) / 2
        ratio = np.array([width, height]) / size
        person = np.broadcast_to(np.array(PERSON) * ratio, corner.shape)
        yield np.concatenate([corner * ratio, person, margin[row, column, None]], 1)
        zoom /= STEP


def margins(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(rows, columns) margin of the window whose first pixel is 8 row, 8 column, for an RGB image (h, w, 3)."""
    blocks = _blocks(_cells(_votes(image)))
    across, down = WINDOW[0] // CELL - 1, WINDOW[1] // CELL - 1
    rows, columns = blocks.shape[0] - down + 1, blocks.shape[1] - across + 1
    parts = blocks @ WEIGHTS.reshape(across * down, -1).T
    margin = np.full((rows, columns), BIAS, np.float32)
    for number in range(across * down):
        x, y = divmod(number, down)
        margin += parts[y : y + rows, x : x + columns, number]
    return margin


def _votes(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(9, h, w), with sides cut to whole cells: each pixel's gradient, shared between the two nearest orientations."""
    # Blue comes first, as in OpenCV: where two colours are equally steep the first one counts.
    root = np.sqrt(cv2.copyMakeBorder(image[:, :, ::-1], 1, 1, 1, 1, cv2.BORDER_REFLECT_101).astype(np.float32))
    dx, dy = root[1:-1, 2:] - root[1:-1, :-2], root[2:, 1:-1] - root[:-2, 1:-1]
    steepest = (dx * dx + dy * dy).argmax(2)[:, :, None]
    dx, dy = (np.take_along_axis(each, steepest, 2)[:, :, 0] for each in (dx, dy))
    dx, dy = (each[: len(each) // CELL * CELL, : each.shape[1] // CELL * CELL] for each in (dx, dy))
    size, angle = cv2.cartToPolar(np.ascontiguousarray(dx), np.ascontiguousarray(dy))
    place = np.asarray(angle, np.float32) * np.float32(ORIENTATIONS / np.pi) - np.float32(0.5)
    below = np.floor(place)
    beyond = np.asarray(size) * (place - below)
    votes = np.zeros((ORIENTATIONS, size.size), np.float32)
    pixel = np.arange(size.size)
    lower = below.astype(np.intp).ravel()
    votes[lower % ORIENTATIONS, pixel] = (size - beyond).ravel()
    votes[(lower + 1) % ORIENTATIONS, pixel] = beyond.ravel()
    return votes.reshape(ORIENTATIONS, *size.shape)


def _cells(votes: NDArray[np.float32]) -> NDArray[np.float32]:
    """(9, rows, 2, 2, columns, 2, 2): the votes of each 8 x 8 pixels, as they count for a cell of a block of which they
    are a half: (half, cell) along y, then (half, cell) along x. A pixel counts by a Gaussian around the block's middle,
    and linearly for both cells of its block."""
    pixel = np.arange(2 * CELL)
    weight = np.exp(-((pixel - CELL) ** 2) / (2 * (CELL / 2) ** 2))
    nearness = [np.clip(1 - np.abs((pixel + 0.5) / CELL - 0.5 - cell), 0, None) for cell in (0, 1)]
    shares = (weight * nearness).reshape(2, 2, CELL).transpose(1, 0, 2).reshape(4, CELL).astype(np.float32)
    count, height, width = votes.shape
    down = shares @ votes.reshape(count, height // CELL, CELL, width)
    both: NDArray[np.float32] = down.reshape(count, height // CELL, 4, width // CELL, CELL) @ shares.T
    return both.reshape(count, height // CELL, 2, 2, width // CELL, 2, 2)


def _blocks(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """(rows - 1, columns - 1, 36): histograms of the cells of every block, x before y, normalised, cut at .2 and
    normalised again (L2-Hys)."""
    rows, columns = cells.shape[1] - 1, cells.shape[4] - 1
    halves = (cells[:, y : y + rows, y, :, x : x + columns, x] for y in (0, 1) for x in (0, 1))
    histograms = np.sum(list(halves), axis=0)
    blocks = histograms.transpose(1, 3, 4, 2, 0).reshape(rows, columns, -1)
    length = np.linalg.norm(blocks, axis=2, keepdims=True)
    blocks = np.minimum(blocks / (length + np.float32(0.1 * blocks.shape[2])), np.float32(0.2))
    normalised: NDArray[np.float32] = blocks / (np.linalg.norm(blocks, axis=2, keepdims=True) + np.float32(1e-3))
    return normalised
