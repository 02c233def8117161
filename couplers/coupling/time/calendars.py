"""Calendars: how long the months of model time are, and how its moments are written and read.

Moments of the standard calendar are `datetime.datetime`; those of noleap and 360_day are
`cftime.datetime`, which has the same attributes and arithmetic. Never both in one run: whatever compares
moments from two places asks `refuse_mixed` first.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from tradewind.errors import ConfigError, DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Time: TypeAlias = datetime
"""A moment of model time: `datetime.datetime`, or the `cftime.datetime` of noleap and 360_day, which does
all that a datetime without zone does (but for `astimezone`) and is written as one for type checkers."""

CLOCK = r"(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?"
ZONE = r"Z|[+-](?:[01]\d|2[0-3]):?[0-5]\d"
TEXT = re.compile(rf"(\d{{4}})-(\d{{2}})-(\d{{2}})(?:[T ]{CLOCK})?\s*({ZONE})?")
HINT = "write for example 1996-01-10 or 1996-01-10T06:00"
NOLEAP_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
GREGORIAN = datetime(1582, 10, 15)


class Calendar(StrEnum):
    """The calendars of model time, by their CF names; the other names that CF has for them are known too."""

    STANDARD = "standard"
    """That of the world: a leap year every four years, but for most centuries."""
    NOLEAP = "noleap"
    """Every year has 365 days."""
    DAYS_360 = "360_day"
    """Every month has 30 days."""

    @classmethod
    def _missing_(cls, value: object) -> Calendar | None:
        others = {"gregorian": cls.STANDARD, "proleptic_gregorian": cls.STANDARD, "365_day": cls.NOLEAP}
        return others.get(str(value).lower())

    def days_in_month(self, year: int, month: int) -> int:
        """Return the length of a month in days."""
        if self is Calendar.STANDARD:
            return monthrange(year, month)[1]
        return NOLEAP_DAYS[month - 1] if self is Calendar.NOLEAP else 30

    def time(self, year: int, month: int = 1, day: int = 1, *clock: int) -> Time:
        """Return a moment.

        Parameters
        ----------
        clock
            Hour, minute, second, microsecond; 0 where absent.

        Raises
        ------
        ValueError
            When it does not exist.
        """
        if self is Calendar.STANDARD:
            hour, minute, second, microsecond = (*clock, 0, 0, 0, 0)[:4]
            return datetime(year, month, day, hour, minute, second, microsecond)
        import cftime

        time: Time = cftime.datetime(year, month, day, *clock, calendar=self.value)
        return time


def calendar_of(time: Time) -> Calendar:
    """Return the calendar of a moment.

    Raises
    ------
    ConfigError
        When it is no moment, or one of a calendar that is not known here (``julian``, ``all_leap``).
    """
    if isinstance(time, datetime):
        return Calendar.STANDARD
    name = getattr(time, "calendar", None)
    if name is None:
        raise ConfigError(f"{time!r} is no moment of model time", hint="give a datetime, or cftime's")
    try:
        return Calendar(name)
    except ValueError as error:
        hint = f"known: {', '.join(Calendar)}"
        raise ConfigError(f"the calendar {name!r} is not known", hint=hint) from error


def refuse_mixed(time: Time, reference: Time, where: str = "") -> None:
    """Refuse to compare moments of two calendars.

    Raises
    ------
    ConfigError
        When their calendars differ; both are named.
    """
    one, other = calendar_of(time), calendar_of(reference)
    if one is not other:
        what = f"{time} is of the {one} calendar, {reference} of the {other} calendar"
        raise ConfigError(what, where=where, hint="run.calendar is that of the run")


# ---------------------------------------------------------------------- texts
def parse_time(text: str, calendar: Calendar = Calendar.STANDARD) -> Time:
    """Return the moment that is written as ``1996-01-10`` or ``1996-01-10T06:00``, in UTC.

    Seconds and their fractions may follow, and a zone, from which the moment is converted.

    Raises
    ------
    ConfigError
        When it is written otherwise, or does not exist in `calendar`.
    """
    found = TEXT.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"{text!r} is not a date", hint=HINT)
    *parts, fraction, zone = found.groups()
    year, month, day, *clock = (int(part or 0) for part in parts)
    _refuse_absent((year, month, day), calendar)
    try:
        return calendar.time(year, month, day, *clock, int((fraction or "").ljust(6, "0"))) - _offset(zone)
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{text!r} is not a moment of the {calendar} calendar: {error}") from error


def format_time(time: Time) -> str:
    """Return the text that `parse_time` reads back as the same moment, such as ``1996-01-10T06:00:00``."""
    return time.isoformat()


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone == "Z":
        return timedelta(0)
    ahead = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return -ahead if zone[0] == "-" else ahead


def _refuse_absent(date: tuple[int, int, int], calendar: Calendar) -> None:
    year, month, day = date
    text = "{:04}-{:02}-{:02}".format(*date)
    if not 1 <= month <= 12:
        raise ConfigError(f"{text} does not exist: there is no month {month}", hint=HINT)
    days = calendar.days_in_month(year, month)
    if not 1 <= day <= days:
        others = [c for c in Calendar if 1 <= day <= c.days_in_month(year, month)]
        hint = f"it does in {' and '.join(others)}: see `calendar`" if others else ""
        what = f"{text} does not exist in the {calendar} calendar: that month has {days} days"
        raise ConfigError(what, hint=hint)


# ---------------------------------------------------------------------- files
def times_of(values: NDArray[Any], where: str = "") -> tuple[Time, ...]:
    """Return the moments of a time axis that xarray has decoded, to the microsecond.

    Parameters
    ----------
    values
        ``datetime64``, or objects of cftime; any shape, read in order.
    where
        File and variable, for errors.

    Raises
    ------
    DataError
        When they are no times (numbers that were not decoded), or one is missing.
    ConfigError
        When their calendar is not known.
    """
    import numpy as np

    if np.issubdtype(values.dtype, np.datetime64):
        if np.isnat(values).any():
            raise DataError(f"time {int(np.isnat(values).argmax())} is missing", where=where)
        found: tuple[Time, ...] = tuple(values.ravel().astype("datetime64[us]").tolist())
        if not all(isinstance(time, datetime) for time in found):
            raise DataError("its times lie beyond the years 1 to 9999", where=where)
        return found
    if values.dtype != object:
        hint = "units such as `hours since 1996-01-01` and a calendar make them times"
        raise DataError(f"its times are numbers ({values.dtype}), not decoded", where=where, hint=hint)
    return tuple(_of_file(time, where) for time in values.flat)


def _of_file(time: Any, where: str) -> Time:
    if isinstance(time, datetime):
        return time
    try:
        calendar = calendar_of(time)
    except ConfigError as error:
        raise ConfigError(error.what, where=where, hint=error.hint) from error
    parts = (time.year, time.month, time.day, time.hour, time.minute, time.second, time.microsecond)
    if calendar is Calendar.STANDARD and time.calendar != "proleptic_gregorian" and parts < _parts(GREGORIAN):
        raise DataError(f"{time} lies before the Gregorian reform of 1582", where=where)
    return calendar.time(*parts)


def _parts(time: Time) -> tuple[int, ...]:
    return (time.year, time.month, time.day)


def time_axis(times: Iterable[Time]) -> NDArray[Any]:
    """Return moments as xarray writes them: ``datetime64[ns]``, or objects of cftime; shape ``(time,)``."""
    import numpy as np

    found = list(times)
    if all(isinstance(time, datetime) for time in found):
        return np.array(found, dtype="datetime64[ns]")
    return np.array(found, dtype=object)
