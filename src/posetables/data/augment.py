"""Augmentation and cropping of a whole batch at once, on the device that trains: one affine map a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from posetables.data.random import generator

if TYPE_CHECKING:
    from posetables.recipe import Augment

RGB, BGR = (0, 1, 2), (2, 1, 0)
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
PIXELS = {
    "centred": (((0.5, 0.5, 0.5), (1.0, 1.0, 1.0)), RGB),
    "imagenet": (IMAGENET, RGB),
    "imagenet-bgr": (IMAGENET, BGR),
}
"""Mean and deviation of the network's three channels in [0, 1], and which of red, green and blue these are; what lies
outside of a crop becomes 0, the mean colour."""


def draw(recipe: Augment, seed: int, epoch: int, people: int) -> np.ndarray:
    """(people, 2, 3) one augmentation a person and epoch: x-axis and y-axis of a turned, scaled box, and the flip.

    The first two columns map box coordinates of the person to those of the network's input; the last column is
    (flipped, 0). HCRN IV-A: rotation and scale uniform in their ranges, horizontal mirror.
    """
    uniform = generator(seed, "augment", epoch).random((people, 3))
    if recipe.spread == "normal":
        degrees, scale = _normal(recipe, seed, epoch, people)
        angle = np.deg2rad(degrees) * (uniform[:, 0] < recipe.rotated)
    else:
        angle = np.deg2rad(recipe.rotation) * (2 * uniform[:, 0] - 1)
        low, high = recipe.scale
        scale = low + (high - low) * uniform[:, 1]
    flipped = uniform[:, 2] < recipe.flip
    mirror = np.where(flipped, -1.0, 1.0)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    rows = [np.stack([cos * mirror, -sin, flipped], 1), np.stack([sin * mirror, cos, 0 * cos], 1)]
    return np.stack(rows, 1).astype(np.float32)


def _normal(recipe: Augment, seed: int, epoch: int, people: int) -> tuple[np.ndarray, np.ndarray]:
    """Degrees and scales of the person (people,), as Simple Baselines and HRNet draw them: the region is larger by a
    factor around 1, so that the person is smaller by it."""
    normal = generator(seed, "augment normally", epoch).standard_normal((people, 2))
    low, high = recipe.scale
    region = np.clip(1 + (high - low) / 2 * normal[:, 1], low, high)
    return recipe.rotation * np.clip(normal[:, 0], -2, 2), 1 / region


def draw_colours(recipe: Augment, seed: int, epoch: int, people: int) -> np.ndarray:
    """(people, 3) factors of red, green and blue, one a person and epoch (MCA sec. 7: "color jittering")."""
    low, high = recipe.colour
    factors: np.ndarray = low + (high - low) * generator(seed, "colour", epoch).random((people, 3))
    return factors.astype(np.float32)


class Sampler:
    """Cuts the network's input out of stored crops. Keeps its buffer: allocation costs more than the arithmetic."""

    def __init__(self, pixels: str, device: torch.device) -> None:
        normal, order = PIXELS[pixels]
        mean, deviation = (torch.tensor(values, device=device).view(1, 3, 1, 1) * 255 for values in normal)
        self.mean, self.factor, self.order = mean, 1 / deviation, list(order)
        self.buffer = torch.empty(0, device=device)

    def __call__(
        self,
        crops: Tensor,
        density: Tensor,
        to_input: Tensor,
        size: tuple[int, int],
        centre: Tensor | None = None,
    ) -> Tensor:
        """Images (B, 3, h, w), channels last, from crops (B, 3, S, S) uint8.

        density: (B,) stored pixels along the height of a box; to_input: (B, 2, 2) box coordinates of the person -> of
        the input; centre: (B, 2) what comes into the middle of the input, in box coordinates of the person; 0 if None.
        """
        if self.buffer.shape != crops.shape:
            self.buffer = torch.empty(crops.shape, device=self.mean.device)
        # The mean goes before sampling, so that zeros outside are the mean colour; the factor goes with the change of
        # layout, over fewer pixels than are stored.
        centred = self.buffer.copy_(crops[:, self.order] if self.order != list(RGB) else crops).sub_(self.mean)
        part = density / crops.shape[-1]
        grid = _grid(torch.linalg.inv(to_input) * part[:, None, None], size)
        if centre is not None:
            grid = grid + (2 * part[:, None] * centre)[:, None, None]
        sampled = F.grid_sample(centred, grid, align_corners=False)
        images = torch.empty_like(sampled, memory_format=torch.channels_last)
        return torch.mul(sampled, self.factor, out=images)

    def coloured(self, images: Tensor, factors: Tensor) -> Tensor:
        """Images of `__call__` with each channel times its factor (B, 3), cut at white as a camera would."""
        raw = (images / self.factor + self.mean) * factors[:, :, None, None]
        return (raw.clamp(0, 255) - self.mean) * self.factor


def _grid(to_store: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, h, w, 2) where pixels of the input lie in the stored crops, both from -1 to 1; to_store: (B, 2, 2).

    That of `F.affine_grid` without a shift, as boxes and stored crops are centred. A plane for x and one for y, which
    sums of rows and columns fill and `F.grid_sample` reads faster than pairs.
    """
    y, x = ((2 * torch.arange(side, device=to_store.device) + 1) / side - 1 for side in size)
    x = x * (size[1] / size[0])
    planes = (to_store[:, :, :1] * x)[:, :, None] + (to_store[:, :, 1:] * y)[..., None]
    return planes.permute(0, 2, 3, 1)


def move_joints(
    joints: Tensor, to_input: Tensor, flipped: Tensor, flip: Sequence[int], size: tuple[int, int]
) -> Tensor:
    """Joints (B, J, 2) in pixels of the input, from box coordinates; a flipped person's left and right change names."""
    mirrored = torch.where(flipped[:, None, None], joints[:, list(flip)], joints)
    height, width = size
    middle = torch.tensor([width / height / 2, 0.5], device=joints.device)
    return (torch.einsum("bxy,bjy->bjx", to_input, mirrored) + middle) * height - 0.5


def placed(cells: Tensor, rows: int, size: tuple[int, int], *, corners: bool = False) -> Tensor:
    """Box coordinates (..., 2) of cells (..., 2) x, y of maps with so many rows, of a network whose input has `size`.

    corners: cell i stands for pixel i times the stride of the input, not for the one in its middle.
    """
    height, width = size
    middle = torch.tensor([width / height / 2, 0.5], device=cells.device)
    if corners:
        return (cells * (height / rows) + 0.5) / height - middle
    return (cells + 0.5) / rows - middle
