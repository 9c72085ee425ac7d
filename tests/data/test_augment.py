"""Augmentation: pixels and joints of a person go the same way, and nobody's way depends on anybody else's."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from posetables.data.augment import PIXELS, Sampler, draw, draw_colours, move_joints, placed
from posetables.data.skeletons.lsp import SKELETON as LSP
from posetables.recipe import Augment

CPU = torch.device("cpu")
STORE, DENSITY, SIDE = 130, 64.0, 64
HCRN = Augment(rotation=40, scale=(0.7, 1.3), flip=0.5)
FLIP = list(LSP.flip)
RELEASED = Augment(rotation=40, scale=(0.7, 1.3), spread="normal", rotated=0.6, flip=0.5)
"""Simple Baselines."""
SIZES = [(SIDE, 48), (48, SIDE)]


def affine(angle: float, scale: float, flipped: bool) -> Tensor:
    """(1, 2, 2) mirror first, then turn by `angle` degrees and scale."""
    cos, sin = scale * np.cos(np.deg2rad(angle)), scale * np.sin(np.deg2rad(angle))
    turn = torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float32)
    return (turn @ torch.diag(torch.tensor([-1.0 if flipped else 1.0, 1.0])))[None]


def marker(box: np.ndarray) -> Tensor:
    """(1, 3, S, S) crop with a blob at box coordinates `box` on mid grey."""
    place = box * DENSITY + (STORE - 1) / 2
    y, x = np.mgrid[:STORE, :STORE]
    blob = 128 + 127 * np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * 2.5**2))
    return torch.from_numpy(blob.round().astype(np.uint8)).expand(1, 3, -1, -1)


def centre_of_light(image: Tensor) -> np.ndarray:
    light = (image[0, 0].numpy() - 0.05).clip(0)
    y, x = np.mgrid[: light.shape[0], : light.shape[1]]
    return np.array([(light * x).sum(), (light * y).sum()]) / light.sum()


# Pixels and joints


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    angle=st.floats(-40, 40),
    scale=st.floats(0.7, 1.3),
    flipped=st.booleans(),
    x=st.floats(-0.2, 0.2),
    y=st.floats(-0.2, 0.2),
)
def test_a_marker_painted_at_a_joint_lands_where_the_joint_goes(
    angle: float, scale: float, flipped: bool, x: float, y: float
) -> None:
    to_input, joint = affine(angle, scale, flipped), np.array([x, y])
    image = Sampler("centred", CPU)(marker(joint), torch.tensor([DENSITY]), to_input, (SIDE, SIDE))
    moved = move_joints(torch.tensor(joint[None, None]).float(), to_input, torch.tensor([flipped]), [0], (SIDE, SIDE))
    np.testing.assert_allclose(centre_of_light(image), moved[0, 0], atol=0.15)


def test_drawn_maps_move_marker_and_joint_alike() -> None:
    drawn = torch.from_numpy(draw(HCRN, seed=0, epoch=0, people=8))
    joint = np.array([0.15, -0.1])
    for each in drawn:
        to_input, flipped = each[None, :, :2], each[None, 0, 2] > 0
        image = Sampler("centred", CPU)(marker(joint), torch.tensor([DENSITY]), to_input, (SIDE, SIDE))
        moved = move_joints(torch.tensor(joint[None, None]).float(), to_input, flipped, [0], (SIDE, SIDE))
        np.testing.assert_allclose(centre_of_light(image), moved[0, 0], atol=0.15)


@pytest.mark.parametrize("density", [30.0, 64.0])
def test_the_box_fills_the_input_whatever_the_density_of_the_store(density: float) -> None:
    store = torch.zeros(1, 3, STORE, STORE, dtype=torch.uint8)
    first, last = round(STORE / 2 - density / 2), round(STORE / 2 + density / 2)
    store[..., first:last, first:last] = 255
    image = Sampler("centred", CPU)(store, torch.tensor([density]), torch.eye(2)[None], (SIDE, SIDE))
    assert (image[..., 1:-1, 1:-1] == 0.5).all()
    smaller = Sampler("centred", CPU)(store, torch.tensor([density]), 0.5 * torch.eye(2)[None], (SIDE, SIDE))
    light = (smaller[0, 0] > 0).nonzero()
    assert (light.min(0).values.tolist(), light.max(0).values.tolist()) == ([16, 16], [47, 47])


def test_joints_are_in_pixels_whose_first_has_its_centre_at_0() -> None:
    corners = torch.tensor([[[-0.5, -0.5], [0.5, 0.5], [0.0, 0.0]]])
    moved = move_joints(corners, torch.eye(2)[None], torch.tensor([False]), [0, 1, 2], (SIDE, SIDE))
    torch.testing.assert_close(moved, torch.tensor([[[-0.5, -0.5], [63.5, 63.5], [31.5, 31.5]]]))


# Inputs that are not square


@pytest.mark.parametrize("size", SIZES, ids=["narrow", "wide"])
@pytest.mark.parametrize(("angle", "flipped"), [(0, False), (0, True), (30, False), (-30, True)])
def test_a_marker_lands_where_the_joint_goes_in_an_input_that_is_not_square(
    size: tuple[int, int], angle: float, flipped: bool
) -> None:
    to_input, joint = affine(angle, 0.9, flipped), np.array([0.15, -0.2])
    image = Sampler("centred", CPU)(marker(joint), torch.tensor([DENSITY]), to_input, size)
    moved = move_joints(torch.tensor(joint[None, None]).float(), to_input, torch.tensor([flipped]), [0], size)
    assert image.shape == (1, 3, *size)
    np.testing.assert_allclose(centre_of_light(image), moved[0, 0], atol=0.15)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_box_of_a_narrower_input_is_as_high_as_1_and_as_wide_as_its_aspect(height: int, width: int) -> None:
    corners = torch.tensor([[[-width / height / 2, -0.5], [width / height / 2, 0.5], [0.0, 0.0]]])
    moved = move_joints(corners, torch.eye(2)[None], torch.tensor([False]), [0, 1, 2], (height, width))
    ends = [[-0.5, -0.5], [width - 0.5, height - 0.5], [width / 2 - 0.5, height / 2 - 0.5]]
    torch.testing.assert_close(moved, torch.tensor([ends]))


def test_the_middle_of_the_input_shows_what_it_is_told() -> None:
    place = np.array([0.2, -0.1])
    image = Sampler("centred", CPU)(
        marker(place), torch.tensor([DENSITY]), affine(20, 1.2, True), (SIDE, 48), torch.tensor(place[None]).float()
    )
    np.testing.assert_allclose(centre_of_light(image), [23.5, 31.5], atol=0.15)


# From cells of maps back to the box


@pytest.mark.parametrize("size", [(SIDE, SIDE), *SIZES], ids=["square", "narrow", "wide"])
@pytest.mark.parametrize("corners", [False, True])
def test_a_cell_is_placed_where_the_joint_was_that_falls_on_its_pixel(size: tuple[int, int], corners: bool) -> None:
    joints = torch.rand(2, 5, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    pixels = move_joints(joints, torch.eye(2).expand(2, 2, 2), torch.tensor([False, False]), range(5), size)
    # Of maps with a quarter of the rows: cell i stands for pixel 4 i, or for the place between pixels 4 i + 1 and + 2.
    cells = pixels / 4 if corners else (pixels - 1.5) / 4
    torch.testing.assert_close(placed(cells, size[0] // 4, size, corners=corners), joints)


# Left and right


def test_a_flipped_persons_left_wrist_is_where_the_mirror_shows_the_right_one() -> None:
    joints = torch.rand(1, 14, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    moved = move_joints(joints, affine(0, 1, True), torch.tensor([True]), FLIP, (SIDE, SIDE))[0]
    for i, name in enumerate(LSP.joints):
        other = name.replace("left", "LEFT").replace("right", "left").replace("LEFT", "right")
        x, y = joints[0, LSP.index(other)]
        torch.testing.assert_close(moved[i], torch.stack([SIDE - 1 - ((x + 0.5) * SIDE - 0.5), (y + 0.5) * SIDE - 0.5]))


def test_only_flipped_people_change_names() -> None:
    joints = torch.rand(2, 14, 2)
    moved = move_joints(joints, torch.eye(2).expand(2, 2, 2), torch.tensor([False, True]), FLIP, (SIDE, SIDE))
    plain = (joints + 0.5) * SIDE - 0.5
    torch.testing.assert_close(moved[0], plain[0])
    torch.testing.assert_close(moved[1], plain[1, FLIP])


# Draws


def test_a_persons_draw_does_not_depend_on_who_else_is_there() -> None:
    np.testing.assert_array_equal(draw(HCRN, 0, 3, people=100)[:7], draw(HCRN, 0, 3, people=7))


@pytest.mark.parametrize(("seed", "epoch"), [(1, 3), (0, 4)])
def test_seeds_and_epochs_draw_for_themselves(seed: int, epoch: int) -> None:
    assert (draw(HCRN, 0, 3, 50) != draw(HCRN, seed, epoch, 50)).any((1, 2)).all()


def test_draws_fill_their_ranges_and_stay_inside() -> None:
    drawn = draw(HCRN, 0, 0, 20_000).astype(np.float64)
    flipped, upright = drawn[:, 0, 2] > 0, drawn[:, :, :2].copy()
    upright[flipped, :, 0] *= -1
    scale = np.sqrt(np.linalg.det(upright))
    angle = np.rad2deg(np.arctan2(upright[:, 1, 0], upright[:, 0, 0]))
    assert flipped.mean() == pytest.approx(0.5, abs=0.02)
    assert (np.linalg.det(drawn[:, :, :2]) < 0).tolist() == flipped.tolist()
    np.testing.assert_allclose([scale.min(), scale.mean(), scale.max()], [0.7, 1.0, 1.3], atol=0.01)
    np.testing.assert_allclose([angle.min(), angle.mean(), angle.max()], [-40, 0, 40], atol=0.6)
    assert abs(np.corrcoef(np.stack([scale, angle, flipped]))[np.triu_indices(3, 1)]).max() < 0.03


def test_a_recipe_without_augmentation_leaves_people_as_they_are() -> None:
    drawn = draw(Augment(rotation=0, scale=(1, 1), flip=0), 0, 0, 3)
    np.testing.assert_array_equal(drawn, np.tile(np.eye(2, 3), (3, 1, 1)))


# Draws of Simple Baselines and HRNet


def drawn_normally(people: int = 20_000, epoch: int = 0, recipe: Augment = RELEASED) -> tuple[np.ndarray, np.ndarray]:
    """Degrees, and the region that is read over that of the person's box, of people who are not flipped."""
    drawn = draw(recipe.model_copy(update={"flip": 0.0}), 0, epoch, people).astype(np.float64)
    scale = np.sqrt(np.linalg.det(drawn[:, :, :2]))
    return np.rad2deg(np.arctan2(drawn[:, 1, 0], drawn[:, 0, 0])), 1 / scale


NORMAL = NormalDist()


@pytest.mark.parametrize("deviations", [-0.8, -0.3, 0.0, 0.5, 0.9])
def test_a_region_is_normal_around_the_box(deviations: float) -> None:
    _, region = drawn_normally()
    assert np.mean(region < 1 + 0.3 * deviations) == pytest.approx(NORMAL.cdf(deviations), abs=0.015)


def test_a_region_is_cut_at_both_ends_of_its_range() -> None:
    _, region = drawn_normally()
    assert (region.min(), region.max()) == pytest.approx((0.7, 1.3))
    assert np.mean(region < 0.7001) == pytest.approx(NORMAL.cdf(-1), abs=0.015)
    assert np.mean(region > 1.2999) == pytest.approx(NORMAL.cdf(-1), abs=0.015)


def test_six_of_ten_people_are_rotated() -> None:
    angle, _ = drawn_normally()
    assert np.mean(angle != 0) == pytest.approx(0.6, abs=0.015)


@pytest.mark.parametrize("deviations", [-1.5, -0.5, 0.5, 1.5])
def test_whoever_is_rotated_is_so_normally(deviations: float) -> None:
    angle, _ = drawn_normally()
    rotated = angle[angle != 0]
    assert np.mean(rotated < 40 * deviations) == pytest.approx(NORMAL.cdf(deviations), abs=0.015)


def test_nobody_is_rotated_by_more_than_two_deviations() -> None:
    angle, _ = drawn_normally()
    assert (angle.min(), angle.max()) == pytest.approx((-80, 80))


def test_rotation_and_region_have_nothing_to_do_with_each_other() -> None:
    angle, region = drawn_normally()
    assert abs(np.corrcoef(angle, region)[0, 1]) < 0.03
    assert abs(np.corrcoef(angle != 0, region)[0, 1]) < 0.03


def test_half_of_the_people_are_flipped_whatever_the_spread() -> None:
    assert np.mean(draw(RELEASED, 0, 0, 20_000)[:, 0, 2]) == pytest.approx(0.5, abs=0.015)


def test_a_persons_normal_draw_does_not_depend_on_who_else_is_there() -> None:
    np.testing.assert_array_equal(draw(RELEASED, 0, 3, people=100)[:7], draw(RELEASED, 0, 3, people=7))


def test_epochs_draw_normally_for_themselves() -> None:
    assert (drawn_normally(50, 3)[1] != drawn_normally(50, 4)[1]).mean() > 0.8  # some are cut at the same end


# Sampling

COLOURS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and deviation of ImageNet's red, green and blue."""


def normalised(store: np.ndarray, pixels: str) -> np.ndarray:
    """(..., 3, h, w) as the network sees them; Simple Baselines read blue first and normalise it as red."""
    if pixels == "centred":
        return store / 255 - 0.5
    mean, deviation = (np.array(values)[:, None, None] for values in COLOURS)
    return ((store[..., ::-1, :, :] if pixels == "imagenet-bgr" else store) / 255 - mean) / deviation


def plain_sample(
    store: np.ndarray, density: float, to_input: np.ndarray, height: int, width: int, pixels: str
) -> np.ndarray:
    """Bilinear interpolation, pixel by pixel in float64; what lies outside of the store has the mean colour."""
    values = normalised(store.astype(np.float64), pixels)
    size, image = store.shape[-1], np.zeros((3, height, width))
    for row in range(height):
        for column in range(width):
            middle = np.array([column + 0.5 - width / 2, row + 0.5 - height / 2]) / height
            box = np.linalg.inv(to_input) @ middle
            x, y = box * density + (size - 1) / 2
            for j in (int(np.floor(y)), int(np.floor(y)) + 1):
                for i in (int(np.floor(x)), int(np.floor(x)) + 1):
                    if 0 <= i < size and 0 <= j < size:
                        image[:, row, column] += values[:, j, i] * (1 - abs(x - i)) * (1 - abs(y - j))
    return image


@pytest.mark.parametrize("pixels", list(PIXELS))
@pytest.mark.parametrize(("angle", "scale", "flipped"), [(0, 1, False), (33, 0.7, True), (-20, 1.3, False)])
def test_the_sampler_is_plain_bilinear_interpolation(pixels: str, angle: float, scale: float, flipped: bool) -> None:
    store = np.random.default_rng(0).integers(0, 256, (1, 3, 20, 20), np.uint8)
    to_input = affine(angle, scale, flipped)
    found = Sampler(pixels, CPU)(torch.from_numpy(store), torch.tensor([11.0]), to_input, (12, 12))
    expected = plain_sample(store[0], 11.0, to_input[0].double().numpy(), 12, 12, pixels)
    np.testing.assert_allclose(found[0], expected, atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(12, 9), (9, 12)])
def test_the_sampler_is_plain_interpolation_of_an_input_that_is_not_square(height: int, width: int) -> None:
    store = np.random.default_rng(0).integers(0, 256, (1, 3, 20, 20), np.uint8)
    to_input = affine(33, 0.8, True)
    found = Sampler("centred", CPU)(torch.from_numpy(store), torch.tensor([11.0]), to_input, (height, width))
    expected = plain_sample(store[0], 11.0, to_input[0].double().numpy(), height, width, "centred")
    np.testing.assert_allclose(found[0], expected, atol=1e-4)


def test_a_sampler_that_is_used_again_has_forgotten_the_batch_before() -> None:
    sampler, eye = Sampler("centred", CPU), torch.eye(2).expand(2, 2, 2)
    first, second = (torch.randint(0, 256, (2, 3, 20, 20), dtype=torch.uint8) for _ in range(2))
    sampler(first, torch.full((2,), 10.0), eye, (8, 8))
    again = sampler(second, torch.full((2,), 10.0), eye, (8, 8))
    assert torch.equal(again, Sampler("centred", CPU)(second, torch.full((2,), 10.0), eye, (8, 8)))
    smaller = sampler(second[:1], torch.full((1,), 10.0), eye[:1], (8, 8))
    assert torch.equal(smaller, again[:1])


def test_a_person_looks_the_same_alone_and_in_a_batch() -> None:
    crops = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (19, 3, 20, 20), np.uint8))
    density, to_input = torch.linspace(8, 16, 19), torch.from_numpy(draw(HCRN, 0, 0, 19))[:, :, :2]
    batch = Sampler("imagenet", CPU)(crops, density, to_input, (12, 12))
    for i in range(len(crops)):
        alone = Sampler("imagenet", CPU)(crops[i : i + 1], density[i : i + 1], to_input[i : i + 1], (12, 12))
        assert torch.equal(batch[i], alone[0]), i


def test_images_that_were_given_are_not_overwritten_by_the_next() -> None:
    sampler, eye = Sampler("centred", CPU), torch.eye(2).expand(2, 2, 2)
    first, second = (torch.randint(0, 256, (2, 3, 20, 20), dtype=torch.uint8) for _ in range(2))
    given = sampler(first, torch.full((2,), 10.0), eye, (8, 8))
    kept = given.clone()
    sampler(second, torch.full((2,), 10.0), eye, (8, 8))
    assert torch.equal(given, kept)


def test_images_have_the_layout_that_networks_are_fast_in() -> None:
    images = Sampler("centred", CPU)(
        torch.zeros(3, 3, 20, 20, dtype=torch.uint8), torch.ones(3), affine(0, 1, False), (8, 8)
    )
    assert images.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("pixels", list(PIXELS))
def test_what_lies_outside_of_a_crop_has_the_mean_colour(pixels: str) -> None:
    white = torch.full((1, 3, 20, 20), 255, dtype=torch.uint8)
    image = Sampler(pixels, CPU)(white, torch.tensor([40.0]), torch.eye(2)[None], (40, 40))
    assert (image[..., 11:-11, 11:-11] > 0).all()
    image[..., 9:-9, 9:-9] = 0
    assert (image == 0).all()


def test_colours_are_factors_of_each_channel_cut_at_white() -> None:
    sampler = Sampler("imagenet", torch.device("cpu"))
    store = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    upright = torch.eye(2).expand(2, 2, 2)
    images = sampler(store, torch.full((2,), 8.0), upright, (8, 8))
    factors = torch.tensor([[0.5, 1.0, 1.5], [1.2, 0.8, 1.0]])
    whole = (store.numpy() * factors.numpy()[:, :, None, None]).clip(0, 255) / 255
    expected = normalised(whole * 255, "imagenet")
    np.testing.assert_allclose(sampler.coloured(images, factors).numpy(), expected, atol=1e-4)


def test_colours_are_drawn_for_each_person_and_epoch_inside_of_their_range() -> None:
    recipe = Augment(rotation=0, scale=(1, 1), flip=0, colour=(0.8, 1.2))
    drawn = draw_colours(recipe, 0, 3, 2000)
    assert np.array_equal(drawn[:7], draw_colours(recipe, 0, 3, 7))
    assert 0.8 <= drawn.min() < 0.81 and 1.19 < drawn.max() <= 1.2
    assert not np.array_equal(drawn, draw_colours(recipe, 0, 4, 2000))
