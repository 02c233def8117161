"""Variables of a swath, from whichever groups of a netCDF file they stand in, along one dimension.

Retrievals of satellites stand along scan lines and ground pixels, in groups for results, inputs and details.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.errors import DataError, did_you_mean
from tradewind.plugins.observations.reading.formats.made import OBS

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Values: TypeAlias = NDArray[Any]

PLACE = "latitude"


@dataclass(frozen=True)
class Part:
    """One variable along the observations.

    Attributes
    ----------
    values
        Shape ``(m, ...)``, NaN where there is none.
    dims
        Names of the axes after the first.
    """

    values: Values
    dims: tuple[str, ...]
    units: str


class Swath:
    """An open file, and the axes along which its observations stand: those of its latitudes.

    Parameters
    ----------
    group
        The file, of netCDF4.

    Raises
    ------
    DataError
        When it has no latitudes.
    """

    def __init__(self, group: Any, file: Path) -> None:
        self.where = str(file)
        self._known = dict(reversed([*_variables(group)]))
        self.axes: tuple[str, ...] = self._variable(PLACE).dimensions
        self.shape: tuple[int, ...] = self._variable(PLACE).shape

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def part(self, name: str) -> Part:
        """Return a variable of numbers.

        Raises
        ------
        DataError
            When there is none of that name.
        """
        variable = self._variable(name)
        values = np.ma.filled(np.ma.asarray(variable[...]).astype(np.float64), np.nan)
        units = str(getattr(variable, "units", ""))
        return Part(*self._along(values, variable.dimensions), units)

    def texts(self, name: str) -> Values:
        """Return a variable of texts, shape ``(m,)``."""
        variable = self._variable(name)
        return self._along(np.asarray(variable[...], dtype=object), variable.dimensions)[0]

    def length(self, name: str) -> int:
        """Return how long a variable of numbers is."""
        return int(np.prod(self._variable(name).shape))

    def _variable(self, name: str) -> Any:
        if name not in self._known:
            hint = did_you_mean(name, self._known)
            raise DataError(f"no variable {name!r}", where=self.where, hint=hint)
        return self._known[name]

    def _along(self, values: Values, dims: tuple[str, ...]) -> tuple[Values, tuple[str, ...]]:
        """Return values with the axes of the observations first, as one, and the names of the others."""
        own, rest = [a for a in self.axes if a in dims], [d for d in dims if d not in self.axes]
        ordered = values.transpose([dims.index(d) for d in (*own, *rest)])
        tail = ordered.shape[len(own) :]
        lengths = [n if a in dims else 1 for a, n in zip(self.axes, self.shape, strict=True)]
        whole = np.broadcast_to(ordered.reshape(*lengths, *tail), (*self.shape, *tail))
        return whole.reshape(-1, *tail), tuple(rest)


def _variables(group: Any) -> Iterator[tuple[str, Any]]:
    """Yield the variables of a group, then those of the groups in it."""
    yield from group.variables.items()
    for inner in group.groups.values():
        yield from _variables(inner)


def dataset(parts: Mapping[str, Part], time: Values) -> xr.Dataset:
    """Return variables along one dimension, as a CF file would have them."""
    import xarray as xr

    made: dict[str, Any] = {
        name: ((OBS, *part.dims), part.values, {"units": part.units}) for name, part in parts.items()
    }
    return xr.Dataset({**made, "time": (OBS, time)})


def wanted(names: Collection[str], swath: Swath, advised: Collection[str]) -> list[str]:
    """Return which variables of numbers are read; what is `advised` may be missing, which readers tell."""
    every = dict.fromkeys(["latitude", "longitude", *(name for name in names if name != "time")])
    return [name for name in every if name in swath or name not in advised]


def decoded(values: Values, units: str, where: str) -> Values:
    """Return numbers since some date as times, ``datetime64[ns]``.

    Raises
    ------
    DataError
        When units do not tell since when.
    """
    import xarray as xr

    if "since" not in units:
        what = f"times are in units of {units!r}"
        raise DataError(what, where=where, hint="say since when: `seconds since 1970-01-01`")
    times = xr.Dataset({"t": (OBS, values, {"units": units})})
    return np.asarray(xr.decode_cf(times)["t"].values).astype("datetime64[ns]")
