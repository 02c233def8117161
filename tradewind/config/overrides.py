"""Overrides from the command line, such as ``components.transport.run_as=reference``."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from pydantic import BaseModel
from ruamel.yaml.error import YAMLError

from tradewind.config.faults import Fault
from tradewind.config.sections.models import RunConfig
from tradewind.config.source import ConfigSource, Key, parse_yaml
from tradewind.errors import did_you_mean


class _OverrideError(Exception):
    """A key of an override leads nowhere."""


def apply(
    data: dict[str, Any],
    source: ConfigSource,
    overrides: Sequence[str],
    model: type[BaseModel] = RunConfig,
) -> tuple[dict[str, Any], ConfigSource, list[Fault]]:
    """Return the settings with `overrides` (``path=value``) applied, their source, and the faults.

    Later overrides win. A path must name a known section, component or list entry; a key that the file
    leaves at its default may be set.

    Parameters
    ----------
    model
        Its fields are the known sections.
    """
    changed, texts, faults = deepcopy(data), dict(source.overrides), list[Fault]()
    for text in overrides:
        try:
            path = _set(changed, text, list(model.model_fields))
        except _OverrideError as unknown:
            faults.append(Fault((), str(unknown), place=f"--set {text}"))
        else:
            # the latest comes first, since it wins
            texts = {path: text} | {p: t for p, t in texts.items() if p != path}
    return changed, replace(source, overrides=texts), faults


def _set(data: dict[str, Any], text: str, sections: list[str]) -> tuple[Key, ...]:
    dotted, equals, value = text.partition("=")
    if not (dotted.strip() and equals):
        raise _OverrideError("write it as path=value")
    *parents, last = dotted.strip().split(".")
    path = list[Key]()
    first, *_ = [*parents, last]
    if first not in sections:
        raise _OverrideError(f"there is no {first!r}, {did_you_mean(first, sections)}")
    for name in parents:
        data = _enter(data, name, path)
    key = _key(data, last, path)
    data[key] = _value(value)  # type: ignore[index]
    return (*path, key)


def _value(text: str) -> Any:
    try:
        return parse_yaml(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise _OverrideError(f"{text!r} is not a YAML value") from error


def _enter(data: Any, name: str, path: list[Key]) -> Any:
    key = _key(data, name, path)
    path.append(key)
    if isinstance(data, dict) and data.get(key) is None:
        data[key] = {}
    return data[key]


def _key(data: Any, name: str, path: list[Key]) -> Key:
    """Return `name` as a key of `data`, which stands at `path`; only components must exist beforehand."""
    if isinstance(data, list) and name.isdecimal() and int(name) < len(data):
        return int(name)
    if isinstance(data, dict) and (name in data or path != ["components"]):
        return name
    known = map(str, range(len(data)) if isinstance(data, list) else data if isinstance(data, dict) else ())
    dotted = ".".join(map(str, [*path, name]))
    raise _OverrideError(f"there is no {dotted!r}, {did_you_mean(name, known)}")
