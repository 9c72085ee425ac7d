"""Which rule makes an artifact, where its job writes its log, and the name by which Slurm knows the job."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from posetables.provenance.artifact import Artifact
from posetables.running.requests import kind_of


@dataclass(frozen=True)
class Rule:
    """A rule of the workflow, as far as a job can be found by it."""

    name: str
    makes: str
    """Pattern of the manifest; its wildcards stand in the order in which Snakemake has them."""
    log: str


TESTED = "{experiment}/seed{seed}/{protocol}"

RULES = (
    Rule("fetch_images", "data/raw/{inside}{dataset}.images.manifest.json", "logs/{inside}fetch/{dataset}.images.log"),
    Rule("fetch_dataset", "data/raw/{inside}{dataset}.manifest.json", "logs/{inside}fetch/{dataset}.log"),
    Rule(
        "annotate_people", "data/prepared/{inside}{dataset}/people.manifest.json", "logs/{inside}annotate/{dataset}.log"
    ),
    Rule(
        "crop_boxes",
        "data/prepared/{inside}boxes/{dataset}-{split}/{detector}/crops.manifest.json",
        "logs/{inside}crop/{dataset}-{split}/{detector}.log",
    ),
    Rule("crop_people", "data/prepared/{inside}{dataset}/crops.manifest.json", "logs/{inside}crop/{dataset}.log"),
    Rule(
        "detect_people",
        "results/{inside}detections/{dataset}-{split}/{detector}.manifest.json",
        "logs/{inside}detect/{dataset}-{split}/{detector}.log",
    ),
    Rule(
        "train_stage",
        "results/{inside}train/{experiment}/seed{seed}/{stage}/manifest.json",
        "logs/{inside}train/{experiment}/seed{seed}/{stage}.log",
    ),
    Rule(
        "adopt_predictions",
        "results/{inside}predictions/released/{setup}/{method}/seed0/published.manifest.json",
        "logs/{inside}adopt/{setup}/{method}.log",
    ),
    Rule(
        "calibrate_thresholds",
        f"results/{{inside}}predictions/{TESTED}.thresholds.manifest.json",
        f"logs/{{inside}}calibrate/{TESTED}.log",
    ),
    Rule(
        "predict_people",
        f"results/{{inside}}predictions/{TESTED}.manifest.json",
        f"logs/{{inside}}predict/{TESTED}.log",
    ),
    Rule(
        "measure_network",
        "results/{inside}scores/{experiment}/cost.manifest.json",
        "logs/{inside}measure/{experiment}.log",
    ),
    Rule(
        "time_test",
        "results/{inside}scores/{experiment}/{protocol}.speed.manifest.json",
        "logs/{inside}speed/{experiment}/{protocol}.log",
    ),
    Rule(
        "score_predictions",
        f"results/{{inside}}scores/{TESTED}.manifest.json",
        f"logs/{{inside}}score/{TESTED}.log",
    ),
    Rule(
        "submit_poses",
        f"results/{{inside}}submissions/{TESTED}.manifest.json",
        f"logs/{{inside}}submit/{TESTED}.log",
    ),
    Rule("tabulate_item", "results/{inside}tables/{item}.manifest.json", "logs/{inside}tabulate/{item}.log"),
    Rule("draw_figure", "results/{inside}figures/{item}.manifest.json", "logs/{inside}draw/{item}.log"),
    Rule("judge_claims", "results/{inside}claims/{paper}.manifest.json", "logs/{inside}claims/{paper}.log"),
)
"""The first that fits makes an artifact."""

WILDCARDS: Mapping[str, str] = {
    "inside": "(?:mini/|lite/)?",
    "split": "train|val|test|test-dev",
    "experiment": "[^/]+/[^/]+/[^/]+",
    "seed": "[0-9]+",
}
"""Those that are not simply one part of a path."""


@dataclass(frozen=True, eq=False)
class Job:
    """What makes one artifact."""

    artifact: Artifact
    rule: Rule
    wildcards: Mapping[str, str]

    @cached_property
    def log(self) -> Path:
        return Path(self.rule.log.format(**self.wildcards))

    @cached_property
    def wildcard_text(self) -> str:
        """The wildcards as the Slurm plugin writes them."""
        return "_".join(self.wildcards.values()).replace("/", "_")

    @property
    def comment(self) -> str:
        """By which the job stands in Slurm's queue, unless it is grouped with others."""
        return f"rule_{self.rule.name}_wildcards_{self.wildcard_text}"

    @property
    def name(self) -> str:
        """`train hcrn/lsp-pc/vgg16-hcrn seed0/main`: the log's path without what all share."""
        return (
            str(self.log.with_suffix("").relative_to("logs"))
            .removeprefix(self.wildcards["inside"])
            .replace("/", " ", 1)
        )

    @property
    def asks(self) -> str | None:
        """Key of params/scales.yaml under which stands what it asks of a cluster."""
        # One job of the cluster scores what it has predicted.
        asks = "predict" if self.artifact.stage == "score" else kind_of(self.artifact)
        return None if asks is None else f"{self.wildcards['inside'].strip('/') or 'paper'}.resources.{asks}"


def job_of(artifact: Artifact) -> Job:
    """The job that makes an artifact."""
    path = str(artifact.manifest)
    for rule in RULES:
        if (found := _pattern(rule.makes).fullmatch(path)) is not None:
            return Job(artifact, rule, found.groupdict())
    raise AssertionError(f"{path}: no rule makes it")


@cache
def _pattern(makes: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", makes)
    named = [
        f"(?P<{part}>{WILDCARDS.get(part, '[^/]+')})" if at % 2 else re.escape(part) for at, part in enumerate(parts)
    ]
    return re.compile("".join(named))
