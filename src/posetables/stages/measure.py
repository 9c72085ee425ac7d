"""Count and time a network: parameters and operations, and the seconds of one inference as HCRN's Table I has them."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from posetables import device as devices
from posetables.models.cost import count
from posetables.stages import network as networks

if TYPE_CHECKING:
    from posetables.recipe import Experiment

WARM, RUNS = 5, 25


def measure(recipe: Experiment, outputs: Mapping[str, Path]) -> dict[str, Any]:
    """Write `cost` (JSON): what is counted, and the median seconds of one image through the warm network, device named.

    The weights are random: arithmetic takes the same time whatever the numbers are.
    """
    device = devices.choose(recipe.compute)
    network = networks.build(recipe.network, recipe.maps_of).to(device).eval()
    height, width = networks.shape(network, recipe)
    image = torch.zeros(1, 3, height, width, device=device).to(memory_format=torch.channels_last)
    seconds = []
    with torch.inference_mode(), devices.precision(recipe.compute, device):
        for _ in range(WARM + RUNS):
            start = time.perf_counter()
            network(image)
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - start)
    timed = seconds[WARM:]
    low, *_, high = statistics.quantiles(timed, n=40)
    counted = count(network, height, width)
    cost = {
        "seconds": {"value": statistics.median(timed), "low": low, "high": high},
        "parameters": {"value": counted.parameters},
        "macs": {"value": counted.macs},
        "gflops_released": {"value": counted.released},
        "device": devices.name(device),
        "input": [height, width],
        "runs": RUNS,
    }
    outputs["cost"].write_text(json.dumps(cost, indent=1) + "\n")
    return {"device": cost["device"]}
