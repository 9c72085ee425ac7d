"""Graph-PCNN (Wang et al., ECCV 2020, sec. 3): heatmaps, guided points drawn on them, their refinement in a graph.

Equations 1 to 7, in the order of the paper; the loss (Eq. 8 to 10) is in `data.points`. Points are x, y in cells of the
maps, the centre of the first cell at 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from posetables.data.skeletons import Skeleton
from posetables.errors import InputError
from posetables.models.hrnet import HRNet
from posetables.models.simple_baseline import SimpleBaseline

STRIDE = 4
"""Pixels of the input a cell of the maps has on each side, with every backbone."""

DEPTHS = {"resnet50": 50, "resnet101": 101, "resnet152": 152}
BASES = {"hrnet32": 32, "hrnet48": 48}
REFINEMENTS = ("none", "struct-agnostic", "gpr-va", "gpr-vb", "gpr-vc", "gpr")


def build(
    skeleton: Skeleton,
    *,
    backbone: Literal["resnet50", "resnet101", "resnet152", "hrnet32", "hrnet48"],
    refinement: Literal["none", "struct-agnostic", "gpr-va", "gpr-vb", "gpr-vc", "gpr"] = "gpr",
    points: float = 1 / 16,
    kinds: str = "1:1:1",
    width: float = 1.0,
    blocks: int | None = None,
    modules: int | None = None,
    hidden: int = 256,
) -> nn.Module:
    """The networks of Tables 1 to 5; refinement "none" is the backbone alone, with the keys of its release.

    points: guided points of a joint per cell of its map (48, 192 and 432 at 128x96, 256x192 and 384x288); kinds:
    proportion of those near, far and of high response (Fig. 5a); blocks: at most so many in a layer of a ResNet, so
    many in a branch of HRNet; modules: at most so many in a stage of HRNet (None: as released); hidden: width of the
    head. Raises InputError for a value that does not exist.
    """
    for key, value, known in (("backbone", backbone, (*DEPTHS, *BASES)), ("refinement", refinement, REFINEMENTS)):
        if value not in known:
            raise InputError(f"gpcnn: {key} {value!r} is not known; choose from {', '.join(known)}")
    maps = len(skeleton.joints)
    first: SimpleBaseline | HRNet
    if backbone in DEPTHS:
        first = SimpleBaseline(maps, depth=DEPTHS[backbone], width=width, blocks=blocks)
    else:
        first = HRNet(
            maps, base=BASES[backbone], width=width, modules=modules, **({} if blocks is None else {"blocks": blocks})
        )
    if refinement == "none":
        return first
    return GraphPCNN(first, skeleton, refinement=refinement, points=points, kinds=kinds, hidden=hidden)


class Backbone(Protocol):
    """What the first stage gives: Simple Baselines or HRNet, cut before its last stage."""

    multiple: int
    channels: int

    def trunk(self, images: Tensor) -> Any: ...
    def stage(self, visual: Any) -> Tensor: ...
    def head(self, features: Tensor) -> Tensor: ...
    def last_stage(self) -> nn.Module: ...


class GraphPCNN(nn.Module):
    """Both stages (Fig. 2). The localisation subnet has the layers of the backbone's last stage (sec. 3.4)."""

    def __init__(
        self, backbone: Backbone, skeleton: Skeleton, *, refinement: str, points: float, kinds: str, hidden: int
    ) -> None:
        super().__init__()
        if not 0 < points <= 1:
            raise InputError(f"gpcnn: points {points}; give guided points per cell of a map, above 0 and at most 1")
        self.multiple = backbone.multiple
        self.joints = len(skeleton.joints)
        self.variant, self.points, self.kinds = refinement, points, proportion(kinds)
        self.backbone = backbone
        self.localisation = backbone.last_stage()
        graph = () if refinement == "struct-agnostic" else skeleton.graph
        self.refinement = Refinement(neighbourhoods(self.joints, graph), backbone.channels, hidden)

    def see(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) -> heatmaps (B, J, H/4, W/4), localisation features F (B, C, H/4, W/4).

        Eq. 1 to 3; V is what the last stage of the backbone reads. Raises InputError unless H and W are multiples of
        `multiple`.
        """
        visual = self.backbone.trunk(images)
        heatmaps = self.backbone.head(self.backbone.stage(visual))
        return heatmaps, self.localisation(visual)

    def draws(self, height: int, width: int) -> tuple[int, int, int]:
        """How many numbers in [0, 1) the guided points of one person take: (J, N, 3), of an input of so many pixels."""
        rows, columns = self.cells(height, width)
        return self.joints, max(1, round(self.points * rows * columns)), 3

    def cells(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the maps of an input of so many pixels."""
        return height // STRIDE, width // STRIDE

    def forward(
        self,
        images: Tensor,
        joints: Tensor | None = None,
        positive: float = 0.0,
        reliable: float = 0.0,
        uniform: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Images (B, 3, H, W) -> heatmaps (B, J, H/4, W/4); with a guide also points (B, J, N, 6), as `refine` says.

        The guide of training: true joints (B, J, 2) in cells, those without a label far outside; positive and reliable
        radius in cells, 3 and 2 sigma (Eq. 6 and 12); uniform (B, J, N, 3) in [0, 1), N of `draws`.
        """
        if joints is None or uniform is None:
            return {"heatmaps": self.backbone.head(self.backbone.stage(self.backbone.trunk(images)))}
        heatmaps, features = self.see(images)
        maps = heatmaps.detach().float()
        points = sample(joints, positive, maps, uniform, shares(self.kinds, uniform.shape[2]))
        if self.variant != "gpr-vc":
            points = shuffled(points, uniform[..., 2])
        near = (points - joints[:, :, None]).norm(dim=-1) < reliable
        return {"heatmaps": heatmaps, "points": self.refine(features, points, heat_at(maps, points), near)}

    def refine(self, features: Tensor, points: Tensor, heat: Tensor, reliable: Tensor) -> Tensor:
        """F (B, C, h, w), guided points (B, J, N, 2), their heat and reliability (B, J, N) -> (B, J, N, 6).

        Graph n has the n-th guided point of every joint. A point's six numbers are x, y, the logits of c (not the
        joint, the joint) and the offset r (dx, dy), all in cells: the joint is at s + r (Eq. 5). Training takes
        reliability by the first line of Eq. 12, testing h > .85 with N = 1.
        """
        found = torch.unflatten(interpolated(features, points.flatten(1, 2)), 1, points.shape[1:3])
        return torch.cat([points, self.refinement(found, self.weights(heat, reliable)).to(points.dtype)], -1)

    def weights(self, heat: Tensor, reliable: Tensor) -> Tensor:
        """Omega of Eq. 7 of each point (B, J, N), as a neighbour; Table 2: va 1, vb the reliability without the heat.

        Heat counts from 0 on [D]: the maps are linear, and a negative weight could bring Z to 0.
        """
        if self.variant == "gpr-va":
            return torch.ones_like(heat)
        return reliable.to(heat.dtype) if self.variant == "gpr-vb" else heat.clamp(min=0) * reliable


# Guided points (sec. 3.1)


def sample(joints: Tensor, positive: float, maps: Tensor, uniform: Tensor, counts: Sequence[int]) -> Tensor:
    """Guided points (B, J, N, 2) of true joints (B, J, 2), all in cells: first those near, then far, then of high heat.

    (a) within `positive` cells of the joint, (b) outside of that disc, (c) among the N highest responses of the maps
    (B, J, h, w); N is the sum of the counts of the three kinds. uniform: (B, J, N, 3) in [0, 1), of which the third
    number is left to `shuffled`. Points may repeat [D].
    """
    # Rounded to float32, a number below 1 may be 1, and a product with it the whole: there is no place of that number.
    near, far, high = torch.split(uniform.double().clamp(max=1 - 2**-32), list(counts), 2)
    height, width = maps.shape[-2:]
    places = ranked(maps.flatten(2), high[..., 0] * sum(counts))
    kinds = (
        near_points(joints, positive, (height, width), near),
        far_points(joints, positive, (height, width), far),
        torch.stack([places % width, places // width], -1),
    )
    return torch.cat([points.to(joints.dtype) for points in kinds], 2)


def near_points(joints: Tensor, radius: float, cells: tuple[int, int], uniform: Tensor) -> Tensor:
    """Points (B, J, n, 2) anywhere in the discs around joints (B, J, 2), by area; outside of the map moved onto its
    border [D: features end there]."""
    distance = radius * uniform[..., 0].sqrt()
    angle = 2 * torch.pi * uniform[..., 1]
    x = joints[:, :, None, 0] + distance * angle.cos()
    y = joints[:, :, None, 1] + distance * angle.sin()
    return torch.stack([x.clamp(0, cells[1] - 1), y.clamp(0, cells[0] - 1)], -1)


def far_points(joints: Tensor, radius: float, cells: tuple[int, int], uniform: Tensor) -> Tensor:
    """Points (B, J, n, 2) anywhere in the squares between four cells that the disc around the joint does not touch [D].

    Not at the centres of cells, as points near the joint lie between them: interpolated features are smoother there,
    which would tell the two kinds apart. Where the disc touches every square: anywhere on the map, and Eq. 6 takes the
    points by their distance.
    """
    height, width = cells[0] - 1, cells[1] - 1
    beside, below = (
        torch.maximum(corner - joint[..., None], joint[..., None] - corner - 1).clamp(min=0)
        for joint, side in zip(joints.unbind(-1), (width, height), strict=True)
        for corner in (torch.arange(side, device=joints.device),)
    )
    outside = (beside[:, :, None] ** 2 + below[:, :, :, None] ** 2 >= radius**2).flatten(2)
    outside = outside | ~outside.any(-1, keepdim=True)
    turns = uniform[..., 0] * outside.sum(-1, keepdim=True)
    square = ranked(outside.byte(), turns)
    return torch.stack([square % width + turns % 1, square // width + uniform[..., 1]], -1)


def ranked(scores: Tensor, places: Tensor) -> Tensor:
    """Indices (B, J, n) of the scores (B, J, M) that take places 0, 1, ... (B, J, n) (cut to integers) from the highest
    down; of equal ones the first comes first."""
    order = torch.argsort(scores, dim=-1, descending=True, stable=True)
    return order.gather(-1, places.long())


def shuffled(points: Tensor, keys: Tensor) -> Tensor:
    """Points (B, J, N, 2) of each joint in the order of their keys (B, J, N), so that graphs mix kinds (sec. 3.4)."""
    order = torch.argsort(keys, dim=-1, stable=True)
    return points.gather(2, order[..., None].expand_as(points))


def proportion(kinds: str) -> tuple[int, int, int]:
    """The three kinds of guided points in a string such as 1:1:1; InputError if it is none."""
    parts = [int(part) for part in kinds.split(":") if part.isdecimal()]
    if kinds.count(":") != 2 or len(parts) != 3 or not any(parts):
        raise InputError(f"gpcnn: kinds {kinds!r}; give three whole numbers, near:far:high, such as 1:1:1 or 1:2:0")
    return parts[0], parts[1], parts[2]


def shares(kinds: Sequence[int], points: int) -> tuple[int, int, int]:
    """How many of so many points are of each kind; they are in proportion to within one point."""
    near, both = (sum(kinds[:end]) * points // sum(kinds) for end in (1, 2))
    return near, both - near, points - both


# Graph pose refinement (sec. 3.2 and Fig. 4)


def interpolated(grid: Tensor, points: Tensor) -> Tensor:
    """Grid (B, C, h, w) at points (B, M, 2), x and y in cells -> (B, M, C), bilinearly; F[s] and H[s] of sec. 3.

    Rows are picked by index_select: its gradient is exact to the bit on any device, as that of grid_sample is not.
    """
    height, width = grid.shape[-2:]
    rows = grid.permute(0, 2, 3, 1).flatten(0, 2)
    image = torch.arange(len(grid), device=grid.device)[:, None] * (height * width)
    x, y = points[..., 0].clamp(0, width - 1), points[..., 1].clamp(0, height - 1)
    left, top = x.floor().clamp(max=width - 2), y.floor().clamp(max=height - 2)
    found = torch.zeros((), dtype=points.dtype, device=grid.device)
    for row, by_row in ((top, top + 1 - y), (top + 1, y - top)):
        for column, by_column in ((left, left + 1 - x), (left + 1, x - left)):
            places = image + (row * width + column).long()
            picked = torch.unflatten(rows.index_select(0, places.flatten()), 0, places.shape)
            found = found + picked * (by_row * by_column)[..., None]
    return found.to(grid.dtype)


def heat_at(maps: Tensor, points: Tensor) -> Tensor:
    """h of Eq. 7: each joint's map (B, J, h, w) at its own points (B, J, N, 2) -> (B, J, N)."""
    heat = interpolated(maps.flatten(0, 1)[:, None], points.flatten(0, 1))[..., 0]
    return torch.unflatten(heat, 0, maps.shape[:2])


def neighbourhoods(joints: int, graph: Sequence[tuple[int, int]]) -> tuple[tuple[int, ...], ...]:
    """N(k) of each joint k: itself, then those that an edge joins it with."""
    return tuple(
        (joint, *sorted({other for edge in graph if joint in edge for other in edge} - {joint}))
        for joint in range(joints)
    )


class Refinement(nn.Module):
    """Graph convolution (Eq. 7), and the head of fully connected layers on what it gives (Fig. 4).

    T is a matrix C x C, without bias [D: Eq. 7 has linear transformations], of every ordered pair of neighbours and of
    every joint with itself. The head is that of all joints [D: Fig. 4 draws one], two layers of `hidden` [D: several].
    """

    def __init__(self, neighbours: tuple[tuple[int, ...], ...], channels: int, hidden: int) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.transforms = nn.Parameter(torch.empty(sum(map(len, neighbours)), channels, channels))
        nn.init.uniform_(self.transforms, -(channels**-0.5), channels**-0.5)
        # 1x1 convolutions are layers fully connected at each point; their normalisation is one that can see whole
        # batches (`models.parallel`).
        self.head = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(True),
            nn.Conv2d(hidden, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(True),
        )  # fmt: skip
        self.classification = _last(hidden)
        self.regression = _last(hidden)

    def forward(self, features: Tensor, weights: Tensor) -> Tensor:
        """Features f (B, J, N, C), weights omega as a neighbour (B, J, N) -> logits and offsets (B, J, N, 4)."""
        refined = self.head(self.convolve(features, weights).permute(0, 3, 1, 2))
        return torch.cat([self.classification(refined), self.regression(refined)], 1).permute(0, 2, 3, 1)

    def convolve(self, features: Tensor, weights: Tensor) -> Tensor:
        """Eq. 7, of every joint k its sum over N(k) as one product: (B, J, N, C) and (B, J, N) -> g (B, J, N, C)."""
        points, omega = features.unbind(1), weights.to(features.dtype).unbind(1)
        transforms = torch.split(self.transforms, [len(joints) for joints in self.neighbours])
        refined = []
        for (joint, *others), of_joint in zip(self.neighbours, transforms, strict=True):
            factors = torch.stack([torch.ones_like(omega[joint]), *(omega[other] for other in others)], -1)
            messages = [factors[..., n, None] * points[other] for n, other in enumerate((joint, *others))]
            total = factors.sum(-1, keepdim=True)
            refined.append(torch.cat(messages, -1) @ of_joint.flatten(0, 1) / total)
        return torch.stack(refined, 1)


def _last(hidden: int) -> nn.Conv2d:
    """To two numbers: N(0, .001), as the last layers of both backbones [D], so that offsets start near 0."""
    layer = nn.Conv2d(hidden, 2, 1)
    nn.init.normal_(layer.weight, std=0.001)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
