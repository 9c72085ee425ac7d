"""Multi-Context Attention (Chu et al., sec. 4 and 5): nested hourglasses, and attention to the body and to its parts.

Every stack weighs its features twice before it predicts: by attention to the body, seen at all resolutions of its
hourglass (Eq. 9), then by a finer map (Eq. 10) or, in the later stacks, by one map for each part (Eq. 11-13). The five
networks of Fig. 8 are, by the arguments of `build` and each over the one before:

    BL   attention: none, units: residual            HRU  units: hourglass
    MS   attention: crf, resolutions: 1, parts: 0    MR   resolutions: 4
                                                     HP   parts: 0.5
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from posetables.data.skeletons import Skeleton
from posetables.errors import InputError
from posetables.models.hourglass import Hourglass, Residual, Stack, StackedHourglass, doubled, linear
from posetables.models.layers import check_sides, map_predictor

DIVISORS = (8, 4, 2, 1)
"""Resolutions of the attention maps: sides of the finest, divided by these (r = 8, 16, 32 and 64 in Eq. 9)."""

CHOICES: dict[str, tuple[object, ...]] = {
    "backbone": ("hourglass",),
    "attention": ("none", "softmax", "crf"),
    "units": ("residual", "hourglass"),
    "resolutions": (1, 4),
    "variant": ("paper", "released"),
}
RELEASED = {"attention": "crf", "units": "hourglass", "resolutions": 1, "parts": 0.5}
"""What the authors' code has of the paper: all but the resolutions, which they left out for simplicity."""

Pyramid = tuple[Tensor, ...]
Finer = Literal["none", "refined", "parts"]


def build(
    skeleton: Skeleton,
    *,
    backbone: Literal["hourglass"],
    stacks: int = 8,
    features: int = 256,
    attention: Literal["none", "softmax", "crf"] = "crf",
    units: Literal["residual", "hourglass"] = "hourglass",
    resolutions: Literal[1, 4] = 4,
    parts: float = 0.5,
    variant: Literal["paper", "released"] = "paper",
    kernel: int = 11,
    steps: int = 3,
) -> MCA:
    """The network of the paper, of a row of Fig. 8 or of a curve of Fig. 10, or the one that the authors released.

    attention: what relates locations, the mean field of Eq. 7 or the softmax of Eq. 4; none leaves out resolutions,
    parts, kernel and steps. units: on the ways that keep their resolution. resolutions: 1 makes the first map from the
    features that it weighs. parts: the share of the stacks, the last ones and rounded up, that attend to parts; half
    of 8 is stacks 5 to 8 (sec. 3, Fig. 2 and the code; sec. 5.2.4 says 4 to 8). variant: released allows `RELEASED`
    alone. kernel: side of W^k in cells, 11 in the code [C]. steps: of the mean field, 3 in the paper [P]. Raises
    InputError for a value that does not exist.
    """
    switches = {"attention": attention, "units": units, "resolutions": resolutions, "parts": parts}
    _check_choices({"backbone": backbone, "variant": variant, **switches})
    _check_numbers(stacks, features, parts, kernel, steps)
    maps = len(skeleton.joints)
    mean_field = partial(MeanField, kernel=kernel, steps=steps, released=variant == "released")
    to_parts = [left < math.ceil(parts * stacks) for left in reversed(range(stacks))]
    if variant == "released":
        return _released(maps, features, to_parts, mean_field)
    trunk = StackedHourglass(maps, stacks=stacks, features=features)
    if units == "hourglass":
        trunk.stacks = nn.ModuleList(Stack(features, nested_skip) for _ in range(stacks))
    if attention == "none":
        return MCA(trunk, maps, [Unweighted() for _ in range(stacks)])
    field = SpatialSoftmax if attention == "softmax" else mean_field
    heads = [Head(features, maps, "parts" if part else "refined", field, resolutions) for part in to_parts]
    return MCA(trunk, maps, heads)


def _check_choices(given: dict[str, Any]) -> None:
    for key, known in CHOICES.items():
        if given[key] not in known:
            raise InputError(f"mca: {key} {given[key]!r} is not known; choose from {', '.join(map(str, known))}")
    for key, value in RELEASED.items():
        if given["variant"] == "released" and given[key] != value:
            raise InputError(
                f"mca: {key} is {given[key]!r}, variant released has {value!r}; give that or variant paper"
            )


def _check_numbers(stacks: object, features: object, parts: object, kernel: object, steps: object) -> None:
    for key, value, fits, remedy in (
        ("stacks", stacks, isinstance(stacks, int) and stacks >= 1, "1 or more"),
        ("features", features, isinstance(features, int) and features >= 8 and features % 8 == 0, "a multiple of 8"),
        ("parts", parts, isinstance(parts, int | float) and 0 <= parts <= 1, "a share of the stacks, 0 to 1"),
        ("kernel", kernel, isinstance(kernel, int) and kernel >= 1 and kernel % 2 == 1, "an odd number"),
        ("steps", steps, isinstance(steps, int) and steps >= 1, "1 or more"),
    ):
        if not fits:
            raise InputError(f"mca: {key} is {value!r}; give {remedy}")


class MCA(nn.Module):
    """Newell's stacked hourglass with a head in every stack, which weighs the features that the predictor sees.

    A stack passes on its features before any attention and its maps, as Newell's and the authors' code do [C].
    """

    multiple = StackedHourglass.multiple

    def __init__(self, trunk: StackedHourglass, maps: int, heads: Sequence[Head | Unweighted]) -> None:
        super().__init__()
        self.trunk = trunk
        self.predictor = map_predictor(trunk.channels, maps)
        self.heads = nn.ModuleList(heads)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Images (B, 3, H, W) -> maps (B, P, H/4, W/4) by name: stack1, stack2, ...; the last is the prediction.

        Every entry is to be supervised (Eq. 14). Raises InputError unless H and W are multiples of 4.
        """
        return self.look(images)[0]

    def look(self, images: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What `forward` gives, and where the network looked: attention maps (B, n, h, w) by name.

        stack1-holistic: the sum in Eq. 9; stack1-holistic-8, -4, -2, -1: its terms, if several, with sides divided by
        that number (rounded up); stack1-refined: Eq. 10; stack5-parts: Eq. 11, one map for each joint.
        """
        check_sides(images, self.multiple)
        trunk = self.trunk
        predictors = (*trunk.predictors, self.predictor)
        maps: dict[str, Tensor] = {}
        attention: dict[str, Tensor] = {}
        x = trunk.stem(images)
        for k, (stack, head, predict) in enumerate(zip(trunk.stacks, self.heads, predictors, strict=True)):
            name = f"stack{k + 1}"
            pyramid, features = _climb(stack, x)
            maps[name], seen = head(pyramid, features, predict)
            attention |= {f"{name}-{kind}": value for kind, value in seen.items()}
            if k < len(trunk.map_returns):
                x = x + trunk.feature_returns[k](features) + trunk.map_returns[k](maps[name])
        return maps, attention


def _climb(stack: nn.Module, x: Tensor) -> tuple[Pyramid, Tensor]:
    """What comes up in the hourglass of a stack, the coarsest first (f_r), and what leaves its last layer (f)."""
    assert isinstance(stack, nn.Sequential)
    hourglass, *layers = stack
    assert isinstance(hourglass, Hourglass)
    pyramid = hourglass.pyramid(x)
    features = pyramid[-1]
    for layer in layers:
        features = layer(features)
    return pyramid, features


# Section 4: nested hourglasses


class HourglassResidual(nn.Module):
    """Hourglass residual unit, HRU: x + F(x) + P(x) (Eq. 2, Fig. 3): (B, c, h, w) -> (B, c, h, w).

    In branch C batch normalisation and ReLU stand before the convolutions, as in the authors' code. An odd side is
    rounded up by the pooling and cut afterwards.
    """

    def __init__(self, features: int, enlarge: nn.Module) -> None:
        super().__init__()
        self.branches_a_and_b = Residual(features, features)
        self.pooled = nn.Sequential(
            nn.BatchNorm2d(features), nn.ReLU(True), nn.MaxPool2d(2, ceil_mode=True),
            nn.Conv2d(features, features, 3, padding=1),
            nn.BatchNorm2d(features), nn.ReLU(True), nn.Conv2d(features, features, 3, padding=1),
        )  # fmt: skip
        self.enlarge = enlarge

    def forward(self, x: Tensor) -> Tensor:
        x = self.branches_a_and_b(x) + self.branch_c(x)
        return x

    def branch_c(self, x: Tensor) -> Tensor:
        """P(x): every cell sees 10x10 cells of x (sec. 4.2)."""
        enlarged: Tensor = self.enlarge(self.pooled(x))
        return enlarged[:, :, : x.shape[-2], : x.shape[-1]]


def nested_skip(_: int, features: int) -> nn.Module:
    """One HRU at every depth (sec. 3), enlarged by the deconvolution of sec. 4.2."""
    return HourglassResidual(features, nn.ConvTranspose2d(features, features, 2, stride=2))


# Section 5: attention


class SpatialSoftmax(nn.Module):
    """Eq. 4: s (B, n, h, w) -> Phi (B, n, h, w), which sums to 1 over the locations of each map."""

    def __init__(self, _: int) -> None:
        super().__init__()

    def forward(self, s: Tensor) -> Tensor:
        return s.flatten(2).softmax(2).view(s.shape)


class MeanField(nn.Module):
    """Eq. 7: psi (B, n, h, w) -> Phi (B, n, h, w) after `steps` steps; each of the n maps has a kernel of its own.

    The kernel is shared by the steps. Eq. 8 drops psi after the start; Eq. 7 and the authors' code keep it. Nothing
    beyond the border attracts attention. released: the first step filters psi itself and the kernel has a bias.
    """

    def __init__(self, maps: int, *, kernel: int, steps: int, released: bool = False) -> None:
        super().__init__()
        self.steps = steps
        self.released = released
        self.kernel = nn.Conv2d(maps, maps, kernel, padding=kernel // 2, groups=maps, bias=released)

    def forward(self, psi: Tensor) -> Tensor:
        phi = psi if self.released else psi.sigmoid()
        for _ in range(self.steps):
            phi = (psi + self.kernel(phi)).sigmoid()
        return phi


Field = Callable[[int], SpatialSoftmax | MeanField]
"""Number of maps -> what relates the locations of each."""


class Attention(nn.Module):
    """Features (B, c, h, w) -> attention maps (B, n, h, w): Eq. 3, then Eq. 4 or Eq. 7; or Eq. 11 for n parts.

    W^a is 3x3 and g the identity, as in the authors' code [C].
    """

    def __init__(self, features: int, maps: int, field: Field) -> None:
        super().__init__()
        self.summary = nn.Conv2d(features, maps, 3, padding=1)
        self.field = field(maps)

    def forward(self, features: Tensor) -> Tensor:
        phi: Tensor = self.field(self.summary(features))
        return phi


class Unweighted(nn.Module):
    """Newell's: the predictor sees the features as they are."""

    def forward(self, _: Pyramid, features: Tensor, predict: nn.Conv2d) -> tuple[Tensor, dict[str, Tensor]]:
        return predict(features), {}


class Head(nn.Module):
    """The attention of a stack (Fig. 4): to the body, then a finer one, to the body (refined) or to its parts.

    Every resolution has W^a and W^k of its own [D]: a cell is another length there, and the paper does not say. As f_r
    are sums of residual units, batch normalisation and ReLU precede W^a, as they do whatever else reads such sums [D]:
    without, the first step at the paper's rate and width closed every Phi_r to 1e-4 or less, for good.
    """

    def __init__(
        self, features: int, maps: int, finer: Finer, field: Field, resolutions: int, entry: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.entry = nn.Identity() if entry is None else entry
        self.holistic = nn.ModuleList(Attention(features, 1, field) for _ in range(resolutions))
        norms = (nn.Sequential(nn.BatchNorm2d(features), nn.ReLU(True)) for _ in range(resolutions))
        self.norms = nn.ModuleList(norms if resolutions > 1 else ())
        self.name = finer
        self.finer = None if finer == "none" else Attention(features, maps if finer == "parts" else 1, field)

    def forward(self, pyramid: Pyramid, features: Tensor, predict: nn.Conv2d) -> tuple[Tensor, dict[str, Tensor]]:
        """f_r, f and w^cls -> maps (B, P, h, w), and attention maps by name as in `MCA.look`."""
        f = self.entry(features)
        sources = [norm(f_r) for norm, f_r in zip(self.norms, pyramid, strict=True)] if len(self.norms) else [f]
        terms = [attend(source) for attend, source in zip(self.holistic, sources, strict=True)]
        attention = {"holistic": summed(terms)}
        if len(terms) > 1:
            attention |= {f"holistic-{divisor}": term for divisor, term in zip(DIVISORS, terms, strict=True)}
        h1 = f * attention["holistic"]  # Eq. 9
        if self.finer is None:
            return predict(h1), attention
        phi = self.finer(h1)
        return weighted(h1, phi, predict), attention | {self.name: phi}


def summed(terms: Sequence[Tensor]) -> Tensor:
    """The sum in Eq. 9: Phi_r, the coarsest first -> their sum at the finest resolution; cells are repeated [D]."""
    total, *finer = terms
    for term in finer:
        total = doubled(total, term) + term
    return total


def weighted(h1: Tensor, phi: Tensor, predict: nn.Conv2d) -> Tensor:
    """Eq. 10 with phi (B, 1, h, w), Eq. 12 and 13 with phi (B, P, h, w): h1 (B, c, h, w) -> maps (B, P, h, w).

    w * (h1 Phi_p) is Phi_p (w * h1) where w is 1x1: the features of the parts need not exist.
    """
    assert predict.bias is not None
    return phi * F.conv2d(h1, predict.weight) + predict.bias[:, None, None]


# The authors' code


def _released(maps: int, features: int, to_parts: Sequence[bool], field: Field) -> MCA:
    """The released network: 58,312,088 parameters with 8 stacks, 256 features and 16 maps, 15,080,774 with 2 stacks.

    Beside what is said below: no residual unit after the hourglass, one attention before the predictor or the parts,
    a last stack of twice the width. The code would place units 8 / stacks times; the counts are those of once.
    """
    trunk = StackedHourglass(maps, stacks=len(to_parts), features=features)
    widths = [features] * (len(to_parts) - 1) + [2 * features]
    trunk.channels = widths[-1]
    trunk.stem = released_stem(features)
    trunk.stacks = nn.ModuleList(
        nn.Sequential(Hourglass(4, features, released_skip), linear(features, width)) for width in widths
    )
    trunk.feature_returns = nn.ModuleList(linear(features, features) for _ in widths[1:])
    heads = [
        Head(width, maps, "parts" if part else "none", field, 1, entry=linear(width, width))
        for width, part in zip(widths, to_parts, strict=True)
    ]
    return MCA(trunk, maps, heads)


def released_skip(depth: int, features: int) -> nn.Module:
    """A residual unit, then HRUs that repeat cells: two at the finest resolution, one at the next, none below."""
    units = (HourglassResidual(features, nn.Upsample(scale_factor=2.0)) for _ in range(depth - 2))
    return nn.Sequential(Residual(features, features), *units)


def released_stem(features: int) -> nn.Sequential:
    """Images (B, 3, H, W) -> (B, features, H/4, W/4): without the stride of Newell's, but with a second pooling."""
    quarter, half = features // 4, features // 2
    return nn.Sequential(
        nn.Conv2d(3, quarter, 7, padding=3), nn.BatchNorm2d(quarter), nn.ReLU(True), Residual(quarter, quarter),
        nn.MaxPool2d(2), Residual(quarter, quarter), Residual(quarter, half),
        nn.MaxPool2d(2), Residual(half, half), Residual(half, half), Residual(half, features),
    )  # fmt: skip
