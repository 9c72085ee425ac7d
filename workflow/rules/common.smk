from posetables.recipe import Recipes
from posetables.stages.artifacts import Artifacts

RECIPES = Recipes()
ARTIFACTS = {scale: Artifacts(RECIPES, scale) for scale in ("mini", "lite", "paper")}


wildcard_constraints:
    inside="(mini/|lite/|)",
    dataset="[a-z0-9-]+",
    experiment="[a-z]+/[a-z0-9-]+/[a-z0-9-]+",
    seed="[0-9]+",
    stage="[a-z0-9-]+",
    protocol="[a-z0-9-]+",
    item="[a-z0-9_.]+",


def scale_of(wildcards):
    return wildcards.inside.rstrip("/") or "paper"


def artifacts(wildcards):
    return ARTIFACTS[scale_of(wildcards)]


def made_by(artifact_of):
    """The files that an artifact is made from, and the identity that decides whether it must be made again."""

    def inputs(wildcards):
        return [file for each in artifact_of(wildcards).inputs.values() for file in each.files]

    def identity(wildcards):
        return artifact_of(wildcards).identity

    return inputs, identity


def resource(stage, name):
    def amount(wildcards, attempt):
        grows = 1 if name == "gpu" else attempt
        return RECIPES.scale(scale_of(wildcards)).resources[stage][name] * grows

    return amount
