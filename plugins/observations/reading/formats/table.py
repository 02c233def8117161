"""Plain tables: a row for each observation, a line of names above them, values apart by commas or tabs.

A name may carry units in brackets, ``value [ppb]``; columns without have those of ``value``, if they are its
uncertainty or background. Lines that begin with # are comments.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.errors import DataError
from tradewind.plugins.observations.reading.formats.made import OBS, Format

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Times: TypeAlias = NDArray[np.datetime64]

VALUE, UNCERTAINTY, TIME = "value", "uncertainty", "time"
OF_THE_VALUE = (UNCERTAINTY, "background")
NAMED = re.compile(r"\s*([^\[\]()]+?)\s*(?:[\[(]([^\])]*)[\])])?\s*")
DELIMITERS = ("\t", ";", ",")


def opened(file: Path, names: Collection[str]) -> xr.Dataset:
    """Return the table's columns; numbers that cannot be read are NaN, times NaT.

    Raises
    ------
    DataError
        When it is empty, or a row has more or fewer values than there are names.
    """
    import xarray as xr

    header, rows = _read(file)
    heads = [_named(text, file) for text in header]
    units = dict(heads)
    own = units.get(VALUE, "")
    columns = zip(*rows, strict=True) if rows else ([] for _ in heads)
    made: dict[str, Any] = {}
    for (name, unit), column in zip(heads, columns, strict=True):
        if name == TIME:
            made[name] = OBS, np.array([_moment(text) for text in column], dtype="datetime64[ns]")
        else:
            has = unit or (own if name in OF_THE_VALUE else "")
            made[name] = OBS, np.array([_number(text) for text in column], dtype=np.float64), {"units": has}
    return xr.Dataset(made)


def _read(file: Path) -> tuple[list[str], list[list[str]]]:
    """Return the names, and the rows below them."""
    with file.open(newline="", encoding="utf-8-sig") as stream:
        lines = list(_lines(stream))
    if not lines:
        raise DataError("the table is empty", where=str(file), hint="begin with a line of names")
    first = lines[0][1]
    delimiter = next((mark for mark in DELIMITERS if mark in first), ",")
    header, *rows = csv.reader((text for _, text in lines), delimiter=delimiter, skipinitialspace=True)
    for (number, _), row in zip(lines[1:], rows, strict=False):
        if len(row) != len(header):
            what = f"{len(row)} values for {len(header)} names"
            raise DataError(what, where=f"{file}:{number}")
    return header, rows


def _lines(stream: Any) -> Iterator[tuple[int, str]]:
    """Yield lines that say something, with their numbers."""
    for number, line in enumerate(stream, start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line


def _named(text: str, file: Path) -> tuple[str, str]:
    """Return the name and the units of a column."""
    fits = NAMED.fullmatch(text)
    if fits is None:
        raise DataError(f"{text!r} is no name of a column", where=str(file), hint="write `value [ppb]`")
    return fits[1], (fits[2] or "").strip()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _moment(text: str) -> np.datetime64:
    """Return a time in UTC; one with a time zone is converted."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return np.datetime64("NaT", "ns")
    utc = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(utc, "ns")


FORMAT = Format(opened, VALUE, UNCERTAINTY)
"""Columns `value` and `uncertainty`, unless settings name others."""
