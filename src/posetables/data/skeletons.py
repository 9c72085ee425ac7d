"""The joints of each data set: names, mirror pairs, sticks and the hierarchy of HCRN.

One `Skeleton` serves flip testing, the tree of contextual refinement units, structure-aware losses, metrics and the
columns of tables, so that none of them can disagree about what joint 3 is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Skeleton:
    """Joints of one data set, in the order of its label files."""

    joints: tuple[str, ...]
    mirror: tuple[tuple[str, str], ...]
    """Pairs of joints that change places when the image is flipped."""
    parents: Mapping[str, str]
    """Child joint -> parent joint; the only joint without an entry is the root of HCRN's hierarchy (Fig. 1b)."""
    groups: Mapping[str, tuple[str, ...]]
    """Column of a table -> the joints that it averages, in the order in which tables print them."""
    sticks: Mapping[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]]
    """Part of PCP -> its sticks; each end of a stick is the mean of the named joints."""

    def index(self, joint: str) -> int:
        return self.joints.index(joint)

    @cached_property
    def flip(self) -> tuple[int, ...]:
        """Joint i of a flipped image is joint `flip[i]` of the original."""
        partner = dict(self.mirror) | {b: a for a, b in self.mirror}
        return tuple(self.index(partner.get(joint, joint)) for joint in self.joints)

    @cached_property
    def root(self) -> int:
        (root,) = (i for i, joint in enumerate(self.joints) if joint not in self.parents)
        return root

    @cached_property
    def layers(self) -> tuple[tuple[int, ...], ...]:
        """The hierarchy from the root outwards: layer l holds the joints whose parents are in layer l - 1."""
        layers: list[tuple[int, ...]] = [(self.root,)]
        while below := tuple(i for i, j in enumerate(self.joints) if self.parent(i) in layers[-1]):
            layers.append(below)
        return tuple(layers)

    def parent(self, joint: int) -> int | None:
        name = self.parents.get(self.joints[joint])
        return None if name is None else self.index(name)


def _sides(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"right {name}", f"left {name}") for name in names)


LSP = Skeleton(
    joints=(
        "right ankle",
        "right knee",
        "right hip",
        "left hip",
        "left knee",
        "left ankle",
        "right wrist",
        "right elbow",
        "right shoulder",
        "left shoulder",
        "left elbow",
        "left wrist",
        "neck",
        "head top",
    ),
    mirror=_sides("ankle", "knee", "hip", "wrist", "elbow", "shoulder"),
    parents={"head top": "neck"}
    | {f"{side} {child}": "neck" for side in ("right", "left") for child in ("shoulder", "hip")}
    | {
        f"{side} {child}": f"{side} {parent}"
        for side in ("right", "left")
        for child, parent in (("elbow", "shoulder"), ("wrist", "elbow"), ("knee", "hip"), ("ankle", "knee"))
    },
    groups={"Head": ("neck", "head top")}
    | {
        name.title(): (f"right {name}", f"left {name}")
        for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    },
    sticks={"Torso": ((("right hip", "left hip"), ("right shoulder", "left shoulder")),)}
    | {
        part: tuple(((f"{side} {a}",), (f"{side} {b}",)) for side in ("right", "left"))
        for part, a, b in (
            ("Upper leg", "hip", "knee"),
            ("Lower leg", "knee", "ankle"),
            ("Upper arm", "shoulder", "elbow"),
            ("Forearm", "elbow", "wrist"),
        )
    }
    | {"Head": ((("neck",), ("head top",)),)},
)

SKELETONS = {"lsp": LSP}
