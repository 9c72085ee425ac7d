"""Figures: what is drawn of which experiments, by kind. A kind is a class here and a module of `stages.figures`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from posetables.recipe import Params


def each_once(names: Iterable[str | None]) -> tuple[str, ...]:
    """The experiments among names, in their order."""
    return tuple(dict.fromkeys(name for name in names if name is not None))


def unless(leaves_out: Callable[[str], bool], name: str | None) -> str | None:
    """An experiment; nothing, if a scale leaves it out."""
    return None if name is None or leaves_out(name) else name


class Panel(Params):
    """One plot of a figure: a column of a metric, at every threshold, for the rows that the paper draws."""

    column: str
    rows: Mapping[str, str | None]
    """Experiment, or nothing where there is none yet."""


class Curves(Params):
    """A figure of PCK, in whatever unit the data set measures it, as a function of its threshold."""

    kind: Literal["curves"]
    name: str
    paper: str
    title: str
    thresholds: tuple[float, float] = Field(description="last threshold and step, from 0, in units of the normaliser")
    panels: Mapping[str, Panel]

    @property
    def experiments(self) -> tuple[str, ...]:
        return each_once(name for panel in self.panels.values() for name in panel.rows.values())

    def without(self, leaves_out: Callable[[str], bool]) -> Self:
        """The same without the experiments that a scale leaves out."""
        panels = {
            title: panel.model_copy(
                update={"rows": {row: name for row, name in panel.rows.items() if not (name and leaves_out(name))}}
            )
            for title, panel in self.panels.items()
        }
        return self.model_copy(update={"panels": panels})


class PoseRow(Params):
    """Some people of one test split, as one method finds them."""

    title: str
    experiment: str | None = Field(description="nothing where there is none yet")
    people: int = Field(gt=0)
    choose: Literal["even", "worst"] = Field(
        "even", description="evenly spaced over the split; or those furthest from their labels, drawn with them"
    )


class Poses(Params):
    """A figure of poses on images, with colours for the layers of the skeleton's hierarchy."""

    kind: Literal["poses"]
    name: str
    paper: str
    title: str
    columns: int = Field(gt=0, description="people side by side")
    protocol: str | None = Field(
        None, description="how the networks are tested, in boxes of labels; else as their setup has it first"
    )
    rows: tuple[PoseRow, ...]

    @property
    def experiments(self) -> tuple[str, ...]:
        return each_once(row.experiment for row in self.rows)

    def without(self, leaves_out: Callable[[str], bool]) -> Self:
        """The same without the experiments that a scale leaves out."""
        rows = tuple(row.model_copy(update={"experiment": unless(leaves_out, row.experiment)}) for row in self.rows)
        return self.model_copy(update={"rows": rows})


Step = Literal["initial", "parent", "diffused", "stacked", "refined"]
"""The maps of a refinement unit (HCRN Fig. 3b): O, H of the parent, its diffusion, O on it, H."""


class Heatmaps(Params):
    """A figure of what the refinement units of a network do to the maps of some joints."""

    kind: Literal["heatmaps"]
    name: str
    paper: str
    title: str
    experiment: str
    joints: tuple[str, ...] = Field(description="one for each person that is drawn")
    steps: tuple[Step, ...]

    @property
    def experiments(self) -> tuple[str, ...]:
        return (self.experiment,)

    def without(self, leaves_out: Callable[[str], bool]) -> Self:
        """The same: it is of one experiment."""
        return self


class Trainings(Params):
    """A figure of the score on the people for validation, after every epoch of some trainings."""

    kind: Literal["training"]
    name: str
    paper: str
    title: str
    score: str = Field(description="what the trainings are validated by, as the axis says it")
    rows: Mapping[str, str | None]
    """Experiment, or nothing where there is none yet."""

    @property
    def experiments(self) -> tuple[str, ...]:
        return each_once(self.rows.values())

    def without(self, leaves_out: Callable[[str], bool]) -> Self:
        """The same without the experiments that a scale leaves out."""
        rows = {row: unless(leaves_out, name) for row, name in self.rows.items()}
        return self.model_copy(update={"rows": rows})


class MapColumn(Params):
    """One map of a network, of everybody who is drawn."""

    title: str
    experiment: str
    map: str = Field(description="pattern of the names of outputs and attention maps: stacks are fewer at small scales")
    take: Literal["first", "last"] = Field("last", description="of the maps whose names fit, in the network's order")
    joint: str | None = Field(None, description="whose channel; nothing: the maximum over all channels")


class Maps(Params):
    """A figure of maps that networks make of some people: a line a person, a column a map."""

    kind: Literal["maps"]
    name: str
    paper: str
    title: str
    people: int = Field(gt=0)
    choose: Literal["even", "nearer"] = Field(
        "even",
        description="evenly spaced over the split; or those whose maximum is nearest to the label in the last column "
        "of a joint from furthest in the first",
    )
    columns: tuple[MapColumn, ...]

    @property
    def experiments(self) -> tuple[str, ...]:
        return each_once(column.experiment for column in self.columns)

    @property
    def compared(self) -> tuple[int, int] | None:
        """Numbers of the first column with a joint and of the last one with the same, if there are two."""
        joints = {number: column.joint for number, column in enumerate(self.columns) if column.joint is not None}
        same = [number for number, joint in joints.items() if joint == next(iter(joints.values()))]
        return (same[0], same[-1]) if len(same) > 1 else None

    def without(self, leaves_out: Callable[[str], bool]) -> Self:
        """The same without the experiments that a scale leaves out."""
        columns = tuple(column for column in self.columns if not leaves_out(column.experiment))
        return self.model_copy(update={"columns": columns})

    @model_validator(mode="after")
    def _has_two_columns_to_compare(self) -> Self:
        if self.choose == "nearer" and self.compared is None:
            raise ValueError("choose: nearer compares the maxima of one joint; give it in two columns, or choose even")
        return self


class Masks(Params):
    """A figure of keypoint masking: some of the people who are trained on as they are, and with a mask of each kind."""

    kind: Literal["masking"]
    name: str
    paper: str
    title: str
    experiment: str | None = Field(description="nothing where there is none yet")
    stage: str = Field(description="of its training, one that masks")
    people: int = Field(gt=0, description="evenly spaced over the first data set that it trains on")

    @property
    def experiments(self) -> tuple[str, ...]:
        return each_once([self.experiment])

    def without(self, leaves_out: Callable[[str], bool]) -> Self:
        """The same without an experiment that a scale leaves out."""
        return self.model_copy(update={"experiment": unless(leaves_out, self.experiment)})


class Sweep(Params):
    """A figure of one number of some experiments that differ in one thing, in the order of its values."""

    kind: Literal["sweep"]
    name: str
    paper: str
    title: str
    axis: str = Field(description="what the experiments differ in")
    score: str = Field(description="what is drawn of them, as the axis says it")
    column: tuple[str, str] = Field(description="metric, and column of it")
    protocol: str | None = Field(None, description="how the networks are tested; else as their setup has it first")
    rows: Mapping[str, str | None]
    """Value on the axis -> experiment, or nothing where there is none yet."""

    @property
    def experiments(self) -> tuple[str, ...]:
        return each_once(self.rows.values())

    def without(self, leaves_out: Callable[[str], bool]) -> Self:
        """The same without the experiments that a scale leaves out."""
        rows = {row: unless(leaves_out, name) for row, name in self.rows.items()}
        return self.model_copy(update={"rows": rows})


class GuidedPoints(Params):
    """A figure of the points that a training samples around one joint of some test people: a line a person, a column a
    kind of points."""

    kind: Literal["points"]
    name: str
    paper: str
    title: str
    experiment: str | None = Field(description="nothing where there is none yet")
    joint: str
    people: int = Field(gt=0, description="evenly spaced over those of the test split who have the joint labelled")

    @property
    def experiments(self) -> tuple[str, ...]:
        return each_once([self.experiment])

    def without(self, leaves_out: Callable[[str], bool]) -> Self:
        """The same without an experiment that a scale leaves out."""
        return self.model_copy(update={"experiment": unless(leaves_out, self.experiment)})


Figure = Curves | Poses | Heatmaps | Trainings | Maps | Masks | Sweep | GuidedPoints
FIGURES: Mapping[str, type[Figure]] = {
    "curves": Curves,
    "poses": Poses,
    "heatmaps": Heatmaps,
    "training": Trainings,
    "maps": Maps,
    "masking": Masks,
    "sweep": Sweep,
    "points": GuidedPoints,
}
"""By kind. Each is drawn by the module `stages.figures.<kind>`."""
