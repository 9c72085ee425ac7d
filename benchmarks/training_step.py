"""Share of a training step spent outside the network: loading, crops, augmentation and targets.

    python benchmarks/training_step.py

HG-HCRN at lite scale on synthetic people. Targets are made inside of the loss, once for every supervised output, so
that each step's are made once more to be timed. On a CPU whatever else is there: CPU seconds, median of the steps after
the first.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import torch
from people import cropped

from posetables import device as devices
from posetables.data.codecs import map_codec_of
from posetables.data.loading import training_batches
from posetables.data.readers import lsp
from posetables.data.synthetic import lsp as synthetic
from posetables.params import Recipes
from posetables.stages import network as networks
from posetables.stages.train import Batches, build_optimizer, supervise

PEOPLE, STEPS, AIM = 128, 13, 0.05


def main() -> None:
    recipe = Recipes().experiment("hcrn/lsp-pc/hg-hcrn", "lite")
    stage = recipe.stages[recipe.final_stage]
    devices.choose(recipe.compute)  # sets threads and deterministic kernels
    device = torch.device("cpu")
    network = networks.build(recipe.network, recipe.maps_of).to(device).train()
    optimizer = build_optimizer(stage.optimizer, list(network.parameters()))
    crop = Batches(recipe, stage, networks.shape(network, recipe), PEOPLE, 0, device)
    feeding, targets, inside = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        raw, splits = Path(folder), {"train": (1, PEOPLE)}
        synthetic.write(raw, splits, 0)
        crops = cropped("lsp", lsp.read(raw, splits), raw, raw)
        batches = training_batches([crops], 0, stage.batch, range(STEPS))
        for _ in range(STEPS):
            start = time.process_time()
            images, truth = crop(next(batches))
            fed = time.process_time()
            with devices.precision(recipe.compute, device):
                maps = network(images)
            loss = supervise(maps, truth, recipe.codecs, stage.supervise)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            stepped = time.process_time()
            for name, output in maps.items():
                map_codec_of(name, recipe.codecs).encode(truth, (output.shape[-2], output.shape[-1]))
            feeding.append(fed - start)
            inside.append(stepped - fed)
            targets.append(time.process_time() - stepped)
    outside = statistics.median(feeding[1:]) + statistics.median(targets[1:])
    step = statistics.median(feeding[1:]) + statistics.median(inside[1:])
    verdict = "" if outside / step <= AIM else f", over the aim of {AIM:.0%}"
    print(f"outside the network {1000 * outside:.1f} of {1000 * step:.0f} ms a step = {outside / step:.1%}{verdict}")


if __name__ == "__main__":
    main()
