"""Settings of what is done again and again while a run goes on."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from tradewind.config.sections.section import Section
from tradewind.config.sections.values import duration
from tradewind.couplers.coupling.time.alarms import Cycle
from tradewind.plugins.options import RelativePath


def rhythm(value: object) -> object:
    """Return ``month`` or ``year`` as a cycle of the calendar, anything else as a length of time.

    Raises
    ------
    ValueError
        When it is neither.
    """
    if isinstance(value, Cycle) or value in tuple(Cycle):
        return Cycle(str(value))
    try:
        length = duration(value)
    except ValueError as error:
        raise ValueError(f"{error}, or month or year") from error
    if isinstance(length, timedelta) and length <= timedelta(0):
        raise ValueError("it must be longer than nothing")
    return length


Rhythm = Annotated[
    Cycle | timedelta,
    BeforeValidator(rhythm),
    WithJsonSchema({"type": "string", "examples": ["6h", "1d", "month", "year"]}),
]
"""How often something is done: a length of time, counted from the run's start, or ``month`` or ``year``."""


class RestartSection(Section):
    """Files from which a forward run can go on."""

    folder: RelativePath
    every: Rhythm | None = Field(
        default=None, description="How often they are written; default: at every coupling interval."
    )
