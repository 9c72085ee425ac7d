"""The logs and requests that `watch` and `why` look for are those of the rules."""

from __future__ import annotations

import re

import pytest

from engines import Snakemake
from posetables.params import Recipes
from posetables.running.jobs import job_of
from posetables.stages.artifacts import Artifacts


@pytest.fixture(scope="module")
def planned(snakemake: Snakemake) -> dict[str, tuple[str, str]]:
    """Every output of everything at paper scale, where nothing is made -> (rule, log) as Snakemake plans it."""
    done = snakemake("-n", *(path for each in Artifacts(Recipes(), "paper").everything() for path in each.tracked))
    assert done.returncode == 0, done.stderr
    found = {}
    for block in re.split(r"\n(?= *(?:local)?rule )", done.stdout + done.stderr):  # those of a group are indented
        rule, log = re.match(r" *(?:local)?rule (\w+):", block), re.search(r"\n +log: (\S+)", block)
        outputs = re.search(r"\n +output: (.+)", block)
        if rule is not None and log is not None and outputs is not None:
            paths = outputs[1].replace(" (update)", "").split(", ")
            found |= dict.fromkeys(paths, (rule[1], log[1]))
    return found


def test_rule_and_log_of_every_artifact_are_those_that_snakemake_plans(planned: dict[str, tuple[str, str]]) -> None:
    jobs = [job_of(each) for each in Artifacts(Recipes(), "paper").everything()]
    ours = {str(job.artifact.manifest): (job.rule.name, str(job.log)) for job in jobs}
    assert {path: planned[path] for path in ours} == ours
