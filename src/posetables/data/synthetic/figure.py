"""An articulated figure: bones of human length, joints that bend as far as human joints do.

Lengths are fractions of stature. Axes are (right in the image, down, towards the viewer); a figure that stands upright
and faces the viewer has its own left, down and forward along them, so that no rotation is needed to see its face.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEFT, DOWN, FORWARD = np.eye(3)

BONES: Mapping[str, float] = MappingProxyType(
    {
        "upper arm": 0.186,
        "forearm": 0.146,
        "hand": 0.075,
        "thigh": 0.245,
        "shin": 0.246,
        "foot": 0.110,
        "spine": 0.340,
        "head": 0.130,
        "shoulder": 0.100,
        "hip": 0.050,
    }
)
"""Lengths of bones as fractions of stature.

Arms, legs, spine and head: Drillis and Contini 1966, as in Winter, *Biomechanics*, Fig. 4.1, where the spine runs from
the hips' height, 0.530, to the chin's, 0.870, about where LSP labels the neck, and the head on to 1. That figure has no
distances between centres of rotation: "shoulder" and "hip", half of them, and the half-curled hand and the foot from
the ankle forwards are chosen so that projected bodies have the proportions of LSP's labels.
"""

SLOPE = 0.052
"""Of the shoulders below the throat: 0.870 - 0.818 in the same figure."""

CROWN = 0.056
"""Radius of the head below its top, as a fraction of stature."""

FACE: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {
        "nose": (0, 0.016, 0.056),
        "right eye": (-0.022, -0.008, 0.045),
        "left eye": (0.022, -0.008, 0.045),
        "right ear": (-0.052, 0.004, -0.006),
        "left ear": (0.052, 0.004, -0.006),
    }
)
"""Places on the skin, left, down and forward of the middle of the head, as fractions of stature."""

LIMITS: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {
        "spine flexion": (-20, 5, 65),
        "spine bend": (-25, 0, 25),
        "spine twist": (-35, 0, 35),
        "neck flexion": (-35, 0, 45),
        "neck bend": (-25, 0, 25),
        "neck twist": (-55, 0, 55),
        "shoulder flexion": (-50, 20, 175),
        "shoulder abduction": (8, 20, 150),
        "shoulder rotation": (-60, 0, 45),
        "elbow flexion": (0, 20, 145),
        "hip flexion": (-25, 5, 105),
        "hip abduction": (-2, 8, 55),
        "hip rotation": (-35, -5, 20),
        "knee flexion": (0, 5, 135),
    }
)
"""Range of every joint in degrees: (least, most usual, greatest)."""


@dataclass(frozen=True)
class Manner:
    """How people of one data set hold themselves, and from where they are seen; angles in degrees."""

    yaws: tuple[float, float, float, float]
    """Shares of people who face us, face away, and turn to the one side and to the other."""
    yaw_spread: float
    rolls: tuple[float, float, float, float]
    """Shares of people who are upright, upside down, and lie on the one side and on the other."""
    roll_spread: float
    pitch_spread: float
    limits: Mapping[str, tuple[float, float, float]]


SPORTS = Manner((0.54, 0.24, 0.11, 0.11), 25, (0.88, 0.04, 0.04, 0.04), 14, 12, LIMITS)
"""Nearly two in three face us and about one in thirty is upside down, as in LSP."""

EVERYDAY = Manner(
    (0.6, 0.2, 0.1, 0.1),
    25,
    (0.96, 0.0, 0.02, 0.02),
    7,
    9,
    {
        **LIMITS,
        "spine flexion": (-8, 4, 35),
        "spine bend": (-12, 0, 12),
        "spine twist": (-20, 0, 20),
        "neck flexion": (-15, 5, 30),
        "neck bend": (-12, 0, 12),
        "neck twist": (-45, 0, 45),
        "shoulder flexion": (-30, 5, 130),
        "shoulder abduction": (6, 12, 90),
        "hip flexion": (-20, 3, 90),
        "hip abduction": (-2, 5, 35),
        "knee flexion": (0, 4, 110),
    },
)
"""People who stand, walk, sit and reach, as in MPII and COCO."""

FILM = Manner(
    (0.9, 0.1, 0.0, 0.0),
    22,
    (1.0, 0.0, 0.0, 0.0),
    4,
    6,
    {
        **EVERYDAY.limits,
        "spine flexion": (-8, 2, 20),
        "shoulder flexion": (-25, 8, 85),
        "shoulder abduction": (5, 10, 60),
    },
)
"""Actors who face the camera or, one in ten, stand with their backs to it: FLIC has one in twenty."""


@dataclass(frozen=True)
class Figure:
    """Named points (3,) of a body, and frames (3, 3) of its rigid parts: columns point left, down and forward."""

    points: Mapping[str, Array]
    frames: Mapping[str, Array]

    def positions(self, names: Sequence[str]) -> Array:
        """The named points, (J, 3), in their unit; the third column grows towards the viewer."""
        return np.stack([self.points[name] for name in names])

    def placed(self, scale: float, offset: Array) -> Figure:
        """The same body `scale` times as large and then moved by `offset` (3,)."""
        return Figure({name: scale * point + offset for name, point in self.points.items()}, self.frames)


def sample_figure(rng: np.random.Generator, manner: Manner = SPORTS) -> Figure:
    """A body of stature about 1 with its pelvis at the origin."""
    bones = {bone: length * rng.uniform(0.93, 1.07) for bone, length in BONES.items()}
    pelvis = _view(rng, manner)
    chest = pelvis @ _bent(rng, manner, "spine")
    head = chest @ _bent(rng, manner, "neck")
    points = {"pelvis": np.zeros(3), "neck": -bones["spine"] * chest @ DOWN}
    points["head top"] = points["neck"] - bones["head"] * head @ DOWN
    for side, out in (("right", -LEFT), ("left", LEFT)):
        limbs = _arm(rng, manner, bones, chest, points["neck"], out) | _leg(rng, manner, bones, pelvis, out)
        points |= {f"{side} {name}": point for name, point in limbs.items()}
    points["upper neck"] = points["neck"]
    points["thorax"] = (points["right shoulder"] + points["left shoulder"]) / 2
    middle = points["head top"] + head @ ((CROWN + 0.15 * bones["head"]) * DOWN + 0.006 * FORWARD)
    points |= {name: middle + head @ np.array(place) for name, place in FACE.items()}
    return Figure(points, {"pelvis": pelvis, "chest": chest, "head": head})


def sized(figure: Figure, names: Sequence[str], length: float) -> tuple[Figure, float, Array, Array]:
    """A figure whose named points span `length` pixels: itself, its stature, and the corner and sides of their box."""
    stature = length / np.ptp(figure.positions(names)[:, :2], axis=0).max()
    figure = figure.placed(stature, np.zeros(3))
    xy = figure.positions(names)[:, :2]
    return figure, stature, xy.min(0), np.ptp(xy, axis=0)


def turn(start: Array, towards: Array, degrees: float) -> Array:
    """The rotation (3, 3) that takes the unit vector `start` towards the unit vector `towards`, orthogonal to it.

    Naming both vectors keeps a bend the same bend on both sides of the body and in axes of either handedness.
    """
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    plane = np.outer(start, start) + np.outer(towards, towards)
    rotation: Array = np.eye(3) + (cos - 1) * plane + sin * (np.outer(towards, start) - np.outer(start, towards))
    return rotation


def _view(rng: np.random.Generator, manner: Manner) -> Array:
    """Frame of the pelvis."""
    yaw = rng.choice([0, 180, 90, -90], p=manner.yaws) + rng.normal(0, manner.yaw_spread)
    roll = rng.choice([0, 180, 90, -90], p=manner.rolls) + rng.normal(0, manner.roll_spread)
    pitch = rng.normal(0, manner.pitch_spread)
    return turn(LEFT, DOWN, roll) @ turn(DOWN, FORWARD, pitch) @ turn(FORWARD, LEFT, yaw)


def _bent(rng: np.random.Generator, manner: Manner, part: str) -> Array:
    flexion, bend, twist = (_angle(rng, manner, f"{part} {motion}") for motion in ("flexion", "bend", "twist"))
    return turn(-DOWN, FORWARD, flexion) @ turn(DOWN, LEFT, bend) @ turn(FORWARD, LEFT, twist)


def _arm(
    rng: np.random.Generator, manner: Manner, bones: Mapping[str, float], chest: Array, neck: Array, out: Array
) -> dict[str, Array]:
    upper = chest @ _swung(rng, manner, "shoulder", out)
    fore = upper @ turn(DOWN, FORWARD, _angle(rng, manner, "elbow flexion"))
    shoulder = neck + chest @ (bones["shoulder"] * out + SLOPE * DOWN)
    elbow = shoulder + bones["upper arm"] * upper @ DOWN
    wrist = elbow + bones["forearm"] * fore @ DOWN
    return {"shoulder": shoulder, "elbow": elbow, "wrist": wrist, "fingers": wrist + bones["hand"] * fore @ DOWN}


def _leg(
    rng: np.random.Generator, manner: Manner, bones: Mapping[str, float], pelvis: Array, out: Array
) -> dict[str, Array]:
    upper = pelvis @ _swung(rng, manner, "hip", out)
    lower = upper @ turn(DOWN, -FORWARD, _angle(rng, manner, "knee flexion"))
    hip = pelvis @ (bones["hip"] * out)
    knee = hip + bones["thigh"] * upper @ DOWN
    ankle = knee + bones["shin"] * lower @ DOWN
    return {"hip": hip, "knee": knee, "ankle": ankle, "toes": ankle + bones["foot"] * lower @ (FORWARD + 0.3 * DOWN)}


def _swung(rng: np.random.Generator, manner: Manner, joint: str, out: Array) -> Array:
    motions = ("flexion", "abduction", "rotation")
    flexion, abduction, rotation = (_angle(rng, manner, f"{joint} {motion}") for motion in motions)
    return turn(DOWN, FORWARD, flexion) @ turn(DOWN, out, abduction) @ turn(FORWARD, -out, rotation)


def _angle(rng: np.random.Generator, manner: Manner, motion: str) -> float:
    return float(rng.triangular(*manner.limits[motion]))
