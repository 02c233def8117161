"""Types of single settings: durations, dates, and ``component.variable``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
)

from tradewind.couplers.coupling.time.calendars import HINT, Calendar, Time, format_time, parse_time

SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
AMOUNT = r"(\d+(?:\.\d+)?)\s*(s|min|h|d)"
DURATION = rf"(?:{AMOUNT}\s*)+"


def duration(text: object) -> object:
    """Return a text such as ``6h``, ``30min`` or ``1d 12h`` as a timedelta.

    Raises
    ------
    ValueError
        When it is anything else (an ISO 8601 duration is left to pydantic).
    """
    if isinstance(text, timedelta) or (isinstance(text, str) and text.startswith("P")):
        return text
    if not isinstance(text, str) or re.fullmatch(DURATION, text.strip()) is None:
        raise ValueError(f"{text!r} is not a duration, write for example 6h, 30min or 1d")
    return timedelta(seconds=sum(float(n) * SECONDS[unit] for n, unit in re.findall(AMOUNT, text)))


def _positive(length: timedelta) -> timedelta:
    if length <= timedelta(0):
        raise ValueError("a duration must be longer than nothing")
    return length


Duration = Annotated[
    timedelta,
    BeforeValidator(duration),
    AfterValidator(_positive),
    WithJsonSchema({"type": "string", "examples": ["6h", "30min", "1d"]}),
]
"""A length of time, in a config ``6h``, ``30min``, ``1d 12h`` or ISO 8601."""


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


At = Annotated[
    Endpoint,
    BeforeValidator(Endpoint.parse),
    WithJsonSchema({"type": "string", "pattern": r"^[^.]+\..+$"}),
]


def _mapping(value: object) -> object:
    if value is None:
        return {}
    if not isinstance(value, dict | BaseModel):
        raise ValueError(f"settings map keys to values, not {value!r:.40}")
    return value


Settings = Annotated[Any, BeforeValidator(_mapping), WithJsonSchema({"type": "object"})]
"""Settings that a plugin understands: as written until its options model has validated them."""
