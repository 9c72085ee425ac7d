"""What decides whether an artifact is up to date: known before anything runs, and blind to times and hosts.

identity = hash(stage, the recipe that it reads, code identity, identities of its inputs), as Nix derivations have it;
at the leaves stand pinned content hashes. Code identity is a hash of the normalised syntax trees of every module that
the stage imports, transitively, inside the package: a comment changes nothing, an imported helper never goes unnoticed.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

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
    return {name: _tree_hash(name) for name in sorted(closure(modules))}


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
def _source(module: str) -> ast.Module:
    path = _path(module)
    if path is None:
        raise ModuleNotFoundError(f"{module}: no such module in the package")
    return ast.parse(path.read_bytes())


@functools.cache
def _tree_hash(module: str) -> str:
    tree = _source(module)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [line for line in node.body if not _is_text(line)] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _is_text(node: ast.stmt) -> bool:
    """Docstrings, and the strings under attributes that serve as theirs."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@functools.cache
def _imports(module: str) -> tuple[str, ...]:
    names = _above(module)
    for node in _running(_source(module)):
        if isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(module, node)
            names.append(base)
            names.extend(f"{base}.{alias.name}" for alias in node.names)
    inside = {name for name in names if name.split(".")[0] == PACKAGE}
    return tuple(sorted(name for name in inside if _path(name)))


def _above(module: str) -> list[str]:
    """The packages that a module lies in: importing it runs them first."""
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def _base(module: str, node: ast.ImportFrom) -> str:
    """The module that `from ... import` names, relative or not."""
    if not node.level:
        return node.module or ""
    path = _path(module)
    package = module.split(".") if path is not None and path.name == "__init__.py" else module.split(".")[:-1]
    return ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])


def _running(node: ast.AST) -> Iterable[ast.AST]:
    """All nodes below `node` except the bodies of `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            for other in child.orelse:
                yield other
                yield from _running(other)
            continue
        yield child
        yield from _running(child)


@functools.cache
def _path(module: str) -> Path | None:
    """Found by its place, since asking Python would import the packages above it, torch among them."""
    place = ROOT.joinpath(*module.split("."))
    candidates = (place.with_suffix(".py"), place / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)
