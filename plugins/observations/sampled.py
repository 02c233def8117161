"""Observations along one dimension of a netCDF file, compared with a field sampled where they were made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from tradewind.couplers.assimilation import Observations, ObservationsByWindow
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.assimilation.sampling import SamplingOperator, bilinear_cells, containing_cells
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.time.calendars import Calendar, calendar_of
from tradewind.couplers.coupling.units import convert
from tradewind.couplers.operators import LinearOperator
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import ConfigError, DataError, did_you_mean
from tradewind.plugins.observations.options import SampledOptions, Sampling

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Times: TypeAlias = NDArray[np.datetime64]
    Flags: TypeAlias = NDArray[np.bool_]

SAMPLERS = {Sampling.CELL: containing_cells, Sampling.BILINEAR: bilinear_cells}


@dataclass(frozen=True)
class Soundings:
    """Observations as read, all of shape ``(m,)``: values in the operator's units, sigma their errors."""

    time: Times
    latitude: Array
    longitude: Array
    value: Array
    sigma: Array
    background: Array

    def __len__(self) -> int:
        return len(self.value)

    def take(self, which: Flags) -> Soundings:
        """Return some of them, in the same order."""
        return Soundings(*(getattr(self, f.name)[which] for f in fields(self)))

    def faults(self) -> Iterator[tuple[str, Flags]]:
        """Yield why an observation cannot be used, and which are so."""
        yield "its value is missing", ~np.isfinite(self.value)
        yield "its uncertainty is missing or not positive", ~(np.isfinite(self.sigma) & (self.sigma > 0))
        yield "its time is missing", np.isnat(self.time)
        on_earth = np.isfinite(self.longitude) & (np.abs(self.latitude) <= 90)
        yield "its place is missing or not on earth", ~on_earth
        yield "its background is missing", ~np.isfinite(self.background)


class Sampled:
    """An observation operator that samples an export at the end of a window.

    An observation belongs to the window at whose end, within the tolerance, it was made. Whatever cannot
    be used is dropped and counted, by reason, in `notes`.

    Parameters
    ----------
    options
        File, variables and sampling.
    layout
        Owner of the observed export's cells.
    units
        Units of the export, to which the file's are converted.

    Attributes
    ----------
    observes
        The export ``component.variable``; set by who knows the run.
    units
        Those that the export must have.

    Raises
    ------
    DataError
        A file that cannot be read, lacks a variable, or holds no usable observation.
    UnitsError
        Units that are missing or cannot be converted.
    GridError
        A grid that cannot be sampled in this way.
    """

    def __init__(self, options: SampledOptions, layout: Layout, units: str) -> None:
        self.options, self.layout, self.units, self.observes = options, layout, units, ""
        self._dropped: list[str] = []
        self._unmatched: list[str] = []
        read = self._without_faults(_read(options, units))
        rows = SAMPLERS[options.sampling](layout.grid, read.longitude, read.latitude)
        inside = np.diff(rows.indptr) > 0
        self._drop("it is outside of the grid", ~inside)
        self.soundings, self._rows = read.take(inside), rows[inside]
        if not len(self.soundings):
            reasons = "; ".join(self.notes) or "it is empty"
            raise DataError(f"no observation can be used: {reasons}", where=str(options.file))

    @property
    def notes(self) -> list[str]:
        """How many observations were dropped, and why."""
        return [*self._dropped, *self._unmatched]

    def windows(self, windows: Sequence[Interval]) -> ObservationsByWindow:
        """Return the observations of each window, empty windows included.

        Raises
        ------
        DataError
            When no observation was made at the end of any window.
        ConfigError
            When an observation could belong to two windows, or the windows are of another calendar.
        """
        self._refuse_other_calendar(windows)
        self._refuse_ambiguous(windows)
        members = {w: self._made_at_end(w) for w in windows}
        lost = ~np.any([np.zeros(len(self.soundings), dtype=bool), *members.values()], axis=0)
        text = f"{int(lost.sum())} of {len(lost)} observations were made at the end of no window"
        if lost.all():
            ends = ", ".join(f"{w.stop:%Y-%m-%d %H:%M}" for w in [*windows[:1], *windows[-1:]])
            raise DataError(f"{text}: {ends}", where=str(self.options.file), hint="see `tolerance`")
        self._unmatched = [text] if lost.any() else []
        return {w: _observations(self.soundings.take(mine)) for w, mine in members.items()}

    def operator(self, window: Interval) -> LinearOperator:
        """Return H of `window`: the export's cells at its end to ``Replicated(m)``."""
        return SamplingOperator(self._rows[self._made_at_end(window)], self.layout)

    def offset(self, window: Interval) -> torch.Tensor:
        """Return the background of the window's observations, shape ``(m,)``; zeros where there is none."""
        return torch.from_numpy(self.soundings.background[self._made_at_end(window)])

    def _made_at_end(self, window: Interval) -> Flags:
        apart = np.abs(self.soundings.time - np.datetime64(window.stop, "ns"))
        return np.asarray(apart <= np.timedelta64(round(self.options.tolerance * 1e9), "ns"))

    def _refuse_other_calendar(self, windows: Sequence[Interval]) -> None:
        calendars = {calendar_of(w.stop) for w in windows} - {Calendar.STANDARD}
        if calendars:
            what = f"observations are made in the standard calendar, the run's is {min(calendars)}"
            raise ConfigError(what, where=str(self.options.file), hint="run.calendar: standard")

    def _refuse_ambiguous(self, windows: Sequence[Interval]) -> None:
        ends = sorted(w.stop for w in windows)
        gaps = [(b - a).total_seconds() for a, b in pairwise(ends)]
        if gaps and min(gaps) <= 2 * self.options.tolerance:
            what = f"a tolerance of {self.options.tolerance:g} s, but windows end {min(gaps):g} s apart"
            raise ConfigError(what, where="observations", hint="make `tolerance` less than half of that")

    def _without_faults(self, read: Soundings) -> Soundings:
        usable = np.ones(len(read), dtype=bool)
        for reason, bad in read.faults():
            self._drop(reason, (bad & usable), len(read))
            usable &= ~bad
        return read.take(usable)

    def _drop(self, reason: str, which: Flags, total: int | None = None) -> None:
        if which.any():
            self._dropped.append(
                f"{int(which.sum())} of {total or len(which)} observations dropped: {reason}"
            )


def _observations(soundings: Soundings) -> Observations:
    variance = torch.from_numpy(soundings.sigma**2)
    coordinates = {name: getattr(soundings, name) for name in ("time", "latitude", "longitude")}
    covariance = DiagonalCovariance(variance) if len(variance) else None
    return Observations(torch.from_numpy(soundings.value.copy()), covariance, coordinates)


def _read(options: SampledOptions, units: str) -> Soundings:
    with _opened(options.file) as ds:
        return _soundings(ds.load(), options, units)


def _opened(file: Path) -> xr.Dataset:
    import xarray as xr

    try:
        return xr.open_dataset(file)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read: {error}", where=str(file)) from error


def _soundings(ds: xr.Dataset, options: SampledOptions, units: str) -> Soundings:
    where = str(options.file)
    value = _find(ds, options.variable, where)
    sigma = _find(ds, options.uncertainty or f"{value.name}_uncertainty", where)
    time, *place = (_find(ds, name, where) for name in ("time", "latitude", "longitude"))
    if not np.issubdtype(time.dtype, np.datetime64):
        raise DataError(
            f"times are {time.dtype}", where=f"{where}, {time.name}", hint="use the standard calendar"
        )
    background = None if options.background is None else _find(ds, options.background, where)
    for other in (sigma, time, *place, *([] if background is None else [background])):
        if other.dims != value.dims or value.ndim != 1:
            what = f"{other.name} has dimensions {other.dims}, {value.name} {value.dims}"
            raise DataError(what, where=where, hint="put all observations along one dimension")
    before = np.zeros(value.shape) if background is None else _converted(background, units, where)
    latitude, longitude = (np.asarray(p.values, dtype=np.float64) for p in place)
    amounts = _converted(value, units, where), _converted(sigma, units, where), before
    return Soundings(time.values.astype("datetime64[ns]"), latitude, longitude, *amounts)


def _find(ds: xr.Dataset, name: str, where: str) -> xr.DataArray:
    """Return the variable called `name`, or else the one of that standard name."""
    if name in ds.variables:
        return ds[name]
    named = [str(k) for k in ds.variables if ds[k].attrs.get("standard_name") == name]
    if len(named) != 1:
        what = f"{len(named)} variables have the standard name {name!r}" if named else f"no variable {name!r}"
        raise DataError(what, where=where, hint=did_you_mean(name, map(str, ds.variables)))
    return ds[named[0]]


def _converted(variable: xr.DataArray, units: str, where: str) -> Array:
    values = np.asarray(variable.values, dtype=np.float64)
    return convert(values, str(variable.attrs.get("units", "")), units, f"{where}, {variable.name}")
