"""What the YAML files of `params/` say, before names are resolved and scales applied: one class a kind of entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import Field, RootModel, model_validator

from posetables.recipe import (
    Augment,
    Codecs,
    Compute,
    Masking,
    Method,
    Optimizer,
    Params,
    Pixels,
    Plateau,
    Protocol,
)


class Setup(Params):
    """What a paper's section says once about all of its experiments."""

    skeleton: str
    labels: str
    train: tuple[str, ...]
    test: str
    input: int
    aspect: float = 1.0
    maps_of: str | None = None
    codecs: Codecs
    augment: Augment
    protocols: tuple[str, ...]


class StageEntry(Params):
    training: str
    validation: str | None = None
    masking: Masking | None = None
    init: Mapping[str, str] = {}
    freeze: tuple[str, ...] = ()
    supervise: tuple[str, ...] = ("*",)


class Training(Params):
    optimizer: Optimizer
    batch: int = Field(gt=0)
    epochs: int = Field(gt=0)
    warmup: float = 0.0
    milestones: Mapping[int, float] = {}
    """Epoch -> factor on the first learning rate from there on."""
    plateau: Plateau | None = None
    shares: int = Field(1, gt=0, description="as in `recipe.Stage`")


class ExperimentEntry(Params):
    network: Mapping[str, str | int | float]
    pixels: Pixels = "centred"
    codecs: Codecs | None = None
    augment: Augment | None = None
    protocols: tuple[str, ...] | None = None
    stages: Mapping[str, StageEntry]

    @property
    def backbone(self) -> str:
        """What `scales.yaml` narrows and shortens it by."""
        return str(self.network["backbone"])


class ExperimentsFile(Params):
    setups: Mapping[str, Setup]
    protocols: Mapping[str, Protocol]
    trainings: Mapping[str, Training]
    experiments: Mapping[str, ExperimentEntry]


class ReleasedFile(Params):
    file: str
    layout: str = "keypoints"


class ReleaseSetup(Params):
    """Prediction files for the people of one split, as `experiments.yaml` has a setup for networks."""

    skeleton: str
    labels: str
    test: str
    dataset: str
    methods: Mapping[str, ReleasedFile]


class ScaledTraining(Params):
    """What a small scale may change of a training: how long, how fast, how many at a time."""

    epochs: int = Field(gt=0)
    lr: float = Field(gt=0)
    batch: int = Field(gt=0)
    warmup: float = 0.0
    clip: float | None = None


class Request(Params):
    """What one job asks of a cluster, the first time."""

    gpu: int = Field(ge=0, description="of each node")
    gpu_model: str | None = Field(None, description="as the cluster calls it; nothing: any")
    cpus: int | None = Field(None, gt=0, description="of each process; nothing: the threads of the recipe")
    mem_mb: int = Field(gt=0, description="of each node")
    runtime: int = Field(gt=0, description="minutes")
    nodes: int = Field(1, gt=0)
    processes: int = Field(1, gt=0, description="on each node: as many as it gives GPUs")

    @model_validator(mode="after")
    def _has_a_process_for_each_gpu(self) -> Self:
        if self.gpu and self.processes != self.gpu:
            raise ValueError(f"gpu: {self.gpu} needs as many processes, not {self.processes}")
        return self


class Requests(Params):
    data: Request
    train: Request
    predict: Request
    measure: Request


class Methods(RootModel[Mapping[str, Method]]):
    """`methods.yaml`."""


class Scale(Params):
    """What one scale changes of the papers' recipes; nothing else differs."""

    synthetic: bool = False
    resolution: int
    input: Mapping[int, int] = {}
    """Side of the network's input in pixels: the paper's -> this scale's."""
    radius: Mapping[float, float] = {}
    """Radius of target maps, likewise; where none is given it shrinks with the input."""
    people: Mapping[str, Mapping[str, tuple[int, int]]] = {}
    leaves_out: tuple[str, ...] = ()
    """Patterns of experiments that say nothing at this scale, or cannot be made."""
    pretrained: bool = True
    detectors: Mapping[str, str] = {}
    """Detector of the paper -> what stands in for it."""
    networks: Mapping[str, Mapping[str, int | float]] = {}
    """Backbone, or `<paper>/<backbone>` where that of one paper is narrowed otherwise."""
    trainings: Mapping[str, ScaledTraining] = {}
    """Backbone, or `<backbone>/<training>` where one needs another rate."""
    compute: Compute
    checkpoint_seconds: float = Field(ge=0, description="of training that a kill costs at most, besides its start")
    resources: Requests
