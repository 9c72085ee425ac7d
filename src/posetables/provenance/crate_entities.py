"""What a table rests on, in the words of the Provenance Run Crate profile: entities as plain JSON-LD.

Every record of the lineage is one `CreateAction`. Its instrument is a tool: the stage's code, at one code identity, in
one environment. A stage is one `HowToStep`, and what a stage writes is one `FormalParameter`, which the stages that
read it have as input. Nothing is said that no record says: who ran a stage and how it was started, records do not know.

Numbers are carried; images, crops, weights and predictions are not, since they are large or may not be passed on. What
is not carried has an identifier that begins with `#`, its SHA-256 and the path that it has in the project.
"""

from __future__ import annotations

import importlib.metadata
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from posetables.provenance import hashes
from posetables.provenance.identity import canonical_json, digest
from posetables.provenance.lineage import Node
from posetables.provenance.manifest import Content, Manifest

Entity = dict[str, Any]

WORKFLOW, LOCK = "Snakefile", "constraints.txt"
TARGET, RUN, ENGINE = "#target", "#run", "#engine"

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
PROPERTIES = {"lock": f"SHA-256 of {LOCK}", "processor": "processor", "gpu": "GPU", "threads": "threads"}
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


# The files of the crate, under the paths that they have in the project


def carried(told: list[Run]) -> Iterator[Entity]:
    """The records of all runs, and what they hold of numbers."""
    for run in told:
        yield file(run.manifest) | {"description": f"Manifest of {run.subject}.", "about": ref(run.id)}
        for name, content in run.record.outputs.items():
            if is_carried(content):
                about = {"exampleOfWork": ref(f"{run.step}/{name}"), "subjectOf": ref(str(run.manifest))}
                yield file(Path(content.path)) | about


def code(told: list[Run]) -> Iterator[Entity]:
    """The workflow first; the pinned packages only if they are still those that a run had."""
    version = {"version": importlib.metadata.version("posetables")}
    yield (
        file(Path(WORKFLOW))
        | version
        | {
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
            "description": "As it is in the project now: the actions name the commits that were run.",
            "conformsTo": ref("https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"),
            "hasPart": refs(run.tool for run in told),
            "step": refs(f"#{stage}" for stage in by_stage(told)),
            "input": ref(TARGET),
            "output": refs(f"{told[-1].step}/{name}" for name in told[-1].record.outputs),
        }
    )
    for path in sorted(Path("workflow/rules").glob("*.smk")):
        yield file(path) | version | {"@type": ["File", "SoftwareSourceCode"]}
    yield file(Path("LICENSE"))
    if Path(LOCK).exists() and hashes.sha256(Path(LOCK)) in {run.record.environment.lock for run in told}:
        yield file(Path(LOCK)) | {"description": "The versions of all packages, for pip."}


def file(path: Path) -> Entity:
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
        for about in sources(run.record).values():
            yield from about
    for ran in grouped(told, lambda run: run.tool).values():
        yield tool(ran)
    yield from steps(told)
    yield from whole(told)


def action(run: Run) -> Entity:
    record, when = run.record, run.record.circumstances
    changes = ", with changes that were not committed" if when.git_dirty else ""
    return {
        "@id": run.id,
        "@type": "CreateAction",
        "name": f"{record.stage} {run.subject}",
        "description": f"{shlex.join(when.command)} (git commit: {when.git_commit or 'unknown'}{changes})",
        "startTime": when.start,
        "endTime": when.end,
        **COMPLETED,
        "instrument": ref(run.tool),
        "object": refs([run.recipe, *(place(each) for read in run.inputs for each in read.outputs.values())]),
        "result": refs(run.results),
        "subjectOf": ref(str(run.manifest)),
    }


def tool(ran: list[Run]) -> Entity:
    """What was run of one stage, in the same code and environment; its input is whatever one of the runs has read."""
    record, step = ran[0].record, ran[0].step
    read = [f"#{each.stage}/{name}" for run in ran for each in run.inputs for name in each.outputs]
    known = record.environment.model_dump(exclude_none=True)
    return {
        "@id": ran[0].tool,
        "@type": "SoftwareApplication",
        "name": f"posetables {record.stage}",
        "description": "The version is the hash of the syntax trees of all modules that the stage can reach; the "
        "manifests name them.",
        "softwareVersion": record.code.sha256,
        "operatingSystem": record.environment.platform,
        "softwareRequirements": refs(valued(field, known[field]) for field in SOFTWARE if field in known),
        "additionalProperty": refs(valued(field, known[field]) for field in PROPERTIES if field in known),
        "input": refs([f"{step}/recipe", *read]),
        "output": refs(f"{step}/{name}" for name in record.outputs),
    }


def environment(record: Manifest) -> Iterator[Entity]:
    """The programs below a tool, and what else can change the last bits of its results."""
    for field, value in record.environment.model_dump(exclude_none=True).items():
        id = valued(field, value)
        if field in SOFTWARE:
            name, url = SOFTWARE[field]
            yield {"@id": id, "@type": "SoftwareApplication", "name": name, "softwareVersion": str(value), "url": url}
        elif field in PROPERTIES:
            yield {"@id": id, "@type": "PropertyValue", "name": PROPERTIES[field], "value": value}


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
    told = ["Not in this crate."]
    if content.files is not None:
        told.append("The hash is that of the canonical JSON of its files' hashes, which the manifest has.")
    if run.record.facts.get("synthetic"):
        told.append("Synthetic: drawn by the project.")
    unknown = "application/octet-stream"
    return {
        "@id": place(content),
        "@type": "File" if content.files is None else "Dataset",
        "name": Path(content.path).name,
        "alternateName": content.path,
        "description": " ".join(told),
        "sha256": content.sha256,
        **({"encodingFormat": FORMATS.get(Path(content.path).suffix, unknown)} if content.files is None else {}),
        **{name: refs(each["@id"] for each in about) for name, about in sources(run.record).items()},
        "exampleOfWork": ref(f"{run.step}/{name}"),
        "subjectOf": ref(str(run.manifest)),
    }


def sources(record: Manifest) -> dict[str, list[Entity]]:
    """Property of a fetched data set -> what its record tells of it: licence, citation, addresses."""
    facts, work = record.facts, {"@type": "CreativeWork"}
    found = {
        name: [{"@id": f"#{fact}/{quote(record.recipe['dataset'])}", **work, "name": facts[fact]}]
        for name, fact in {"license": "licence", "citation": "cite"}.items()
        if fact in facts
    }
    addresses = [origin for origin in facts.get("origins", ()) if "://" in origin]  # others are folders of a machine
    if addresses:
        found["isBasedOn"] = [{"@id": address, **work, "name": address, "url": address} for address in addresses]
    return found


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
    """The run of the workflow, and that of its engine."""
    table = told[-1]
    when = {"startTime": min(run.record.circumstances.start for run in told), "endTime": ended(told)}
    target = table.record.outputs["table"].path
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
        "name": f"run of the workflow for {target}",
        "description": f"snakemake {target}: from the start of the first to the end of the last stage run that the "
        "table rests on, which may be days and several commands apart.",
        **when,
        **COMPLETED,
        "instrument": ref(WORKFLOW),
        "object": ref(f"{TARGET}/{target}"),
        "result": refs(table.results),
    }
    engine = {"name": "Snakemake", "url": "https://snakemake.github.io"}
    yield {"@id": engine["url"], "@type": "SoftwareApplication", **engine}
    yield {
        "@id": ENGINE,
        "@type": "OrganizeAction",
        "name": "run of Snakemake",
        "description": "Snakemake is the project's engine; records do not tell who called a stage.",
        **when,
        **COMPLETED,
        "instrument": ref(engine["url"]),
        "object": refs(f"#control/{stage}" for stage in by_stage(told)),
        "result": ref(RUN),
    }


# Pieces


def by_stage(told: list[Run]) -> Mapping[str, list[Run]]:
    """Stage -> its runs; no stage stands before one whose files it reads."""
    found = grouped(told, lambda run: run.record.stage)
    read = {stage: {each.stage for run in ran for each in run.inputs} - {stage} for stage, ran in found.items()}
    order = TopologicalSorter({stage: sorted(read[stage]) for stage in sorted(read)}).static_order()
    return {stage: found[stage] for stage in order}


def grouped(told: list[Run], key: Callable[[Run], str]) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    for run in told:
        found.setdefault(key(run), []).append(run)
    return found


def ended(told: list[Run]) -> str:
    return told[-1].record.circumstances.end


def valued(field: str, value: object) -> str:
    """Identifier of what a field of a record's environment holds."""
    return f"#{quote(f'{field}/{value}')}"


def ref(id: str) -> Entity:
    return {"@id": id}


def refs(ids: Iterable[str]) -> Entity | list[Entity]:
    """References, each once, in the order given; a single one stands alone, as JSON-LD is compacted."""
    found = [ref(id) for id in dict.fromkeys(ids)]
    return found[0] if len(found) == 1 else found
