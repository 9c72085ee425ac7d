"""What a module said is remembered by its content, and no memory is trusted to be whole, or to be there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from posetables.provenance.syntax import MEMORY, Import, syntax

SOURCE = b'"""Doc."""\nimport a.b\nfrom ..c import d, e  # why\n'


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def forbid_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(source: bytes) -> ast.Module:
        raise AssertionError("parsed again")

    monkeypatch.setattr(ast, "parse", parse)


def test_imports_keep_their_dots_and_names() -> None:
    assert syntax(SOURCE).imports == (Import(0, "a.b", ()), Import(2, "c", ("d", "e")))


def test_a_known_content_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = syntax(SOURCE)
    forbid_parsing(monkeypatch)
    assert syntax(SOURCE) == parsed


def test_another_content_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    syntax(SOURCE)
    forbid_parsing(monkeypatch)
    with pytest.raises(AssertionError, match="parsed again"):
        syntax(SOURCE + b"x = 1\n")


@pytest.mark.parametrize("rest", ["", "[]", "null", '["a", [[0]]]', '{"tree": 1}'])
def test_a_memory_that_was_cut_short_is_made_again(rest: str) -> None:
    parsed = syntax(SOURCE)
    (memory,) = MEMORY.iterdir()
    memory.write_text(rest)
    assert syntax(SOURCE) == parsed


def test_where_nothing_can_be_written_it_is_parsed_each_time(root: Path) -> None:
    (root / MEMORY.parts[0]).write_text("no folder")
    assert syntax(SOURCE) == syntax(SOURCE)
