"""Faults of a run config: what is wrong, on which line, and what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from tradewind.config.source import ConfigSource, Key
from tradewind.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, at a path of keys, or at a `place` that is not in the file."""

    path: tuple[Key, ...]
    what: str
    place: str = ""

    def text(self, source: ConfigSource) -> str:
        """Return ``file:line: path: what``."""
        dotted = ".".join(str(key) for key in self.path)
        return ": ".join(part for part in (self.place or source.where(*self.path), dotted, self.what) if part)


def config_error(faults: Iterable[Fault], source: ConfigSource) -> ConfigError:
    """Return the error that lists all faults in the order of their lines."""
    ordered = sorted(dict.fromkeys(faults), key=lambda f: source.line_of(*f.path))
    texts = tuple(f.text(source) for f in ordered)
    head = [f"{len(texts)} faults in the run config"] if len(texts) > 1 else []
    error = ConfigError("\n  ".join([*head, *texts]))
    error.faults = texts
    return error


def faults_of(error: ValidationError, model: type[BaseModel], at: tuple[Key, ...] = ()) -> Iterator[Fault]:
    """Return what pydantic found wrong with `model`, which stands at the path `at`, in our words."""
    for details in error.errors(include_url=False):
        path = tuple(key for key in details["loc"] if key != "[key]")
        yield Fault((*at, *path), _what(details, model))


def _what(details: ErrorDetails, model: type[BaseModel]) -> str:
    kind, value = details["type"], details["input"]
    if kind == "extra_forbidden":
        *parent, key = details["loc"]
        return "unknown key, " + did_you_mean(str(key), _known_keys(model, parent))
    if kind == "missing":
        return "missing key"
    message = details["msg"].removeprefix("Value error, ")
    if kind == "value_error" or isinstance(value, dict | list):
        return message
    return f"{_lower(message)}, not {value!r:.60}" + _nearest(value, details)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _nearest(value: object, details: ErrorDetails) -> str:
    expected = re.findall(r"'([^']*)'", str(details.get("ctx", {}).get("expected", "")))
    return ", " + did_you_mean(str(value), expected) if expected else ""


def _known_keys(model: type[BaseModel], parents: Iterable[Key]) -> list[str]:
    types: list[Any] = [model]
    for key in parents:
        types = [inner for outer in types for inner in _enter(outer, key)]
    # a mapping may stand alone where several could
    types += [item for t in types if get_origin(t) is tuple for item in _items(t)]
    return [name for t in types if _is_model(t) for name in _by_key(t)]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _by_key(model: type[BaseModel]) -> dict[str, Any]:
    return {f.alias or name: f.annotation for name, f in model.model_fields.items()}


def _enter(annotation: Any, key: Key) -> list[Any]:
    """Return the types of the entry `key` of a model, mapping or sequence type."""
    if _is_model(annotation):
        fields = _by_key(annotation)
        return _alternatives(fields[str(key)]) if key in fields else []
    if isinstance(key, str) and get_origin(annotation) is tuple:
        return [inner for item in _items(annotation) for inner in _enter(item, key)]
    return _items(annotation)


def _items(annotation: Any) -> list[Any]:
    """Return the types of what a mapping or sequence type holds."""
    arguments = [a for a in get_args(annotation) if a is not Ellipsis]
    return _alternatives(arguments[-1]) if arguments else []


def _alternatives(annotation: Any) -> list[Any]:
    """Return the members of a union, without what annotates them."""
    if hasattr(annotation, "__metadata__"):
        return _alternatives(annotation.__origin__)
    if get_origin(annotation) in {Union, UnionType}:
        return [inner for member in get_args(annotation) for inner in _alternatives(member)]
    return [annotation]
