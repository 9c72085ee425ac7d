"""One node of the DAG: made once, whole or not there, and current or not for a reason.

An artifact is made aside and renamed into place, its manifest last: killed at any moment, a stage leaves nothing that
looks finished. Whoever comes second to an artifact that is being made waits for the first.
"""

from __future__ import annotations

import datetime
import fcntl
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from posetables.errors import InputError
from posetables.provenance import hashes, identity, manifest
from posetables.provenance.manifest import Code, Content, Manifest, Used

NAMED = 4
"""How many changes of a kind are told by name."""


@dataclass(frozen=True, eq=False)
class Artifact:
    """One node of the DAG."""

    stage: str
    """Verb of the command line that makes it."""
    recipe: Mapping[str, Any]
    """The part of the recipe that the stage reads, as plain values."""
    modules: tuple[str, ...]
    """Modules of the package that the stage runs; what they import follows from them."""
    outputs: Mapping[str, Path]
    manifest: Path
    inputs: Mapping[str, Artifact] = field(default_factory=dict)

    @cached_property
    def identity(self) -> str:
        inputs = {name: artifact.identity for name, artifact in self.inputs.items()}
        return identity.identity(self.stage, self.recipe, self.modules, inputs)

    def all(self) -> list[Artifact]:
        """Itself and all that it is made from, what is made first, first; each once."""
        return list(dict.fromkeys([*(each for made in self.inputs.values() for each in made.all()), self]))

    @property
    def tracked(self) -> list[str]:
        """The files that an engine declares. A fetched folder stands behind its manifest: an engine would delete it."""
        outputs = () if self.stage == "fetch" else self.outputs.values()
        return [str(path) for path in (*outputs, self.manifest)]

    @property
    def lock(self) -> Path:
        """Held by whoever makes it."""
        return self.manifest.parent / f".{self.manifest.name}.lock"

    @property
    def is_made(self) -> bool:
        """Whether it need not be made again."""
        return self.freshness().state in ("current", "behind")

    def freshness(self) -> Freshness:
        """Where it stands, told by manifests and content alone: no times, no memory of an engine."""
        record = manifest.read(self.manifest)
        if record is None:
            return Freshness("missing", f"{self.manifest}: not there or unreadable")
        if record.identity != self.identity:
            return Freshness("stale", "; ".join(self._moved(record)))
        if (moved := self._content_moved(record)) is not None:
            return Freshness("stale", moved)
        if gone := [str(path) for path in self.outputs.values() if not path.exists()]:
            return Freshness("recorded", f"not on this disk: {', '.join(gone)}")
        for name, path in self.outputs.items():
            if (altered := manifest.difference(record.outputs[name], path, hashes.remembered)) is not None:
                return Freshness("altered", f"{altered}: not what its stage wrote")
        if record.environment.lock != manifest.lock():
            return Freshness("behind", "constraints.txt: other packages than these")
        return Freshness("current")

    def _content_moved(self, record: Manifest) -> str | None:
        """What an identity does not see: files in other places, or an input made again that came out otherwise."""
        places = {name: str(path) for name, path in self.outputs.items()}
        if {name: output.path for name, output in record.outputs.items()} != places:
            return "outputs: other files than these"
        for name, used in record.inputs.items():
            made = manifest.read(self.inputs[name].manifest)
            if made is not None and {key: output.sha256 for key, output in made.outputs.items()} != used.outputs:
                return f"input {self.inputs[name].manifest}: made again since, with other content"
        return None

    def _moved(self, record: Manifest) -> list[str]:
        """What is not as the record has it: keys of the recipe, modules, inputs; the first few of each."""
        before = {name: used.identity for name, used in record.inputs.items()}
        moved = {
            "recipe": differing(record.recipe, self.recipe),
            "code": differing(record.code.modules, identity.code(self.modules)),
            "input": differing(before, {name: artifact.identity for name, artifact in self.inputs.items()}),
        }
        told = [
            f"{kind} {', '.join(names[:NAMED])}" + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
            for kind, names in moved.items()
            if names
        ]
        return told or ["stage"]


@dataclass(frozen=True)
class Freshness:
    """current; behind: only the pinned packages moved; stale: recipe, code or inputs moved; altered: the content is not
    what its stage wrote; recorded: current, but its files are not on this disk; missing: never made."""

    state: Literal["current", "behind", "stale", "altered", "recorded", "missing"]
    why: str = ""


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Dotted names of the keys, at any depth, whose values are not the same in both."""
    names: list[str] = []
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            names += [f"{key}.{name}" for name in differing(old, new)]
        elif old != new:
            names.append(key)
    return names


Stage = Callable[[Mapping[str, Mapping[str, Path]], Mapping[str, Path]], Mapping[str, Any]]
"""(paths of each input's outputs, paths to write) -> facts for the manifest."""


def make(artifact: Artifact, stage: Stage) -> bool:
    """Run `stage` unless the artifact is there and whole; True if it ran. Inputs are verified before they are read."""
    with _alone(artifact):
        if artifact.is_made:
            return False
        inputs = {name: _verified(each) for name, each in artifact.inputs.items()}
        start = manifest.now()
        artifact.manifest.unlink(missing_ok=True)
        aside = artifact.manifest.parent / f".{artifact.manifest.name}.aside"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        try:
            made = {name: aside / path.name for name, path in artifact.outputs.items()}
            facts = dict(stage({name: each.outputs for name, each in artifact.inputs.items()}, made))
            outputs = {name: manifest.describe(made[name], path) for name, path in artifact.outputs.items()}
            for name, path in artifact.outputs.items():
                _replace(made[name], path)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        manifest.write(artifact.manifest, _record(artifact, inputs, outputs, facts, start))
        return True


def _record(
    artifact: Artifact,
    inputs: Mapping[str, Used],
    outputs: Mapping[str, Content],
    facts: dict[str, Any],
    start: datetime.datetime,
) -> Manifest:
    restarts = facts.pop("restarts", 0)
    modules = identity.code(artifact.modules)
    return Manifest(
        stage=artifact.stage,
        identity=artifact.identity,
        seed=artifact.recipe.get("seed"),
        recipe=artifact.recipe,
        recipe_sha256=identity.digest(artifact.recipe),
        code=Code(sha256=identity.digest(modules), modules=modules),
        inputs=inputs,
        outputs=outputs,
        facts=facts,
        environment=manifest.environment(),
        circumstances=manifest.circumstances(start, restarts),
    )


def _verified(artifact: Artifact) -> Used:
    """What a manifest records of an input, once the input is current and has the content that its stage wrote."""
    record = manifest.verify(artifact.manifest, artifact.outputs)
    if record.identity != artifact.identity:
        raise InputError(f"{artifact.manifest}: of another recipe or other code; run: snakemake {artifact.manifest}")
    return Used(
        manifest=str(artifact.manifest),
        manifest_sha256=hashes.sha256(artifact.manifest),
        identity=record.identity,
        outputs={name: output.sha256 for name, output in record.outputs.items()},
    )


def _replace(made: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir():
        shutil.rmtree(place)
    made.rename(place)


@contextmanager
def _alone(artifact: Artifact) -> Iterator[None]:
    """The kernel drops this lock when its holder dies, however it dies."""
    artifact.manifest.parent.mkdir(parents=True, exist_ok=True)
    with artifact.lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
