"""Checks across sections: what one names, another must hold.

They look at the settings as written, so that a fault in one section does not hide those of another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tradewind.config.faults import Fault
from tradewind.config.sections.exchanging import merges
from tradewind.config.sections.values import Endpoint
from tradewind.config.sequence import sequence_faults, step_faults
from tradewind.config.source import Key
from tradewind.errors import did_you_mean


def structure_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what does not fit together in the settings `data`."""
    components = data.get("components")
    names = [str(name) for name in components] if isinstance(components, dict) else []
    for path, endpoint in _endpoints(data):
        if endpoint.component not in names:
            nearest = did_you_mean(endpoint.component, names)
            yield Fault(path, f"there is no component {endpoint.component!r}, {nearest}")
    yield from step_faults(data)
    yield from sequence_faults(data)
    yield from _doubly_fed(data)
    yield from _incomplete(data)


def entries(section: object) -> list[tuple[int, dict[str, Any]]]:
    """Return the mappings in a list, with their positions; nothing of what is not a list."""
    items = section if isinstance(section, list) else []
    return [(i, item) for i, item in enumerate(items) if isinstance(item, dict)]


def one_or_many(data: Mapping[str, Any], section: str) -> list[tuple[tuple[Key, ...], dict[str, Any]]]:
    """Return the mappings of a section that may hold one or a list of them, with their paths."""
    found = data.get(section)
    if isinstance(found, dict):
        return [((section,), found)]
    return [((section, i), item) for i, item in entries(found)]


def _endpoints(data: Mapping[str, Any]) -> Iterator[tuple[tuple[Key, ...], Endpoint]]:
    places: list[tuple[tuple[Key, ...], object]] = [
        (("exchanges", i, end), item.get(end))
        for i, item in entries(data.get("exchanges"))
        for end in ("from", "to")
    ]
    for section, key in (("observations", "of"), ("control", "field")):
        places += [((*at, key), found.get(key)) for at, found in one_or_many(data, section)]
    places += _asked_fields(data)
    for path, text in places:
        endpoint = _endpoint(text)
        if endpoint is not None:
            yield path, endpoint


def _asked_fields(data: Mapping[str, Any]) -> Iterator[tuple[tuple[Key, ...], object]]:
    output = data.get("output")
    fields = output.get("fields") if isinstance(output, dict) else None
    for i, text in enumerate(fields if isinstance(fields, list) else ()):
        yield ("output", "fields", i), text


def _endpoint(text: object) -> Endpoint | None:
    try:
        return Endpoint.parse(text)
    except ValueError:
        return None  # reported where the type is checked


def _doubly_fed(data: Mapping[str, Any]) -> Iterator[Fault]:
    fed: dict[str, list[tuple[int, dict[str, Any]]]] = {}
    for i, item in entries(data.get("exchanges")):
        if "to" in item:
            fed.setdefault(str(item["to"]), []).append((i, item))
    for target, several in fed.items():
        yield from _unmerged(target, several)


def _unmerged(target: str, several: list[tuple[int, dict[str, Any]]]) -> Iterator[Fault]:
    """Yield what of several exchanges into one import does not say how they go together."""
    silent = [(i, item) for i, item in several if not merges(item)]
    # one of two that say nothing could stay, so the others are at fault
    wrong = silent[1:] if len(silent) > 1 else silent
    for i, _ in wrong if len(several) > 1 else ():
        other = next(item.get("from") for k, item in several if k != i)
        hint = "say `merge: sum` in each, or give each a `fraction`"
        yield Fault(("exchanges", i, "to"), f"the import {target!r} already comes from {other!r} ({hint})")


def _incomplete(data: Mapping[str, Any]) -> Iterator[Fault]:
    if data.get("solve") is None:
        return
    for section in ("observations", "control"):
        if data.get(section) in (None, []):
            yield Fault(("solve",), f"a method needs the section `{section}:`")
