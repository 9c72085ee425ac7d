"""Flesh and clothes of a figure, by which left can be told from right as on real people: by looks, never by a mark.

The face and the chest differ from the hair and the back; whatever is worn on a right limb is warm and plain, on a left
limb cool and hooped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from posetables.data.synthetic.figure import CROWN, Array, Figure
from posetables.data.synthetic.painting import Capsule, Floats, Texture, sample_colour

GIRTHS: Mapping[str, float] = {
    "head top": CROWN, "jaw": 0.044, "neck": 0.030, "upper neck": 0.030, "chest": 0.060, "waist": 0.050,
    "shoulder": 0.036, "elbow": 0.027, "wrist": 0.020, "fingers": 0.019,
    "pelvis": 0.052, "thorax": 0.060, "hip": 0.052, "knee": 0.036, "ankle": 0.023, "toes": 0.018,
}  # fmt: skip
"""Radii of the body as fractions of stature."""

BAND = 0.75
"""Where wrist bands and the tops of ankle socks begin on a bare forearm or shin, as a fraction of its length."""

HOOPS = 8
"""Stripes across a left limb's cloth, from joint to joint, every second one pale."""


@dataclass(frozen=True)
class Kit:
    """What one person looks like; colours are BGR (3,) in 0..255."""

    skin: Floats
    hair: Floats
    shirt: Floats
    emblem: Floats
    shorts: Floats
    sides: Mapping[str, Floats]
    long_sleeves: bool
    long_trousers: bool
    girth: float


def sample_kit(rng: np.random.Generator) -> Kit:
    """A shirt of any colour, but warm colours on the right limbs and cool ones on the left."""
    return Kit(
        skin=sample_colour(rng, (4, 14), (60, 150), (110, 240)),
        hair=sample_colour(rng, (5, 22), (60, 200), (15, 120)),
        shirt=sample_colour(rng, (0, 180), (30, 200), (60, 230)),
        emblem=sample_colour(rng, (0, 180), (0, 60), (190, 250)),
        shorts=sample_colour(rng, (0, 180), (20, 150), (30, 110)),
        sides={
            "right": sample_colour(rng, (0, 28), (150, 255), (150, 250)),
            "left": sample_colour(rng, (90, 128), (150, 255), (110, 230)),
        },
        long_sleeves=bool(rng.random() < 0.5),
        long_trousers=bool(rng.random() < 0.5),
        girth=rng.uniform(0.9, 1.15),
    )


def dress(figure: Figure, stature: float, kit: Kit) -> Iterator[Capsule]:
    """The capsules of a figure given in pixels, `stature` pixels tall."""
    yield from _trunk(figure, stature * kit.girth, kit)
    yield from _head(figure, stature, kit)
    for side in ("right", "left"):
        yield from _arm(figure, side, stature * kit.girth, kit)
        yield from _leg(figure, side, stature * kit.girth, kit)


def portray(figure: Figure, stature: float, kit: Kit) -> Iterator[Capsule]:
    """Nose and ears, for the sets that label them."""
    nose, unit = figure.points["nose"], 0.01 * stature
    _, down, forward = figure.frames["head"].T * unit
    bridge, tip = nose - 1.8 * down - 1.2 * forward, nose - 0.8 * forward
    yield Capsule(bridge, tip, (0.5 * unit, 0.9 * unit), _plain(0.82 * kit.skin))
    for side in ("right", "left"):
        ear = figure.points[f"{side} ear"]
        yield Capsule(ear - 0.8 * down, ear + 0.8 * down, (1.1 * unit, 0.8 * unit), _plain(0.75 * kit.skin))


def _trunk(figure: Figure, unit: float, kit: Kit) -> Iterator[Capsule]:
    at = figure.points
    shirt = _shirt(kit, figure.frames["chest"], at["neck"], unit)
    spine = at["pelvis"] - at["neck"]
    shoulders, hips = ([at[f"{side} {joint}"] for side in ("right", "left")] for joint in ("shoulder", "hip"))
    yield _part(shoulders, "shoulder", "shoulder", unit, shirt)
    yield _part(hips, "hip", "hip", unit, _plain(kit.shorts))
    waist = at["pelvis"] - 0.22 * spine
    for shoulder, hip in zip(shoulders, hips, strict=True):
        rib = at["neck"] + 0.55 * (shoulder - at["neck"]) + 0.16 * spine
        flank = waist + 0.6 * (hip - at["pelvis"])
        yield _part((rib, flank), "chest", "waist", unit, shirt)
        yield _part((flank, hip), "waist", "hip", unit, _plain(kit.shorts))
    yield _part((at["neck"] + 0.2 * spine, waist), "chest", "waist", unit, shirt)


def skull(figure: Figure, unit: float) -> tuple[Array, Array]:
    """Middles (3,) of the two balls of a head, below its top and in the jaw; GIRTHS has their radii."""
    top, neck = figure.points["head top"], figure.points["neck"]
    crown = top + (neck - top) * unit * GIRTHS["head top"] / np.linalg.norm(neck - top)
    return crown, crown + 0.3 * (neck - top) + 0.012 * unit * figure.frames["head"][:, 2]


def _head(figure: Figure, unit: float, kit: Kit) -> Iterator[Capsule]:
    crown, jaw = skull(figure, unit)
    base = figure.points["neck"] + 0.06 * unit * figure.frames["chest"][:, 1]
    yield _part((base, jaw), "neck", "neck", unit, _plain(0.88 * kit.skin))
    yield _part((crown, jaw), "head top", "jaw", unit, _face(kit, figure.frames["head"], (crown + jaw) / 2, unit))


def _arm(figure: Figure, side: str, unit: float, kit: Kit) -> Iterator[Capsule]:
    worn = kit.sides[side]
    sleeve = _banded(worn, kit.skin, 0.0, 1.0 if kit.long_sleeves else 0.6, side)
    cuff = _banded(worn, kit.skin, 0.0 if kit.long_sleeves else BAND, 1.0, side)
    ends = [figure.points[f"{side} {joint}"] for joint in ("shoulder", "elbow", "wrist", "fingers")]
    yield _part(ends[0:2], "shoulder", "elbow", unit, sleeve)
    yield _part(ends[1:3], "elbow", "wrist", unit, cuff)
    yield _part(ends[2:4], "wrist", "fingers", unit, _plain(kit.skin))


def _leg(figure: Figure, side: str, unit: float, kit: Kit) -> Iterator[Capsule]:
    worn = kit.sides[side]
    trouser = _banded(worn, kit.skin, 0.0, 1.0 if kit.long_trousers else 0.6, side)
    sock = _banded(worn, kit.skin, 0.0 if kit.long_trousers else BAND, 1.0, side)
    ends = [figure.points[f"{side} {joint}"] for joint in ("hip", "knee", "ankle", "toes")]
    yield _part(ends[0:2], "hip", "knee", unit, trouser)
    yield _part(ends[1:3], "knee", "ankle", unit, sock)
    yield _part(ends[2:4], "ankle", "toes", unit, _plain(0.45 * worn))


def _part(ends: Sequence[Array], first: str, last: str, unit: float, texture: Texture) -> Capsule:
    start, end = ends
    return Capsule(start, end, (unit * GIRTHS[first], unit * GIRTHS[last]), texture)


def _plain(colour: Floats) -> Texture:
    return lambda along, surface: np.broadcast_to(colour, surface.shape)


def _banded(worn: Floats, skin: Floats, start: float, end: float, side: str) -> Texture:
    """Cloth from `start` to `end` along the limb and skin elsewhere; hooped on a left limb."""
    palette = np.stack([skin, worn, 0.35 * worn + 0.65 * 255 if side == "left" else worn])

    def texture(along: Floats, surface: Floats) -> Floats:
        hoop = np.floor(along * HOOPS).astype(np.int8) % 2
        return palette[np.where((along >= start) & (along <= end), 1 + hoop, 0)]

    return texture


def _shirt(kit: Kit, chest: Array, neck: Array, unit: float) -> Texture:
    """A shirt with a light panel on the chest, below an open collar, and the number 11 on its darker back."""
    palette = np.stack([kit.shirt, kit.emblem, 0.55 * kit.shirt, kit.emblem, kit.skin])

    def texture(along: Floats, surface: Floats) -> Floats:
        left, down, forward = ((surface - neck.astype(np.float32)) @ (chest / unit).astype(np.float32)).T
        panel = (np.abs(left) < 0.05) & (down > 0.09) & (down < 0.22)
        strokes = (np.abs(np.abs(left) - 0.028) < 0.013) & (down > 0.08) & (down < 0.19)
        collar = (np.abs(left) + down < 0.095) & (forward > 0)
        return palette[np.where(collar, 4, np.where(forward > 0, panel, 2 + strokes))]

    return texture


def _face(kit: Kit, head: Array, centre: Array, unit: float) -> Texture:
    """Eyes and a mouth in front, hair above and behind."""
    palette = np.stack([kit.skin, 0.35 * kit.skin, kit.hair])

    def texture(along: Floats, surface: Floats) -> Floats:
        left, down, forward = ((surface - centre.astype(np.float32)) @ (head / unit).astype(np.float32)).T
        hair = (forward < 0.012 - 0.4 * down) | (down < -0.048)
        eyes = np.hypot(np.abs(left) - 0.022, down + 0.008) < 0.008
        mouth = (np.abs(left) < 0.015) & (np.abs(down - 0.042) < 0.005)
        return palette[np.where(hair, 2, eyes | mouth)]

    return texture
