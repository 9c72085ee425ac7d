"""Testing a network: whatever scale or flip it sees, the joints come back where they are in the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from posetables.data.augment import Sampler
from posetables.data.codecs import peaks
from posetables.data.loading import Batch
from posetables.data.skeletons.lsp import SKELETON as LSP
from posetables.params import Recipes
from posetables.recipe import Experiment, Protocol
from posetables.stages import predict
from posetables.stages.artifacts import Artifacts

if TYPE_CHECKING:
    from conftest import Project

HOURGLASS = "hcrn/lsp-pc/hg"
INPUT, STRIDE = 64, 4
FLIP = torch.tensor(LSP.flip)


class TrueMaps(nn.Module):
    """Sees by the bright left half of every crop whether it was flipped, and returns the maps of the pose it sees."""

    multiple = STRIDE

    def __init__(self, pose: Tensor) -> None:
        super().__init__()
        self.pose = pose  # (B, 14, 2) box coordinates
        self.seen: list[tuple[int, bool]] = []  # side and flip of each call

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        side = images.shape[-1]
        flipped = bool(images[..., : side // 2].mean() < images[..., side // 2 :].mean())
        self.seen.append((side, flipped))
        # In a mirror the right wrist is on the other side, and is a left wrist.
        pose = self.pose[:, FLIP] * torch.tensor([-1.0, 1.0]) if flipped else self.pose
        centers = (torch.arange(side // STRIDE) + 0.5) * STRIDE / side - 0.5
        x, y = pose[:, :, 0, None, None] - centers, pose[:, :, 1, None, None] - centers[:, None]
        likelihood = torch.exp(-(x**2 + y**2) / (2 * 0.05**2)).clamp(1e-6, 1 - 1e-6)
        background = 1 - likelihood.amax(1, keepdim=True)
        maps = torch.cat([likelihood, background.clamp(1e-6)], 1).logit(eps=1e-6)
        return {"initial": torch.zeros_like(maps), "refined": maps}


@pytest.fixture
def recipe(project: Project) -> Experiment:
    return Recipes().experiment(HOURGLASS, "mini")


@pytest.fixture
def pose() -> Tensor:
    return torch.rand(3, 14, 2, generator=torch.Generator().manual_seed(0)) * 0.7 - 0.35


def crops(people: int) -> Tensor:
    store = torch.zeros(people, 3, 130, 130, dtype=torch.uint8)
    store[..., :65] = 255
    return store


def maps_of(pose: Tensor, recipe: Experiment, protocol: Protocol) -> tuple[Tensor, TrueMaps]:
    people, network = len(pose), TrueMaps(pose)
    labelled = torch.ones(people, 14, dtype=torch.bool)
    batch = Batch(0, np.arange(people), crops(people), torch.full((people,), 64.0), pose, labelled)
    cpu = torch.device("cpu")
    return predict.fused_maps(network, batch, Sampler(recipe.pixels, cpu), recipe, protocol, cpu), network


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("scales", [(1.0,), (0.8, 1.0, 1.2), (0.5,), (2.0,)])
def test_joints_are_found_whatever_the_scales_and_the_flip(
    recipe: Experiment, pose: Tensor, scales: tuple[float, ...], flip: bool
) -> None:
    maps, _ = maps_of(pose, recipe, Protocol(scales=scales, flip=flip, blur=0))
    cells, _ = peaks(maps)
    found = (cells + 0.5) / INPUT - 0.5
    assert maps.shape == (3, 14, INPUT, INPUT)
    assert (found - pose).norm(dim=-1).max() * INPUT < STRIDE


def test_the_flipped_view_agrees_with_the_plain_one(recipe: Experiment, pose: Tensor) -> None:
    plain, _ = maps_of(pose, recipe, Protocol(scales=(1.0,), flip=False, blur=0))
    both, _ = maps_of(pose, recipe, Protocol(scales=(1.0,), flip=True, blur=0))
    torch.testing.assert_close(both, plain, atol=1e-4, rtol=0)


def test_the_network_sees_every_scale_and_view_once(recipe: Experiment, pose: Tensor) -> None:
    _, network = maps_of(pose, recipe, Protocol(scales=(0.8, 1.0, 1.2), flip=True, blur=0))
    assert network.seen == [(side, flipped) for side in (52, 64, 76) for flipped in (False, True)]


def test_predictions_are_in_pixels_of_the_image(
    project: Project, recipe: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts = Artifacts(Recipes(), "mini")
    inputs = {"crops": artifacts.crop("lsp").outputs, "weights": {"weights": project.root}}
    table = pd.read_parquet(inputs["crops"]["crops"]).query("split == 'test'")
    truth = np.stack(table["joints_pc"].tolist()).reshape(-1, 14, 2)
    center, side = table[["center_x", "center_y"]].to_numpy()[:, None], table["side"].to_numpy()[:, None, None]
    np.save(inputs["crops"]["pixels"], crops(len(np.load(inputs["crops"]["pixels"]))).numpy())
    network = TrueMaps(torch.from_numpy((truth - center) / side).float())
    monkeypatch.setattr(predict.networks, "build", lambda *_: network)
    monkeypatch.setattr(predict.networks, "load", lambda *_: None)
    outputs = {"predictions": project.root / "predictions.parquet"}
    predict.predict(recipe, Protocol(scales=(1.0,), flip=False, blur=0), inputs, outputs)
    found = pd.read_parquet(outputs["predictions"])
    distances = np.linalg.norm(np.stack(found["joints"].tolist()).reshape(truth.shape) - truth, axis=-1)
    assert found["person"].tolist() == table["person"].tolist()
    assert (distances < STRIDE / INPUT * side[:, :, 0]).all()
