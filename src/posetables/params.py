"""The files of `params/` -> recipes. Nothing else reads them, and nothing that they name may lead nowhere."""

from __future__ import annotations

import functools
import pkgutil
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from posetables import yaml_files
from posetables.data import readers, skeletons
from posetables.data.sources import DataSource, read_pins
from posetables.errors import InputError
from posetables.figure_checks import check
from posetables.figures import FIGURES, Figure
from posetables.papers.claims import Place
from posetables.papers.consistency import RULES
from posetables.papers.published import Published
from posetables.papers.published import read as read_published
from posetables.recipe import (
    BOXES,
    DETECTED,
    PUBLISHED,
    RELEASED,
    TRUTH,
    Annotation,
    ByColumn,
    Claim,
    Comparison,
    Cropping,
    Detector,
    Experiment,
    Findings,
    Method,
    Network,
    Part,
    Protocol,
    Release,
    ScaleName,
    Source,
    Split,
    Stage,
    Table,
    Tested,
    Tolerance,
    is_detected,
    is_released,
    pick,
    unknown,
)
from posetables.schemas import ExperimentsFile, Methods, ReleaseSetup, Scale, Setup, StageEntry


class Recipes:
    """All of `params/`, read once; every method returns a resolved recipe or raises `InputError`."""

    def __init__(self, params: Path = Path("params")) -> None:
        self.params = params

    # What is there.

    @functools.cached_property
    def papers(self) -> tuple[str, ...]:
        return tuple(sorted(path.parent.name for path in self.params.glob("papers/*/tables.yaml")))

    @functools.cached_property
    def experiments(self) -> tuple[str, ...]:
        return tuple(f"{paper}/{name}" for paper in self._trained for name in self._experiments(paper).experiments)

    @functools.cached_property
    def tables(self) -> tuple[str, ...]:
        """Every item of every paper, in the order of the papers."""
        return tuple(name for paper in self.papers for name in self._tables(paper))

    @functools.cached_property
    def datasets(self) -> tuple[str, ...]:
        """Everything that is fetched: people, predictions, weights."""
        return tuple(self._datasets)

    @functools.cache  # noqa: B019 - one object for the life of a command
    def scale(self, name: str) -> Scale:
        file = self.params / "scales.yaml"
        scale = pick(self._scales, name, "scale", file)
        contents = [self._experiments(paper) for paper in self._trained]
        backbones = {entry.backbone for content in contents for entry in content.experiments.values()}
        of_paper = {
            f"{paper}/{entry.backbone}"
            for paper in self._trained
            for entry in self._experiments(paper).experiments.values()
        }
        named = {f"{name}/{training}" for content in contents for training in content.trainings for name in backbones}
        inputs = {setup.input for content in contents for setup in content.setups.values()}
        for key, changed, known in (
            ("networks", scale.networks, backbones | of_paper),
            ("trainings", scale.trainings, backbones | named),
            ("people", scale.people, self._datasets),
            ("input", scale.input, inputs),
            ("detectors", scale.detectors, self._detectors),
        ):
            if wrong := next((entry for entry in changed if entry not in known), None):
                raise InputError(f"{file}: {name}.{key}: {wrong} is nowhere else; one of: {_listed(known)}")
        return scale

    def published(self, table: Table) -> Mapping[tuple[str, str], Published]:
        """(row, column) -> what the paper prints."""
        return {(cell.row, cell.column): cell for cell in self.printed(table.paper) if cell.item == table.name}

    @functools.cache  # noqa: B019
    def printed(self, paper: str) -> tuple[Published, ...]:
        """Every number that a paper prints."""
        return read_published(self.params / "papers" / paper / "published.csv")

    def tolerances(self, table: Table) -> Mapping[str, Tolerance]:
        """Metric -> tolerance, of the metrics that the table has."""
        metrics = {column.key[0] for column in table.columns.values()}
        return {name: each for name, each in self._tolerances.items() if name in metrics}

    # What the papers say.

    @functools.cached_property
    def numbers(self) -> Mapping[Place, Published]:
        """Every number that any paper prints."""
        cells = [cell for paper in self.papers for cell in self.printed(paper)]
        return {Place(cell.item, cell.row, cell.column): cell for cell in cells}

    @functools.cache  # noqa: B019
    def claims(self, paper: str) -> Mapping[str, Claim]:
        """What a paper says of its numbers; nothing without claims.yaml."""
        pick(dict.fromkeys(self.papers), paper, "paper", self.params / "papers")
        file = self.params / "papers" / paper / "claims.yaml"
        if not file.exists():
            return {}
        claims = {name: yaml_files.validate(file, each, Claim, name) for name, each in yaml_files.load(file).items()}
        for name, claim in claims.items():
            for number, comparison in enumerate(claim.holds):
                self._check_comparison(comparison, f"{file}: {name}.holds.{number}")
        return claims

    @functools.cached_property
    def methods(self) -> Mapping[str, Method]:
        """Rows of several tables that are one method."""
        file = self.params / "papers" / "methods.yaml"
        methods = yaml_files.read(file, Methods).root
        for name, method in methods.items():
            for item, rows in method.items():
                for row in (rows,) if isinstance(rows, str) else rows:
                    self._check_cell(f"{file}: {name}", item, row)
        return methods

    @functools.cached_property
    def findings(self) -> Findings:
        """Which findings of our audit of the papers arithmetic decides."""
        file = self.params / "papers" / "findings.yaml"
        findings = yaml_files.read(file, Findings)
        for name, rule in findings.decided.items():
            pick(RULES, rule, "rule", f"{file}: decided.{name}")
        return findings

    def sources(self, table: Table, row: str, name: str, scale: ScaleName) -> tuple[Source, ...]:
        """What our number of a cell is read from; nothing for a cell without an experiment."""
        column, found = table.columns[name], []
        for experiment, factor in table.terms(row, name).items():
            if self._leaves_out(scale, experiment):
                return ()
            named = self._at(experiment, scale)
            protocol = self.protocol_in(table, row, name, named)
            recipe, boxes = self.tested(named, scale), ""
            if "oks" in recipe.metrics and isinstance(recipe, Experiment):
                given, taken = (self.experiment(named, at).protocol(protocol).boxes for at in ("paper", scale))
                boxes = taken if taken == given else f"{taken} instead of {given}"
            if column.read == "speed":
                if not self._can_be_timed(recipe, named, protocol):
                    return ()
                if is_detected(named):  # the time of a detector may be that of a network of ours
                    named, protocol = self.finding(recipe.test, named.rpartition("/")[2]) or (named, protocol)
            found.append(
                Source(
                    read=column.read, experiment=named, protocol=protocol, skeleton=recipe.skeleton, key=column.key,
                    factor=factor, boxes=boxes,
                )
            )  # fmt: skip
        return tuple(found)

    def _leaves_out(self, scale: ScaleName, experiment: str) -> bool:
        return any(fnmatch(experiment, pattern) for pattern in self.scale(scale).leaves_out)

    def _at(self, experiment: str, scale: ScaleName) -> str:
        """What stands for an experiment of the paper at a scale: another detector, where one cannot run."""
        if not is_detected(experiment):
            return experiment
        setup, _, name = experiment.rpartition("/")
        return f"{setup}/{self.scale(scale).detectors.get(name, name)}"

    def _can_be_timed(self, recipe: Tested, name: str, protocol: str) -> bool:
        """Whether people are found here: what others found in their time came as a file."""
        boxes = recipe.protocol(protocol).boxes if isinstance(recipe, Experiment) else name.rpartition("/")[2]
        return boxes == TRUTH or self.detector(boxes).file is None

    def finding(self, test: Split, boxes: str) -> tuple[str, str] | None:
        """Whose time is that of finding the people, (experiment, protocol); None for labelled boxes."""
        if boxes == TRUTH:
            return None
        predictions = self.detector(boxes).predictions
        if predictions is None:
            return f"{DETECTED}/{test.dataset}-{test.split}/{boxes}", BOXES
        experiment, _, protocol = predictions.rpartition("/")
        return experiment, protocol

    def _check_comparison(self, comparison: Comparison, where: str) -> None:
        """Every cell that is named is printed in a table."""
        columns = comparison.columns
        if columns == "all":
            columns = ()
        pairs = columns if isinstance(columns, Mapping) else {column: column for column in columns}
        others = comparison.right == "others"
        rows = (comparison.right,) if isinstance(comparison.right, str) else comparison.right
        item = comparison.right_item or comparison.item
        self._check_cell(where, comparison.item, comparison.left, *pairs)
        for row in rows:
            self._check_cell(where, item, None if others else row, *pairs.values())
        if comparison.stated is not None:
            self._check_cell(where, *comparison.stated)

    def _check_cell(self, where: str, item: str, row: str | None, *columns: str) -> None:
        pick(dict.fromkeys(self.tables), item, "item", where)
        table = self.table(item)
        if row is not None:
            pick(table.rows, row, f"row of {item}", where)
        for column in columns:
            pick(table.columns, column, f"column of {item}", where)
            printed = self.published(table)  # of a table of our own, nothing
            if row is not None and printed and (row, column) not in printed:
                raise InputError(
                    f"{where}: {item} / {row} / {column}: the paper prints nothing there; name another cell"
                )

    # Resolved recipes.

    @functools.cache  # noqa: B019
    def table(self, name: str) -> Table:
        paper = name.partition("_")[0]
        file = self.params / "papers" / paper / "tables.yaml"
        if paper not in self.papers or name not in self._tables(paper):
            raise unknown(name, self.tables, "table", self.params / "papers/*/tables.yaml")
        table = yaml_files.validate(file, self._tables(paper)[name] | {"name": name, "paper": paper}, Table, name)
        if table.total is not None:
            pick(table.columns, table.total.column, "column", f"{file}: {name}.total")
        for key, by_row in (("proxy", table.proxy), ("protocol", table.protocol)):
            for row in by_row if isinstance(by_row, Mapping) else ():
                pick(table.rows, row, "row", f"{file}: {name}.{key}")
        for row in table.rows:
            self._check_row(table, row, f"{file}: {name}.rows.{row}")
        for column in table.columns:
            self._check_column(table, column, f"{file}: {name}.columns.{column}.protocol")
        return table

    def _check_column(self, table: Table, column: str, where: str) -> None:
        """Some experiment of the column is tested as it says."""
        networks = [
            name
            for row in table.rows
            for name in table.terms(row, column)
            if not is_released(name) and not is_detected(name)
        ]
        known = {protocol: None for name in networks for protocol in self.experiment(name, "paper").protocols}
        if (protocol := table.columns[column].protocol) is not None:
            pick(known, protocol, "protocol of its experiments", where)

    def _check_row(self, table: Table, row: str, where: str) -> None:
        """Every experiment is there, and none stands where the paper cites a number."""
        entry = table.rows[row]
        for column in entry.by_column if isinstance(entry, ByColumn) else ():
            pick(table.columns, column, "column", where)
        published, empty = self.published(table), True
        for column in table.columns:
            sources = self.sources(table, row, column, "paper")
            printed = published.get((row, column))
            empty = empty and not sources and printed is None
            if printed and printed.kind == "cited" and not all(is_released(each.experiment) for each in sources):
                raise InputError(f"{where}: {column}: published.csv says cited; what is cited has no experiment")
        if empty:
            raise InputError(f"{where}: neither an experiment nor a row of published.csv")

    @functools.cached_property
    def figures(self) -> tuple[str, ...]:
        """Every figure, in the order of the papers."""
        return tuple(name for paper in self.papers for name in self._figures(paper))

    @functools.cache  # noqa: B019
    def figure_at(self, name: str, scale: ScaleName) -> Figure:
        """A figure as a scale can draw it, without the experiments that it leaves out."""
        paper = name.partition("_")[0]
        file = self.params / "papers" / paper / "figures.yaml"
        if paper not in self.papers or name not in self._figures(paper):
            raise unknown(name, self.figures, "figure", self.params / "papers/*/figures.yaml")
        entry = self._figures(paper)[name] | {"name": name, "paper": paper}
        kind = pick(FIGURES, str(entry.get("kind", "")), "kind of figure", f"{file}: {name}.kind")
        figure = yaml_files.validate(file, entry, kind, name)
        for experiment in figure.experiments:
            self.protocol(experiment, None)
        check(figure, functools.partial(self.experiment, scale=scale), f"{file}: {name}")
        return figure.without(functools.partial(self._leaves_out, scale))

    def protocol(self, experiment: str, chosen: str | None) -> str:
        """How an experiment is tested: as chosen, else the first way of its setup; a published file has one way."""
        if is_detected(experiment):
            self.tested(experiment, "paper")
            return pick({BOXES: BOXES}, chosen or BOXES, "protocol", experiment)
        if is_released(experiment):
            self.release(experiment)
            return pick({PUBLISHED: PUBLISHED}, chosen or PUBLISHED, "protocol", experiment)
        recipe = self.experiment(experiment, "paper")
        name = chosen or next(iter(recipe.protocols))
        recipe.protocol(name)
        return name

    def protocol_in(self, table: Table, row: str, column: str, experiment: str) -> str:
        """How an experiment in a cell of a table is tested: as the table says of networks, and the column of those that
        know its way."""
        if is_released(experiment) or is_detected(experiment):
            return self.protocol(experiment, None)
        chosen = table.columns[column].protocol
        known = chosen is not None and chosen in self.experiment(experiment, "paper").protocols
        return self.protocol(experiment, chosen if known else table.tested_by(row))

    def tested(self, name: str, scale: ScaleName) -> Tested:
        """What a score reads of the predictions of an experiment, of a published file, or of a detector."""
        if is_detected(name):
            return self._detected(name)
        return self.release(name) if is_released(name) else self.experiment(name, scale)

    def _detected(self, name: str) -> Tested:
        _, _, place = name.partition("/")
        place, _, detector = place.partition("/")
        self.detector(detector)
        test = self.split("/".join(place.rsplit("-", 1)))
        source = self.source(test.dataset)
        return Tested(
            name=name,
            skeleton=source.skeleton or "",
            labels=source.labels[0],
            test=test,
            metrics=("detection",),
        )

    def release(self, name: str) -> Release:
        return pick(self._releases, name, "published predictions", self.params / "releases.yaml")

    def detector(self, name: str) -> Detector:
        return pick(self._detectors, name, "detector", self.params / "detectors.yaml")

    @functools.cache  # noqa: B019
    def source(self, dataset: str) -> DataSource:
        file = pick(self._datasets, dataset, "data set", self.params / "datasets")
        source = yaml_files.read(file, DataSource)
        there = sorted(module.name for module in pkgutil.iter_modules(readers.__path__))
        if source.reader is not None and source.reader not in there:
            raise unknown(source.reader, there, "reader", file)
        return source

    def pins(self, dataset: str) -> Mapping[str, str]:
        """Native file of the data set -> its pinned SHA-256, or the digits of it that are known."""
        source = self.source(dataset)
        pinned = {} if source.pins is None else read_pins(self.params / "datasets" / source.pins)
        return dict(source.sha256) | pinned

    def splits(self, dataset: str, scale: ScaleName) -> Mapping[str, tuple[int, int]]:
        """Split -> first and last image number that this scale uses."""
        return self.scale(scale).people.get(dataset) or self.source(dataset).splits

    def annotation(self, dataset: str, scale: ScaleName) -> Annotation:
        source = self.source(dataset)
        if source.reader is None or source.skeleton is None:
            raise InputError(f"{self.params}/datasets/{dataset}.yaml: reader, skeleton: not people but weights")
        return Annotation(dataset=dataset, reader=source.reader, splits=self.splits(dataset, scale))

    def cropping(self, dataset: str, scale: ScaleName) -> Cropping:
        return Cropping(dataset=dataset, resolution=self.scale(scale).resolution, margin=MARGIN)

    @functools.cache  # noqa: B019
    def experiment(self, name: str, scale: ScaleName) -> Experiment:
        paper, _, short = name.partition("/")
        file = self.params / "papers" / paper / "experiments.yaml"
        if paper not in self._trained:
            raise unknown(name, self.experiments, "experiment", self.params / "papers/*/experiments.yaml")
        content = self._experiments(paper)
        if short not in content.experiments:
            raise unknown(name, self.experiments, "experiment", file)
        entry = content.experiments[short]
        setup = pick(content.setups, short.partition("/")[0], "setup", file)
        changes = self.scale(scale)
        maps_of = setup.maps_of or setup.skeleton
        for skeleton in (setup.skeleton, maps_of):
            skeletons.named(skeleton)
        zoom = _zoom(setup.input, changes)
        codecs = entry.codecs or setup.codecs
        return Experiment(
            name=name,
            skeleton=setup.skeleton,
            labels=setup.labels,
            train=tuple(self._part(text, setup, file) for text in setup.train),
            test=self._split(setup.test, setup.labels, file),
            metrics=self.source(setup.test.partition("/")[0]).metrics,
            input=changes.input.get(setup.input, setup.input),
            aspect=setup.aspect,
            maps_of=maps_of,
            pixels=entry.pixels,
            codecs={
                key: codec.model_copy(update={"radius": changes.radius.get(codec.radius, codec.radius * zoom)})
                # The longest pattern first, whatever the file's order is: identities do not see an order of keys.
                for key, codec in sorted(codecs.items(), key=lambda entry: (-len(entry[0]), entry[0]))
            },
            augment=entry.augment or setup.augment,
            network=Network(paper=paper, arguments=dict(entry.network) | _narrowing(paper, entry.backbone, changes)),
            stages={
                key: self._stage(stage, content, changes, entry.backbone, setup, file)
                for key, stage in entry.stages.items()
            },
            protocols={
                key: (protocol := self._protocol(content, key, setup, file)).model_copy(
                    update={
                        "blur": protocol.blur * zoom,
                        "boxes": changes.detectors.get(protocol.boxes, protocol.boxes),
                    }
                )
                for key in entry.protocols or setup.protocols
            },
            compute=changes.compute,
        )

    def _protocol(self, content: ExperimentsFile, name: str, setup: Setup, file: Path) -> Protocol:
        """A protocol whose people, if it says which, have the joints of the setup, and no region leaves their crops."""
        protocol = pick(content.protocols, name, "protocol", file)
        where = f"{file}: protocols.{name}"
        if protocol.test is not None:
            self._check_joints(self.split(protocol.test), setup.skeleton, f"{where}.test")
        if protocol.conditional is not None:
            split = self._split(protocol.conditional.calibrate, setup.labels, file)
            self._check_joints(split, setup.skeleton, f"{where}.conditional.calibrate")
        if setup.aspect != 1 and (protocol.scales != (1.0,) or protocol.pyramid == "region"):
            raise InputError(
                f"{where}.scales: of an input that is not square (aspect {setup.aspect:g}) no pyramid is made; "
                "give scales: [1.0] of pyramid: resolution"
            )
        if protocol.reach > MARGIN:
            raise InputError(
                f"{where}.scales: regions reach {protocol.reach:.2f} sides of the box, stored crops {MARGIN}; give less"
            )
        return protocol

    def _check_joints(self, split: Split, skeleton: str, where: str) -> None:
        if (found := self.source(split.dataset).skeleton) != skeleton:
            raise InputError(f"{where}: {split.dataset}/{split.split} has the joints of {found}, not {skeleton}")

    def _stage(
        self,
        entry: StageEntry,
        content: ExperimentsFile,
        scale: Scale,
        backbone: str,
        setup: Setup,
        file: Path,
    ) -> Stage:
        training = pick(content.trainings, entry.training, "training", file)
        stage = Stage(
            optimizer=training.optimizer,
            batch=training.batch,
            epochs=training.epochs,
            warmup=training.warmup,
            milestones={epoch / training.epochs: factor for epoch, factor in training.milestones.items()},
            init={
                module: origin
                for module, origin in entry.init.items()
                if scale.pretrained or origin not in self._datasets
            },
            freeze=entry.freeze,
            supervise=entry.supervise,
            plateau=training.plateau,
            validation=None if entry.validation is None else self._validation(entry.validation, setup, file),
            masking=entry.masking
            and entry.masking.model_copy(update={"patch": entry.masking.patch * _zoom(setup.input, scale)}),
            shares=training.shares,
        )
        changed = scale.trainings.get(f"{backbone}/{entry.training}", scale.trainings.get(backbone))
        if changed is None:
            return stage
        faster = changed.model_dump(include={"lr", "clip"})
        shorter = changed.model_dump(include={"epochs", "batch", "warmup"})
        optimizer = training.optimizer.model_copy(update=faster)
        return stage.model_copy(update=shorter | {"optimizer": optimizer, "shares": 1})

    def split(self, text: str) -> Split:
        """`<data set>/<split>`."""
        dataset, _, split = text.partition("/")
        pick(self.source(dataset).splits, split, f"split of {dataset}", self.params / "datasets")
        return Split(dataset=dataset, split=split)

    def _part(self, text: str, setup: Setup, file: Path) -> Part:
        """People to train on. A data set that lacks a joint of the setup gives it to nobody."""
        split = self._split(text, setup.labels, file)
        return Part(dataset=split.dataset, split=split.split, skeleton=self.source(split.dataset).skeleton or "")

    def _validation(self, text: str, setup: Setup, file: Path) -> Split:
        """People to score a network on while it is trained: of its joints, and of the metrics that it is tested by."""
        split, test = self._split(text, setup.labels, file), setup.test.partition("/")[0]
        where = f"{file}: validation: {text}"
        self._check_joints(split, setup.skeleton, where)
        if (metrics := self.source(split.dataset).metrics) != (known := self.source(test).metrics):
            told = ", ".join(metrics) or "nothing"
            raise InputError(f"{where}: scored by {told}, {test} by {', '.join(known)}; name another split")
        return split

    def _split(self, text: str, labels: str, file: Path) -> Split:
        split = self.split(text)
        pick(dict.fromkeys(self.source(split.dataset).labels), labels, f"labels of {split.dataset}", file)
        return split

    # Files.

    @functools.cached_property
    def _trained(self) -> tuple[str, ...]:
        """The papers that have experiments."""
        return tuple(paper for paper in self.papers if (self.params / "papers" / paper / "experiments.yaml").exists())

    @functools.cached_property
    def _datasets(self) -> Mapping[str, Path]:
        return {path.stem: path for path in sorted((self.params / "datasets").glob("*.yaml"))}

    @functools.cached_property
    def _scales(self) -> Mapping[str, Scale]:
        path = self.params / "scales.yaml"
        return {name: yaml_files.validate(path, each, Scale, name) for name, each in yaml_files.load(path).items()}

    @functools.cache  # noqa: B019
    def _experiments(self, paper: str) -> ExperimentsFile:
        return yaml_files.read(self.params / "papers" / paper / "experiments.yaml", ExperimentsFile)

    @functools.cache  # noqa: B019
    def _tables(self, paper: str) -> Mapping[str, dict[str, Any]]:
        return yaml_files.load(self.params / "papers" / paper / "tables.yaml")

    @functools.cache  # noqa: B019
    def _figures(self, paper: str) -> Mapping[str, dict[str, Any]]:
        path = self.params / "papers" / paper / "figures.yaml"
        return yaml_files.load(path) if path.exists() else {}

    @functools.cached_property
    def _releases(self) -> Mapping[str, Release]:
        path = self.params / "releases.yaml"
        setups = {
            name: yaml_files.validate(path, each, ReleaseSetup, name) for name, each in yaml_files.load(path).items()
        }
        return {
            name: Release(
                name=name,
                skeleton=setup.skeleton,
                labels=setup.labels,
                test=self._split(setup.test, setup.labels, path),
                metrics=self.source(setup.test.partition("/")[0]).metrics,
                dataset=setup.dataset,
                file=released.file,
                layout=released.layout,
            )
            for folder, setup in setups.items()
            for method, released in setup.methods.items()
            if (name := f"{RELEASED}/{folder}/{method}")
        }

    @functools.cached_property
    def _detectors(self) -> Mapping[str, Detector]:
        path = self.params / "detectors.yaml"
        return {
            name: yaml_files.validate(path, each | {"name": name}, Detector, name)
            for name, each in yaml_files.load(path).items()
        }

    @functools.cached_property
    def _tolerances(self) -> Mapping[str, Tolerance]:
        path = self.params / "tolerances.yaml"
        return {name: yaml_files.validate(path, each, Tolerance, name) for name, each in yaml_files.load(path).items()}


MARGIN = 2.03
"""Side of a stored crop over the side of the person's box: zooming out to 0.7 and turning by 40 degrees needs
(cos 40 + sin 40) / 0.7 = 2.01, and a pixel on each side for interpolation."""


def _zoom(side: int, scale: Scale) -> float:
    """Lengths given in pixels of the input shrink with it."""
    return scale.input.get(side, side) / side


def _narrowing(paper: str, backbone: str, scale: Scale) -> dict[str, str | int | float]:
    """What a scale changes of a network: of the paper's, or of all that have the backbone."""
    changed = scale.networks.get(f"{paper}/{backbone}", scale.networks.get(backbone))
    return dict(changed or {})


def _listed(names: Iterable[object]) -> str:
    return ", ".join(sorted(map(str, names)))
