import datetime
import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

from posetables.errors import InputError
from posetables.params import Recipes
from posetables.recipe import SCALES, pick
from posetables.running import launch, scratch
from posetables.running.jobs import job_of
from posetables.running.requests import kind_of
from posetables.running.slurm_jobs import queue
from posetables.stages.artifacts import Artifacts

# The programs of the environment that runs Snakemake, whether or not somebody activated it.
os.environ.update(PATH=os.pathsep.join([os.path.dirname(sys.executable), *os.get_exec_path()]))

# For the jobs of this process: the plugin's job step (0.6.1) hides Slurm's variables from them.
scratch.keep_setting()

RECIPES = Recipes()
ARTIFACTS = {scale: Artifacts(RECIPES, scale) for scale in SCALES}
# Resources that any job of any scale asks for: each is a function that Snakemake calls for every job of a plan.
ASKED = sorted(
    {name for scale in SCALES for _, each in RECIPES.scale(scale).resources for name in launch.resources(each, 1, 1)}
)


# The program takes the place of the shell, so that nothing stands between it and the signal that asks it to stop.
shell.prefix("set -euo pipefail; exec ")


EXPERIMENT = "[a-z]+/[a-z0-9-]+/[a-z0-9-]+"


wildcard_constraints:
    inside="(mini/|lite/)?",
    dataset="[a-z0-9-]+",
    split="train|val|test|test-dev",
    detector="[a-z0-9-]+",
    experiment=EXPERIMENT,
    setup="[a-z0-9-]+",
    method="[a-z0-9-]+",
    seed="[0-9]+",
    stage="[a-z0-9-]+",
    protocol="[a-z0-9-]+",
    item="[a-z0-9_]+([.][0-9]+)?",
    paper="[a-z]+",


def scale_of(wildcards):
    """Scale of a path: `results/mini/...`, `results/lite/...`, or the paper's."""
    return Path(wildcards.inside).name or "paper"


def split_of(wildcards):
    return RECIPES.split(f"{wildcards.dataset}/{wildcards.split}")


def artifacts(wildcards):
    return ARTIFACTS[scale_of(wildcards)]


# Newer than any artifact, and never the same: as an input it makes Snakemake run the rule.
NOW = ".snakemake/now"
Path(NOW).parent.mkdir(exist_ok=True)
Path(NOW).write_text(str(time.time_ns()))


ALONE = open(".snakemake/run.lock", "a")
BEGAN = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
COMMAND = [Path(sys.argv[0]).name, *sys.argv[1:]]


onstart:
    # Snakemake deletes the outputs of a job before it starts it: a second run would take them from the first. The
    # kernel drops the lock with its holder, however that ends.
    try:
        fcntl.flock(ALONE, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise WorkflowError("another run is under way in this folder; wait for its end, then run again")
    ALONE.truncate(0)
    asked = sorted(str(file) for job in workflow.dag.targetjobs for file in job.output or job.input)
    run = {"at": BEGAN, "host": socket.gethostname(), "process": os.getpid(), "command": COMMAND, "targets": asked}
    ALONE.write(json.dumps(run))
    ALONE.flush()


onerror:
    # Why, and how to go on, below what Snakemake says; whatever becomes of it, the run ends as it would have.
    try:
        told = subprocess.run(
            ["posetables", "why", "--since", BEGAN], stdout=subprocess.PIPE, text=True, timeout=60
        )
        print(told.stdout, file=sys.stderr, flush=True)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"posetables why: {error}", file=sys.stderr)


def files_of(artifact_of):
    """Input function: nothing for an artifact that is current, else every file that it is made from, and `NOW`.

    So manifests alone decide what runs: no time of modification, nothing that Snakemake remembers, and nothing behind
    an artifact that is finished. Files of current artifacts are ancient, as their times say nothing. The others must
    not be: Snakemake masks the jobs below a job that it plans, and counts on their inputs to plan them too (9.27.1).
    """

    def inputs(wildcards):
        artifact = told(artifact_of, wildcards)
        if is_made(artifact):
            return []
        made_from = [(each.tracked, is_made(each)) for each in artifact.inputs.values()]
        return [NOW, *(ancient(file) if current else file for files, current in made_from for file in files)]

    return inputs


@cache
def is_made(artifact):
    """Asked once a start: what several artifacts are made from is looked at once."""
    return artifact.is_made


def told(artifact_of, wildcards):
    """A wrong name ends Snakemake with our one line."""
    try:
        return artifact_of(wildcards)
    except InputError as error:
        raise WorkflowError(str(error))


def asks(request_of):
    """Resources that the scale asks a cluster for; memory and time grow with each attempt. A kind of `resources` in
    params/scales.yaml, or a function of wildcards that says it."""

    def named(name):
        def amount(wildcards, attempt):
            return launch.resources(request(wildcards, request_of), compute(wildcards).threads, attempt).get(name)

        return amount

    return {name: named(name) for name in ASKED}


def request(wildcards, request_of):
    kind = request_of(wildcards) if callable(request_of) else request_of
    return getattr(RECIPES.scale(scale_of(wildcards)).resources, kind)


def compute(wildcards):
    return RECIPES.scale(scale_of(wildcards)).compute


def after_its_twin(wildcards):
    """Resource function: a job of the same training, which a Snakemake that was killed has left in the queue, ends
    first. Its twin would hold a node for nothing until then, and finds the weights made, or a checkpoint."""
    if workflow.local_exec or not workflow.is_main_process:
        return ""
    twin = slurm_queue(time.time() // 30).called(job_of(told(trained, wildcards)).comment)
    return f"--dependency=afterany:{twin.number}" if twin is not None and (twin.runs or twin.waits) else ""


@cache
def slurm_queue(_):
    """Asked once in half a minute, for all trainings together."""
    return queue(Path.cwd())


def drawing(wildcards):
    """Some figures are drawn by running a network over everybody."""
    return kind_of(told(drawn, wildcards))


def cpus_of(request_of):
    """CPUs on this machine: Snakemake cuts `threads` to those that it has, so that a cluster is asked by `asks`."""
    return lambda wildcards: launch.cpus(request(wildcards, request_of), compute(wildcards).threads)


def launch_of(request_of):
    """Words that start a command as several processes, where the scale asks for them."""
    return lambda wildcards: launch.launch(request(wildcards, request_of), compute(wildcards).threads)


# The artifact of each kind of path.


def fetched(wildcards):
    return artifacts(wildcards).fetch(wildcards.dataset)


def images_fetched(wildcards):
    return artifacts(wildcards).fetch_images(wildcards.dataset)


def annotated(wildcards):
    return artifacts(wildcards).annotate(wildcards.dataset)


def cropped(wildcards):
    return artifacts(wildcards).crop(wildcards.dataset)


def detected(wildcards):
    return artifacts(wildcards).detect(split_of(wildcards), wildcards.detector)


def boxes_cropped(wildcards):
    return artifacts(wildcards).crop_boxes(split_of(wildcards), wildcards.detector)


def trained(wildcards):
    return artifacts(wildcards).train(wildcards.experiment, wildcards.stage, int(wildcards.seed))


def calibrated(wildcards):
    return artifacts(wildcards).calibrate(wildcards.experiment, wildcards.protocol, int(wildcards.seed))


def predicted(wildcards):
    return artifacts(wildcards).predict(wildcards.experiment, wildcards.protocol, int(wildcards.seed))


def adopted(wildcards):
    return artifacts(wildcards).adopt(f"released/{wildcards.setup}/{wildcards.method}")


def scored(wildcards):
    return artifacts(wildcards).score(wildcards.experiment, wildcards.protocol, int(wildcards.seed))


def submitted(wildcards):
    return artifacts(wildcards).submit(wildcards.experiment, wildcards.protocol, int(wildcards.seed))


def measured(wildcards):
    return artifacts(wildcards).measure(wildcards.experiment)


def timed(wildcards):
    return artifacts(wildcards).speed(wildcards.experiment, wildcards.protocol)


def tabulated(wildcards):
    return artifacts(wildcards).table(wildcards.item)


def drawn(wildcards):
    return artifacts(wildcards).figure(wildcards.item)


def judged(wildcards):
    return artifacts(wildcards).claims(wildcards.paper)


def of_config(name):
    """Input function: every file of `--config <name>= scale=`."""

    def chosen(_):
        scale = pick(ARTIFACTS, config.get("scale", "paper"), "scale", "--config")
        return getattr(scale, f"of_{name}")(config.get(name, ""))

    return lambda wildcards: [file for artifact in told(chosen, wildcards) for file in artifact.tracked]
