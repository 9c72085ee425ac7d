"""What a number was made from, read from records alone, and every artifact on the way hashed again.

No recipe and no code of today takes part: a record is held against the disk, against itself, and against what the
records of its consumers say they read. So an edit shows wherever it is made: a file no longer has its recorded hash;
a record edited to fit its file is not the one that its consumers saw; and what nothing consumes, a table, is rendered
again from its scores by `posetables.stages.audit`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from posetables.provenance import hashes, manifest
from posetables.provenance.identity import digest
from posetables.provenance.manifest import Hashing, Manifest, Used

State = Literal["verified", "recorded", "broken"]
"""recorded: known from records, its files not on this disk."""


@dataclass(eq=False)
class Node:
    """One artifact on the way to a number."""

    manifest: Path
    record: Manifest | None
    inputs: Mapping[str, Node]
    faults: list[str] = field(default_factory=list)
    """What does not verify: one line each, the file first."""
    remade: bool = False
    """Made again since a consumer read it, with the same content."""
    note: str = ""
    """What could not be checked."""

    @cached_property
    def absent(self) -> list[str]:
        """Outputs that are recorded and not on this disk."""
        if self.record is None:
            return [str(self.manifest)]
        return [output.path for output in self.record.outputs.values() if not Path(output.path).exists()]

    @property
    def state(self) -> State:
        return "broken" if self.faults else "recorded" if self.absent else "verified"

    @property
    def stage(self) -> str:
        return self.record.stage if self.record else "?"

    def all(self) -> Iterator[Node]:
        """Itself and all that it was made from, what is made first, first; each once."""
        seen: set[int] = set()

        def below(node: Node) -> Iterator[Node]:
            if id(node) not in seen:
                seen.add(id(node))
                for each in node.inputs.values():
                    yield from below(each)
                yield node

        return below(self)


class Lineage:
    """Reads and verifies each artifact once, however many numbers rest on it."""

    def __init__(self, hashing: Hashing = hashes.remembered) -> None:
        self.hashing = hashing
        self.nodes: dict[Path, Node] = {}

    def node(self, path: Path) -> Node:
        """The artifact whose manifest lies at `path`, with all that it was made from."""
        if path not in self.nodes:
            record = manifest.read(path)
            inputs = {name: self.node(Path(used.manifest)) for name, used in record.inputs.items()} if record else {}
            node = self.nodes[path] = Node(path, record, inputs)
            if record is None and path.exists():
                node.faults.append(f"{path}: not a manifest of this project")
            if record is not None:
                node.faults += contradictions(path, record)
                node.faults += self.alterations(record)
                for name, used in record.inputs.items():
                    self._hold_against(node, used, inputs[name])
        return self.nodes[path]

    def alterations(self, record: Manifest) -> list[str]:
        """Outputs on this disk that have not the recorded content."""
        present = [output for output in record.outputs.values() if Path(output.path).exists()]
        altered = [manifest.difference(output, Path(output.path), self.hashing) for output in present]
        return [f"{file}: not what its stage wrote" for file in altered if file is not None]

    def _hold_against(self, consumer: Node, used: Used, producer: Node) -> None:
        """What a consumer says that it read, against the producer's record of today."""
        record = producer.record
        if record is None or consumer.record is None:
            return
        content = {name: output.sha256 for name, output in record.outputs.items()}
        # What is made again has a record of its own, later than its consumers; an edit keeps the old time. Where the
        # bytes are the same, the consumer was made from what lies here, whatever code made it again.
        later = record.circumstances.end > consumer.record.circumstances.start
        if content != used.outputs and later:
            producer.faults.append(f"{producer.manifest}: made again, otherwise, since {consumer.manifest} read it")
        elif content != used.outputs:
            producer.faults.append(f"{producer.manifest}: not the content that {consumer.manifest} was made from")
        elif hashes.sha256(producer.manifest) != used.manifest_sha256:
            producer.remade = later
            if not later:
                producer.faults.append(f"{producer.manifest}: edited after {consumer.manifest} was made from it")


def contradictions(path: Path, record: Manifest) -> list[str]:
    """Where a record disagrees with itself: its hashes follow from the rest of it."""
    inputs = {name: used.identity for name, used in record.inputs.items()}
    follows = {
        "recipe_sha256": (record.recipe_sha256, digest(record.recipe)),
        "code": (record.code.sha256, digest(record.code.modules)),
        "identity": (
            record.identity,
            digest({"stage": record.stage, "recipe": record.recipe, "code": record.code.sha256, "inputs": inputs}),
        ),
    } | {
        f"outputs.{name}": (output.sha256, digest(output.files))
        for name, output in record.outputs.items()
        if output.files is not None
    }
    return [f"{path}: {key}: does not follow from the rest of the record" for key, (a, b) in follows.items() if a != b]
