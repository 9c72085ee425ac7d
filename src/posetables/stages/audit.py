"""Where a number comes from, and whether all that it rests on is what its records say."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from posetables.errors import InputError
from posetables.provenance import hashes, identity
from posetables.provenance.lineage import Lineage, Node
from posetables.provenance.manifest import Hashing, beside
from posetables.recipe import pick
from posetables.stages import cells, tabulate
from posetables.stages.cells import Cell


@dataclass(frozen=True)
class Account:
    """Some cells of one table, and every artifact that they rest on."""

    item: str
    cells: tuple[Cell, ...]
    table: Node
    sources: tuple[Node, ...]
    """The scores and costs that the cells were read from."""

    @property
    def nodes(self) -> tuple[Node, ...]:
        """What is made first, first; the table last."""
        below = [node for source in self.sources for node in source.all()]
        return (*dict.fromkeys(below), self.table)


def account_of_figure(lineage: Lineage, path: Path) -> Account:
    """The figure whose manifest lies at `path`: no cells, and all that it was drawn from."""
    figure = lineage.node(path)
    if figure.record is None:
        raise InputError(f"{path}: never drawn, or damaged; run: snakemake {path}")
    return Account(path.name.removesuffix(".manifest.json"), (), figure, tuple(figure.inputs.values()))


def account(lineage: Lineage, path: Path, row: str | None = None, column: str | None = None) -> Account:
    """All cells of the table whose manifest lies at `path`, or those of one row, of one column, or of both.

    Raises:
        InputError: the table was never made, or has no such row or column.
    """
    item = path.name.removesuffix(".manifest.json")
    table = lineage.node(path)
    found = cells_of(table)
    if found is None:
        raise InputError(f"{path}: no table, or damaged; run: snakemake {path.with_name(f'{item}.csv')}")
    for what, name, names in (
        ("row", row, [each.row for each in found]),
        ("column", column, [each.column for each in found]),
    ):
        if name is not None:
            pick(dict.fromkeys(names), name, what, item)
    return _account(table, [each for each in found if row in (None, each.row) and column in (None, each.column)])


def _account(table: Node, chosen: Sequence[Cell]) -> Account:
    read = {beside(Path(artifact)) for each in chosen for artifact in each.artifact.split()}
    sources = tuple(node for node in table.inputs.values() if node.manifest in read)
    return Account(table.manifest.name.removesuffix(".manifest.json"), tuple(chosen), table, sources)


def audit_all(manifests: Sequence[Path], hashing: Hashing) -> tuple[Lineage, list[Account]]:
    """Some artifacts, whether or not a table rests on them, and all that they were made from; the tables among them."""
    lineage = Lineage(hashing)
    for path in manifests:
        lineage.node(path)
    tables = [node for node in lineage.nodes.values() if node.stage == "tabulate"]
    return lineage, [_account(node, found) for node in tables if (found := cells_of(node)) is not None]


def touched(node: Node, accounts: Sequence[Account]) -> list[str]:
    """The cells that rest on an artifact, a line for each row of each table."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for each in accounts:
        resting = {str(source.manifest) for source in each.sources if node in source.all()}
        for cell in each.cells:
            if node is each.table or any(str(beside(Path(artifact))) in resting for artifact in cell.artifact.split()):
                rows.setdefault((cell.scale, each.item, cell.row), []).append(cell.column)
    return [f"{item} ({scale}): {row}: {', '.join(columns)}" for (scale, item, row), columns in rows.items()]


def cells_of(table: Node) -> tuple[Cell, ...] | None:
    """The cells of a table; None where it has none to read. What does not follow from its scores becomes its fault."""
    if table.record is None or "cells" not in table.record.outputs:
        return None
    try:
        found = cells.read(Path(table.record.outputs["cells"].path))
    except (OSError, ValueError, TypeError):
        return None
    table.faults += [fault for fault in rerender(table, found) if fault not in table.faults]
    return found


def rerender(table: Node, found: Sequence[Cell]) -> list[str]:
    """Files and cells of a table that do not follow from the scores that it was made from. Nothing consumes a table, so
    that no other record would betray an edit of both it and its manifest.

    Only where its inputs verify, and this code is the code that made it: another might render otherwise.
    """
    record = table.record
    inputs = {
        name: {key: Path(output.path) for key, output in node.record.outputs.items()}
        for name, node in table.inputs.items()
        if node.record is not None and not node.faults
    }
    there = all(path.exists() for paths in inputs.values() for path in paths.values())
    if record is None or not there or len(inputs) < len(table.inputs):
        table.note = "not rendered again: scores are not here, or do not verify"
        return []
    if record.code.sha256 != identity.code_identity(["posetables.stages.tabulate"]):
        table.note = "not rendered again: other code made it"
        return []
    with tempfile.TemporaryDirectory() as folder:
        outputs = {name: Path(folder) / Path(content.path).name for name, content in record.outputs.items()}
        tabulate.again(record.recipe, inputs, outputs)
        others = [each.path for name, each in record.outputs.items() if hashes.sha256(outputs[name]) != each.sha256]
        given = {(each.row, each.column): each for each in cells.read(outputs["cells"])}
    edited = [each for each in found if given.get((each.row, each.column)) != each]
    return [f"{path}: not what its scores give" for path in others] + [
        f"{record.outputs['cells'].path}: {each.row} / {each.column}: not what its score gives" for each in edited
    ]
