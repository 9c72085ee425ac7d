"""Code identity moves with every statement that can run, and with nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from posetables.provenance import identity
from posetables.provenance.identity import canonical_json, closure, code_identity

FILES = {
    "__init__.py": "",
    "stage.py": (
        '"""A stage."""\nfrom __future__ import annotations\nfrom typing import TYPE_CHECKING\n'
        "import numpy as np\nfrom package import helper\nfrom package.deep.inner import depth\n"
        "if TYPE_CHECKING:\n    from package.hints import Hint\n\n\n"
        'def run(x: Hint) -> int:\n    """Do it."""\n    from package.late import add\n'
        "    # why\n    return add(x) + helper.one() + depth\n"
    ),
    "helper.py": "from package.far import two\n\n\ndef one() -> int:\n    return two() - 1\n",
    "far.py": "def two() -> int:\n    return 2\n",
    "late.py": "def add(x: int) -> int:\n    return x + 1\n",
    "hints.py": "class Hint:\n    pass\n",
    "unrelated.py": "def other() -> int:\n    return 0\n",
    "deep/__init__.py": "",
    "deep/inner.py": "depth = 3\n",
}


class Package:
    """A small package on the disk; its identity is always read afresh."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for file, content in FILES.items():
            self.write(file, content)

    def write(self, file: str, content: str) -> None:
        (self.root / file).parent.mkdir(parents=True, exist_ok=True)
        (self.root / file).write_text(content)

    def replace(self, file: str, old: str, new: str) -> None:
        content = (self.root / file).read_text()
        assert old in content
        self.write(file, content.replace(old, new, 1))

    def identity(self) -> str:
        forget()
        return code_identity(["package.stage"])


def forget() -> None:
    """Sources are read once in the life of a command; here they change in between."""
    for function in vars(identity).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    monkeypatch.setattr(identity, "PACKAGE", "package")
    monkeypatch.setattr(identity, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    yield Package(tmp_path / "package")
    forget()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    # why\n", "    # because\n"),
        ("    # why\n", ""),
        ('"""A stage."""', '"""The stage."""'),
        ('"""A stage."""\n', ""),
        ('"""Do it."""', '"""Do it well."""'),
        ("return add(x) + helper.one() + depth", "return (\n        add(x) + helper.one()\n        + depth\n    )"),
        ("\n\n\n", "\n"),
    ],
    ids=["comment", "no comment", "docstring", "no docstring", "docstring of a function", "formatting", "blank lines"],
)
def test_what_does_not_run_moves_nothing(package: Package, old: str, new: str) -> None:
    before = package.identity()
    package.replace("stage.py", old, new)
    assert package.identity() == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("stage.py", "helper.one()", "2 * helper.one()"),
        ("helper.py", "- 1", "- 2"),
        ("far.py", "return 2", "return 3"),
        ("late.py", "x + 1", "x + 2"),
        ("deep/inner.py", "depth = 3", "depth = 4"),
    ],
    ids=["itself", "imported", "imported by that", "imported inside a function", "imported by name"],
)
def test_a_statement_that_runs_moves_it_wherever_it_stands(package: Package, file: str, old: str, new: str) -> None:
    before = package.identity()
    package.replace(file, old, new)
    assert package.identity() != before


def test_the_code_of_a_package_that_holds_an_import_moves_it(package: Package) -> None:
    before = package.identity()
    package.write("deep/__init__.py", "import math\n\nmath.pi = 3\n")
    assert package.identity() != before


def test_a_relative_import_is_followed(package: Package) -> None:
    package.replace("helper.py", "from package.far", "from .far")
    before = package.identity()
    package.replace("far.py", "return 2", "return 3")
    assert package.identity() != before


def test_what_runs_instead_of_an_import_for_hints_is_followed(package: Package) -> None:
    package.replace("stage.py", "import Hint\n", "import Hint\nelse:\n    from package.unrelated import other\n")
    before = package.identity()
    package.replace("unrelated.py", "return 0", "return 1")
    assert package.identity() != before


@pytest.mark.parametrize("file", ["unrelated.py", "hints.py"], ids=["nobody imports it", "imported for hints alone"])
def test_a_module_that_never_runs_moves_nothing(package: Package, file: str) -> None:
    before = package.identity()
    package.write(file, "raise SystemExit\n")
    assert package.identity() == before


def test_a_new_name_for_a_module_moves_nothing_that_does_not_import_it(package: Package) -> None:
    before = package.identity()
    package.write("new.py", "x = 1\n")
    assert package.identity() == before


def test_the_order_and_number_of_the_modules_asked_for_do_not_matter() -> None:
    names = ["posetables.errors", "posetables.data.random"]
    assert code_identity(names) == code_identity(names[::-1]) == code_identity([*names, *names])


def test_identity_moves_with_stage_recipe_and_inputs() -> None:
    def of(stage: str = "train", recipe: object = 1, **inputs: str) -> str:
        return identity.identity(stage, recipe, ["posetables.errors"], inputs)

    assert len({of(), of("score"), of(recipe=2), of(people="a"), of(people="b"), of(persons="a")}) == 6
    assert of(people="a") == of(people="a")


def test_equal_contents_have_one_text_whatever_the_order_of_their_keys() -> None:
    assert canonical_json({"b": [1, 0.1], "a": "é"}) == canonical_json({"a": "é", "b": [1, 0.1]})
    assert canonical_json({"b": [1, 0.1], "a": "é"}) == '{"a":"é","b":[1,0.1]}'


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_have_is_no_recipe(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"lr": number})


def test_a_module_that_does_not_exist_has_no_identity() -> None:
    with pytest.raises(ModuleNotFoundError):
        code_identity(["posetables.models.nobody"])


# The project's own modules


def test_training_hangs_on_its_network_and_not_on_metrics_or_the_command_line() -> None:
    modules = closure(["posetables.stages.train", "posetables.models.hcrn"])
    assert {"posetables.models.hourglass", "posetables.data.codecs", "posetables.data.people"} <= modules
    assert {name for name in modules if name.startswith("posetables.metrics")} == set()
    assert {"posetables.cli", "posetables.recipe", "posetables.stages.artifacts"} & modules == set()


def test_scores_hang_on_no_network() -> None:
    modules = closure(["posetables.stages.score"])
    assert {"posetables.metrics.pck", "posetables.metrics.bootstrap"} <= modules
    assert {name for name in modules if name.startswith("posetables.models")} == set()
