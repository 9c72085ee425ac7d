"""Time a whole test, from an image to the joints of everybody in it: seconds an image, as HCRN's Table X has them."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from posetables import device as devices
from posetables.data.people import read_people
from posetables.data.trials import Shown
from posetables.stages import network as networks
from posetables.stages.crop import cut, read_image
from posetables.stages.detect import load
from posetables.stages.native import folder_of
from posetables.stages.predict import look, read_thresholds, tester_of, trained

if TYPE_CHECKING:
    from posetables.recipe import Cropping, Detector, Experiment, Protocol, Split

WARM, IMAGES = 2, 12


def time_detector(
    recipe: Detector, test: Split, inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]
) -> dict[str, Any]:
    """Write `speed` (JSON): seconds in which a detector looks at one image of the split."""
    detector, device = load(recipe, inputs)
    folder = folder_of(inputs["images"])
    names = read_people(inputs["people"]["frames"], test.split, "image")["image"].tolist()
    images = [read_image(folder / name) for name in names[: WARM + IMAGES]]
    return write(timed(detector, images, device)[-IMAGES:], 0.0, device, outputs)


def time_test(
    recipe: Experiment,
    protocol: Protocol,
    cropping: Cropping,
    inputs: Mapping[str, Mapping[str, Path]],
    outputs: Mapping[str, Path],
) -> dict[str, Any]:
    """Write `speed` (JSON): the seconds that finding the people takes (input `boxes`, nothing for labelled ones), and
    those of cutting them out and testing the network on them.

    The weights are random, as arithmetic takes the same time whatever the numbers are; but those of the training where
    confidence decides who is looked for again (inputs `weights` and `thresholds`).
    """
    device = devices.choose(recipe.compute)
    thresholds = read_thresholds(recipe, inputs)
    if thresholds is None:
        tester = tester_of(networks.build(recipe.network, recipe.maps_of), recipe, protocol, device)
    else:
        tester = trained(recipe, protocol, inputs, device)
    folder = folder_of(inputs["images"])
    table = pd.read_parquet(inputs["crops"]["crops"]).query("split == @recipe.test.split")
    people = [(name, group) for name, group in table.groupby("image", sort=True)][: WARM + IMAGES]

    def poses(image: np.ndarray, boxes: pd.DataFrame) -> None:
        look(tester, cut_out(image, boxes, cropping), thresholds)

    images = [(read_image(folder / str(name)), group) for name, group in people]
    with torch.inference_mode():
        seconds = timed(lambda each: poses(*each), images, device)[WARM:]
    found = json.loads(inputs["boxes"]["speed"].read_text())["seconds"]["value"] if "boxes" in inputs else 0.0
    return write(seconds, found, device, outputs)


def cut_out(image: np.ndarray, boxes: pd.DataFrame, cropping: Cropping) -> Shown:
    """The people of one image, as the store of crops would give them."""
    side, density = round(cropping.resolution * cropping.margin), np.minimum(boxes["side"], cropping.resolution)
    crops = [
        cut(image, np.array([row.center_x, row.center_y]), each / row.side, side).transpose(2, 0, 1)
        for row, each in zip(boxes.itertuples(), density, strict=True)
    ]
    return Shown(
        torch.from_numpy(np.stack(crops)),
        torch.tensor(density.to_numpy(np.float32)),
        boxes[["center_x", "center_y"]].to_numpy(),
        boxes["side"].to_numpy(),
    )


def timed(work: Callable[[Any], object], images: Iterable[Any], device: torch.device) -> list[float]:
    """Seconds of each."""
    seconds = []
    for image in images:
        start = time.perf_counter()
        work(image)
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return seconds


def write(seconds: list[float], before: float, device: torch.device, outputs: Mapping[str, Path]) -> dict[str, Any]:
    """Images hold different numbers of people, so it is the mean that counts; the ends are those of single images."""
    low, *_, high = statistics.quantiles(seconds, n=40)
    mean = statistics.fmean(seconds)
    speed = {
        "seconds": {"value": before + mean, "low": before + low, "high": before + high},
        "finding": before,
        "images": len(seconds),
        "device": devices.name(device),
    }
    outputs["speed"].write_text(json.dumps(speed, indent=1) + "\n")
    return {"device": speed["device"]}
