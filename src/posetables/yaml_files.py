"""YAML files against schemas: what is wrong is told in one line, with the file, the key and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from posetables.errors import InputError

Model = TypeVar("Model", bound=BaseModel)


class _UniqueKeys(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML keeps the last of two equal keys without a word; a recipe must not."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:merge":
                value = self.construct_object(key, deep=True)
                if value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{value} is given twice", key.start_mark)
                seen.add(value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def load(path: Path) -> dict[str, Any]:
    """The keys of a file."""
    try:
        content = yaml.load(path.read_text(), _UniqueKeys)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; run from the root of the project") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no keys; see the other files of its folder")
    return content


def read(path: Path, kind: type[Model]) -> Model:
    """The keys of a file, by their schema."""
    return validate(path, load(path), kind)


def validate(path: Path, content: Any, kind: type[Model], *prefix: str) -> Model:
    """Some of a file's content, by its schema; `prefix` says where in the file it stands."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")  # a misspelt key explains more
        key = ".".join((*prefix, *_keys(content, first["loc"])))
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            close = difflib.get_close_matches(str(first["loc"][-1]), _all_fields(kind), n=1)
            message = "unknown key" + (f"; did you mean {close[0]!r}?" if close else "; remove it")
        elif first["type"] == "literal_error":
            message = f"{message}, not {first['input']!r}"
        elif first["type"].startswith("union_tag"):
            context = first["ctx"]
            key = ".".join((key, context["discriminator"].strip("'")))
            tags = context.get("expected_tags")
            message = f"Input should be one of {tags}, not {context['tag']!r}" if tags else "Field required"
        raise InputError(f"{path}: {key}: {message}") from error


def _keys(content: Any, place: Sequence[Any]) -> Iterator[str]:
    """Where an error is, in the keys of the content: of several schemas pydantic names the one that it took as well."""
    for part in place[:-1]:
        if isinstance(content, list) or (isinstance(content, dict) and part in content):
            content = content[part]
            yield str(part)
    yield from map(str, place[-1:])


def _all_fields(kind: type[BaseModel]) -> list[str]:
    """Field names of a schema and of the schemas inside it."""
    nested = [sub for field in kind.model_fields.values() for sub in _schemas(field.annotation)]
    return [*kind.model_fields, *(name for sub in nested for name in _all_fields(sub))]


def _schemas(annotation: Any) -> Iterator[type[BaseModel]]:
    """Those that a type is made of, however deep inside."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _schemas(each)
