"""What the text of a module says to Python, whatever its comments and docstrings are.

Remembered by content, since parsing costs a plan more than all else that it does. Deleting the memory costs time,
nothing else.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from posetables.provenance import memory

MEMORY = Path(".posetables/syntax")
"""Below the root of the project, one file for every content."""

RULES = hashlib.sha256(Path(__file__).read_bytes() + sys.version.encode()).digest()
"""What the answer rests on besides the content: this module, and the parser."""


class Import(NamedTuple):
    """`import module`, or `from ..module import names` with the number of its dots."""

    level: int
    module: str
    names: tuple[str, ...]


class Syntax(NamedTuple):
    """SHA-256 of the normalised tree, and the imports that can run, those inside functions among them."""

    tree: str
    imports: tuple[Import, ...]


def syntax(source: bytes) -> Syntax:
    """Parse a module, or remember what it said.

    Raises:
        SyntaxError: not Python.
    """
    file = MEMORY / f"{hashlib.sha256(RULES + source).hexdigest()}.json"
    known = _known(memory.recall(file))
    if known is None:
        known = _parse(source)
        memory.keep(file, known)
    return known


def _parse(source: bytes) -> Syntax:
    module = ast.parse(source)
    imports = tuple(_imports(module))  # before the tree is stripped
    return Syntax(hashlib.sha256(ast.dump(_without_texts(module)).encode()).hexdigest(), imports)


def _without_texts(module: ast.Module) -> ast.Module:
    for node in ast.walk(module):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [line for line in node.body if not _is_text(line)] or [ast.Pass()]
    return module


def _is_text(node: ast.stmt) -> bool:
    """Docstrings, and the strings under attributes that serve as theirs."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _imports(module: ast.Module) -> Iterable[Import]:
    for node in _running(module):
        if isinstance(node, ast.Import):
            yield from (Import(0, alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield Import(node.level, node.module or "", tuple(alias.name for alias in node.names))


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


def _known(content: Any) -> Syntax | None:
    """What was remembered, if it is whole."""
    try:
        tree, imports = content
        return Syntax(str(tree), tuple(Import(level, module, tuple(names)) for level, module, names in imports))
    except (TypeError, ValueError):
        return None
