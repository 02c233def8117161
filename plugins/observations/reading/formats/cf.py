"""CF netCDF files whose observations stand along one dimension."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from tradewind.plugins.observations.reading.formats.made import Format

if TYPE_CHECKING:
    import xarray as xr


def opened(file: Path, names: Collection[str]) -> xr.Dataset:
    """Return what a file holds, read when it is asked for."""
    from tradewind.plugins.observations.reading.netcdf import opened as whole

    return whole(file)


FORMAT = Format(opened)
"""Settings name the variables."""
