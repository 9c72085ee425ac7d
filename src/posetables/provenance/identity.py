"""What decides whether an artifact is up to date: known before anything runs, and blind to times and hosts.

identity = hash(stage, the recipe that it reads, code identity, identities of its inputs), as Nix derivations have it;
at the leaves stand pinned content hashes. Code identity is a hash of the normalised syntax trees of every module that
the stage imports, transitively, inside the package: a comment changes nothing, an imported helper never goes unnoticed.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from posetables.provenance.syntax import Import, Syntax, syntax

PACKAGE = "posetables"
ROOT = Path(__file__).parents[2]


def canonical_json(content: Any) -> str:
    """One text for one content: sorted keys, no spaces, shortest round-trip numbers."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(content: Any) -> str:
    """SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def identity(stage: str, recipe: Any, modules: Iterable[str], inputs: Mapping[str, str]) -> str:
    """Identity of one artifact; `inputs` maps the name of each input to its identity."""
    return digest({"stage": stage, "recipe": recipe, "code": code_identity(modules), "inputs": dict(inputs)})


def code_identity(modules: Iterable[str]) -> str:
    """Hash of the syntax trees of `modules` and of all that they import inside the package."""
    return digest(code(modules))


def code(modules: Iterable[str]) -> dict[str, str]:
    """`modules` and all that they import inside the package -> hash of each one's syntax tree."""
    return {name: _syntax(name).tree for name in sorted(closure(modules))}


def closure(modules: Iterable[str]) -> set[str]:
    """`modules` and every module of the package that importing or calling them can reach.

    Imports inside functions count; those under `if TYPE_CHECKING` do not, since they never run.
    """
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_imports(name))
    return found


@functools.cache
def _syntax(module: str) -> Syntax:
    path = _path(module)
    if path is None:
        raise ModuleNotFoundError(f"{module}: no such module in the package")
    return syntax(path.read_bytes())


@functools.cache
def _imports(module: str) -> tuple[str, ...]:
    names = _above(module)
    for each in _syntax(module).imports:
        base = _base(module, each)
        names += [base, *(f"{base}.{name}" for name in each.names)]
    inside = {name for name in names if name.split(".")[0] == PACKAGE}
    return tuple(sorted(name for name in inside if _path(name)))


def _above(module: str) -> list[str]:
    """The packages that a module lies in: importing it runs them first."""
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def _base(module: str, each: Import) -> str:
    """The module that an import names, relative or not."""
    if not each.level:
        return each.module
    path = _path(module)
    package = module.split(".") if path is not None and path.name == "__init__.py" else module.split(".")[:-1]
    return ".".join([*package[: len(package) - each.level + 1], *([each.module] if each.module else [])])


@functools.cache
def _path(module: str) -> Path | None:
    """Found by its place, since asking Python would import the packages above it, torch among them."""
    place = ROOT.joinpath(*module.split("."))
    candidates = (place.with_suffix(".py"), place / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)
