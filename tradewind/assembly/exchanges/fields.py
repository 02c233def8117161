"""Fields of files that an exchange needs: initial values and fractions, on the grid of one of its ends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.coupling.exchange import End
from tradewind.couplers.coupling.units import convert
from tradewind.couplers.regrid.datasets.dataset import grid_of
from tradewind.couplers.regrid.mapfile import refuse_other_grid
from tradewind.errors import DataError, GridError, TradewindError, did_you_mean

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray


def field_of(path: Path, name: str, end: End, units: str, assumed: str = "") -> Tensor:
    """Return a variable of a file on the cells of an end, shape ``(cell,)`` or ``(*extra, cell)``.

    Parameters
    ----------
    units
        What its values are converted to.
    assumed
        Its units where the file does not tell them.

    Raises
    ------
    DataError
        No such file or variable, other dimensions, or values that are missing on active cells.
    GridError
        Another grid.
    UnitsError
        Other units.
    """
    import xarray as xr

    try:
        with xr.open_dataset(path) as ds:
            if name not in ds.variables:
                hint = did_you_mean(name, [str(n) for n in ds.data_vars])
                raise DataError(f"no variable {name!r}", where=str(path), hint=hint)
            values = _on_grid(ds, name, end, f"{name} of {path}")
            found = str(ds[name].attrs.get("units", "")) or assumed
    except (OSError, ValueError) as error:
        if isinstance(error, TradewindError):
            raise
        raise DataError(f"cannot be read: {error}", where=str(path)) from error
    converted = convert(torch.from_numpy(values), found, units, f"{name} of {path}")
    return _complete(end.layout.scatter(converted), end, f"{name} of {path}")


def _on_grid(ds: xr.Dataset, name: str, end: End, where: str) -> NDArray[np.float64]:
    grid = end.layout.grid
    found = grid_of(ds, [name])
    refuse_other_grid(grid, found, where)
    field = ds[name].squeeze([d for d in ds[name].dims if ds[name].sizes[d] == 1 and d not in found.dims])
    if not set(found.dims) <= set(field.dims):
        raise GridError(f"with dimensions {field.dims}, it does not lie on {grid!r}", where=where)
    values = np.array(field.transpose(..., *found.dims).values, dtype=np.float64)
    values = values.reshape(*values.shape[: values.ndim - len(found.dims)], grid.size)
    lengths = tuple(length for _, length in end.variable.extra)
    if values.shape[:-1] not in {(), lengths}:
        others = ", ".join(f"{d}: {n}" for d, n in field.sizes.items() if d not in found.dims)
        raise DataError(
            f"has {others} beside its grid, {end.port} has {dict(end.variable.extra) or 'nothing'}",
            where=where,
        )
    return values


def _complete(values: Tensor, end: End, where: str) -> Tensor:
    """Refuse what is missing on active cells; masked ones are 0."""
    active = torch.from_numpy(end.layout.grid.mask[end.layout.owned])
    missing = int((~values.isfinite() & active).sum())
    if missing:
        raise DataError(f"{missing} values are missing or infinite on active cells", where=where)
    return torch.where(active, values, 0.0)
