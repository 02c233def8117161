"""Types of single settings: durations, dates, and ``component.variable``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue

from tradewind.couplers.coupling.time.calendars import HINT, Calendar, Time, format_time, parse_time
from tradewind.plugins.options import Duration, duration

__all__ = ["At", "AtSome", "Date", "Duration", "Endpoint", "Settings", "date", "duration"]


def date(value: object, info: ValidationInfo) -> Time:
    """Return a text as a moment of the calendar that stands before it in its section, else the standard one.

    Raises
    ------
    ValueError
        When it is no text of a date, or the calendar does not have it.
    """
    if isinstance(value, datetime):
        return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a date, {HINT}")
    known = info.data if isinstance(info.data, dict) else {}
    return parse_time(value, known.get("calendar", Calendar.STANDARD))


Date = Annotated[
    Time,
    PlainValidator(date),
    PlainSerializer(format_time, when_used="json"),
    WithJsonSchema({"type": "string", "examples": ["1996-01-10", "1996-01-10T06:00"]}),
]
"""A date and time in UTC; one with another time zone is converted."""


@dataclass(frozen=True)
class Endpoint:
    """One variable of one component, in a config ``component.variable``."""

    component: str
    variable: str

    def __str__(self) -> str:
        return f"{self.component}.{self.variable}"

    @classmethod
    def parse(cls, text: object) -> Endpoint:
        """Split ``component.variable``.

        Raises
        ------
        ValueError
            When it is anything else.
        """
        if isinstance(text, Endpoint):
            return text
        component, _, variable = text.partition(".") if isinstance(text, str) else ("", "", "")
        if not (component and variable):
            raise ValueError(f"{text!r} is not of the form component.variable")
        return cls(component, variable)


_AT: JsonSchemaValue = {"type": "string", "pattern": r"^[^.]+\..+$"}
At = Annotated[Endpoint, BeforeValidator(Endpoint.parse), WithJsonSchema(_AT)]


def _several(value: object) -> tuple[Endpoint, ...]:
    parts = tuple(Endpoint.parse(part) for part in (value if isinstance(value, list | tuple) else [value]))
    if not parts or len(set(parts)) < len(parts):
        what = "the list is empty" if not parts else "the same one is named twice"
        raise ValueError(f"{what}: give each component.variable once")
    return parts


AtSome = Annotated[
    tuple[Endpoint, ...],
    BeforeValidator(_several),
    WithJsonSchema({"anyOf": [_AT, {"type": "array", "items": _AT, "minItems": 1}]}),
]
"""One ``component.variable``, or a list of them."""


def _mapping(value: object) -> object:
    if value is None:
        return {}
    if not isinstance(value, dict | BaseModel):
        raise ValueError(f"settings map keys to values, not {value!r:.40}")
    return value


Settings = Annotated[Any, BeforeValidator(_mapping), WithJsonSchema({"type": "object"})]
"""Settings that a plugin understands: as written until its options model has validated them."""
