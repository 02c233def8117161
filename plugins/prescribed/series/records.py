"""The records of one variable, in one file or in several that follow each other: read one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.coupling.fields import Kind
from tradewind.couplers.coupling.units import conversion
from tradewind.couplers.grids import Grid
from tradewind.errors import DataError
from tradewind.plugins.prescribed.files import Archive, grid_of
from tradewind.plugins.prescribed.options import Missing, VariableOptions
from tradewind.plugins.prescribed.quantity import kind_of, units_of
from tradewind.plugins.prescribed.series.dates import Dates, joined
from tradewind.plugins.prescribed.series.survey import Sketch

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
    archive, sketches
        Its files, and what is known of it in each, in order of time.
    said
        What the user says of it.
    mask
        Name of a variable that says which cells are active.

    Raises
    ------
    DataError
        When units are missing, or missing values are to be zero in a state.
    GridError
        When it lies on no grid.
    """

    def __init__(
        self, archive: Archive, sketches: Sequence[Sketch], said: VariableOptions, mask: str | None = None
    ) -> None:
        self.archive, self.said, self.name = archive, said, str(said.name)
        self._sketches, first = sketches, sketches[0]
        self.grid: Grid = grid_of(archive.open(first.path), self.name, str(first.path), mask)
        self.shape = self._shape(first)
        self.written, self.units = units_of(first.attributes, said.units, self.where)
        self._places = tuple(
            (s.path, k if s.along else None) for s in sketches for k in range(len(s.dates or (None,)))
        )
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
        told = self._sketches[0].attributes
        return kind_of(self.units, told, (self.said.kind, self.said.extent), self.where)

    @cached_property
    def dates(self) -> Dates | None:
        """When the records hold; None where nothing depends on time.

        Raises
        ------
        DataError
            When those of several files do not follow each other.
        """
        parts = [(s.dates, str(s.path)) for s in self._sketches if s.dates is not None]
        return joined(*zip(*parts, strict=True)) if parts else None

    def _shape(self, first: Sketch) -> Shape:
        cells, dims = self.grid.dims, tuple(first.sizes)
        if not set(cells) <= set(dims):
            raise DataError(f"has dimensions {dims}, its grid {cells}", where=self.where)
        rest = [d for d in dims if d != first.time and d not in cells]
        extra = tuple((name, first.sizes[name]) for name in rest)
        ds = self.archive.open(first.path)
        return Shape(first.time, extra, cells, *(_levels(ds, rest[-1]) if rest else ()))

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
        variable = self.archive.open(path).variables[self.name]
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
