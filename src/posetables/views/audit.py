"""What an audit found: the tree of a number for a terminal, or everything as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.tree import Tree

from posetables.provenance.lineage import Node
from posetables.provenance.manifest import Manifest
from posetables.stages.audit import Account, touched
from posetables.views.console import console

COLOURS = {"verified": "green", "recorded": "yellow", "broken": "red"}
SHORT = 12
"""Digits of a hash that are enough to tell two apart."""


def print_number(told: Account) -> int:
    """Each cell and its tree, then the judgement; 1 if anything is broken."""
    out = console()
    for cell in told.cells:
        interval = f" ({cell.low:.4g} to {cell.high:.4g})" if cell.low is not None and cell.high is not None else ""
        printed = f", the paper prints {cell.published}" if cell.published else ""
        value = cell.published if cell.kind == "cited" else "no value" if cell.value is None else f"{cell.value:.6g}"
        out.print(
            f"[bold]{escape(cell.row)} / {escape(cell.column)}[/]: {value}{interval}, {cell.kind} at {cell.scale} scale"
            f"{printed}{f': {cell.verdict}, {cell.reason}' if cell.verdict else ''}"
        )
        out.print(f"  {escape(cell.convention)}{f', {cell.key} of {cell.artifact}' if cell.artifact else ''}")
        if cell.flag:
            out.print(f"  [yellow]{escape(cell.flag)}[/]")
    seen: set[Node] = set()
    tree = Tree(_label(told.table))
    for source in told.sources:
        _grow(tree, source, seen)
    out.print(tree)
    return print_judgement(told.nodes, [told])


def print_judgement(nodes: Iterable[Node], accounts: Sequence[Account]) -> int:
    """What is broken, first what is made first, with the cells that rest on it; 1 if anything is."""
    out = console()
    everything = list(nodes)
    broken = [node for node in everything if node.faults]
    for node in broken:
        for fault in node.faults:
            out.print(f"[red]broken[/] {escape(fault)}")
        for line in touched(node, accounts):
            out.print(f"  touches {escape(line)}")
    for node in everything:
        if node.note:
            out.print(f"[yellow]{escape(f'{node.manifest}: {node.note}')}[/]")
    absent = [node for node in everything if node.state == "recorded"]
    if absent:
        out.print(f"[yellow]recorded, not on this disk:[/] {len(absent)} (first: {absent[0].absent[0]})")
    count = sum(node.state == "verified" for node in everything)
    out.print(f"verified {count} of {len(everything)}" + (f"; first broken: {broken[0].faults[0]}" if broken else ""))
    return 1 if broken else 0


def _grow(tree: Tree, node: Node, seen: set[Node]) -> None:
    again = node in seen
    branch = tree.add(_label(node) + (" [dim](as above)[/]" if again and node.inputs else ""))
    if not again:
        seen.add(node)
        if node.record is not None:
            for line in _facts(node.record):
                branch.add(f"[dim]{escape(line)}[/]")
        for each in node.inputs.values():
            _grow(branch, each, seen)


def _label(node: Node) -> str:
    record = node.record
    again = ", made again since, to the same bytes" if node.remade and not node.faults else ""
    unchecked = f" [yellow]{escape(node.note)}[/]" if node.note else ""
    state = f"[{COLOURS[node.state]}]{node.state}[/]{again}{unchecked}"
    if record is None:
        return f"{escape(str(node.manifest))} {state}"
    files = ", ".join(f"{Path(each.path).name} {each.sha256[:SHORT]}" for each in record.outputs.values())
    folder = Path(next(iter(record.outputs.values())).path).parent
    return f"[bold]{record.stage}[/] {escape(f'{folder}/: {files}')} {state}"


def _facts(record: Manifest) -> list[str]:
    """What a reader asks of one step: when and where, with which code and packages, and what is its own."""
    where, made = record.environment, record.circumstances
    commit = f"commit {made.git_commit[:SHORT]}" if made.git_commit else "no git"
    torch = f", torch {where.torch}" if where.torch else ""
    lines = [
        f"{made.end[:19]}, {made.seconds:.1f} s on {record.facts.get('device') or where.processor}, host {made.host}, "
        f"Slurm job {made.slurm_job or 'none'}",
        f"code {record.code.sha256[:SHORT]}, {commit}{' with changes' if made.git_dirty else ''}, Python {where.python}"
        f"{torch}, packages {(where.lock or 'unpinned')[:SHORT]}",
    ]
    if record.seed is not None:
        lines.append(f"seed {record.seed}, {made.restarts} restarts")
    if record.stage == "fetch":
        drawn = {"the project's own drawing": record.facts.get("people")}
        lines += [f"{count} files from {address}" for address, count in record.facts.get("origins", drawn).items()]
        lines += [f"{key}: {record.facts[key]}" for key in ("licence", "cite") if key in record.facts]
    return lines


def as_json(nodes: Iterable[Node], accounts: Sequence[Account]) -> str:
    """Cells, artifacts with their records and states, faults with the cells that they touch."""
    everything = list(nodes)
    content: dict[str, Any] = {
        "verified": sum(node.state == "verified" for node in everything),
        "of": len(everything),
        "cells": [cell.model_dump() for each in accounts for cell in each.cells],
        "broken": [
            {"manifest": str(node.manifest), "faults": node.faults, "touches": touched(node, accounts)}
            for node in everything
            if node.faults
        ],
        "artifacts": [
            {
                "manifest": str(node.manifest),
                "state": node.state,
                "absent": node.absent,
                "note": node.note,
                "inputs": [str(each.manifest) for each in node.inputs.values()],
                "record": None if node.record is None else node.record.model_dump(mode="json"),
            }
            for node in everything
        ],
    }
    return json.dumps(content, indent=1)
