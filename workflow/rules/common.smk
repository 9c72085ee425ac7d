import os
import sys

from posetables.errors import InputError
from posetables.params import Recipes
from posetables.recipe import SCALES
from posetables.stages.artifacts import Artifacts

# The programs of the environment that runs Snakemake, whether or not somebody activated it.
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]

RECIPES = Recipes()
ARTIFACTS = {scale: Artifacts(RECIPES, scale) for scale in SCALES}


wildcard_constraints:
    inside="(mini/|lite/)?",
    dataset="[a-z0-9-]+",
    experiment="[a-z]+/[a-z0-9-]+/[a-z0-9-]+",
    seed="[0-9]+",
    stage="[a-z0-9-]+",
    protocol="[a-z0-9-]+",
    item="[a-z0-9_]+",


def scale_of(wildcards):
    """Scale of a path: `results/mini/...`, `results/lite/...`, or the paper's."""
    return wildcards.inside.rstrip("/") or "paper"


def artifacts(wildcards):
    return ARTIFACTS[scale_of(wildcards)]


def files_of(artifact_of):
    """Input function: every file that an artifact is made from. Times decide nothing, so all are ancient."""
    return ancient(
        lambda wildcards: [
            file
            for artifact in told(artifact_of, wildcards).inputs.values()
            for file in artifact.tracked
        ]
    )


def identity_of(artifact_of):
    """Params function: what decides whether an artifact must be made again."""
    return lambda wildcards: told(artifact_of, wildcards).identity


def told(artifact_of, wildcards):
    """A wrong name ends Snakemake with our one line."""
    try:
        return artifact_of(wildcards)
    except InputError as error:
        raise WorkflowError(str(error))


def needs(kind, name):
    """Resource function: what the scale asks a cluster for; memory and time grow with each attempt."""

    def amount(wildcards, attempt):
        request = getattr(RECIPES.scale(scale_of(wildcards)).resources, kind)
        return getattr(request, name) * (1 if name == "gpu" else attempt)

    return amount


def threads_of(wildcards):
    """Threads of the recipe. Snakemake cuts `threads` to the cores of the machine that it runs on, so that a cluster is
    told by `cpus_per_task` as well."""
    return RECIPES.scale(scale_of(wildcards)).compute.threads
