"""Recipes: what a stage needs to know, with every name resolved and every number final.

The stages never see a scale, a default or a file of parameters, so that the hash of a recipe says all that can change
an artifact. `posetables.params` makes recipes out of the files in `params/`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from posetables.errors import InputError

ScaleName = Literal["mini", "lite", "paper"]
SCALES: tuple[ScaleName, ...] = ("mini", "lite", "paper")

Value = TypeVar("Value")


class Params(BaseModel):
    """Base of all recipes and of everything read from YAML: frozen, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Grid = Literal["centres", "corners"]
"""Which pixel of the input a cell of a map stands for: the one in its middle; or, as the releases of Simple Baselines
and HRNet have it, cell i stands for pixel i times the stride."""


class Codec(Params):
    """Target maps of the joints and the loss on them (HCRN Table III; MSSA Eq. 1 and 2)."""

    target: Literal["disc", "gaussian"]
    radius: float = Field(gt=0, description="disc: radius; gaussian: standard deviation; pixels of the network's input")
    loss: Literal["cross-entropy", "l2"]
    background: bool
    activation: Literal["sigmoid", "none"] = "sigmoid"
    finest: int | None = Field(
        None,
        gt=0,
        description="pixels of the input a cell of the finest map: coarser ones have its target, pooled, and count by "
        "their cells (MSSA Eq. 1)",
    )
    structure: float = Field(0.0, ge=0, description="weight of the maps that are matched together (MSSA Eq. 2, alpha)")
    visible_only: bool = Field(False, description="whether the map of an occluded joint is 0 (PHR sec. 3)")
    grid: Grid = "centres"
    rounded: bool = Field(False, description="whether a target is centred on the cell nearest to its joint (HRNet)")
    cut: float | None = Field(
        None, gt=0, description="sigmas at which a Gaussian ends; a joint further outside of its map counts for nothing"
    )
    weight: float = Field(1.0, gt=0, description="of this loss: HRNet halves the mean")

    @model_validator(mode="after")
    def _matches_joints(self) -> Self:
        if self.structure and (self.background or self.loss != "l2"):
            raise ValueError("structure: the maps that are matched together want background: false and loss: l2")
        return self


class Points(Params):
    """Class and offset of points near the joints, and the loss on them (Graph-PCNN Eq. 6 and 8 to 10)."""

    target: Literal["points"]
    radius: float = Field(gt=0, description="sigma, pixels of the network's input")
    positive: float = Field(gt=0, description="sigmas within which a point is one of the joint")
    reliable: float = Field(gt=0, description="sigmas within which it passes messages in training (Eq. 12, delta)")
    regression: float = Field(ge=0, description="weight of the offsets (Eq. 10, lambda)")
    grid: Grid = "centres"


Codecs = Mapping[str, Annotated[Codec | Points, Field(discriminator="target")]]
"""By the pattern of the names of the outputs that they are of."""


class Augment(Params):
    """Ranges from which each person's augmentation is drawn, once an epoch."""

    rotation: float = Field(ge=0, le=180, description="degrees; uniform: in +-rotation; normal: deviation, cut at 2")
    scale: tuple[float, float] = Field(
        description="uniform: of the person; normal: of the region that is read, deviation half of the range, cut at it"
    )
    spread: Literal["uniform", "normal"] = Field("uniform", description="normal: as Simple Baselines and HRNet draw")
    rotated: float = Field(1.0, ge=0, le=1, description="probability")
    half_body: float = Field(0.0, ge=0, le=1, description="probability of a region around half of the body")
    flip: float = Field(ge=0, le=1, description="probability")
    colour: tuple[float, float] = Field(
        (1.0, 1.0), description="each of red, green and blue times a factor of its own, uniform between these"
    )


class Masking(Params):
    """Keypoint masking (MSSA sec. 3.4): a patch of background over a joint, or a joint's patch on the background."""

    probability: float = Field(gt=0, le=1, description="of a person to be masked, once an epoch")
    patch: float = Field(gt=0, description="side, pixels of the network's input")
    background: float = Field(0.5, ge=0, le=1, description="share of the first kind")


class Plateau(Params):
    """The rate falls when the score on people for validation has not risen for some epochs; without such people, when
    the loss has not fallen."""

    patience: int = Field(gt=0, description="epochs")
    factor: float = Field(gt=0, lt=1)


Pixels = Literal["centred", "imagenet", "imagenet-bgr"]
"""Colours minus a half; or normalised as ImageNet's; or these in the order blue, green, red, each with the mean and
deviation of the channel that stands there in the usual order (Simple Baselines)."""


class Network(Params):
    """`posetables.models.<paper>.build(skeleton, **arguments)`."""

    paper: str
    arguments: Mapping[str, str | int | float]


class Split(Params):
    """People of one data set."""

    dataset: str
    split: str


class Part(Split):
    """People to train on, whose joints may be others than those of the network."""

    skeleton: str


class Optimizer(Params):
    name: Literal["sgd", "rmsprop", "adam"]
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
    plateau: Plateau | None = None
    validation: Split | None = Field(None, description="people on whom every epoch is scored")
    masking: Masking | None = None
    init: Mapping[str, str] = {}
    """Module of the network ("" is all) -> what it starts from: a data set of weights, or `<experiment>/<stage>`."""
    freeze: tuple[str, ...] = ()
    supervise: tuple[str, ...] = ("*",)
    shares: int = Field(
        1,
        gt=0,
        description="parts of the batch whose statistics are apart: the GPUs of the paper; 1: normalised as one",
    )


TRUTH = "truth"


class Conditional(Params):
    """How people are looked for again who were not found at first (MSSA sec. 4.1), and on whom that is settled."""

    shifts: float = Field(gt=0, description="of the box to each of its four sides, in sides of the box")
    scales: tuple[float, ...] = Field(description="of the box, each in a pass of its own")
    calibrate: str = Field(description="<data set>/<split>: labelled people on whom the thresholds are chosen")
    quantiles: tuple[float, ...] = Field(
        min_length=1, description="of confidences and of scores: the thresholds that are tried"
    )

    @model_validator(mode="after")
    def _has_shares_for_quantiles(self) -> Self:
        if wrong := [each for each in self.quantiles if not 0 <= each <= 1]:
            raise ValueError(f"quantiles: {wrong[0]} is no share; give numbers from 0 to 1")
        return self

    @property
    def split(self) -> Split:
        dataset, _, split = self.calibrate.partition("/")
        return Split(dataset=dataset, split=split)


class Protocol(Params):
    """How a trained network is tested."""

    scales: tuple[float, ...]
    pyramid: Literal["resolution", "region"] = Field(
        "resolution", description="what a scale changes: the pixels of the box that is read, or the region that is read"
    )
    flip: bool
    blur: float = Field(ge=0, description="sigma of the Gaussian over the fused maps before the maximum, input pixels")
    conditional: Conditional | None = Field(None, description="whether whoever is not found is looked for again")
    decode: Literal["interpolated", "maximum", "quarter", "dark"] = Field(
        "interpolated",
        description="maximum of maps brought to the pixels of the input; or of maps as they are, moved a quarter of a "
        "cell to the greater neighbour, or as DARK does",
    )
    kernel: int = Field(0, ge=0, description="side of DARK's modulation, cells")
    shift: int = Field(0, ge=0, description="cells by which maps of the flipped image are moved right (HRNet)")
    refine: float | None = Field(
        None,
        description="heat above which a point passes messages, where a second stage moves what is decoded (Graph-PCNN "
        "Eq. 12, xi)",
    )
    boxes: str = Field(TRUTH, description="who says where the people are: their labels, or a detector")
    test: str | None = Field(
        None, description="<data set>/<split> in place of the setup's: people whose labels only a server has"
    )

    @model_validator(mode="after")
    def _blurs_in_pixels_of_the_input(self) -> Self:
        if self.blur and self.pyramid == "region":
            raise ValueError("blur: maps of pyramid: region are fused in pixels of the image, not the input; give 0")
        return self

    @model_validator(mode="after")
    def _decodes_maps_of_one_size(self) -> Self:
        as_they_are = self.decode != "interpolated"
        if as_they_are and (self.scales != (1.0,) or self.pyramid == "region" or self.blur):
            raise ValueError(f"decode: {self.decode} reads maps as they are; give scales: [1.0] and blur: 0 alone")
        if (self.shift or self.refine is not None) and not as_they_are:
            raise ValueError("shift, refine: in cells of maps as they are; set decode: maximum, quarter or dark")
        if (self.decode == "dark") != (self.kernel % 2 == 1):
            raise ValueError("kernel: an odd number of cells where decode is dark, else 0")
        return self

    @property
    def reach(self) -> float:
        """Side of the square around a person in which all regions lie that are read, in sides of the box."""
        widest = max(self.scales) if self.pyramid == "region" else 1.0
        if self.conditional is None:
            return widest
        return max(widest + 2 * self.conditional.shifts, widest * max(self.conditional.scales, default=1.0))


class Detector(Params):
    """Who says where the people of an image are, when their labels do not."""

    name: str
    kind: str | None = Field(None, description="`posetables.data.detectors.<kind>`; nothing for a file of boxes")
    dataset: str | None = Field(None, description="data set of its weights, or of the file of what it found")
    file: str | None = Field(None, description="what somebody else found, among the files of the data set")
    predictions: str | None = Field(None, description="<experiment>/<protocol>: boxes around the joints that it found")


class Compute(Params):
    """What changes the last bits of a result besides the recipe; fixed so that they do not move."""

    threads: int = Field(gt=0)
    precision: Literal["float32", "bfloat16"]


DETECTED, BOXES = "detected", "boxes"
"""First part of the name of a detector's boxes, `detected/<dataset>-<split>/<detector>`; and their protocol."""
RELEASED, PUBLISHED = "released", "published"
"""First part of the name of published predictions, `released/<setup>/<method>`; and their protocol, whatever it was."""


class Tested(Params):
    """Predictions of one method for the people of one split: what a score reads of their making."""

    name: str
    skeleton: str
    labels: str
    test: Split
    metrics: tuple[str, ...]


class Release(Tested):
    """A prediction file that its authors published."""

    dataset: str
    file: str
    layout: str


class Experiment(Tested):
    """One network trained on one data set."""

    train: tuple[Part, ...]
    input: int = Field(gt=0, description="height of the network's input, pixels")
    aspect: float = Field(gt=0, description="its width over its height")
    maps_of: str = Field(description="skeleton of whose joints the network has maps; its people may have others")
    pixels: Pixels
    codecs: Codecs
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

    def tested_by(self, protocol: str) -> Experiment:
        """The same, with the people whom the protocol tests on."""
        if (test := self.protocol(protocol).test) is None:
            return self
        dataset, _, split = test.partition("/")
        return self.model_copy(update={"test": Split(dataset=dataset, split=split)})

    def calibrated_by(self, protocol: str) -> Experiment:
        """The same, with the people on whom the thresholds of conditional testing are chosen.

        Raises:
            InputError: the protocol tests everybody once.
        """
        if (conditional := self.protocol(protocol).conditional) is None:
            raise InputError(f"{self.name}: protocol {protocol} has no key conditional, so nothing to calibrate")
        return self.model_copy(update={"test": conditional.split})


class Annotation(Params):
    """What the table of the people of one data set depends on."""

    dataset: str
    reader: str
    splits: Mapping[str, tuple[int, int]]


class Cropping(Params):
    """What their store of crops depends on."""

    dataset: str
    resolution: int
    margin: float


Read = Literal["score", "cost", "speed"]
"""A score of predictions; the cost of a network, counted and timed alone; the speed of a whole test."""


class Column(Params):
    """A column of a table: the file it is read from, the keys inside it, and how the paper prints it."""

    read: Read
    key: tuple[str, ...] = Field(min_length=1)
    protocol: str | None = Field(None, description="how those networks are tested that know it")
    decimals: int = 1
    unit: float = Field(1.0, description="what ours is multiplied by: .01 where the paper prints a rate as a fraction")


class Total(Params):
    """How a printed column follows from the others of its row and metric; our own are scored, never added up."""

    column: str
    rule: Literal["mean", "sticks", "mpii"] = Field(
        description="plain mean; PCP over ten sticks; mean over the joints annotated in MPII"
    )


class Tolerance(Params):
    """How far a number of ours may be from the printed one and still reproduce it."""

    absolute: float = Field(ge=0)
    why: str


Entry = str | Mapping[str, float] | None
"""An experiment; or experiments and their factors, where the paper prints a sum or a difference; or nothing: what the
paper cites from another work, or a number of its own for which there is no experiment yet."""


class ByColumn(Params):
    """A row whose columns are not of one origin: an AP that is cited, beside a time of our own."""

    by_column: Mapping[str, Entry]


Row = Entry | ByColumn


class Table(Params):
    """One item of a paper: its rows and columns as printed, and where each of our numbers is read from."""

    name: str
    paper: str
    title: str
    row_header: str
    convention: str
    protocol: str | Mapping[str, str] | None = Field(
        None, description="how networks are tested: in all rows, or row -> protocol; else as their setup has it first"
    )
    proxy: str | Mapping[str, str] | None = Field(
        None,
        description="the split that stands in where the paper's has no public labels: for all rows, or row -> split",
    )
    total: Total | None = None
    columns: Mapping[str, Column]
    rows: Mapping[str, Row]
    notes: tuple[str, ...] = ()

    def terms(self, row: str, column: str) -> Mapping[str, float]:
        """Experiment -> factor, in one order however they are written; empty for a cell without."""
        entry = self.rows[row]
        if isinstance(entry, ByColumn):
            entry = entry.by_column.get(column)
        terms = {entry: 1.0} if isinstance(entry, str) else entry or {}
        return dict(sorted(terms.items(), key=lambda term: (term[1] < 0, term[0])))

    def tested_by(self, row: str) -> str | None:
        """How the networks of a row are tested, if the table says so."""
        return self.protocol.get(row) if isinstance(self.protocol, Mapping) else self.protocol

    def stand_in(self, row: str) -> str | None:
        """The split that our number of a row is scored on, if not the paper's."""
        return self.proxy.get(row) if isinstance(self.proxy, Mapping) else self.proxy


Range = tuple[float | None, float | None]
"""Open at both ends, None where it has none: (0, None) is "more than"."""


class Comparison(Params):
    """One thing that a claim says of cells: `left - right` or `left / right` lies in a range, in every named column and
    against every named row."""

    item: str
    left: str
    right: str | tuple[str, ...] = Field(description='rows; "others" are those of the table that print the column')
    right_item: str | None = Field(None, description="where the rows on the right stand in another table")
    columns: Literal["all"] | tuple[str, ...] | Mapping[str, str] = Field(
        description="left column -> right column, where the two are not the same"
    )
    difference: Range | None = None
    ratio: Range | None = None
    stated: tuple[str, str, str] | None = Field(
        None, description="cell in which the paper prints the difference; the range is what rounds to it"
    )

    @model_validator(mode="after")
    def _has_one_range(self) -> Self:
        if sum(each is not None for each in (self.difference, self.ratio, self.stated)) != 1:
            raise ValueError("give one of difference, ratio and stated")
        return self


class Claim(Params):
    """A comparative statement of a paper: it holds if all of its comparisons do."""

    says: str = Field(description="in our words")
    where: str
    finding: tuple[str, ...] = Field((), description="findings of our audit of the papers")
    holds: tuple[Comparison, ...] = Field(min_length=1)


class Source(Params):
    """One of the numbers, each with its factor, whose sum is a cell of ours."""

    read: Read
    experiment: str
    protocol: str
    skeleton: str
    key: tuple[str, ...]
    factor: float
    boxes: str = Field("", description="who says where people are, where several do")

    @property
    def input(self) -> str:
        """Name of the input that holds it. What a network costs does not depend on how it is tested."""
        return f"{self.read}:{self.experiment}" + ("" if self.read == "cost" else f"/{self.protocol}")


Method = Mapping[str, str | tuple[str, ...] | Mapping[str, int]]
"""Item -> the row, or rows, that one method has there; or rows and their signs, where the paper prints it in parts."""


class Findings(Params):
    """What arithmetic on printed digits makes of the findings of our audit."""

    decided: Mapping[str, str] = Field(description="finding -> rule of `papers.consistency` that decides it")
    undecided: Mapping[str, str] = Field(description="finding -> why no rule can")


def is_released(experiment: str) -> bool:
    """Whether it stands for a published prediction file, scored here, and not for a network of ours."""
    return experiment.startswith(f"{RELEASED}/")


def is_detected(experiment: str) -> bool:
    """Whether it stands for the boxes of a detector."""
    return experiment.startswith(f"{DETECTED}/")


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
