"""Fields of several grids in one file: their names, dimensions and coordinates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tradewind.errors import SpecError
from tradewind.output.netcdf.coordinates import (
    Variables,
    auxiliary_names,
    dimensions,
    grid_coordinates,
    variable,
)

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from tradewind.couplers.coupling.fields import Variable
    from tradewind.couplers.grids import Grid


def plain_names(ports: Sequence[str]) -> list[str]:
    """Return names that netCDF tools accept, such as ``transport_methane`` for ``transport.methane``."""
    plain = [re.sub(r"\W", "_", port) for port in ports]
    count = Counter(plain)
    return [f"{name}_{i}" if count[name] > 1 else name for i, name in enumerate(plain)]


class Placing:
    """Where fields lie: the first grid has ``lat, lon``, a second one ``lat_2, lon_2``, and so on.

    Parameters
    ----------
    grids
        Of all fields of the file; None for fields that belong to no place.
    """

    def __init__(self, grids: Iterable[Grid | None]) -> None:
        self._grids = {g.fingerprint: g for g in grids if g is not None}
        numbered = enumerate(self._grids, start=1)
        self._suffixes = {found: f"_{number}" if number > 1 else "" for number, found in numbered}

    @property
    def coordinates(self) -> Variables:
        """Coordinates of all grids."""
        out: Variables = {}
        for fingerprint, grid in self._grids.items():
            out |= grid_coordinates(grid, self._suffixes[fingerprint])
        return out

    def field(
        self, port: str, declared: Variable, values: NDArray[Any], lead: tuple[str, ...] = (), **told: str
    ) -> xr.Variable:  # fmt: skip
        """Return a field as a CF variable.

        Parameters
        ----------
        port
            Its ``component.variable``, which names its extra axes.
        values
            Shape ``(*lead, *extra, cell)``.
        lead
            Dimensions before those of the variable itself, such as ``time``.
        told
            Attributes; ``units`` and ``long_name`` are those of the variable where they are not given.

        Raises
        ------
        SpecError
            When the values do not fit the grid.
        """
        grid = declared.grid
        extra = tuple(f"{plain_names([port])[0]}_{name}" for name, _ in declared.extra)
        inner = tuple(length for _, length in declared.extra)
        cells = () if grid is None else (grid.size,)
        if values.shape[len(lead) :] != (*inner, *cells):
            expected = f"{(*inner, *cells)} is declared, on a grid of {sum(cells)} cells"
            raise SpecError(f"shape {values.shape}: {expected}", where=told.get("long_name", port))
        dims, shape, names = _place(grid, "" if grid is None else self._suffixes[grid.fingerprint])
        attrs = {"units": declared.units, "long_name": port, "cell_methods": declared.cell_methods} | told
        shaped = values.reshape((*values.shape[: len(lead)], *inner, *shape))
        numbers = shaped.astype(np.int32 if values.dtype.kind == "i" else np.float64)
        out = variable((*lead, *extra, *dims), numbers, attrs.pop("units"), attrs.pop("long_name"), **attrs)
        out.encoding.update({"coordinates": names} if names else {})
        return out


def _place(grid: Grid | None, suffix: str) -> tuple[tuple[str, ...], tuple[int, ...], str]:
    if grid is None:
        return (), (), ""
    return dimensions(grid, suffix), tuple(grid.shape), auxiliary_names(grid, suffix)
