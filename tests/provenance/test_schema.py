"""Manifests are of the schema that the project publishes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from posetables.provenance.manifest import Manifest

ROOT = Path(__file__).parents[2]


def test_the_published_schema_is_that_of_the_code() -> None:
    """If not: python -c 'import json, posetables.provenance.manifest as m;
    print(json.dumps(m.Manifest.model_json_schema(), indent=2))' > docs/manifest.schema.json"""
    assert json.loads((ROOT / "docs/manifest.schema.json").read_text()) == Manifest.model_json_schema()


EVIDENCE = sorted((ROOT / "results/lite").rglob("*manifest.json"))


def test_there_is_evidence() -> None:
    assert EVIDENCE


@pytest.mark.parametrize("path", EVIDENCE, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_committed_manifest_is_of_the_schema_and_canonical(path: Path) -> None:
    from posetables.provenance.identity import canonical_json

    manifest = Manifest.model_validate_json(path.read_bytes())
    assert path.read_text() == canonical_json(manifest.model_dump()) + "\n"


def test_an_unknown_key_is_refused() -> None:
    content = json.loads(EVIDENCE[0].read_text()) | {"trust": "me"}
    with pytest.raises(ValidationError, match="trust"):
        Manifest.model_validate(content)
