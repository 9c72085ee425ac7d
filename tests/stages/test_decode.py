"""Tests of maps as they are: joints come back where they are in the image, whatever view and stage has a say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from posetables.data.skeletons.lsp import SKELETON as LSP
from posetables.data.skeletons.mpii import SKELETON as MPII
from posetables.data.trials import Shown
from posetables.params import Recipes
from posetables.recipe import Codec, Experiment, Protocol
from posetables.stages import decode, predict

CPU = torch.device("cpu")
STRIDE, HEIGHT = 4, 64
REAL = Recipes(Path(__file__).parents[2] / "params").experiment("gpcnn/lsp/r50", "mini")
SIZES = [(HEIGHT, 64), (HEIGHT, 48)]
WAYS: list[dict[str, Any]] = [{"decode": "maximum"}, {"decode": "quarter"}, {"decode": "dark", "kernel": 3}]
SQUARE_AND_NARROW = pytest.mark.parametrize("size", SIZES, ids=["square", "narrow"])


def recipe_of(size: tuple[int, int] = SIZES[0], *, grid: str = "corners", **changes: Any) -> Experiment:
    codec = {"target": "gaussian", "radius": 8, "loss": "l2", "background": False, "activation": "none", "grid": grid}
    codecs = {"*": Codec.model_validate(codec)}
    seen = {"input": size[0], "aspect": size[1] / size[0], "pixels": "centred", "codecs": codecs}
    return REAL.model_copy(update=seen | changes)


def protocol(**changes: Any) -> Protocol:
    return Protocol.model_validate({"scales": [1.0], "flip": False, "blur": 0, "decode": "quarter"} | changes)


def poses(people: int = 3, joints: int = 14) -> Tensor:
    """(B, J, 2) box coordinates, some cells inside of a box that is 3 / 4 as wide as high."""
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(people, joints, 2, generator=generator) - 0.5) * torch.tensor([0.32, 0.5])


def shown(people: int = 3) -> Shown:
    """Crops with a bright left half, by which networks see whether they are flipped."""
    crops = torch.zeros(people, 3, 130, 130, dtype=torch.uint8)
    crops[..., :65] = 255
    center = np.arange(2.0 * people).reshape(people, 2) * 10
    return Shown(crops, torch.full((people,), 64.0), center, 100.0 + 37 * np.arange(people))


def on_image(pose: Tensor) -> np.ndarray:
    people = shown(len(pose))
    return pose.double().numpy() * people.side[:, None, None] + people.center[:, None]


def found(network: nn.Module, recipe: Experiment, way: Protocol, people: int = 3) -> np.ndarray:
    with torch.inference_mode():
        return predict.find(predict.tester_of(network, recipe, way, CPU), shown(people)).joints


def in_cells(distances: np.ndarray, people: int = 3) -> np.ndarray:
    """Distances in the image as those on maps."""
    return distances / shown(people).side[:, None, None] * HEIGHT / STRIDE


class TrueMaps(nn.Module):
    """Makes Gaussians around the joints of the view that it sees; its second stage knows where these are."""

    multiple = STRIDE

    def __init__(self, pose: Tensor, *, flip: tuple[int, ...] = LSP.flip, corners: bool = True) -> None:
        super().__init__()
        self.pose, self.flip, self.first = pose, list(flip), 0.0 if corners else (STRIDE - 1) / 2

    def cells(self, images: Tensor) -> Tensor:
        """(B, J, 2) where the joints are on maps of these images."""
        height, width = images.shape[-2:]
        # In a mirror the right wrist is on the other side, and is a left wrist.
        pose = self.pose[:, self.flip] * torch.tensor([-1.0, 1.0]) if is_flipped(images) else self.pose
        pixels = pose * height + torch.tensor([width - 1, height - 1]) / 2
        return (pixels - self.first) / STRIDE

    def maps(self, images: Tensor) -> Tensor:
        height, width = (side // STRIDE for side in images.shape[-2:])
        x, y = (each[..., None] for each in self.cells(images).unbind(-1))
        across = torch.exp(-((torch.arange(width) - x) ** 2) / (2 * 2**2))
        return across[:, :, None] * torch.exp(-((torch.arange(height) - y) ** 2) / (2 * 2**2))[..., None]

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"first": torch.zeros(len(images), 2, 5, 5), "heatmaps": self.maps(images)}

    def see(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.maps(images), self.cells(images)

    def refine(self, features: Tensor, points: Tensor, heat: Tensor, reliable: Tensor) -> Tensor:
        return torch.cat([points, torch.zeros_like(points), features[:, :, None] - points], -1)


def is_flipped(images: Tensor) -> bool:
    half = images.shape[-1] // 2
    return bool(images[..., :half].mean() < images[..., half:].mean())


# Where a cell is in the image


@SQUARE_AND_NARROW
@pytest.mark.parametrize("corners", [True, False])
def test_joints_between_cells_are_found_where_they_are(size: tuple[int, int], corners: bool) -> None:
    recipe = recipe_of(size, grid="corners" if corners else "centres")
    joints = found(TrueMaps(poses(), corners=corners), recipe, protocol(decode="dark", kernel=3))
    assert np.abs(in_cells(joints - on_image(poses()))).max() < 0.05


def test_the_score_of_a_joint_is_the_height_of_its_map() -> None:
    network = TrueMaps(poses())
    score = predict.find(predict.tester_of(network, recipe_of(), protocol(), CPU), shown()).confidence
    maps = network.maps(torch.linspace(1, 0, HEIGHT).expand(3, 3, HEIGHT, HEIGHT))
    np.testing.assert_allclose(score, maps.amax((2, 3)))


# Both views


@SQUARE_AND_NARROW
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way["decode"])
def test_a_network_that_sees_mirror_images_alike_gives_the_same_joints_flipped_or_not(
    size: tuple[int, int], way: dict[str, Any]
) -> None:
    recipe, network = recipe_of(size, grid="centres"), TrueMaps(poses(), corners=False)
    plain, both = (found(network, recipe, protocol(flip=flip, **way)) for flip in (False, True))
    np.testing.assert_allclose(both, plain, atol=1e-3)


def test_moved_maps_are_a_cell_further_right_and_keep_their_first_column() -> None:
    maps = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    moved = decode.shifted(maps, 1)
    # HRNet's `validate`: output_flipped[:, :, :, 1:] = output_flipped.clone()[:, :, :, 0:-1]
    expected = maps.numpy().copy()
    expected[:, :, :, 1:] = maps.numpy()[:, :, :, 0:-1]
    np.testing.assert_array_equal(moved, expected)


@pytest.mark.parametrize(("shift", "further"), [(0, -3 / 8), (1, 1 / 8)])
def test_where_cells_are_corners_flipped_maps_are_3_quarters_of_a_cell_apart_before_they_are_moved(
    shift: int, further: float
) -> None:
    """Cell i of the mirror image stands for pixel W - 1 - 4 i, and so for cell w - 1 - i + 3 / 4."""
    way = protocol(flip=True, shift=shift, decode="dark", kernel=3)
    apart = in_cells(found(TrueMaps(poses()), recipe_of(), way) - on_image(poses()))
    np.testing.assert_allclose(apart.mean((0, 1)), [further, 0], atol=0.02)


class Noise(nn.Module):
    """Other maps for an image than for its mirror image."""

    multiple = STRIDE

    def __init__(self, joints: int = 14) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.plain, self.flipped = (torch.rand(3, joints, 16, 16, generator=generator) for _ in range(2))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"heatmaps": self.flipped if is_flipped(images) else self.plain}


def test_both_views_are_fused_as_in_the_releases() -> None:
    network = Noise()
    joints = found(network, recipe_of(), protocol(flip=True, shift=1, decode="maximum"))
    for person in range(3):
        for joint, other in enumerate(LSP.flip):
            back = network.flipped[person, other].numpy()[:, ::-1].copy()
            back[:, 1:] = back[:, :-1].copy()
            row, column = divmod(int((network.plain[person, joint].numpy() + back).argmax()), 16)
            pixel = np.array([column * STRIDE, row * STRIDE])  # of the input, the first at 0
            box = (pixel + 0.5) / HEIGHT - 0.5
            expected = box * shown().side[person] + shown().center[person]
            np.testing.assert_allclose(joints[person, joint], expected, atol=1e-4)


# People of other joints


@pytest.mark.parametrize("flip", [False, True])
def test_people_are_tested_by_the_maps_of_joints_of_their_names(flip: bool) -> None:
    recipe, pose = recipe_of(grid="centres", maps_of="mpii"), poses(joints=16)
    network = TrueMaps(pose, flip=MPII.flip, corners=False)
    joints = found(network, recipe, protocol(flip=flip, decode="dark", kernel=3))
    names = ["upper neck" if name == "neck" else name for name in LSP.joints]
    expected = on_image(pose[:, [MPII.joints.index(name) for name in names]])
    assert np.abs(in_cells(joints - expected)).max() < 0.05


# The second stage


@SQUARE_AND_NARROW
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("corners", [True, False])
def test_a_second_stage_that_knows_the_joints_moves_points_onto_them(
    size: tuple[int, int], flip: bool, corners: bool
) -> None:
    recipe = recipe_of(size, grid="corners" if corners else "centres")
    way = protocol(flip=flip, shift=int(flip), refine=0.85)
    joints = found(TrueMaps(poses(), corners=corners), recipe, way)
    np.testing.assert_allclose(joints, on_image(poses()), atol=2e-3)


class Offsets(TrueMaps):
    """Says the same offsets in each view, whatever the points, and keeps what it was asked."""

    def __init__(self, pose: Tensor) -> None:
        super().__init__(pose)
        generator = torch.Generator().manual_seed(2)
        self.said = {flipped: torch.randn(3, 14, 2, generator=generator) for flipped in (False, True)}
        self.asked: list[tuple[Tensor, Tensor, Tensor]] = []

    def see(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.maps(images), torch.tensor(float(is_flipped(images)))

    def refine(self, features: Tensor, points: Tensor, heat: Tensor, reliable: Tensor) -> Tensor:
        self.asked.append((points, heat, reliable))
        offsets = self.said[bool(features)][:, :, None]
        return torch.cat([points, torch.full_like(points, 7.0), offsets], -1)


FLIPPED = protocol(flip=True, shift=1, refine=0.97)


def test_a_refined_point_is_the_guided_point_plus_the_mean_offset_of_both_views() -> None:
    network = Offsets(poses())
    guided = found(network, recipe_of(), protocol(flip=True, shift=1))
    moved = in_cells(found(network, recipe_of(), FLIPPED) - guided)
    for joint, other in enumerate(LSP.flip):
        here, there = network.said[False][:, joint].numpy(), network.said[True][:, other].numpy()
        np.testing.assert_allclose(moved[:, joint, 0], (here[:, 0] - there[:, 0]) / 2, atol=1e-4)
        np.testing.assert_allclose(moved[:, joint, 1], (here[:, 1] + there[:, 1]) / 2, atol=1e-4)


def test_the_guided_point_in_the_mirror_is_the_mirror_image_of_its_pixel() -> None:
    network = Offsets(poses())
    found(network, recipe_of(), FLIPPED)
    (plain, *_), (flipped, *_) = network.asked
    for joint, other in enumerate(LSP.flip):
        pixels = 4 * plain[:, other, 0]
        expected = torch.stack([HEIGHT - 1 - pixels[:, 0], pixels[:, 1]], -1)
        torch.testing.assert_close(4 * flipped[:, joint, 0], expected)


def test_both_views_have_the_heat_of_the_mean_maps_each_joint_its_own() -> None:
    network = Offsets(poses())
    tester = predict.tester_of(network, recipe_of(), FLIPPED, CPU)
    score = torch.from_numpy(predict.find(tester, shown()).confidence)
    (_, plain, _), (_, flipped, _) = network.asked
    torch.testing.assert_close(plain[:, :, 0], score)
    torch.testing.assert_close(flipped[:, :, 0], score[:, list(LSP.flip)])


def test_a_point_is_reliable_whose_heat_is_above_xi() -> None:
    network = Offsets(poses())
    found(network, recipe_of(), FLIPPED)
    for _, heat, reliable in network.asked:
        assert torch.equal(reliable, heat > 0.97)
        assert 0 < reliable.sum() < reliable.numel()


def test_without_a_second_stage_the_last_output_is_decoded() -> None:
    network = TrueMaps(poses())
    network.see = network.refine = None  # type: ignore[assignment]
    found(network, recipe_of(), protocol(flip=True, shift=1))


def test_graph_pcnn_itself_moves_what_its_heatmaps_say_by_its_offsets() -> None:
    network: Any = predict.networks.build(REAL.network, REAL.maps_of)
    guided = found(network, REAL, protocol(flip=True, shift=1))
    with torch.no_grad():  # offsets of (2, -1) cells everywhere, which mirror images cancel along x
        network.refinement.regression.weight.zero_()
        network.refinement.regression.bias.copy_(torch.tensor([2.0, -1.0]))
    moved = in_cells(found(network, REAL, protocol(flip=True, shift=1, refine=0.85)) - guided)
    np.testing.assert_allclose(moved, np.broadcast_to([0.0, -1.0], moved.shape), atol=1e-4)
