"""Checks of components' steps, and of the order in which they are asked to step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tradewind.config.faults import Fault
from tradewind.config.sections.values import Duration
from tradewind.couplers.coupling.time.clock import longest_divisor
from tradewind.errors import did_you_mean

DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)


def step_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield the steps of components that do not divide the coupling interval, in settings as written."""
    whole = _duration(_section(data, "run").get("step"))
    for name, section in _section(data, "components").items():
        step = _duration(section.get("step")) if isinstance(section, dict) else None
        if whole is not None and step is not None and whole % step:
            what = (
                f"the step ({step}) must divide run.step ({whole}), as {longest_divisor(whole, step)} would"
            )
            yield Fault(("components", str(name), "step"), what)


def sequence_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield the names in ``run.sequence`` that are unknown or doubled, and those that it leaves out."""
    asked = _section(data, "run").get("sequence")
    if not isinstance(asked, list):
        return  # absent, or reported where the type is checked
    names = [str(name) for name in _section(data, "components")]
    for i, name in enumerate(asked):
        if name not in names:
            yield Fault(
                ("run", "sequence", i), f"there is no component {name!r}, {did_you_mean(str(name), names)}"
            )
        elif name in asked[:i]:
            yield Fault(("run", "sequence", i), f"{name!r} stands here twice")
    left_out = [name for name in names if name not in asked]
    if left_out:
        yield Fault(("run", "sequence"), f"leaves out {', '.join(map(repr, left_out))}")


def _section(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = data.get(key)
    return found if isinstance(found, dict) else {}


def _duration(text: object) -> timedelta | None:
    try:
        return None if text is None else DURATION.validate_python(text)
    except ValidationError:
        return None  # reported where the type is checked
