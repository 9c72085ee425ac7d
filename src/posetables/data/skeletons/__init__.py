"""The joints of each data set: names, mirror pairs, sticks and the hierarchy of HCRN.

One `Skeleton` serves flip testing, the tree of contextual refinement units, structure-aware losses, metrics and the
columns of tables, so that none of them can disagree about what joint 3 is. Each has a file of its own: the joints of
a new data set leave what was trained on others as it is.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from posetables.errors import InputError


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
    sticks: Mapping[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = field(default_factory=dict)
    """Part of PCP -> its sticks; each end of a stick is the mean of the named joints."""
    matched: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Joint -> those whose maps are matched together with its own by the structure-aware loss (MSSA sec. 3.3)."""
    limbs: tuple[tuple[str, str], ...] = ()
    """Joints that Graph-PCNN joins by an edge (sec. 3.2); without any, children and parents are joined."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """What another data set calls a joint -> its name here, for networks that are trained on both."""

    def index(self, joint: str) -> int:
        return self.joints.index(joint)

    @cached_property
    def flip(self) -> tuple[int, ...]:
        """Joint i of a flipped image is joint `flip[i]` of the original."""
        partner = dict(self.mirror) | {b: a for a, b in self.mirror}
        return tuple(self.index(partner.get(joint, joint)) for joint in self.joints)

    @cached_property
    def structure(self) -> tuple[tuple[int, ...], ...]:
        """The graph of MSSA: of each joint n the joints of S_n, itself among them."""
        return tuple(tuple(map(self.index, (joint, *self.matched.get(joint, ())))) for joint in self.joints)

    @cached_property
    def graph(self) -> tuple[tuple[int, int], ...]:
        """The undirected edges of Graph-PCNN."""
        limbs = self.limbs or tuple(self.parents.items())
        return tuple((self.index(one), self.index(other)) for one, other in limbs)

    def numbers(self, others: Skeleton) -> tuple[int | None, ...]:
        """For each joint of another skeleton its number here, None for one that is not here."""
        theirs = {name: alias for alias, name in others.aliases.items()}
        names = ((self.aliases.get(joint, joint), theirs.get(joint)) for joint in others.joints)
        return tuple(next((self.index(name) for name in each if name in self.joints), None) for each in names)

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


def named(name: str) -> Skeleton:
    """The joints in `<name>.py` beside this file; InputError if there is none."""
    if name not in names():
        raise InputError(f"params/: no skeleton {name!r}; there are {', '.join(names())}")
    skeleton: Skeleton = importlib.import_module(f"{__name__}.{name}").SKELETON
    return skeleton


def names() -> tuple[str, ...]:
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def sides(*names: str) -> tuple[tuple[str, str], ...]:
    """Mirror pairs of joints that the body has twice."""
    return tuple((f"right {name}", f"left {name}") for name in names)


def limbs_matched(*chains: tuple[str, str, str]) -> dict[str, tuple[str, ...]]:
    """What MSSA matches along limbs (sec. 3.3): both neighbours of the joint in the middle, that neighbour alone of the
    outer one: wrist-elbow, shoulder-elbow-wrist."""
    return {
        f"{side} {joint}": tuple(f"{side} {other}" for other in others)
        for side in ("right", "left")
        for inner, middle, outer in chains
        for joint, others in ((middle, (inner, outer)), (outer, (middle,)))
    }
