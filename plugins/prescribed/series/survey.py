"""What is known of variables before any of their values is read; every file is opened once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tradewind.errors import DataError
from tradewind.plugins.prescribed.files import Archive, find_variable
from tradewind.plugins.prescribed.series.dates import Dates, read_dates

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Sketch:
    """A variable in one file.

    Attributes
    ----------
    sizes
        Lengths of its dimensions, in order.
    axes
        Coordinates along them, without time.
    time
        Name of its coordinate of time; None where nothing depends on time.
    dates
        Along `time`.
    """

    path: Path
    attributes: Mapping[str, Any]
    sizes: Mapping[str, int]
    axes: Mapping[str, Array]
    time: str | None
    dates: Dates | None

    @property
    def along(self) -> bool:
        """Whether time is one of its dimensions: if not, the file is one record."""
        return self.time in self.sizes

    def refuse_other(self, first: Sketch, name: str) -> None:
        """Refuse a variable that does not go on with that of the first file.

        Raises
        ------
        DataError
            Other units, dimensions or coordinates; both files are named.
        """
        mine, theirs = (str(s.attributes.get("units", "")) for s in (self, first))
        if mine != theirs:
            raise DataError(
                f"{name} is in {mine!r} here, in {theirs!r} in {first.path}", where=str(self.path)
            )
        if self.time != first.time or not self._lies_as(first):
            raise DataError(f"{name} lies on another grid than in {first.path}", where=str(self.path))

    def _lies_as(self, first: Sketch) -> bool:
        # coordinates of two dimensions are not compared: to read them in every file takes long
        sizes = [{k: n for k, n in s.sizes.items() if k != s.time} for s in (self, first)]
        shared = self.axes.keys() & first.axes.keys()
        return sizes[0] == sizes[1] and all(np.array_equal(self.axes[k], first.axes[k]) for k in shared)


def survey(archive: Archive, names: Sequence[str]) -> Mapping[str, tuple[Sketch, ...]]:
    """Return sketches of all variables by name, one for each file, in order of time.

    Raises
    ------
    DataError
        When a file or variable is missing, dates cannot be used, or a file does not go on with the first.
    """
    every = [{name: sketch(archive.open(path), name, path) for name in names} for path in archive.paths]
    return {name: _following([of_file[name] for of_file in every], name) for name in names}


def _following(sketches: list[Sketch], name: str) -> tuple[Sketch, ...]:
    first = sketches[0]
    for other in sketches[1:]:
        other.refuse_other(first, name)
    if first.dates is None and len(sketches) > 1:
        what = "does not depend on time, and there are several files"
        raise DataError(what, where=f"{first.path}, {name}")
    return tuple(sorted(sketches, key=lambda s: s.dates.times[:1] if s.dates else ()))


def sketch(ds: xr.Dataset, name: str, path: Path) -> Sketch:
    """Return the sketch of one variable.

    Raises
    ------
    DataError
        When there is none of that name, or its dates cannot be used.
    """
    variable = find_variable(ds, name, str(path))
    time = _time_of(variable)
    dates = None if time is None else read_dates(ds, variable, time, str(path))
    if dates is not None and not len(dates):
        raise DataError("holds no times", where=str(path))
    sizes = {str(d): n for d, n in variable.sizes.items()}
    axes = {d: ds[d].values for d in sizes if d != time and d in ds.variables}
    return Sketch(path, dict(variable.attrs), sizes, axes, time, dates)


def _time_of(variable: xr.DataArray) -> str | None:
    """Return the coordinate of time: along one of the dimensions, else one of the whole variable."""
    coordinates = {str(n): c for n, c in variable.coords.items() if " since " in str(c.attrs.get("units"))}
    for name in map(str, variable.dims):
        if name in coordinates:
            return name
    alone = [n for n, c in coordinates.items() if not c.dims and _is_time(n, c.attrs)]
    return alone[0] if alone else None


def _is_time(name: str, attributes: Mapping[str, Any]) -> bool:
    return name == "time" or attributes.get("standard_name") == "time"
