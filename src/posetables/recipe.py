"""Recipes: what a stage needs to know, with every name resolved and every number final.

The stages never see a scale, a default or a file of parameters, so that the hash of a recipe says all that can change
an artifact. `posetables.params` makes recipes out of the files in `params/`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from posetables.errors import InputError

ScaleName = Literal["mini", "lite", "paper"]
SCALES: tuple[ScaleName, ...] = ("mini", "lite", "paper")

Value = TypeVar("Value")


class Params(BaseModel):
    """Base of all recipes and of everything read from YAML: frozen, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Codec(Params):
    """Target maps of the joints and the loss on them (HCRN Table III)."""

    target: Literal["disc", "gaussian"]
    radius: float = Field(gt=0, description="disc: radius; gaussian: standard deviation; pixels of the network's input")
    loss: Literal["cross-entropy", "l2"]
    background: bool
    activation: Literal["sigmoid", "none"] = "sigmoid"


class Augment(Params):
    """Ranges from which each person's augmentation is drawn, once an epoch."""

    rotation: float = Field(ge=0, le=180, description="degrees, uniform in +-rotation")
    scale: tuple[float, float]
    flip: float = Field(ge=0, le=1, description="probability")


class Network(Params):
    """`posetables.models.<paper>.build(skeleton, **arguments)`."""

    paper: str
    arguments: Mapping[str, str | int | float]


class Optimizer(Params):
    name: Literal["sgd", "rmsprop"]
    lr: float = Field(gt=0)
    momentum: float = 0.0
    weight_decay: float = 0.0
    clip: float | None = Field(None, gt=0, description="largest norm of the gradient of all weights together")


class Stage(Params):
    """One entry of an experiment's training: what is loaded, what is frozen, what is supervised, for how long."""

    optimizer: Optimizer
    batch: int = Field(gt=0)
    epochs: int = Field(gt=0)
    warmup: float = Field(0.0, ge=0, description="epochs over which the rate rises from 0")
    milestones: Mapping[float, float] = {}
    """Share of the training done -> factor on the first learning rate from there on."""
    init: Mapping[str, str] = {}
    """Module of the network ("" is all) -> what it starts from: a data set of weights, or `<experiment>/<stage>`."""
    freeze: tuple[str, ...] = ()
    supervise: tuple[str, ...] = ("*",)


class Protocol(Params):
    """How a trained network is tested."""

    scales: tuple[float, ...]
    flip: bool
    blur: float = Field(ge=0, description="sigma of the Gaussian over the fused maps before the maximum, input pixels")


class Split(Params):
    """People of one data set."""

    dataset: str
    split: str


class Compute(Params):
    """What changes the last bits of a result besides the recipe; fixed so that they do not move."""

    threads: int = Field(gt=0)
    precision: Literal["float32", "bfloat16"]


class Experiment(Params):
    """One network trained on one data set."""

    name: str
    skeleton: str
    labels: str
    train: tuple[Split, ...]
    test: Split
    input: int
    pixels: Literal["centred", "imagenet"]
    codecs: Mapping[str, Codec]
    augment: Augment
    network: Network
    stages: Mapping[str, Stage]
    protocols: Mapping[str, Protocol]
    compute: Compute

    @property
    def final_stage(self) -> str:
        return list(self.stages)[-1]

    def stage(self, name: str) -> Stage:
        return pick(self.stages, name, "stage", self.name)

    def protocol(self, name: str) -> Protocol:
        return pick(self.protocols, name, "protocol", self.name)


class Preparation(Params):
    """What the annotation table and the crop store of one data set depend on."""

    dataset: str
    skeleton: str
    reader: str
    labels: tuple[str, ...]
    splits: Mapping[str, tuple[int, int]]
    resolution: int
    margin: float


class Column(Params):
    """A column of a table: the file it is read from, the keys inside it, and how the paper prints it."""

    read: Literal["score", "cost"]
    key: tuple[str, ...] = Field(min_length=1)
    decimals: int = 1


class Total(Params):
    """How a printed column follows from the others of its row; our own are scored, never added up."""

    column: str
    rule: Literal["mean", "sticks", "mpii"] = Field(
        description="plain mean; PCP over ten sticks; mean over the joints annotated in MPII"
    )


class Tolerance(Params):
    """How far a number of ours may be from the printed one and still reproduce it."""

    absolute: float = Field(ge=0)
    why: str


Row = str | Mapping[str, float] | None
"""An experiment; or experiments and their factors, where the paper prints a sum or a difference; or nothing: a row that
the paper cites from another work, or one of its own for which there is no experiment yet."""


class Table(Params):
    """One item of a paper: its rows and columns as printed, and where each of our numbers is read from."""

    name: str
    paper: str
    title: str
    row_header: str
    convention: str
    protocol: str | None = None
    proxy: str | None = Field(None, description="the split that stands in where the paper's has no public labels")
    total: Total | None = None
    columns: Mapping[str, Column]
    rows: Mapping[str, Row]
    notes: tuple[str, ...] = ()

    def terms(self, row: str) -> Mapping[str, float]:
        """Experiment -> factor; empty for a row without."""
        entry = self.rows[row]
        return {entry: 1.0} if isinstance(entry, str) else entry or {}

    @property
    def experiments(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for row in self.rows for name in self.terms(row)))


def pick(entries: Mapping[str, Value], name: str, what: str, where: Path | str) -> Value:
    """The entry called `name`, or an `InputError` that says where it was looked for and which name is the nearest."""
    if name not in entries:
        raise unknown(name, entries, what, where)
    return entries[name]


def unknown(name: str, known: Iterable[str], what: str, where: Path | str) -> InputError:
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    remedy = f"did you mean {close[0]!r}?" if close else f"one of: {', '.join(names)}"
    return InputError(f"{where}: no {what} {name!r}; {remedy}")
