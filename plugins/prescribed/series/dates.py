"""The dates of records as a file has them: decoded by CF, in the calendar of the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.time.calendars import Calendar
from tradewind.errors import DataError
from tradewind.plugins.prescribed.options import Moment

if TYPE_CHECKING:
    import xarray as xr

    from tradewind.couplers.coupling.time.calendars import Time

Edges: TypeAlias = "tuple[tuple[Time, Time], ...]"
REFORM = Calendar.STANDARD.time(1582, 10, 15)
NO_TIMES_HINT = "CF writes them as numbers with units such as `hours since 1996-01-01`"


@dataclass(frozen=True)
class Dates:
    """When records hold.

    Attributes
    ----------
    times
        As written, ascending.
    edges
        Start and stop of what each record stands for; None where records are points.
    calendar
        Of all of them.
    averaged
        Whether the file says that its records are means over intervals (``cell_methods``).
    climatological
        Whether edges are those of a climatology: parts of the year, over many years.
    old_style
        Whether some are of the Julian calendar, before 1582: dates, but no distances from today's.
    """

    times: tuple[Time, ...]
    edges: Edges | None
    calendar: Calendar
    averaged: bool = False
    climatological: bool = False
    old_style: bool = False

    def __len__(self) -> int:
        return len(self.times)

    @cached_property
    def span(self) -> tuple[Time, Time]:
        """First and last moment that the records know of."""
        if self.edges is None:
            return self.times[0], self.times[-1]
        return self.edges[0][0], self.edges[-1][1]

    def stamped(self, stamps: Moment, where: str) -> Dates:
        """Return the dates with edges made up from times that stand at `stamps` of contiguous intervals.

        The outermost interval is as long as its neighbour.

        Raises
        ------
        DataError
            When there is only one record.
        """
        if len(self) < 2:
            raise DataError("one record alone does not say how long it holds", where=where, hint="add bounds")
        steps = [b - a for a, b in pairwise(self.times)]
        before, after = (self.times[0] - steps[0], *self.times), (*self.times, self.times[-1] + steps[-1])
        if stamps is Moment.START:
            marks = after
        elif stamps is Moment.END:
            marks = before
        else:
            marks = tuple(a + (b - a) / 2 for a, b in pairwise((*before, after[-1])))
        return replace(self, edges=tuple(pairwise(marks)))


def read_dates(ds: xr.Dataset, variable: xr.DataArray, axis: str, where: str) -> Dates:
    """Return the dates of a variable's records.

    Parameters
    ----------
    ds
        A dataset whose times are not decoded.
    axis
        Its coordinate of time.

    Raises
    ------
    DataError
        When they cannot be decoded, one is missing, or bounds are not intervals.
    """
    time = ds[axis]
    times, calendar = _decoded(time, time.attrs, where)
    methods = _methods(variable, axis)
    climatology = time.attrs.get("climatology")
    name = climatology or time.attrs.get("bounds")
    edges = None
    if name is not None and "point" not in methods:
        if name not in ds.variables:
            raise DataError(f"the bounds {name!r} of {axis!r} are missing", where=where)
        flat, _ = _decoded(ds[name], {**time.attrs, **ds[name].attrs}, where)
        edges = tuple(zip(flat[::2], flat[1::2], strict=True))
        _refuse_empty(edges, where)
    julian = calendar is Calendar.STANDARD and time.attrs.get("calendar") != "proleptic_gregorian"
    old = julian and any(t < REFORM for t in times)
    return Dates(times, edges, calendar, "mean" in methods, climatology is not None, old)


def _refuse_empty(edges: Edges, where: str) -> None:
    for start, stop in edges:
        if stop <= start:
            raise DataError(f"time bounds from {start} to {stop} are no interval", where=where)


def _methods(variable: xr.DataArray, axis: str) -> set[str]:
    """Return what CF's cell methods say about time: ``time: mean`` and the like."""
    words = str(variable.attrs.get("cell_methods", "")).split()
    named = {axis + ":", "time:"}
    return {method for name, method in pairwise(words) if name in named}


def _decoded(values: xr.DataArray, about: dict[str, Any], where: str) -> tuple[tuple[Time, ...], Calendar]:
    import cftime

    units, written = str(about.get("units", "")), str(about.get("calendar", "standard"))
    numbers = np.asarray(values.values).ravel()
    where = f"{where}, {values.name}"
    if " since " not in units or numbers.dtype.kind not in "iuf":
        raise DataError(f"units {units!r} are no times", where=where, hint=NO_TIMES_HINT)
    if not np.isfinite(numbers).all():
        raise DataError(f"time {int((~np.isfinite(numbers)).argmax())} is missing", where=where)
    try:
        calendar = Calendar(written)
        found = cftime.num2date(numbers, units, written, only_use_cftime_datetimes=True)
        return tuple(_dated(time, calendar) for time in found), calendar
    except ValueError as error:
        raise DataError(f"times cannot be read: {error}", where=where) from error


def _dated(time: Any, calendar: Calendar) -> Time:
    """Return a time to the millisecond: fractions of days are not exact in a file."""
    off = time.microsecond % 1000
    near = time + timedelta(microseconds=1000 - off if off >= 500 else -off)
    clock = near.hour, near.minute, near.second, near.microsecond
    return calendar.time(near.year, near.month, near.day, *clock)


def joined(parts: Sequence[Dates], where: Sequence[str]) -> Dates:
    """Return the dates of files that follow each other.

    Raises
    ------
    DataError
        When they are of several calendars, some have bounds and others not, or times do not ascend.
    """
    first = parts[0]
    for part, name in zip(parts, where, strict=True):
        if part.calendar is not first.calendar:
            what = f"has the calendar {part.calendar}, {where[0]} the calendar {first.calendar}"
            raise DataError(what, where=name)
        if (part.edges is None) != (first.edges is None):
            raise DataError(f"time bounds are in {where[0]} or here, not in both", where=name)
    times = tuple(t for part in parts for t in part.times)
    edges = None if first.edges is None else tuple(e for part in parts for e in part.edges or ())
    apart = None if first.climatological else edges  # seasons of many years lie on each other
    _refuse_unordered(times, apart, f"{where[0]} to {where[-1]}" if len(where) > 1 else where[0])
    return replace(first, times=times, edges=edges)


def _refuse_unordered(times: tuple[Time, ...], edges: Edges | None, where: str) -> None:
    if not times:
        raise DataError("holds no times", where=where)
    for a, b in pairwise(times):
        if b <= a:
            raise DataError(f"times do not ascend: {b} follows {a}", where=where)
    for (_, stop), (start, _) in pairwise(edges or ()):
        if start < stop:
            raise DataError(f"time bounds overlap: {start} lies before {stop}", where=where)


def midpoint(interval: Interval) -> Time:
    """Return the middle of an interval."""
    return interval.start + (interval.stop - interval.start) / 2
