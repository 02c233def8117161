"""Files like those of the University of Leicester's proxy retrieval of GOSAT, by levels from the ground.

Parker et al. (2020, doi:10.5194/essd-12-3383-2020). Over high ground a sounding has fewer levels: those that
are missing throughout see nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tradewind.plugins.observations.options import RetrievalOptions
from tradewind.plugins.observations.reading.formats.gathered import Part, Swath, dataset, decoded, wanted
from tradewind.plugins.observations.reading.formats.made import Format, Range

if TYPE_CHECKING:
    import xarray as xr

MISSING = -9999.0
"""Files without a _FillValue write -9999.99 where there is nothing."""
LEVELS = "pressure_levels"
GROUND = "surface_pressure"
"""The greatest of the levels' pressures, where the file does not tell."""
BY_LEVEL = ("pressure_weight", "xch4_averaging_kernel", "ch4_profile_apriori")

GOOD = {"xch4_quality_flag": Range(0.0, 0.0)}


def opened(file: Path, names: Collection[str]) -> xr.Dataset:
    """Return the variables that are named, along one dimension.

    Raises
    ------
    DataError
        When one is missing.
    """
    import netCDF4

    with netCDF4.Dataset(file) as group:
        swath = Swath(group, file)
        parts = {name: _part(swath, name) for name in wanted(names, swath, GOOD)}
        time = swath.part("time")
        return dataset(_with_levels(parts), decoded(time.values, time.units, f"{file}, time"))


def _part(swath: Swath, name: str) -> Part:
    part = swath.part(LEVELS if name == GROUND and name not in swath else name)
    found = replace(part, values=np.where(part.values <= MISSING, np.nan, part.values))
    return _ground(found) if name == GROUND and name not in swath else found


def _ground(levels: Part) -> Part:
    lowest = np.where(levels.values > 0, levels.values, -np.inf).max(axis=-1)
    return Part(np.where(np.isfinite(lowest), lowest, np.nan), (), levels.units)


def _with_levels(parts: Mapping[str, Part]) -> dict[str, Part]:
    """Return the same where levels that are missing throughout see nothing, and stand at the ground."""
    by_level = [parts[name].values for name in (LEVELS, *BY_LEVEL) if name in parts]
    if LEVELS not in parts or len(by_level) <= 1:
        return dict(parts)
    absent = np.logical_and.reduce([~np.isfinite(values) for values in by_level])
    ground = _ground(parts[LEVELS]).values[:, None]
    filled = {name: 0.0 for name in BY_LEVEL if name in parts} | {LEVELS: ground}
    return {
        name: replace(part, values=np.where(absent, filled[name], part.values)) if name in filled else part
        for name, part in parts.items()
    }


FORMAT = Format(
    opened,
    "xch4",
    "xch4_uncertainty",
    RetrievalOptions(
        weights="pressure_weight",
        averaging_kernel="xch4_averaging_kernel",
        prior="ch4_profile_apriori",
        pressure=LEVELS,
        surface_pressure=GROUND,
    ),
    GOOD,
)
"""Names of the product; soundings whose quality flag is 0."""
