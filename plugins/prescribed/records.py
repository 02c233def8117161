"""The records of one variable, in one file or in several that follow each other: read one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.coupling.fields import Kind
from tradewind.couplers.coupling.units import conversion
from tradewind.couplers.grids import Grid
from tradewind.errors import DataError
from tradewind.plugins.prescribed.dates import Dates, joined, read_dates
from tradewind.plugins.prescribed.files import Archive, find_variable, grid_of
from tradewind.plugins.prescribed.options import Missing, VariableOptions
from tradewind.plugins.prescribed.quantity import kind_of, units_of

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Place = tuple[Path, int | None]
"""A file, and a position along time in it; None where the variable has no such dimension."""


@dataclass(frozen=True)
class Shape:
    """How a variable lies in its files.

    Attributes
    ----------
    time
        Name of the coordinate of time; None where nothing depends on time.
    extra
        Names and lengths of the dimensions that are neither time nor space.
    cells
        Names of the dimensions of the grid.
    levels, interfaces
        Coordinates along the last of `extra`, and between them; empty where the file has none.
    """

    time: str | None
    extra: tuple[tuple[str, int], ...]
    cells: tuple[str, ...]
    levels: tuple[float, ...] = ()
    interfaces: tuple[float, ...] = ()


class Records:
    """Values of one variable.

    Parameters
    ----------
    archive
        Its files.
    said
        What the user says of it.
    mask
        Name of a variable that says which cells are active.

    Raises
    ------
    DataError
        When the variable or its units are missing, or files do not fit to each other.
    GridError
        When it lies on no grid.
    """

    def __init__(self, archive: Archive, said: VariableOptions, mask: str | None = None) -> None:
        self.archive, self.said, self.name = archive, said, str(said.name)
        first = archive.paths[0]
        variable = self._variable(first)
        self.attributes: Mapping[str, Any] = dict(variable.attrs)
        self.grid: Grid = grid_of(archive.open(first), self.name, str(first), mask)
        self.shape = self._shape(variable)
        self.written, self.units = units_of(self.attributes, said.units, self.where)
        self._places, self._dates = self._surveyed()
        self._refuse_zeros()

    @property
    def where(self) -> str:
        """Files and variable, for errors."""
        paths = self.archive.paths
        files = str(paths[0]) if len(paths) == 1 else f"{paths[0]} to {paths[-1].name}"
        return f"{files}, {self.name}"

    @cached_property
    def kind(self) -> Kind:
        """What the variable measures."""
        return kind_of(self.units, self.attributes, (self.said.kind, self.said.extent), self.where)

    @property
    def dates(self) -> Dates | None:
        """When the records hold; None where nothing depends on time."""
        return self._dates

    # ------------------------------------------------------------------ survey
    def _variable(self, path: Path) -> xr.DataArray:
        return find_variable(self.archive.open(path), self.name, str(path))

    def _shape(self, variable: xr.DataArray) -> Shape:
        time = _time_of(variable)
        rest = [str(d) for d in variable.dims if d != time and d not in self.grid.dims]
        if not set(self.grid.dims) <= set(map(str, variable.dims)):
            raise DataError(f"has dimensions {variable.dims}, its grid {self.grid.dims}", where=self.where)
        extra = tuple((name, variable.sizes[name]) for name in rest)
        ds = self.archive.open(self.archive.paths[0])
        return Shape(time, extra, self.grid.dims, *(_levels(ds, rest[-1]) if rest else ()))

    def _surveyed(self) -> tuple[tuple[Place, ...], Dates | None]:
        """Return where each record lies and when it holds; files in order of time."""
        paths = self.archive.paths
        if self.shape.time is None:
            if len(paths) > 1:
                raise DataError("does not depend on time, and there are several files", where=self.where)
            return ((paths[0], None),), None
        parts = [(path, *self._survey(path)) for path in paths]
        parts.sort(key=lambda part: part[1].times[0])
        dates = joined([part[1] for part in parts], [str(part[0]) for part in parts])
        places = [(path, k if along else None) for path, own, along in parts for k in range(len(own))]
        return tuple(places), dates

    def _survey(self, path: Path) -> tuple[Dates, bool]:
        """Return the dates of one file, and whether time is a dimension of the variable there."""
        ds, variable = self.archive.open(path), self._variable(path)
        self._refuse_other(ds, variable, path)
        time = str(self.shape.time)
        dates = read_dates(ds, variable, time, str(path))
        if not len(dates):
            raise DataError("holds no times", where=str(path))
        return dates, time in variable.dims

    def _refuse_other(self, ds: xr.Dataset, variable: xr.DataArray, path: Path) -> None:
        first = self.archive.paths[0]
        if path == first:
            return
        units = str(variable.attrs.get("units", self.written))
        if units != self.written or _time_of(variable) != self.shape.time:
            what = f"{self.name} is in {units!r} here, in {self.written!r} in {first}"
            raise DataError(what, where=str(path))
        # sizes first: to read the grid of every file takes long
        sizes = [dict(v.sizes) | {self.shape.time: 0} for v in (variable, self._variable(first))]
        if sizes[0] != sizes[1] or not _same_axes(ds, self.archive.open(first), self.shape.cells):
            raise DataError(f"{self.name} lies on another grid than in {first}", where=str(path))

    def _refuse_zeros(self) -> None:
        if self.said.missing is Missing.ZERO and self.kind is Kind.STATE_INTENSIVE:
            hint = "`missing: zero` is for fluxes and amounts"
            raise DataError(f"0 {self.units} is no missing value", where=self.where, hint=hint)

    # ------------------------------------------------------------------ values
    def __len__(self) -> int:
        return len(self._places)

    def read(self, record: int) -> Tensor:
        """Return a record in the wanted units, float64, shape ``(*extra, cell)``; 0 in inactive cells.

        Raises
        ------
        DataError
            When values are missing in active cells; variable, time and count are named.
        """
        path, place = self._places[record]
        variable = self._variable(path)
        time = self.shape.time
        one = variable if place is None or time is None else variable.isel({time: place})
        order = [name for name, _ in self.shape.extra] + list(self.shape.cells)
        values = np.asarray(one.transpose(*order).values, dtype=np.float64)
        values = values.reshape(*(n for _, n in self.shape.extra), self.grid.size)
        self._refuse_missing(values, record)
        known = self.grid.mask.reshape(-1) & np.isfinite(values)
        return torch.from_numpy(np.where(known, values * self._times + self._plus, 0.0))

    @cached_property
    def _times(self) -> float:
        return conversion(self.written, self.units).factor * self._scale

    @cached_property
    def _plus(self) -> float:
        return conversion(self.written, self.units).offset * self._scale

    @property
    def _scale(self) -> float:
        return 1.0 if self.said.scale is None else self.said.scale

    def _refuse_missing(self, values: Array, record: int) -> None:
        mask = self.grid.mask.reshape(-1)
        missing = int((np.isnan(values) & mask).sum())
        infinite = int((np.isinf(values) & mask).sum())
        if not infinite and (not missing or self.said.missing is Missing.ZERO):
            return
        at = "" if self.dates is None else f" at {self.dates.times[record]:%Y-%m-%d %H:%M}"
        hint = "fill them, or say which cells are active: `mask`"
        if self.kind.is_flux and not infinite:
            hint += "; or `missing: zero`, where nothing flows"
        raise DataError(
            f"{self.name} holds {missing + infinite} missing or infinite values{at}",
            where=str(self._places[record][0]),
            hint=hint,
        )


def _levels(ds: xr.Dataset, name: str) -> tuple[tuple[float, ...], ...]:
    """Return coordinates of levels, and those between them where bounds follow each other."""
    if name not in ds.variables or ds[name].dtype.kind not in "iuf":
        return (), ()
    levels = tuple(map(float, ds[name].values))
    bounds = ds[name].attrs.get("bounds")
    if bounds not in ds.variables or ds[bounds].shape != (len(levels), 2):
        return levels, ()
    lower, upper = np.asarray(ds[bounds].values, dtype=np.float64).T
    return levels, (float(lower[0]), *map(float, upper)) if np.array_equal(lower[1:], upper[:-1]) else ()


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


def _same_axes(one: xr.Dataset, other: xr.Dataset, dims: tuple[str, ...]) -> bool:
    shared = [d for d in dims if d in one.variables and d in other.variables]
    return all(np.array_equal(one[d].values, other[d].values) for d in shared)
