"""The command line: one verb a stage. Both engines call the same verbs."""

from __future__ import annotations

import argparse
import datetime
import functools
import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from posetables.errors import InputError, Stopped
from posetables.logs import logged
from posetables.params import Recipes
from posetables.progress import say
from posetables.provenance.artifact import Artifact, make
from posetables.recipe import SCALES, Experiment, ScaleName, pick
from posetables.running.scratch import near
from posetables.running.shortage import shortage
from posetables.stages.artifacts import Artifacts
from posetables.stages.native import folder_of

Verb = Callable[[Artifacts, argparse.Namespace], int | None]
"""Does one thing; the exit status, or None for 0."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; 0 done, 1 what was checked does not hold, 2 something given was wrong (one line says what)."""
    if not Path("params").is_dir():
        return _refuse(f"{Path.cwd()}: no folder params/ here; go to the root of the project")
    given = sys.argv[1:] if arguments is None else arguments
    try:
        options = parser().parse_args(given)
    except InputError as error:
        return _refuse(str(error))
    return logged(options.log, given, lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    try:
        recipes = Recipes()
        scale: ScaleName = options.scale or "paper"
        recipes.scale(scale)  # a wrong one is told before anything else
        return options.run(Artifacts(recipes, scale), options) or 0
    except InputError as error:
        return _refuse(str(error))
    except Stopped as stopped:
        say(str(stopped))
        return 128 + stopped.signal
    except BrokenPipeError:  # `| head` has read enough
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - for what Python still flushes at exit
        return 0
    except Exception as error:
        if (told := shortage(error, options.run.__name__, options.scale or "paper")) is None:
            raise
        return _refuse(told)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="posetables",
        description="Regenerate results of pose papers and account for every number.",
    )
    verbs = top.add_subparsers(metavar="VERB", required=True)

    def verb(run: Verb, *names: str) -> None:
        added = verbs.add_parser(run.__name__, help=run.__doc__, description=run.__doc__)
        added.add_argument("--scale", help=f"one of {', '.join(SCALES)} (default: paper)")
        added.add_argument("--log", type=Path, help="file to which what it says is added")
        for name in names:
            added.add_argument(name.strip("[]"), **{"nargs": "?"} if "[" in name else ARGUMENTS.get(name, {}))
        added.set_defaults(run=run)

    verb(fetch, "dataset", "--images")
    verb(annotate, "dataset")
    verb(detect, "split", "detector")
    verb(crop, "dataset", "--boxes")
    verb(train, "experiment", "--seed", "--stage", "--workers")
    verb(calibrate, "experiment", "--seed", "--protocol")
    verb(predict, "experiment", "--seed", "--protocol")
    verb(adopt, "experiment")
    verb(score, "experiment", "--seed", "--protocol")
    verb(submit, "experiment", "--seed", "--protocol")
    verb(measure, "experiment")
    verb(speed, "experiment", "--protocol")
    verb(tabulate, "item")
    verb(draw, "item")
    verb(show, "item", "--row")
    verb(compare, "item", "--markdown")
    verb(regenerate, "item", "--row", "--column", "--from", "--profile")
    verb(crate, "item", "--output")
    verb(claims, "[paper]")
    verb(papers, "action", "--json")
    verb(doctor, "datasets")
    verb(status, "[target]", "--json")
    verb(plan, "targets", "--row", "--jobs", "--probe", "--json")
    verb(watch, "[target]", "--once", "--json")
    verb(why, "[target]", "--since", "--json")
    verb(audit, "[item]", "--row", "--column", "--all", "--deep", "--json")
    return top


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise InputError(f"--seed {text}: not a whole number; give 0 or more")
    return int(text)


def _jobs(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise InputError(f"--jobs {text}: not a number of jobs; give 1 or more")
    return int(text)


def _moment(text: str) -> datetime.datetime:
    try:
        return datetime.datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise InputError(f"--since {text}: no time; give one such as 2026-01-31T18:00:00") from None


ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "action": {"choices": ["check"]},
    "datasets": {"nargs": "*", "metavar": "dataset", "help": "default: each that is here"},
    "split": {"help": "<data set>/<split>"},
    "--boxes": {"help": "<split>/<detector>: the people whom a detector found (default: whom the labels name)"},
    "--images": {"action": "store_true", "help": "the images that the labels name, not the labels"},
    "--seed": {"type": _seed, "default": 0},
    "--protocol": {"help": "how it is tested (default: the first of its setup)"},
    "targets": {"nargs": "*", "metavar": "target", "help": "item, experiment or path (default: everything)"},
    "--jobs": {"type": _jobs, "help": "jobs at a time (default: as slurm/config.yaml has it)"},
    "--probe": {"action": "store_true", "help": "time some steps of each network here; remembered"},
    "--row": {"help": "this row only"},
    "--column": {"help": "this column only"},
    "--markdown": {"action": "store_true", "help": "for a page or a pull request"},
    "--from": {
        "dest": "first",
        "choices": ["train", "predict", "score"],
        "default": "train",
        "help": "first stage to run again",
    },
    "--output": {"type": Path, "help": "empty or new folder (default: crates/<item>, beside the tables)"},
    "--profile": {"help": "Snakemake profile, slurm for instance (default: here)"},
    "--all": {"action": "store_true", "help": "everything on this disk (of all scales, if none is given)"},
    "--deep": {"action": "store_true", "help": "read every file again, whatever was verified before"},
    "--json": {"action": "store_true", "help": "for programs"},
    "--once": {"action": "store_true", "help": "one picture, then end"},
    "--since": {"type": _moment, "help": "jobs only that began at this time or later"},
    "--stage": {"help": "stage of its training (default: the last)"},
    "--workers": {"type": int, "help": "loader processes (default: 0 on a CPU, 8 on a GPU)"},
}


# The heavy part of each stage is imported by its verb, so that no other verb waits for it.


def fetch(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Bring a data set here, verified; at mini scale, make it."""
    from posetables.stages import fetch as stage

    artifact = (artifacts.fetch_images if options.images else artifacts.fetch)(options.dataset)
    recipes, scale = artifacts.recipes, artifacts.scale
    source = recipes.source(options.dataset)

    def run(inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]) -> Mapping[str, Any]:
        if source.reader and artifacts.is_synthetic(options.dataset):
            return stage.synthesise(source.reader, recipes.splits(options.dataset, scale), outputs)
        others = [Artifacts(recipes, other).raw / options.dataset for other in SCALES if other != "mini"]
        names = stage.images_of(inputs["people"]["frames"]) if options.images else source.native
        downloads = artifact.manifest.with_name(f".{artifact.manifest.name}.downloads")
        return stage.fetch(source, recipes.pins(options.dataset), names, outputs, others, downloads)

    _make(artifact, run)


def annotate(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Make the tables of a data set's people and images from its labels."""
    from posetables.stages import annotate as stage

    recipe = artifacts.recipes.annotation(options.dataset, artifacts.scale)
    _make(
        artifacts.annotate(options.dataset),
        lambda inputs, outputs: stage.annotate(recipe, folder_of(inputs["labels"]), outputs),
    )


def crop(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Cut a data set's people out of their images."""
    from posetables.stages import crop as stage

    recipe = artifacts.recipes.cropping(options.dataset, artifacts.scale)
    artifact = artifacts.crop(options.dataset)
    if options.boxes:
        split, _, detector = options.boxes.partition("/")
        artifact = artifacts.crop_boxes(artifacts.recipes.split(f"{options.dataset}/{split}"), detector)
    _make(
        artifact,
        lambda inputs, outputs: stage.crop(recipe, inputs["people"]["people"], folder_of(inputs["images"]), outputs),
    )


def detect(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Find the people in the images of a split."""
    recipe, test = artifacts.recipes.detector(options.detector), artifacts.recipes.split(options.split)

    def run(inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]) -> Mapping[str, Any]:
        from posetables.stages import detect as stage

        return stage.detect(recipe, test, inputs, outputs)

    _make(artifacts.detect(test, options.detector), run)


def train(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Train one stage of an experiment, from its last checkpoint if it was interrupted."""
    recipe = artifacts.recipes.experiment(options.experiment, artifacts.scale)
    name = options.stage or recipe.final_stage
    recipe.stage(name)  # a wrong one is told before torch is loaded
    artifact = artifacts.train(options.experiment, name, options.seed)

    def run(inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]) -> Mapping[str, Any]:
        from posetables.stages import train as stage
        from posetables.stages.checkpoints import Checkpoints

        seconds = artifacts.recipes.scale(artifacts.scale).checkpoint_seconds
        checkpoints = Checkpoints(artifacts.checkpoints(artifact), seconds)
        return stage.train(recipe, name, options.seed, inputs, outputs, checkpoints, options.workers)

    (_make_together if "RANK" in os.environ else _make)(artifact, near(artifact, run))


def calibrate(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Choose when a trained experiment looks for people again, by a protocol that does."""
    name = artifacts.recipes.protocol(options.experiment, options.protocol)
    recipe = artifacts.recipes.experiment(options.experiment, artifacts.scale).calibrated_by(name)
    artifact = artifacts.calibrate(options.experiment, name, options.seed)

    def run(inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]) -> Mapping[str, Any]:
        from posetables.stages import calibrate as stage

        return stage.calibrate(recipe, recipe.protocol(name), inputs, outputs)

    _make(artifact, near(artifact, run))


def predict(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Test a trained experiment by one protocol."""
    name = artifacts.recipes.protocol(options.experiment, options.protocol)
    recipe = artifacts.recipes.experiment(options.experiment, artifacts.scale).tested_by(name)
    protocol = recipe.protocol(name)
    artifact = artifacts.predict(options.experiment, name, options.seed)

    def run(inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]) -> Mapping[str, Any]:
        from posetables.stages import predict as stage

        return stage.predict(recipe, protocol, inputs, outputs)

    _make(artifact, near(artifact, run))


def adopt(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Take predictions that somebody else has published."""
    from posetables.stages import adopt as stage

    release = artifacts.recipes.release(options.experiment)
    _make(artifacts.adopt(options.experiment), functools.partial(stage.adopt, release))


def score(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Score an experiment's predictions, or published ones."""
    recipe = artifacts.recipes.tested(options.experiment, artifacts.scale)
    name = artifacts.recipes.protocol(options.experiment, options.protocol)
    artifact = artifacts.score(options.experiment, name, options.seed)

    def run(inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]) -> Mapping[str, Any]:
        if "oks" in recipe.metrics or "boxes" in inputs:
            from posetables.stages import score_coco

            if isinstance(recipe, Experiment):
                return score_coco.score_poses(recipe, inputs, outputs)
            return score_coco.score_boxes(recipe, inputs, outputs)
        from posetables.stages import score as stage

        return stage.score(recipe, inputs, outputs)

    _make(artifact, run)


def submit(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Write an experiment's predictions as the server of a benchmark takes them."""
    name = artifacts.recipes.protocol(options.experiment, options.protocol)
    recipe = artifacts.recipes.experiment(options.experiment, artifacts.scale).tested_by(name)

    def run(inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]) -> Mapping[str, Any]:
        from posetables.stages import submit as stage

        return (stage.submit_poses if "oks" in recipe.metrics else stage.submit_joints)(recipe, inputs, outputs)

    _make(artifacts.submit(options.experiment, name, options.seed), run)


def measure(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Count an experiment's parameters and time one inference."""
    recipe = artifacts.recipes.experiment(options.experiment, artifacts.scale)

    def run(_: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]) -> Mapping[str, Any]:
        from posetables.stages import measure as stage

        return stage.measure(recipe, outputs)

    _make(artifacts.measure(options.experiment), run)


def speed(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Time a whole test, or a detector, on real images."""
    recipes, name = artifacts.recipes, artifacts.recipes.protocol(options.experiment, options.protocol)
    recipe = recipes.tested(options.experiment, artifacts.scale)

    def run(inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]) -> Mapping[str, Any]:
        from posetables.stages import speed as stage

        if isinstance(recipe, Experiment):
            tested = recipe.tested_by(name)
            cropping = recipes.cropping(tested.test.dataset, artifacts.scale)
            return stage.time_test(tested, tested.protocol(name), cropping, inputs, outputs)
        detector = recipes.detector(options.experiment.rpartition("/")[2])
        return stage.time_detector(detector, recipe.test, inputs, outputs)

    _make(artifacts.speed(options.experiment, name), run)


def tabulate(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Render a table and its cell records."""
    from posetables.stages import tabulate as stage

    table = artifacts.recipes.table(options.item)
    published, tolerances = artifacts.recipes.published(table), artifacts.recipes.tolerances(table)
    _make(
        artifacts.table(options.item),
        lambda inputs, outputs: stage.tabulate(
            table, artifacts.scale, artifacts.sources(table), published, tolerances, inputs, outputs
        ),
    )


def draw(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Draw a figure."""
    figure = artifacts.recipes.figure_at(options.item, artifacts.scale)
    tested = {name: artifacts.recipes.tested(name, artifacts.scale) for name in figure.experiments}

    def run(inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]) -> Mapping[str, Any]:
        stage = importlib.import_module(f"posetables.stages.figures.{figure.kind}")
        facts: Mapping[str, Any] = stage.draw(figure, artifacts.scale, tested, inputs, outputs)
        return facts

    _make(artifacts.figure(options.item), run)


def show(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Print a finished table."""
    from posetables.views.table import print_table

    table = artifacts.recipes.table(options.item)
    if options.row is not None:
        pick(table.rows, options.row, "row", table.name)
    print_table(table, artifacts.scale, artifacts.table(options.item), options.row)


def compare(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Print the paper's table and ours side by side."""
    from posetables.provenance import manifest
    from posetables.stages import cells
    from posetables.views import comparison as view

    table, artifact = artifacts.recipes.table(options.item), artifacts.table(options.item)
    manifest.verify(artifact.manifest, artifact.outputs)
    found = cells.read(artifact.outputs["cells"])
    if options.markdown:
        print(view.markdown(table, artifacts.scale, found))
    else:
        view.print_comparison(table, artifacts.scale, found)


def regenerate(artifacts: Artifacts, options: argparse.Namespace) -> int:
    """Make the path of a row or a cell anew in a folder of its own; 1 unless every byte is as recorded."""
    from posetables.provenance import hashes
    from posetables.provenance.lineage import Lineage
    from posetables.provenance.manifest import beside
    from posetables.stages import audit as auditing
    from posetables.stages import regenerate as stage
    from posetables.views.regenerated import print_regenerated

    table, artifact = artifacts.recipes.table(options.item), artifacts.table(options.item)
    told = auditing.account(Lineage(hashes.remembered), artifact.manifest, options.row, options.column)
    ours = [cell for cell in told.cells if cell.kind in ("measured", "rescored")]
    read = {beside(Path(path)) for cell in ours for path in cell.artifact.split()}
    sources = {name: each for name, each in artifact.inputs.items() if each.manifest in read}
    if not sources:
        raise InputError(f"{options.item}: {options.row or 'no row'}: no number of ours, nothing to make anew")
    root = stage.SCRATCH / artifacts.scale / options.item
    engine = ["--profile", options.profile] if options.profile else []
    compared = stage.regenerate(list(sources.values()), options.first, root, engine)
    return print_regenerated(ours, stage.numbers(ours, table, artifacts.sources(table), sources, root), compared)


def crate(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Write a finished table as an RO-Crate: its numbers, and what accounts for them."""
    from posetables.provenance import crate as writing
    from posetables.provenance.lineage import Lineage
    from posetables.stages.audit import account

    told = account(Lineage(), artifacts.table(options.item).manifest)
    folder = options.output or artifacts.root / "crates" / options.item
    writing.write(told.table, folder)
    say(f"{folder}: written")


def claims(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Test what a paper says of its numbers on ours; without a name, every paper that has an experiment."""
    from posetables.stages import claims as stage
    from posetables.views.claims import print_claims
    from posetables.views.console import SCALE_NOTES

    recipes = artifacts.recipes
    with_experiments = (name for name in recipes.papers if artifacts.claims(name).inputs)
    for paper in [options.paper] if options.paper else with_experiments:
        artifact = artifacts.claims(paper)
        given = recipes.claims(paper), artifacts.parts(paper), artifacts.known(paper), artifacts.scale
        _make(artifact, functools.partial(stage.judge_claims, *given))
        note = f"{artifact.outputs['parts']}\n{SCALE_NOTES[artifacts.scale]}"
        outcomes, trials = stage.read_outcomes(artifact.outputs["claims"]), stage.read_trials(artifact.outputs["parts"])
        print_claims(f"{paper}: what the paper says, tested on our numbers", note, outcomes, trials)


def papers(artifacts: Artifacts, options: argparse.Namespace) -> int:
    """Check the papers' printed numbers against each other; 1 if our flags and arithmetic do not agree."""
    from posetables.papers import consistency, flags
    from posetables.papers.entries import Papers
    from posetables.views.papers import as_json, print_report

    recipes = artifacts.recipes
    printed = Papers(
        numbers=recipes.numbers,
        tables={item: recipes.table(item) for item in recipes.tables},
        methods=recipes.methods,
        claims={f"{paper}/{name}": each for paper in recipes.papers for name, each in recipes.claims(paper).items()},
    )
    report = flags.compare(printed, consistency.check(printed), recipes.findings)
    if options.json:
        print(as_json(report))
    else:
        print_report(report)
    return 1 if report.drift else 0


def doctor(artifacts: Artifacts, options: argparse.Namespace) -> int:
    """Check files, counts and conventions of the data sets that are here; 1 if anything is not as it should be."""
    from posetables.stages import doctor as stage
    from posetables.views.doctor import print_diagnoses

    return print_diagnoses(stage.diagnose(artifacts, options.datasets))


def status(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Print what is current, behind, stale, altered or missing, and why; nothing is run."""
    from posetables.stages import status as stage
    from posetables.views import status as view

    scales = {scale: Artifacts(artifacts.recipes, scale) for scale in SCALES if options.scale in (None, scale)}
    found = stage.status(scales, options.target)
    if options.json:
        print(view.as_json(found))
    else:
        view.print_status(found, one=options.target is not None)


def plan(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Print what would run, what it brings here and how long it takes; nothing is run."""
    from posetables.running import limits
    from posetables.running import plan as stage
    from posetables.running.cluster import Asked
    from posetables.views import plan as view

    profile = limits.profile()
    given = artifacts, options.targets, options.row, options.jobs or profile.jobs
    with Asked() as asked:
        found = stage.plan(*given)
        if options.probe:
            from posetables.running import probe

            probe.probe([job.artifact for job in found.jobs], artifacts)
            found = stage.plan(*given)
        allowed = limits.limits(found.jobs, artifacts, profile, asked)
    if options.json:
        print(view.as_json(found, allowed))
    else:
        view.print_plan(found, allowed)


def watch(artifacts: Artifacts, options: argparse.Namespace) -> None:
    """Show a run while it goes on: jobs by stage, loss of each training, failures, time left."""
    from posetables.running.watch import Watch
    from posetables.views import watch as view

    watched = Watch(_scales(artifacts, options), options.target)
    if options.json:
        print(view.as_json(watched.picture()))
    elif options.once:
        view.print_picture(watched.picture())
    else:
        view.show_live(watched.picture)


def why(artifacts: Artifacts, options: argparse.Namespace) -> int:
    """Print why jobs failed, what to change, and the command to go on; 1 if any has failed."""
    from posetables.running import watch as stage
    from posetables.views import triage as view

    found, command = stage.failed(_scales(artifacts, options), options.target, options.since)
    return view.print_json(found, command) if options.json else view.print_failures(found, command)


def _scales(artifacts: Artifacts, options: argparse.Namespace) -> list[Artifacts]:
    """That which was asked for; or all, the paper's first."""
    return [Artifacts(artifacts.recipes, scale) for scale in ([options.scale] if options.scale else reversed(SCALES))]


def audit(artifacts: Artifacts, options: argparse.Namespace) -> int:
    """Print what a number was made from, every file hashed again; 1 if anything is not what its records say."""
    from posetables.provenance import hashes
    from posetables.provenance.lineage import Lineage
    from posetables.stages import audit as stage
    from posetables.views import audit as view

    hashing = hashes.content if options.deep else hashes.remembered
    if options.all:
        scales = [options.scale] if options.scale else SCALES
        found = [path for scale in scales for path in Artifacts(artifacts.recipes, scale).manifests()]
        lineage, accounts = stage.audit_all(found, hashing)
        nodes = list(lineage.nodes.values())
    elif options.item is None:
        raise InputError("audit: name a table or a figure, or give --all")
    elif options.item in artifacts.recipes.figures:
        accounts = [stage.account_of_figure(Lineage(hashing), artifacts.figure(options.item).manifest)]
        nodes = list(accounts[0].nodes)
    else:
        path = artifacts.table(options.item).manifest
        accounts = [stage.account(Lineage(hashing), path, options.row, options.column)]
        nodes = list(accounts[0].nodes)
    if options.json:
        print(view.as_json(nodes, accounts))
        return int(any(node.faults for node in nodes))
    return view.print_judgement(nodes, accounts) if options.all else view.print_number(accounts[0])


def _make(artifact: Artifact, stage: Callable[..., Mapping[str, Any]]) -> None:
    if not make(artifact, stage):
        say(f"{artifact.manifest}: up to date")


def _make_together(artifact: Artifact, stage: Callable[..., Mapping[str, Any]]) -> None:
    """As `_make`, by all processes that torchrun started: the first makes, the others take part if it has to."""
    from posetables.stages import processes

    def begin(inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]) -> Mapping[str, Any]:
        processes.from_first(True)
        return stage(inputs, outputs)

    with processes.joined():
        if processes.rank():
            if processes.from_first(False):
                stage({name: each.outputs for name, each in artifact.inputs.items()}, {})
        elif not make(artifact, begin):
            processes.from_first(False)
            say(f"{artifact.manifest}: up to date")


def _refuse(message: str) -> int:
    print(f"posetables: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
