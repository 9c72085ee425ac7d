"""Testing a network: whatever scale or flip it sees, the joints come back where they are in the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from posetables.data.codecs import peaks
from posetables.data.skeletons.lsp import SKELETON as LSP
from posetables.data.skeletons.mpii import SKELETON as MPII
from posetables.data.trials import Found, Shown, Thresholds
from posetables.errors import InputError
from posetables.params import Recipes
from posetables.recipe import Codec, Conditional, Experiment, Protocol
from posetables.stages import network as networks
from posetables.stages import predict
from posetables.stages.artifacts import Artifacts
from posetables.stages.validation import Validation

if TYPE_CHECKING:
    from conftest import Project

HOURGLASS = "hcrn/lsp-pc/hg"
INPUT, STRIDE = 64, 4
FLIP = torch.tensor(LSP.flip)


class TrueMaps(nn.Module):
    """Sees by the bright left half of every crop whether it was flipped, and returns the maps of the pose it sees."""

    multiple = STRIDE

    def __init__(self, pose: Tensor, flip: Tensor = FLIP) -> None:
        super().__init__()
        self.pose, self.flip = pose, flip  # (B, J, 2) box coordinates
        self.seen: list[tuple[int, bool]] = []  # width and flip of each call

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        height, width = images.shape[-2:]
        flipped = bool(images[..., : width // 2].mean() < images[..., width // 2 :].mean())
        self.seen.append((width, flipped))
        # In a mirror the right wrist is on the other side, and is a left wrist.
        pose = self.pose[:, self.flip] * torch.tensor([-1.0, 1.0]) if flipped else self.pose
        across, down = (((torch.arange(side // STRIDE) + 0.5) * STRIDE - side / 2) / height for side in (width, height))
        x, y = pose[:, :, 0, None, None] - across, pose[:, :, 1, None, None] - down[:, None]
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


def shown(people: int) -> Shown:
    center = np.arange(2.0 * people).reshape(people, 2) * 10
    return Shown(crops(people), torch.full((people,), 64.0), center, 100.0 + 37 * np.arange(people))


def of_network(network: nn.Module, recipe: Experiment, protocol: Protocol) -> predict.Tester:
    return predict.tester_of(network, recipe, protocol, torch.device("cpu"))


def maps_of(pose: Tensor, recipe: Experiment, protocol: Protocol) -> tuple[Tensor, TrueMaps]:
    network = TrueMaps(pose)
    return predict.fused_maps(of_network(network, recipe, protocol), shown(len(pose))), network


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


# Inputs that are not square, and maps of other joints


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("multiple", [4, 32], ids=["48 wide", "rounded to 64"])
def test_joints_are_found_in_an_input_that_is_not_square(
    recipe: Experiment, pose: Tensor, multiple: int, flip: bool
) -> None:
    network, people = TrueMaps(pose), shown(len(pose))
    network.multiple = multiple
    narrow = recipe.model_copy(update={"aspect": 0.75})
    found = predict.find(of_network(network, narrow, Protocol(scales=(1.0,), flip=flip, blur=0)), people)
    truth = pose.numpy() * people.side[:, None, None] + people.center[:, None]
    assert (np.linalg.norm(found.joints - truth, axis=-1) < people.side[:, None] * STRIDE / INPUT).all()


@pytest.mark.parametrize("flip", [False, True])
def test_joints_are_found_by_their_names_on_maps_of_other_joints(recipe: Experiment, flip: bool) -> None:
    pose = torch.rand(3, 16, 2, generator=torch.Generator().manual_seed(0)) * 0.7 - 0.35
    network, people = TrueMaps(pose, torch.tensor(MPII.flip)), shown(3)
    others = recipe.model_copy(update={"maps_of": "mpii"})
    found = predict.find(of_network(network, others, Protocol(scales=(1.0,), flip=flip, blur=0)), people)
    names = ["upper neck" if name == "neck" else name for name in LSP.joints]
    lsp = pose[:, [MPII.joints.index(name) for name in names]]
    truth = lsp.numpy() * people.side[:, None, None] + people.center[:, None]
    assert found.joints.shape == (3, 14, 2)
    assert (np.linalg.norm(found.joints - truth, axis=-1) < people.side[:, None] * STRIDE / INPUT).all()


@pytest.mark.parametrize("multiple", [4, 32], ids=["48 wide", "rounded to 64"])
def test_a_network_that_is_right_is_worth_100_while_it_is_trained(
    project: Project, recipe: Experiment, multiple: int
) -> None:
    crop = Artifacts(Recipes(), "mini").crop("lsp").outputs
    np.save(crop["pixels"], crops(len(np.load(crop["pixels"]))).numpy())
    narrow = recipe.model_copy(update={"aspect": 0.75, "maps_of": "mpii"})
    validation = Validation(narrow, narrow.test, crop, torch.device("cpu"))
    pose = torch.zeros(len(validation.people), 16, 2)
    pose[:, networks.taken(narrow)] = torch.from_numpy(validation.people.joints)
    network = TrueMaps(pose, torch.tensor(MPII.flip))
    network.multiple = multiple
    assert validation.score(network) == 100


# Regions


class TrueRegions(TrueMaps):
    """The same of regions `scales` times the box, which it is shown one after the other, each in `views`."""

    def __init__(self, pose: Tensor, scales: Sequence[float], views: int) -> None:
        super().__init__(pose)
        self.whole, self.regions = pose, [scale for scale in scales for _ in range(views)]

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        self.pose = self.whole / self.regions[len(self.seen)]
        return super().forward(images)


REGIONS = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("scales", [(1.0,), (1.2,), REGIONS])
def test_joints_are_found_whatever_the_regions_and_the_flip(
    recipe: Experiment, pose: Tensor, scales: tuple[float, ...], flip: bool
) -> None:
    network, people = TrueRegions(pose, scales, 1 + flip), shown(len(pose))
    protocol = Protocol(scales=scales, pyramid="region", flip=flip, blur=0)
    found = predict.find(of_network(network, recipe, protocol), people)
    truth = pose.numpy() * people.side[:, None, None] + people.center[:, None]
    cell = max(scales) * people.side[:, None] * STRIDE / INPUT
    assert (np.linalg.norm(found.joints - truth, axis=-1) < cell).all()


def test_regions_are_all_read_at_the_input_size(recipe: Experiment, pose: Tensor) -> None:
    network, protocol = TrueRegions(pose, REGIONS, 2), Protocol(scales=REGIONS, pyramid="region", flip=True, blur=0)
    predict.find(of_network(network, recipe, protocol), shown(len(pose)))
    assert network.seen == [(INPUT, flipped) for _ in REGIONS for flipped in (False, True)]


class Inside(nn.Module):
    """Tells what it is shown: the mean of the outermost pixels of its input."""

    multiple = STRIDE

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        self.rim = float(images[:, :, :, 0].mean())
        return {"refined": torch.zeros(len(images), 15, INPUT // STRIDE, INPUT // STRIDE)}


def test_a_larger_region_shows_more_of_the_image(recipe: Experiment) -> None:
    # White within 1.1 times the box around the person, black beyond: the rim of the box is white, that of 1.2 is not.
    store = torch.zeros(1, 3, 130, 130, dtype=torch.uint8)
    store[..., 30:100, 30:100] = 255  # 70 of 64 pixels
    person = Shown(store, torch.tensor([64.0]), np.zeros((1, 2)), np.array([50.0]))
    rims = []
    for scale in (1.0, 1.2):
        network, protocol = Inside(), Protocol(scales=(scale,), pyramid="region", flip=False, blur=0)
        predict.find(of_network(network, recipe, protocol), person)
        rims.append(network.rim)
    assert rims[0] > 0.4 and rims[1] < 0


class Alternating(nn.Module):
    """Maps of 1 and of -1 by turns."""

    multiple = STRIDE

    def __init__(self) -> None:
        super().__init__()
        self.value = -1.0

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        self.value = -self.value
        return {"refined": torch.full((len(images), 14, INPUT // STRIDE, INPUT // STRIDE), self.value)}


def test_negative_values_of_a_map_count_as_zero_before_the_mean(recipe: Experiment) -> None:
    linear = Codec(target="gaussian", radius=2, loss="l2", background=False, activation="none")
    recipe = recipe.model_copy(update={"codecs": {"*": linear}})
    protocol = Protocol(scales=(1.0,), pyramid="region", flip=True, blur=0)
    assert predict.find(of_network(Alternating(), recipe, protocol), shown(2)).confidence == pytest.approx(0.5)


EXPERIMENTS = "params/papers/hcrn/experiments.yaml"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"pyramid": "region"}, "protocols.pyramid3: blur: maps of pyramid: region are fused in pixels of the image"),
        ({"pyramid": "regions"}, "protocols.pyramid3.pyramid: .*'regions'"),
        ({"pyramid": "region", "blur": 0, "scales": [1, 2.1]}, "protocols.pyramid3.scales: regions reach 2.10 sides"),
    ],
)
def test_a_pyramid_that_cannot_be_is_refused(project: Project, changes: dict[str, object], told: str) -> None:
    project.edit(EXPERIMENTS, lambda content: content["protocols"]["pyramid3"].update(changes))
    with pytest.raises(InputError, match=f"{EXPERIMENTS}: {told}"):
        Recipes().experiment(HOURGLASS, "mini")


# Who is looked for again


AGAIN = Conditional(shifts=0.1, scales=(0.9, 1.1), calibrate="lsp/test", quantiles=(0.5,))
CONDITIONAL = Protocol(scales=(1.0,), flip=False, blur=0, conditional=AGAIN)


@pytest.fixture
def passes(recipe: Experiment, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """People in each pass. Everybody's joints are all at the number of the pass; the second person of the first pass is
    found with a confidence of .1, whatever is found later with .2 times the number of the pass."""
    counted: list[int] = []

    def find(_: object, people: Shown) -> Found:
        number, count = len(counted), len(people.side)
        counted.append(count)
        confidence = np.full((count, 14), 0.2 * number) if number else np.array([[0.9] * 14, [0.1] * 14, [0.5] * 14])
        return Found(np.full((count, 14, 2), float(number)), confidence)

    monkeypatch.setattr(predict, "find", find)
    return counted


def look(recipe: Experiment, tau_c: float, tau_s: float) -> tuple[Found, np.ndarray]:
    thresholds = Thresholds(np.full(14, tau_c), tau_s)
    return predict.look(of_network(nn.Identity(), recipe, CONDITIONAL), shown(3), thresholds)


def test_only_who_is_not_found_is_looked_for_again_in_six_more_boxes(recipe: Experiment, passes: list[int]) -> None:
    _, again = look(recipe, 0.3, 0.0)
    assert again.tolist() == [False, True, False]
    assert passes == [3] + [1] * 6


def test_whoever_is_found_at_first_keeps_the_pose(recipe: Experiment, passes: list[int]) -> None:
    found, _ = look(recipe, 0.3, 0.0)
    assert (found.joints[[0, 2]] == 0).all()
    assert (found.confidence[:, 0][[0, 2]] == [0.9, 0.5]).all()


def test_whoever_is_not_has_the_passes_with_a_score_above_the_threshold(recipe: Experiment, passes: list[int]) -> None:
    # By hand: above .9 are passes 5 and 6, with confidences of 1 and 1.2.
    found, _ = look(recipe, 0.3, 0.9)
    np.testing.assert_allclose(found.joints[1], (5 * 1.0 + 6 * 1.2) / 2.2)
    np.testing.assert_allclose(found.confidence[1], 1.1)


def test_nobody_is_looked_for_again_when_all_are_found(recipe: Experiment, passes: list[int]) -> None:
    look(recipe, 0.05, 0.0)
    assert passes == [3]
