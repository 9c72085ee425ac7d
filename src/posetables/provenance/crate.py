"""A table as an RO-Crate: its numbers and the account of them, in one folder that can be passed on.

A Workflow Run RO-Crate of the profile `provenance-run-crate` 0.5, made from records alone. Nothing enters it that does
not verify, and the same table, in the same checkout, gives the same bytes.
"""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from posetables.errors import InputError
from posetables.provenance import crate_entities as entities
from posetables.provenance.crate_entities import Entity, Run
from posetables.provenance.lineage import Node

VERSION = "1.1"
"""Of the RO-Crate specification: the one that the profiles extend."""

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
CONTEXT = "https://w3id.org/ro/terms/workflow-run/context"
"""Gives `sha256` its meaning, which RO-Crate 1.1 does not know."""


def write(table: Node, folder: Path) -> None:
    """Write the crate of a table into an empty or new folder: all of it or nothing.

    Raises:
        InputError: the folder is not empty, or something that the table rests on is missing or does not verify.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(f"{folder}: not empty; delete it, or give another folder with --output")
    _check(table)
    made = _crate(entities.runs(table))
    aside = folder.with_name(f".{folder.name}.aside")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        made.write(aside)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _check(table: Node) -> None:
    """Every record is there and holds, and so does every file that is to be carried."""
    for node in table.all():
        if node.faults:
            raise InputError(f"{node.faults[0]}; delete {node.manifest} and run snakemake again")
        if node.record is None:
            raise InputError(f"{node.manifest}: not there; run: snakemake {node.manifest}")
        for content in node.record.outputs.values():
            if entities.is_carried(content) and not Path(content.path).exists():
                raise InputError(f"{content.path}: not on this disk; run: snakemake {content.path}")


def _crate(told: list[Run]) -> Any:
    crate = ROCrate(version=VERSION)
    crate.metadata.extra_contexts.append(CONTEXT)
    workflow, *files = entities.code(told)
    crate.add_workflow(workflow["@id"], workflow["@id"], properties=_own(workflow), main=True, lang="snakemake")
    for each in _sorted([*files, *entities.carried(told)]):
        crate.add_file(each["@id"], each["@id"], properties=_own(each))
    root = _root(told)
    profiles = [
        {"@id": id, "@type": "CreativeWork", "name": name, "version": id.rpartition("/")[2]}
        for id, name in PROFILES.items()
    ]
    for each in _sorted([*entities.described(told), *profiles, _licence()]):
        crate.add(ContextEntity(crate, each["@id"], properties=_own(each)))
    for name, value in root.items():
        crate.root_dataset[name] = value
    return crate


def _root(told: list[Run]) -> Entity:
    table = told[-1].record
    actions = [entities.RUN, entities.ENGINE, *(run.id for run in told)]
    return {
        "name": f"{table.recipe['title']} ({table.recipe['scale']} scale)",
        "description": "A table made by posetables, the scores that it was read from, and the manifest of every stage "
        "run that it rests on. Data sets, weights and predictions are not part of the crate: their hashes are.",
        "datePublished": entities.ended(told),
        "license": entities.ref(_licence()["@id"]),
        "conformsTo": entities.refs(PROFILES),
        "mentions": entities.refs(actions),
    }


def _licence() -> Entity:
    """The project's own, by its SPDX name."""
    name = importlib.metadata.metadata("posetables")["License-Expression"]
    url = f"https://spdx.org/licenses/{name}"
    return {"@id": url, "@type": "CreativeWork", "name": name, "url": url}


def _own(entity: Entity) -> Entity:
    return {name: value for name, value in entity.items() if name != "@id"}


def _sorted(found: list[Entity]) -> list[Entity]:
    """By identifier, each once."""
    return [each for _, each in sorted({each["@id"]: each for each in found}.items())]
