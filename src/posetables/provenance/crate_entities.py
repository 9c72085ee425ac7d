"""What a table rests on, in the words of the Provenance Run Crate profile: entities as plain JSON-LD.

Every record of the lineage is one `CreateAction`. Its instrument is a tool: the stage's code, at one code identity, in
one environment. A stage is one `HowToStep`, and what a stage writes is one `FormalParameter`, which the stages that
read it have as input. Nothing is said that no record says: who ran a stage and how it was started, records do not know.

Numbers are carried; images, crops, weights and predictions are not, since they are large or may not be passed on. What
is not carried has an identifier that begins with `#`, its SHA-256 and the path that it has in the project.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posetables.provenance import hashes
from posetables.provenance.identity import canonical_json, digest
from posetables.provenance.lineage import Node
from posetables.provenance.manifest import Content, Manifest

Entity = dict[str, Any]

WORKFLOW = "Snakefile"
TARGET, RUN = "#target", "#run"

NUMBERS = (".csv", ".json", ".hits.parquet")
FORMATS = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".npy": "application/x-npy",
    ".parquet": "application/vnd.apache.parquet",
}
SOFTWARE = {
    "python": ("Python", "https://www.python.org/"),
    "numpy": ("NumPy", "https://numpy.org/"),
    "torch": ("PyTorch", "https://pytorch.org/"),
    "cuda": ("CUDA", "https://developer.nvidia.com/cuda-toolkit"),
    "cudnn": ("cuDNN", "https://developer.nvidia.com/cudnn"),
    "driver": ("NVIDIA driver", "https://www.nvidia.com/drivers"),
}
"""Fields of a record's environment that name a program: its name and where it is found."""
CIRCUMSTANCES = {
    "lock": "SHA-256 of constraints.txt",
    "processor": "processor",
    "gpu": "GPU",
    "threads": "threads",
}
"""Its other fields that are told of a tool."""
COMPLETED = {"actionStatus": "http://schema.org/CompletedActionStatus"}
"""A record is written last, so that whatever has one was completed."""


@dataclass(frozen=True)
class Run:
    """One stage run: a node of a lineage whose record is there."""

    manifest: Path
    record: Manifest
    inputs: tuple[Manifest, ...]

    @property
    def id(self) -> str:
        return f"{RUN}/{self.subject}"

    @property
    def subject(self) -> str:
        """The path that all its files have in common."""
        return str(self.manifest).removesuffix("manifest.json").rstrip("./")

    @property
    def step(self) -> str:
        return f"#{self.record.stage}"

    @property
    def recipe(self) -> str:
        return f"{self.step}/recipe/{self.record.recipe_sha256}"

    @property
    def tool(self) -> str:
        environment = self.record.environment.model_dump()
        return f"{self.step}/tool/{digest({'code': self.record.code.sha256, 'environment': environment})[:12]}"

    @property
    def results(self) -> list[str]:
        return [place(content) for content in self.record.outputs.values()]


def runs(table: Node) -> list[Run]:
    """Every stage run that a table rests on, what ran first, first."""
    found: dict[Path, Run] = {}
    for node in table.all():
        if node.record is not None:
            inputs = tuple(found[each.manifest].record for each in node.inputs.values())
            found[node.manifest] = Run(node.manifest, node.record, inputs)
    return list(found.values())


def is_carried(content: Content) -> bool:
    return content.path.endswith(NUMBERS)


def place(content: Content) -> str:
    """Identifier of what a stage wrote."""
    path = content.path if content.files is None else f"{content.path}/"
    return path if is_carried(content) else f"#{path}"


def file(path: Path) -> Entity:
    """A file that the crate carries, under the path that it has in the project."""
    return {
        "@id": str(path),
        "@type": "File",
        "name": path.name,
        "sha256": hashes.sha256(path),
        "contentSize": str(path.stat().st_size),
        "encodingFormat": FORMATS.get(path.suffix, "text/plain"),
    }


# What is not a file of the crate


def described(told: list[Run]) -> Iterator[Entity]:
    """Actions, steps, tools, parameters, and the files that are not carried; the same one may come more than once."""
    for run in told:
        yield action(run)
        yield tool(run)
        yield from environment(run.record)
        yield from parameters(run.record)
        yield {
            "@id": run.recipe,
            "@type": "PropertyValue",
            "name": f"recipe of {run.record.stage}",
            "value": canonical_json(run.record.recipe),
            "exampleOfWork": ref(f"{run.step}/recipe"),
        }
        for name, content in run.record.outputs.items():
            if not is_carried(content):
                yield absent(run, name, content)
        yield from data_set(run.record)
    yield from steps(told)
    yield from whole(told)


def action(run: Run) -> Entity:
    record, when = run.record, run.record.circumstances
    commit = f" Code of git commit {when.git_commit}" if when.git_commit else " Code of no git commit"
    return {
        "@id": run.id,
        "@type": "CreateAction",
        "name": f"{record.stage} {run.subject}",
        "description": f"{shlex.join(when.command)}.{commit}{', with changes' if when.git_dirty else ''}.",
        "startTime": when.start,
        "endTime": when.end,
        **COMPLETED,
        "instrument": ref(run.tool),
        "object": refs([run.recipe, *(place(each) for read in run.inputs for each in read.outputs.values())]),
        "result": refs(run.results),
        "subjectOf": ref(str(run.manifest)),
    }


def tool(run: Run) -> Entity:
    record = run.record
    read = [f"#{each.stage}/{name}" for each in run.inputs for name in each.outputs]
    known = record.environment.model_dump(exclude_none=True)
    return {
        "@id": run.tool,
        "@type": "SoftwareApplication",
        "name": f"posetables {record.stage}",
        "description": "The version is the hash of the syntax trees of all modules that the stage can reach; the "
        "manifests name them.",
        "softwareVersion": record.code.sha256,
        "operatingSystem": record.environment.platform,
        "softwareRequirements": refs(f"#{field}/{known[field]}" for field in SOFTWARE if field in known),
        "additionalProperty": refs(f"#{field}/{known[field]}" for field in CIRCUMSTANCES if field in known),
        "input": refs([f"{run.step}/recipe", *read]),
        "output": refs(f"{run.step}/{name}" for name in record.outputs),
    }


def environment(record: Manifest) -> Iterator[Entity]:
    """The programs below a tool, and what else can change the last bits of its results."""
    for field, value in record.environment.model_dump(exclude_none=True).items():
        id = f"#{field}/{value}"
        if field in SOFTWARE:
            name, url = SOFTWARE[field]
            yield {"@id": id, "@type": "SoftwareApplication", "name": name, "softwareVersion": str(value), "url": url}
        elif field in CIRCUMSTANCES:
            yield {"@id": id, "@type": "PropertyValue", "name": CIRCUMSTANCES[field], "value": value}


def parameters(record: Manifest) -> Iterator[Entity]:
    """What a stage reads of its recipe, and what it writes."""
    kinds = {name: "File" if content.files is None else "Dataset" for name, content in record.outputs.items()}
    for name, kind in {"recipe": "Text", **kinds}.items():
        yield {
            "@id": f"#{record.stage}/{name}",
            "@type": "FormalParameter",
            "name": f"{record.stage}/{name}",
            "additionalType": kind,
        }


def absent(run: Run, name: str, content: Content) -> Entity:
    """What a stage wrote and the crate does not carry."""
    folder = content.files is not None
    return {
        "@id": place(content),
        "@type": "Dataset" if folder else "File",
        "name": Path(content.path).name,
        "alternateName": content.path,
        "description": "Not in this crate."
        + (" The hash is that of the canonical JSON of its files' hashes, which the manifest has." if folder else ""),
        "sha256": content.sha256,
        **({} if folder else {"encodingFormat": FORMATS.get(Path(content.path).suffix, "application/octet-stream")}),
        "exampleOfWork": ref(f"{run.step}/{name}"),
        "subjectOf": ref(str(run.manifest)),
    }


def steps(told: list[Run]) -> Iterator[Entity]:
    """A step for every stage, in an order in which they can run, and what was run of it."""
    for position, (stage, ran) in enumerate(by_stage(told).items()):
        yield {
            "@id": f"#{stage}",
            "@type": "HowToStep",
            "name": stage,
            "position": str(position),
            "workExample": refs(run.tool for run in ran),
        }
        yield {
            "@id": f"#control/{stage}",
            "@type": "ControlAction",
            "name": f"runs of {stage}",
            **COMPLETED,
            "instrument": ref(f"#{stage}"),
            "object": refs(run.id for run in ran),
        }


def whole(told: list[Run]) -> Iterator[Entity]:
    """The workflow's run, which may be the work of several days and commands, and its engine's."""
    table = told[-1]
    when = {"startTime": min(run.record.circumstances.start for run in told), "endTime": ended(told)}
    target = min(path for path in table.results if path.endswith(".csv"))
    yield {
        "@id": TARGET,
        "@type": "FormalParameter",
        "name": "target",
        "description": "The file that Snakemake is asked for.",
        "additionalType": "Text",
    }
    value = {"name": "target", "value": target, "exampleOfWork": ref(TARGET)}
    yield {"@id": f"{TARGET}/{target}", "@type": "PropertyValue", **value}
    yield {
        "@id": RUN,
        "@type": "CreateAction",
        "name": f"making of {target}",
        "description": f"snakemake {target}. From the start of the first to the end of the last stage run that the "
        "table rests on; what was up to date was not run again.",
        **when,
        **COMPLETED,
        "instrument": ref(WORKFLOW),
        "object": ref(f"{TARGET}/{target}"),
        "result": refs(table.results),
    }
    engine = {"name": "Snakemake", "url": "https://snakemake.github.io"}
    yield {"@id": engine["url"], "@type": "SoftwareApplication", **engine}
    yield {
        "@id": "#engine",
        "@type": "OrganizeAction",
        "name": "Snakemake",
        **when,
        **COMPLETED,
        "instrument": ref(engine["url"]),
        "object": refs(f"#control/{stage}" for stage in by_stage(told)),
        "result": ref(RUN),
    }


def data_set(record: Manifest) -> Iterator[Entity]:
    """The licence and the source of fetched data."""


# Pieces


def by_stage(told: list[Run]) -> Mapping[str, list[Run]]:
    """Stage -> its runs; no stage stands before one whose files it reads."""
    found: dict[str, list[Run]] = {}
    for run in told:
        found.setdefault(run.record.stage, []).append(run)
    return found


def ended(told: list[Run]) -> str:
    return told[-1].record.circumstances.end


def ref(id: str) -> Entity:
    return {"@id": id}


def refs(ids: Iterable[str]) -> Entity | list[Entity]:
    """References, each once, in the order given; a single one stands alone, as JSON-LD is compacted."""
    found = [ref(id) for id in dict.fromkeys(ids)]
    return found[0] if len(found) == 1 else found
