"""Footprints in a netCDF file."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeAlias

import numpy as np
from scipy import sparse

from tradewind.couplers.assimilation.observing import Observed
from tradewind.couplers.coupling.units import factor
from tradewind.couplers.grids import Grid
from tradewind.errors import DataError
from tradewind.plugins.observations.options import FootprintOptions
from tradewind.plugins.observations.reading.netcdf import find, opened, units_of

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Flags: TypeAlias = NDArray[np.bool_]

AT_ONCE = 64
"""Observations whose footprints are read at once: as a rule they are mostly zeros."""
NEAR = 1e-3
"""Degrees by which a centre may be off."""


@dataclass(frozen=True)
class Footprints:
    """Sensitivities to a flux.

    Attributes
    ----------
    rows
        Shape ``(m * lag, cell)``, of all observations of the file, in units of these by units of the flux.
    lags
        Number of footprints of one observation.
    missing
        Which observations have none, or part of one, shape ``(m,)``.
    """

    rows: sparse.csr_array
    lags: int
    missing: Flags

    @classmethod
    def read(cls, file: Path, options: FootprintOptions, observed: Observed) -> Self:
        """Return the footprints of a file.

        Raises
        ------
        DataError
            When there are none, or they are of another grid.
        UnitsError
            When footprint times flux cannot become the observations' units.
        """
        where, grid = f"{file}, {options.footprint}", observed.layout.grid
        with opened(file) as ds:
            found = find(ds, options.footprint, str(file))
            lags = _lags(found, grid, where)
            _refuse_other_centres(ds, found, grid, where)
            scale = factor(f"{units_of(found)} {observed.variable.units}", options.units)
            parts = [_part(found[k : k + AT_ONCE], lags, scale) for k in range(0, len(found), AT_ONCE)]
        rows = sparse.vstack([rows for rows, _ in parts], format="csr")
        return cls(sparse.csr_array(rows), lags, np.concatenate([missing for _, missing in parts]))


def joined_footprints(parts: Sequence[Footprints]) -> Footprints:
    """Return the footprints of several files as one, in order.

    Raises
    ------
    DataError
        When they look back differently far.
    """
    lags = {part.lags for part in parts}
    if len(lags) > 1:
        raise DataError(f"footprints have {sorted(lags)} lags", hint="files of one stream have as many")
    rows = sparse.csr_array(sparse.vstack([part.rows for part in parts], format="csr"))
    return Footprints(rows, lags.pop(), np.concatenate([part.missing for part in parts]))


def _part(found: xr.DataArray, lags: int, scale: float) -> tuple[sparse.csr_array, Flags]:
    values = np.asarray(found.values, dtype=np.float64).reshape(len(found), -1)
    missing: Flags = np.asarray((~np.isfinite(values)).any(axis=1))
    values = np.where(missing[:, None], 0.0, values)
    return sparse.csr_array(values.reshape(len(found) * lags, -1) * scale), missing


def _lags(found: xr.DataArray, grid: Grid, where: str) -> int:
    """Return how many footprints an observation has: what is left of its shape beside the grid's."""
    inner = found.shape[1:]
    if prod(inner) == grid.size:
        return 1
    if len(inner) > 1 and prod(inner[1:]) == grid.size:
        return int(inner[0])
    what = f"footprints of shape {inner} for a grid of shape {grid.shape}"
    raise DataError(what, where=where, hint="(observation, cells), or (observation, lag, cells)")


def _refuse_other_centres(ds: xr.Dataset, found: xr.DataArray, grid: Grid, where: str) -> None:
    """Refuse footprints whose own latitudes or longitudes are not the grid's."""
    if len(grid.shape) != 2:
        return
    own = grid.lat.reshape(grid.shape)[:, 0], grid.lon.reshape(grid.shape)[0]
    for name, centres in zip(found.dims[-2:], own, strict=True):
        given = _coordinate(ds, name)
        if given is not None and np.abs((given - centres + 180.0) % 360.0 - 180.0).max() > NEAR:
            hint = "put them on the grid of the flux, in its order"
            raise DataError(f"{name!r} are not the centres of the flux's grid", where=where, hint=hint)


def _coordinate(ds: xr.Dataset, name: Hashable) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    return np.asarray(ds[name].values, dtype=np.float64) if name in ds.coords else None
