"""The DAG: every artifact of the project, where it lies, what it is made of, and the identity that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from posetables.data import submissions
from posetables.errors import InputError
from posetables.figures import Poses, Sweep
from posetables.papers.claims import Known, Part, Place, parts
from posetables.params import Recipes
from posetables.provenance import identity, manifest
from posetables.provenance.artifact import Artifact
from posetables.recipe import (
    PUBLISHED,
    SCALES,
    TRUTH,
    Detector,
    Experiment,
    Params,
    Protocol,
    ScaleName,
    Source,
    Split,
    Table,
    is_detected,
    is_released,
    pick,
)
from posetables.stages import loaded, tabulate


def _plain(recipe: Params, *fields: str) -> dict[str, Any]:
    return recipe.model_dump(mode="json", include=set(fields) or None)


def _in_order(content: Any) -> Any:
    """Mappings as lists of pairs: identities do not see an order of keys, and that of a figure shows."""
    if isinstance(content, Mapping):
        return [[key, _in_order(value)] for key, value in content.items()]
    return [_in_order(each) for each in content] if isinstance(content, list) else content


SEEN = ("input", "aspect", "maps_of", "pixels", "codecs", "network", "compute")
"""What decides how a network sees people and what its outputs are."""

DRAWN_FROM: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "curves": (("people", "predictions"), ("skeleton", "labels", "test", "metrics")),
    "poses": (("crops", "predictions"), ("skeleton", "labels", "test")),
    "heatmaps": (("crops", "weights"), ("skeleton", "labels", "test", *SEEN)),
    "training": (("history",), ("stages",)),
    "maps": (("crops", "weights"), ("skeleton", "labels", "test", *SEEN)),
    "masking": (("train",), ("labels", "train", "input", "aspect", "maps_of", "pixels", "network", "stages")),
    "sweep": (("scores",), ("name",)),
    "points": (("crops", "weights"), ("skeleton", "labels", "test", *SEEN)),
}
"""Kind of a figure -> what it is drawn from, and what is read of the recipe of each experiment."""


def _way(protocol: Protocol) -> dict[str, Any]:
    """How it tests; on whom, the recipe says beside it."""
    return protocol.model_dump(mode="json", exclude={"test"})


class Artifacts:
    """Every artifact of one scale. Paths are relative to the root of the project."""

    def __init__(self, recipes: Recipes, scale: ScaleName) -> None:
        self.recipes, self.scale = recipes, scale
        inside = "" if scale == "paper" else scale
        self.root = Path("results") / inside
        self.raw = Path("data/raw") / inside
        self.prepared = Path("data/prepared") / inside

    def everything(self) -> list[Artifact]:
        """Every artifact that the tables and claims of all papers are made from, what is made first, first."""
        claimed = [paper for paper in self.recipes.papers if self.recipes.claims(paper)]
        ends = [
            *map(self.table, self.recipes.tables),
            *map(self.figure, self.recipes.figures),
            *map(self.claims, claimed),
        ]
        return list(dict.fromkeys(each for end in ends for each in end.all()))

    def of_setup(self, setup: str) -> list[Artifact]:
        """Weights, predictions, scores and costs of a setup's experiments, as far as tables need them.

        Raises:
            InputError: no table needs any.
        """
        folders = {self.root / kind / setup for kind in ("train", "predictions", "scores")}
        found = [artifact for artifact in self.everything() if folders & {*artifact.manifest.parents}]
        if not setup or not found:
            raise InputError(f"--config: no table needs setup {setup!r}; give one such as setup=hcrn/lsp-pc")
        return found

    def of_paper(self, paper: str) -> list[Artifact]:
        """Tables with a number of ours, figures with something to draw, and the claims of a paper, or of `all`."""
        recipes = self.recipes
        if paper == "all":
            return [made for each in recipes.papers for made in self.of_paper(each)]
        pick(dict.fromkeys((*recipes.papers, "all")), paper, "paper", "--config")
        tables = [self.table(item) for item in recipes.tables if item.startswith(f"{paper}_")]
        figures = [self.figure(item) for item in recipes.figures if item.startswith(f"{paper}_")]
        return [made for made in (*tables, *figures, self.claims(paper)) if made.inputs]

    def manifests(self) -> list[Path]:
        """Every manifest of this scale on this disk, whether or not the recipes of today know of it."""
        others = [self.root / name for name in SCALES if self.scale == "paper" and name != "paper"]
        others.append(self.root / "crates")  # copies
        results = (path for kind in ("manifest.json", "*.manifest.json") for path in self.root.rglob(kind))
        return sorted(
            {*self.raw.glob("*.manifest.json"), *self.prepared.rglob("*.manifest.json")}
            | {path for path in results if not any(path.is_relative_to(other) for other in others)}
        )

    @cache  # noqa: B019 - lives as long as the command
    def fetch(self, dataset: str) -> Artifact:
        """All but the images of a data set; synthetic people are drawn whole.

        Real files are leaves: their pinned hashes are their identity, whatever code brought them here.
        """
        source = self.recipes.source(dataset)
        recipe: dict[str, Any] = {"dataset": dataset}
        native: Sequence[str] = source.native
        modules: tuple[str, ...] = ()
        if synthetic := self.is_synthetic(dataset):
            splits = self.recipes.splits(dataset, self.scale)
            recipe |= {"reader": source.reader, "splits": {name: list(ends) for name, ends in splits.items()}}
            native, modules = (*native, *source.images), (f"posetables.data.synthetic.{source.reader}",)
        else:
            recipe |= {"pins": self._pins(dataset, images=False)}
        return Artifact(
            stage="fetch",
            recipe=recipe,
            modules=modules,
            outputs=self._native(dataset, native),
            manifest=self.raw / f"{dataset}{'.labels' if source.images and not synthetic else ''}.manifest.json",
        )

    @cache  # noqa: B019
    def fetch_images(self, dataset: str) -> Artifact:
        """Those images that the labels name."""
        if self.is_synthetic(dataset):
            return self.fetch(dataset)
        return Artifact(
            stage="fetch",
            recipe={"dataset": dataset, "pins": self._pins(dataset, images=True)},
            modules=(),
            outputs=self._native(dataset, self.recipes.source(dataset).images),
            manifest=self.raw / f"{dataset}.images.manifest.json",
            inputs={"people": self.annotate(dataset)},
        )

    def is_synthetic(self, dataset: str) -> bool:
        return self.recipes.scale(self.scale).synthetic and self.recipes.source(dataset).reader is not None

    def _pins(self, dataset: str, *, images: bool) -> str:
        native, pins = self.recipes.source(dataset).native, self.recipes.pins(dataset)
        return identity.digest({name: pin for name, pin in pins.items() if (name in native) != images})

    def _native(self, dataset: str, names: Sequence[str]) -> Mapping[str, Path]:
        """First part of each native name -> where it lies."""
        return {name: self.raw / dataset / name for name in dict.fromkeys(Path(each).parts[0] for each in names)}

    @cache  # noqa: B019
    def annotate(self, dataset: str) -> Artifact:
        annotation = self.recipes.annotation(dataset, self.scale)
        folder = self.prepared / dataset
        return Artifact(
            stage="annotate",
            recipe=_plain(annotation),
            modules=("posetables.stages.annotate", f"posetables.data.readers.{annotation.reader}"),
            outputs={"people": folder / "people.parquet", "frames": folder / "frames.parquet"},
            manifest=folder / "people.manifest.json",
            inputs={"labels": self.fetch(dataset)},
        )

    @cache  # noqa: B019
    def crop(self, dataset: str) -> Artifact:
        return self._cropped(dataset, self.annotate(dataset), self.prepared / dataset)

    @cache  # noqa: B019
    def detect(self, test: Split, name: str) -> Artifact:
        """Boxes of people in the images of a split."""
        detector = self.recipes.detector(name)
        place = self.root / "detections" / f"{test.dataset}-{test.split}"
        inputs = {"people": self.annotate(test.dataset)}
        if detector.predictions is not None:
            experiment, _, protocol = detector.predictions.rpartition("/")
            recipe = self.recipes.experiment(experiment, self.scale)
            inputs["predictions"] = self.predict(experiment, protocol, 0)
            inputs["crops"] = self.crops_of(recipe.test, recipe.protocol(protocol).boxes)
        elif detector.file is not None and detector.dataset is not None:
            inputs["file"] = self.fetch(detector.dataset)
        else:
            inputs |= self._eyes(test, detector)
        return Artifact(
            stage="detect",
            recipe=_plain(detector) | {"test": _plain(test)},
            modules=("posetables.stages.detect", *loaded.detector(detector)),
            outputs={"boxes": place / f"{name}.json", "people": place / f"{name}.parquet"},
            manifest=place / f"{name}.manifest.json",
            inputs=inputs,
        )

    def _eyes(self, test: Split, detector: Detector) -> dict[str, Artifact]:
        """What a detector that looks at images needs."""
        images = {"images": self.fetch_images(test.dataset)}
        return images if detector.dataset is None else images | {"weights": self.fetch(detector.dataset)}

    @cache  # noqa: B019
    def crop_boxes(self, test: Split, detector: str) -> Artifact:
        """The people of a split as a detector finds them."""
        folder = self.prepared / "boxes" / f"{test.dataset}-{test.split}" / detector
        return self._cropped(test.dataset, self.detect(test, detector), folder)

    def _cropped(self, dataset: str, people: Artifact, folder: Path) -> Artifact:
        return Artifact(
            stage="crop",
            recipe=_plain(self.recipes.cropping(dataset, self.scale)),
            modules=("posetables.stages.crop",),
            outputs={"crops": folder / "crops.parquet", "pixels": folder / "crops.npy"},
            manifest=folder / "crops.manifest.json",
            inputs={"people": people, "images": self.fetch_images(dataset)},
        )

    def crops_of(self, test: Split, boxes: str) -> Artifact:
        return self.crop(test.dataset) if boxes == TRUTH else self.crop_boxes(test, boxes)

    @cache  # noqa: B019
    def train(self, name: str, stage: str, seed: int) -> Artifact:
        experiment = self.recipes.experiment(name, self.scale)
        recipe = experiment.stage(stage)
        inputs = {part.dataset: self.crop(part.dataset) for part in experiment.train}
        metric = {} if recipe.validation is None else {"metric": experiment.metrics[0]}
        if recipe.validation is not None:
            inputs["validation"] = self.crop(recipe.validation.dataset)
        for module, origin in recipe.init.items():
            inputs[f"init:{module}"] = self._weights(origin, seed)
        folder = self.root / "train" / name / f"seed{seed}" / stage
        read = ("labels", "train", *SEEN, "augment")
        return Artifact(
            stage="train",
            recipe=_plain(experiment, *read) | {"stage": _plain(recipe), "seed": seed} | metric,
            modules=("posetables.stages.train", *loaded.training(experiment, recipe)),
            outputs={"weights": folder / "weights.safetensors", "history": folder / "history.csv"},
            manifest=folder / "manifest.json",
            inputs=inputs,
        )

    def _weights(self, origin: str, seed: int) -> Artifact:
        if "/" not in origin:
            return self.fetch(origin)
        experiment, _, stage = origin.rpartition("/")
        return self.train(experiment, stage, seed)

    @cache  # noqa: B019
    def predict(self, name: str, protocol: str, seed: int) -> Artifact:
        experiment = self.recipes.experiment(name, self.scale).tested_by(protocol)
        read = ("skeleton", "test", *SEEN)
        predictions = self.root / "predictions" / name / f"seed{seed}" / f"{protocol}.parquet"
        return Artifact(
            stage="predict",
            recipe=_plain(experiment, *read) | {"protocol": _way(experiment.protocol(protocol))},
            modules=("posetables.stages.predict", *loaded.testing(experiment, experiment.protocol(protocol))),
            outputs={"predictions": predictions},
            manifest=manifest.beside(predictions),
            inputs={
                "crops": self.crops_of(experiment.test, experiment.protocol(protocol).boxes),
                "weights": self.train(name, experiment.final_stage, seed),
                **self._thresholds(experiment, protocol, seed),
            },
        )

    @cache  # noqa: B019
    def calibrate(self, name: str, protocol: str, seed: int) -> Artifact:
        """The thresholds of conditional testing, chosen on people in labelled boxes."""
        experiment = self.recipes.experiment(name, self.scale).calibrated_by(protocol)
        read = ("skeleton", "labels", "test", *SEEN)
        thresholds = self.root / "predictions" / name / f"seed{seed}" / f"{protocol}.thresholds.json"
        return Artifact(
            stage="calibrate",
            recipe=_plain(experiment, *read)
            | {"metric": experiment.metrics[0], "protocol": _way(experiment.protocol(protocol))},
            modules=("posetables.stages.calibrate", *loaded.testing(experiment, experiment.protocol(protocol))),
            outputs={"thresholds": thresholds},
            manifest=manifest.beside(thresholds),
            inputs={
                "crops": self.crop(experiment.test.dataset),
                "weights": self.train(name, experiment.final_stage, seed),
            },
        )

    def _thresholds(self, experiment: Experiment, protocol: str, seed: int) -> dict[str, Artifact]:
        """Nothing for a protocol that tests everybody once."""
        if experiment.protocol(protocol).conditional is None:
            return {}
        return {"thresholds": self.calibrate(experiment.name, protocol, seed)}

    @cache  # noqa: B019
    def adopt(self, name: str) -> Artifact:
        """Predictions that somebody else has published."""
        release = self.recipes.release(name)
        predictions = self.root / "predictions" / name / "seed0" / f"{PUBLISHED}.parquet"
        return Artifact(
            stage="adopt",
            recipe=_plain(release, "skeleton", "test", "file", "layout"),
            modules=("posetables.stages.adopt",),
            outputs={"predictions": predictions},
            manifest=manifest.beside(predictions),
            inputs={"people": self.annotate(release.test.dataset), "release": self.fetch(release.dataset)},
        )

    @cache  # noqa: B019
    def score(self, name: str, protocol: str, seed: int) -> Artifact:
        experiment = self.recipes.tested(name, self.scale)
        if isinstance(experiment, Experiment) and (test := experiment.protocol(protocol).test) is not None:
            raise InputError(
                f"{name}: {test}: its labels are withheld; run: posetables submit {name} --protocol {protocol}"
            )
        self.recipes.protocol(name, protocol)
        folder = self.root / "scores" / name / f"seed{seed}"
        inputs = {"people": self.annotate(experiment.test.dataset)}
        module = "score"
        read: tuple[str, ...] = ("skeleton", "labels", "test", "metrics")
        if is_detected(name):
            inputs["boxes"] = self.detect(experiment.test, name.rpartition("/")[2])
            module = "score_coco"
        else:
            inputs["predictions"] = self._predictions(name, protocol, seed)
        if "oks" in experiment.metrics:
            boxes = self.recipes.experiment(name, self.scale).protocol(protocol).boxes
            inputs["crops"] = self.crops_of(experiment.test, boxes)
            module = "score_coco"
            read = (*read, "aspect")
        return Artifact(
            stage="score",
            recipe=_plain(experiment, *read),
            modules=(f"posetables.stages.{module}", loaded.skeleton(experiment.skeleton)),
            outputs={"scores": folder / f"{protocol}.json", "hits": folder / f"{protocol}.hits.parquet"},
            manifest=folder / f"{protocol}.manifest.json",
            inputs=inputs,
        )

    def _predictions(self, name: str, protocol: str, seed: int) -> Artifact:
        return self.adopt(name) if is_released(name) else self.predict(name, protocol, seed)

    @cache  # noqa: B019
    def submit(self, name: str, protocol: str, seed: int) -> Artifact:
        """What the server of a benchmark takes."""
        experiment = self.recipes.experiment(name, self.scale).tested_by(protocol)
        test = experiment.test
        file = submissions.of(self.recipes.source(test.dataset).reader, f"{test.dataset}/{test.split}")
        inputs = {"predictions": self.predict(name, protocol, seed)}
        if "oks" in experiment.metrics:
            inputs["people"] = self.annotate(test.dataset)
            inputs["crops"] = self.crops_of(test, experiment.protocol(protocol).boxes)
        else:
            inputs["labels"] = self.fetch(test.dataset)
        submission = self.root / "submissions" / name / f"seed{seed}" / f"{protocol}{file.SUFFIX}"
        return Artifact(
            stage="submit",
            recipe=_plain(experiment, "name", "test", "aspect"),
            modules=("posetables.stages.submit",),
            outputs={"submission": submission},
            manifest=manifest.beside(submission),
            inputs=inputs,
        )

    @cache  # noqa: B019
    def measure(self, name: str) -> Artifact:
        experiment = self.recipes.experiment(name, self.scale)
        cost = self.root / "scores" / name / "cost.json"
        return Artifact(
            stage="measure",
            recipe=_plain(experiment, "maps_of", "input", "aspect", "network", "compute"),
            modules=("posetables.stages.measure", *loaded.network(experiment)),
            outputs={"cost": cost},
            manifest=manifest.beside(cost),
        )

    @cache  # noqa: B019
    def speed(self, name: str, protocol: str) -> Artifact:
        """Seconds an image of finding people, or of a whole test."""
        speed = self.root / "scores" / name / f"{protocol}.speed.json"
        if is_detected(name):
            test, detector = self.recipes.tested(name, self.scale).test, self.recipes.detector(name.rpartition("/")[2])
            recipe = _plain(detector) | {"test": _plain(test)}
            modules = loaded.detector(detector)
            inputs = {"people": self.annotate(test.dataset)} | self._eyes(test, detector)
        else:
            experiment = self.recipes.experiment(name, self.scale).tested_by(protocol)
            tested = experiment.protocol(protocol)
            read = ("skeleton", "test", *SEEN)
            recipe = _plain(experiment, *read) | {
                "protocol": _way(tested),
                "cropping": _plain(self.recipes.cropping(experiment.test.dataset, self.scale)),
            }
            modules = loaded.testing(experiment, tested)
            inputs = {
                "crops": self.crops_of(experiment.test, tested.boxes),
                "images": self.fetch_images(experiment.test.dataset),
            }
            if thresholds := self._thresholds(experiment, protocol, 0):
                inputs |= thresholds | {"weights": self.train(name, experiment.final_stage, 0)}
            if (finding := self.recipes.finding(experiment.test, tested.boxes)) is not None:
                inputs["boxes"] = self.speed(*finding)
        return Artifact(
            stage="speed",
            recipe=recipe,
            modules=("posetables.stages.speed", *modules),
            outputs={"speed": speed},
            manifest=manifest.beside(speed),
            inputs=inputs,
        )

    @cache  # noqa: B019
    def table(self, item: str) -> Artifact:
        table = self.recipes.table(item)
        published = self.recipes.published(table)
        sources = self.sources(table)
        inputs = {source.input: self.read(source) for read in sources.values() for source in read}
        folder = self.root / "tables"
        return Artifact(
            stage="tabulate",
            recipe=tabulate.recorded(table, self.scale, sources, published, self.recipes.tolerances(table)),
            modules=("posetables.stages.tabulate",),
            outputs={
                "table": folder / f"{item}.csv",
                "cells": folder / f"{item}.cells.csv",
                "metrics": folder / f"{item}.json",
            },
            manifest=folder / f"{item}.manifest.json",
            inputs=dict(sorted(inputs.items())),
        )

    def sources(self, table: Table) -> Mapping[tuple[str, str], tuple[Source, ...]]:
        """(row, column) -> what our number of that cell is read from."""
        return {
            (row, column): read
            for row in table.rows
            for column in table.columns
            if (read := self.recipes.sources(table, row, column, self.scale))
        }

    def read(self, source: Source) -> Artifact:
        """Where a number lies."""
        if source.read == "cost":
            return self.measure(source.experiment)
        if source.read == "speed":
            return self.speed(source.experiment, source.protocol)
        return self.score(source.experiment, source.protocol, 0)

    @cache  # noqa: B019
    def figure(self, item: str) -> Artifact:
        figure = self.recipes.figure_at(item, self.scale)
        tested = {name: self.recipes.tested(name, self.scale) for name in figure.experiments}
        kinds, read = DRAWN_FROM[figure.kind]
        protocol = figure.protocol if isinstance(figure, Sweep | Poses) else None
        modules = {loaded.skeleton(each.skeleton) for each in tested.values() if "skeleton" in read}
        if "network" in read:
            modules.update(*(loaded.network(self.recipes.experiment(name, self.scale)) for name in tested))
        if "train" in read:
            modules.update(*(loaded.people(self.recipes.experiment(name, self.scale)) for name in tested))
        folder = self.root / "figures"
        return Artifact(
            stage="draw",
            recipe={
                "figure": _in_order(figure.model_dump(mode="json", exclude={"name", "paper"})),
                "tested": {name: _plain(each, *read) for name, each in tested.items()},
                "scale": self.scale,
            },
            modules=(f"posetables.stages.figures.{figure.kind}", *sorted(modules)),
            outputs={"figure": folder / f"{item}.svg", "values": folder / f"{item}.csv"},
            manifest=folder / f"{item}.manifest.json",
            inputs={
                f"{kind}:{place}": artifact
                for kind in kinds
                for name in sorted(tested)
                for place, artifact in self._drawn_from(kind, name, protocol).items()
            },
        )

    def _drawn_from(self, kind: str, name: str, protocol: str | None) -> Mapping[str, Artifact]:
        """What a figure reads of an experiment, by its name; a history is that of each `<experiment>/<stage>`.

        protocol: how it is tested, if the figure says so.
        """
        tested = self.recipes.tested(name, self.scale)
        if kind == "people":
            return {name: self.annotate(tested.test.dataset)}
        if kind == "crops":
            return {name: self.crop(tested.test.dataset)}
        if kind == "predictions":
            return {name: self._predictions(name, self.recipes.protocol(name, protocol), 0)}
        if kind == "scores":
            return {name: self.score(name, self.recipes.protocol(name, protocol), 0)}
        experiment = self.recipes.experiment(name, self.scale)
        if kind == "train":
            return {name: self.crop(experiment.train[0].dataset)}
        if kind == "history":
            return {f"{name}/{stage}": self.train(name, stage, 0) for stage in experiment.stages}
        return {name: self.train(name, experiment.final_stage, 0)}

    @cache  # noqa: B019
    def claims(self, paper: str) -> Artifact:
        """What a paper says of its numbers, tested on ours."""
        claims, known = self.recipes.claims(paper), self.known(paper)
        inputs = {source.input: self.read(source) for cell in known.values() for source in cell.sources}
        skeletons = {loaded.skeleton(source.skeleton) for cell in known.values() for source in cell.sources}
        folder = self.root / "claims"
        return Artifact(
            stage="claims",
            recipe={
                "scale": self.scale,
                "claims": [[name, _plain(claim)] for name, claim in claims.items()],  # in the order of the file
                "cells": {str(place): _read_of(cell) for place, cell in known.items()},
            },
            modules=("posetables.stages.claims", *sorted(skeletons)),
            outputs={"claims": folder / f"{paper}.csv", "parts": folder / f"{paper}.parts.csv"},
            manifest=folder / f"{paper}.manifest.json",
            inputs=dict(sorted(inputs.items())),
        )

    def parts(self, paper: str) -> tuple[Part, ...]:
        """Every pair of cells that the claims of a paper compare."""
        recipes = self.recipes
        tables = {name: recipes.table(name) for name in recipes.tables}
        claims = recipes.claims(paper).items()
        return tuple(part for name, claim in claims for part in parts(name, claim, tables, recipes.numbers))

    def known(self, paper: str) -> Mapping[Place, Known]:
        """What is known of each cell that the claims of a paper rest on."""
        recipes = self.recipes
        places = dict.fromkeys(place for part in self.parts(paper) for place in part.places)
        known = {}
        for place in places:
            table = recipes.table(place.item)
            ours = [
                each
                for each in recipes.sources(table, place.row, place.column, self.scale)
                if not is_released(each.experiment)
            ]
            known[place] = Known(recipes.numbers.get(place), ours, table.stand_in(place.row))
        return known

    def checkpoints(self, training: Artifact) -> Path:
        """Outside of the declared outputs, which the engine deletes; named by identity, so that none is ever resumed by
        another recipe."""
        return self.root / "checkpoints" / training.identity


def _read_of(cell: Known) -> dict[str, Any]:
    """The part of a cell that a claim reads."""
    printed = cell.printed
    return {
        "printed": None if printed is None else [printed.printed, printed.metric, printed.kind],
        "sources": [_plain(source) for source in cell.sources],
        "proxy": cell.proxy,
    }
