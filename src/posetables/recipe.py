"""Params -> frozen, validated recipes. Nothing else reads `params/`.

A recipe is what a stage needs to know, with every name resolved and every number final: the stages never see a scale,
a default or a file of parameters, so that the hash of a recipe says all that can change an artifact.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from posetables.data.sources import DataSource, read_pins
from posetables.errors import InputError
from posetables.papers.published import read as read_published

ScaleName = Literal["mini", "lite", "paper"]
SCALES: tuple[ScaleName, ...] = ("mini", "lite", "paper")


class Params(BaseModel):
    """Base of everything read from YAML: frozen, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# --- what a stage is given -------------------------------------------------------------------------------------------


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
    """Module of the network ("" is all of it) -> data set of weights, or `<experiment>/<stage>`, that it starts from."""
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
    key: tuple[str, ...]
    decimals: int = 1


class Table(Params):
    name: str
    paper: str
    title: str
    row_header: str
    convention: str
    protocol: str
    columns: Mapping[str, Column]
    rows: Mapping[str, str]
    notes: tuple[str, ...] = ()


# --- what the files say ----------------------------------------------------------------------------------------------


class Setup(Params):
    """What a paper's section says once about all of its experiments."""

    skeleton: str
    labels: str
    train: tuple[str, ...]
    test: str
    input: int
    codecs: Mapping[str, Codec]
    augment: Augment
    protocols: tuple[str, ...]


class StageEntry(Params):
    training: str
    init: Mapping[str, str] = {}
    freeze: tuple[str, ...] = ()
    supervise: tuple[str, ...] = ("*",)


class Training(Params):
    optimizer: Optimizer
    batch: int
    epochs: int
    warmup: float = 0.0
    milestones: Mapping[int, float] = {}
    """Epoch -> factor on the first learning rate from there on."""


class ExperimentEntry(Params):
    network: Mapping[str, str | int | float]
    pixels: Literal["centred", "imagenet"] = "centred"
    codecs: Mapping[str, Codec] | None = None
    stages: Mapping[str, StageEntry]


class ExperimentsFile(Params):
    setups: Mapping[str, Setup]
    protocols: Mapping[str, Protocol]
    trainings: Mapping[str, Training]
    experiments: Mapping[str, ExperimentEntry]


class TableEntry(Params):
    title: str
    row_header: str
    convention: str
    protocol: str
    columns: Mapping[str, Column]
    rows: Mapping[str, str]
    notes: tuple[str, ...] = ()


class ScaledTraining(Params):
    """What a small scale may change of a training: how long, how fast, how many at a time."""

    epochs: int
    lr: float
    batch: int
    warmup: float = 0.0
    clip: float | None = None


class Scale(Params):
    """What one scale changes of the papers' recipes; nothing else differs."""

    synthetic: bool = False
    resolution: int
    input: Mapping[int, int] = {}
    """Side of the network's input in pixels: the paper's -> this scale's."""
    radius: Mapping[float, float] = {}
    """Radius of target maps, likewise; where none is given it shrinks with the input."""
    people: Mapping[str, Mapping[str, tuple[int, int]]] = {}
    pretrained: bool = True
    networks: Mapping[str, Mapping[str, int | float]] = {}
    trainings: Mapping[str, ScaledTraining] = {}
    compute: Compute
    resources: Mapping[str, Mapping[str, int]]


# --- reading ---------------------------------------------------------------------------------------------------------

Model = TypeVar("Model", bound=BaseModel)
Value = TypeVar("Value")


class Recipes:
    """All of `params/`, read once; every method returns a resolved recipe or raises `InputError`."""

    def __init__(self, params: Path = Path("params")) -> None:
        self.params = params

    # What is there.

    @functools.cached_property
    def papers(self) -> tuple[str, ...]:
        return tuple(sorted(path.parent.name for path in self.params.glob("papers/*/experiments.yaml")))

    @functools.cached_property
    def experiments(self) -> tuple[str, ...]:
        return tuple(f"{paper}/{name}" for paper in self.papers for name in self._experiments(paper).experiments)

    @functools.cached_property
    def tables(self) -> Mapping[str, Table]:
        return {table.name: table for paper in self.papers for table in self._tables(paper)}

    def scale(self, name: str) -> Scale:
        return self._pick(self._scales, name, "scale", self.params / "scales.yaml")

    def published(self, table: Table) -> Mapping[tuple[str, str], str]:
        """(row, column) -> the number that the paper prints."""
        cells = read_published(self.params / "papers" / table.paper / "published.csv")
        return {(cell.row, cell.column): cell.printed for cell in cells if cell.item == table.name}

    # Resolved recipes.

    def table(self, name: str) -> Table:
        return self._pick(self.tables, name, "table", self.params / "papers/*/tables.yaml")

    def source(self, dataset: str) -> DataSource:
        files = {path.stem: path for path in sorted((self.params / "datasets").glob("*.yaml"))}
        path = self._pick(files, dataset, "data set", self.params / "datasets")
        return self._read(path, DataSource)

    def pins(self, dataset: str) -> Mapping[str, str]:
        """Native file of the data set -> its pinned SHA-256, or the digits of it that are known."""
        source = self.source(dataset)
        pinned = {} if source.pins is None else read_pins(self.params / "datasets" / source.pins)
        return dict(source.sha256) | pinned

    def splits(self, dataset: str, scale: ScaleName) -> Mapping[str, tuple[int, int]]:
        """Split -> first and last image number that this scale uses."""
        return self.scale(scale).people.get(dataset) or self.source(dataset).splits

    def preparation(self, dataset: str, scale: ScaleName) -> Preparation:
        source = self.source(dataset)
        if source.reader is None or source.skeleton is None:
            raise InputError(f"{self.params}/datasets/{dataset}.yaml: reader, skeleton: not people but weights")
        return Preparation(
            dataset=dataset,
            skeleton=source.skeleton,
            reader=source.reader,
            labels=source.labels,
            splits=self.splits(dataset, scale),
            resolution=self.scale(scale).resolution,
            margin=MARGIN,
        )

    def experiment(self, name: str, scale: ScaleName) -> Experiment:
        paper, _, short = name.partition("/")
        file = self.params / "papers" / paper / "experiments.yaml"
        if paper not in self.papers:
            raise self._unknown(name, self.experiments, "experiment", self.params / "papers/*/experiments.yaml")
        content = self._experiments(paper)
        entry = self._pick(content.experiments, short, "experiment", file)
        setup = self._pick(content.setups, short.partition("/")[0], "setup", file)
        changes = self.scale(scale)
        size = changes.input.get(setup.input, setup.input)
        zoom = size / setup.input  # lengths given in input pixels shrink with the input
        backbone = str(entry.network.get("backbone", paper))
        codecs = entry.codecs or setup.codecs
        return Experiment(
            name=name,
            skeleton=setup.skeleton,
            labels=setup.labels,
            train=tuple(_split(text) for text in setup.train),
            test=_split(setup.test),
            input=size,
            pixels=entry.pixels,
            codecs={
                key: codec.model_copy(update={"radius": changes.radius.get(codec.radius, codec.radius * zoom)})
                for key, codec in codecs.items()
            },
            augment=setup.augment,
            network=Network(paper=paper, arguments=dict(entry.network) | dict(changes.networks.get(backbone, {}))),
            stages={key: self._stage(stage, content, changes, backbone, file) for key, stage in entry.stages.items()},
            protocols={
                key: (protocol := self._pick(content.protocols, key, "protocol", file)).model_copy(
                    update={"blur": protocol.blur * zoom}
                )
                for key in setup.protocols
            },
            compute=changes.compute,
        )

    def _stage(self, entry: StageEntry, content: ExperimentsFile, scale: Scale, backbone: str, file: Path) -> Stage:
        training = self._pick(content.trainings, entry.training, "training", file)
        stage = Stage(
            optimizer=training.optimizer,
            batch=training.batch,
            epochs=training.epochs,
            warmup=training.warmup,
            milestones={epoch / training.epochs: factor for epoch, factor in training.milestones.items()},
            init=entry.init if scale.pretrained else {},
            freeze=entry.freeze,
            supervise=entry.supervise,
        )
        if (changed := scale.trainings.get(backbone)) is None:
            return stage
        faster = changed.model_dump(include={"lr", "clip"})
        shorter = changed.model_dump(include={"epochs", "batch", "warmup"})
        return stage.model_copy(update=shorter | {"optimizer": training.optimizer.model_copy(update=faster)})

    # Files.

    @functools.cached_property
    def _scales(self) -> Mapping[str, Scale]:
        path = self.params / "scales.yaml"
        return {name: _validate(path, content, Scale, name) for name, content in _yaml(path).items()}

    @functools.cache  # noqa: B019 - one object for the life of a command
    def _experiments(self, paper: str) -> ExperimentsFile:
        return self._read(self.params / "papers" / paper / "experiments.yaml", ExperimentsFile)

    def _tables(self, paper: str) -> Iterable[Table]:
        path = self.params / "papers" / paper / "tables.yaml"
        for name, content in _yaml(path).items():
            entry = _validate(path, content, TableEntry, name)
            yield Table(name=name, paper=paper, **entry.model_dump())

    @functools.cache  # noqa: B019
    def _read(self, path: Path, kind: type[Model]) -> Model:
        return _validate(path, _yaml(path), kind)

    def _pick(self, entries: Mapping[str, Value], name: str, what: str, where: Path) -> Value:
        if name not in entries:
            raise self._unknown(name, entries, what, where)
        return entries[name]

    @staticmethod
    def _unknown(name: str, known: Iterable[str], what: str, where: Path) -> InputError:
        names = list(known)
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        remedy = f"did you mean {close[0]!r}?" if close else f"one of: {', '.join(names)}"
        return InputError(f"{where}: no {what} {name!r}; {remedy}")


MARGIN = 2.03
"""Side of a stored crop over the side of the person's box: zooming out to 0.7 and turning by 40 degrees needs
(cos 40 + sin 40) / 0.7 = 2.01, and a pixel on each side for interpolation."""


def _split(text: str) -> Split:
    dataset, _, split = text.partition("/")
    return Split(dataset=dataset, split=split)


class _UniqueKeys(yaml.SafeLoader):
    """YAML keeps the last of two equal keys without a word; a recipe must not."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:merge":
                value = self.construct_object(key, deep=True)  # type: ignore[no-untyped-call]
                if value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{value} is given twice", key.start_mark)
                seen.add(value)
        return super().construct_mapping(node, deep)


def _yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(), _UniqueKeys)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; run from the root of the project") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no keys; see the other files of its folder")
    return content


def _validate(path: Path, content: Any, kind: type[Model], *prefix: str) -> Model:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join((*prefix, *(str(part) for part in first["loc"])))
        message = first["msg"]
        if first["type"] == "extra_forbidden":
            close = difflib.get_close_matches(str(first["loc"][-1]), _all_fields(kind), n=1)
            message = "unknown key" + (f"; did you mean {close[0]!r}?" if close else "; remove it")
        raise InputError(f"{path}: {key}: {message}") from error


def _all_fields(kind: type[BaseModel]) -> list[str]:
    """Field names of a schema and of the schemas inside it."""
    nested = [
        sub
        for field in kind.model_fields.values()
        for sub in (field.annotation, *getattr(field.annotation, "__args__", ()))
        if isinstance(sub, type) and issubclass(sub, BaseModel)
    ]
    return [*kind.model_fields, *(name for sub in nested for name in _all_fields(sub))]
