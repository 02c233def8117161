"""Files like those of TROPOMI's methane retrieval (S5P L2 CH4), whose layers count from the top.

Lorente et al. (2021, doi:10.5194/amt-14-665-2021); names and groups by the product's user manual. Files that
are flat, or hold a few scan lines of one, are read alike.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.couplers.coupling.units import factor
from tradewind.errors import DataError
from tradewind.plugins.observations.options import RetrievalOptions
from tradewind.plugins.observations.reading.formats.gathered import Part, Swath, dataset, decoded, wanted
from tradewind.plugins.observations.reading.formats.made import Format, Range

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Times: TypeAlias = NDArray[np.datetime64]

GROUND, INTERVAL = "surface_pressure", "pressure_interval"
KERNEL, AIR = "column_averaging_kernel", "dry_air_subcolumns"
EDGES = "pressure_edges"
"""Made of the pressure at the ground and the interval between layers."""
BETWEEN_TIMES = {"milliseconds": "ms", "ms": "ms", "seconds": "s", "s": "s"}

GOOD = {"qa_value": Range(above=0.5)}


def opened(file: Path, names: Collection[str]) -> xr.Dataset:
    """Return the variables that are named, along one dimension.

    Raises
    ------
    DataError
        When one is missing, or nothing tells when a sounding was made.
    """
    import netCDF4

    with netCDF4.Dataset(file) as group:
        swath = Swath(group, file)
        parts = {name: _part(swath, name) for name in wanted(names, swath, GOOD)}
        return dataset(parts, _times(swath))


def _part(swath: Swath, name: str) -> Part:
    return _edges(swath) if name == EDGES and name not in swath else swath.part(name)


def _edges(swath: Swath) -> Part:
    """Return pressures between layers, from the top: ``p_k = p_s - (n - k) dp`` for k = 0..n."""
    ground, interval = swath.part(GROUND), swath.part(INTERVAL)
    count = swath.part(KERNEL if KERNEL in swath else AIR).values.shape[-1]
    step = interval.values * factor(interval.units, ground.units)
    down = np.arange(count, -1, -1)
    return Part(ground.values[:, None] - down * step[:, None], ("edge",), ground.units)


def _times(swath: Swath) -> Times:
    """Return when soundings were made: by time since, by text, or one by one; never a day's beginning."""
    if "delta_time" in swath:
        return _since(swath)
    if "time_utc" in swath:
        return np.array([_moment(text) for text in swath.texts("time_utc")], dtype="datetime64[ns]")
    if swath.length("time") == 1 and int(np.prod(swath.shape)) > 1:
        what = "one time for all soundings"
        raise DataError(what, where=swath.where, hint="give `delta_time`, `time_utc`, or `time` by sounding")
    time = swath.part("time")
    return decoded(time.values, time.units, f"{swath.where}, time")


def _since(swath: Swath) -> Times:
    delta = swath.part("delta_time")
    if "since" in delta.units:
        return decoded(delta.values, delta.units, f"{swath.where}, delta_time")
    if delta.units not in BETWEEN_TIMES:
        raise DataError(f"delta_time is in units of {delta.units!r}", where=swath.where)
    start, nanoseconds = swath.part("time"), factor(BETWEEN_TIMES[delta.units], "ns")
    after = np.where(np.isfinite(delta.values), np.rint(delta.values * nanoseconds), 0).astype("int64")
    times: Any = decoded(start.values, start.units, f"{swath.where}, time") + after.astype("timedelta64[ns]")
    return np.where(np.isfinite(delta.values), times, np.datetime64("NaT", "ns"))


def _moment(text: str) -> np.datetime64:
    try:
        return np.datetime64(str(text).removesuffix("Z"), "ns")
    except ValueError:
        return np.datetime64("NaT", "ns")


FORMAT = Format(
    opened,
    "methane_mixing_ratio_bias_corrected",
    "methane_mixing_ratio_precision",
    RetrievalOptions(
        weights=AIR,
        averaging_kernel=KERNEL,
        prior="methane_profile_apriori",
        edges=EDGES,
        surface_pressure=GROUND,
    ),
    GOOD,
)
"""Names of the product; soundings with qa_value above 0.5, as its manual advises."""
