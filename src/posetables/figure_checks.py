"""What a figure asks of its experiments: that they make what is drawn of them."""

from __future__ import annotations

from collections.abc import Callable

from posetables.data import skeletons
from posetables.errors import InputError
from posetables.figures import Figure, GuidedPoints, Heatmaps, Maps, Masks, Poses, Sweep, Trainings
from posetables.recipe import TRUTH, Experiment, Points, is_released, pick

RecipeOf = Callable[[str], Experiment]
"""The recipe of an experiment at the scale that draws; `InputError` of what is no network of ours."""


def check(figure: Figure, recipe_of: RecipeOf, where: str) -> None:
    """where: file and name of the figure, for messages.

    Raises:
        InputError: the figure names what an experiment does not have.
    """
    match figure:
        case Heatmaps():
            skeleton = skeletons.named(recipe_of(figure.experiment).maps_of)
            for joint in figure.joints:
                pick(skeleton.parents, joint, "joint with a refinement unit", f"{where}.joints")
        case Poses():
            for name in figure.experiments:
                if not is_released(name):
                    _check_boxes(recipe_of(name), figure.protocol, f"{where}.protocol")
        case Trainings():
            for name in figure.experiments:
                recipe_of(name)
        case Maps():
            _check_maps(figure, recipe_of, f"{where}.columns")
        case Masks(experiment=str(name)):
            if pick(recipe_of(name).stages, figure.stage, "stage", f"{where}.stage").masking is None:
                raise InputError(f"{where}.stage: {name}/{figure.stage} has no masking; name a stage that has")
        case Sweep():
            metric, _ = figure.column
            for name in figure.experiments:
                recipe = recipe_of(name)
                pick(dict.fromkeys(recipe.metrics), metric, "metric", f"{where}.column: {name}")
                if figure.protocol is not None:
                    recipe.protocol(figure.protocol)
        case GuidedPoints(experiment=str(name)):
            recipe = recipe_of(name)
            pick(dict.fromkeys(skeletons.named(recipe.maps_of).joints), figure.joint, "joint", f"{where}.joint")
            if not any(isinstance(codec, Points) for codec in recipe.codecs.values()):
                raise InputError(
                    f"{where}.experiment: {name} has no codec of points; name a network with a second stage"
                )


def _check_boxes(recipe: Experiment, chosen: str | None, where: str) -> None:
    """Poses are drawn on people whom labels name."""
    name = chosen or next(iter(recipe.protocols))
    if (boxes := recipe.protocol(name).boxes) != TRUTH:
        raise InputError(f"{where}: {recipe.name} is tested in boxes of {boxes}; name a protocol with those of labels")


def _check_maps(figure: Maps, recipe_of: RecipeOf, where: str) -> None:
    """All networks are tested on the same people in the same boxes, and every joint is one that they have maps of."""
    recipes = {name: recipe_of(name) for name in figure.experiments}
    tests = {name: (each.test, each.skeleton, each.maps_of, each.labels, each.aspect) for name, each in recipes.items()}
    for name in figure.experiments:
        if tests[name] != tests[first := figure.experiments[0]]:
            raise InputError(f"{where}: {name} and {first} are tested on different people or boxes; name others")
    for column in figure.columns:
        joints = skeletons.named(recipes[column.experiment].maps_of).joints
        if column.joint is not None:
            pick(dict.fromkeys(joints), column.joint, "joint", where)
