"""What an idealised model begins with: numbers of the config, or a field of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.errors import DataError, did_you_mean
from tradewind.plugins.idealised.options import StartOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]


def initial_values(options: StartOptions, size: int, otherwise: float = 0.0) -> Tensor:
    """Return the initial field of `size` cells, shape ``(cell,)``.

    Parameters
    ----------
    otherwise
        What all cells begin with where the options say nothing.

    Raises
    ------
    DataError
        A list, file or change that does not fit the cells, or is not finite.
    """
    values = _unchanged(options, size, otherwise)
    for cell, value in options.changes.items():
        if cell >= size:
            raise DataError(f"there is no cell {cell}", where="changes", hint=f"0 to {size - 1}")
        values[cell] = value
    return torch.from_numpy(values)


def _unchanged(options: StartOptions, size: int, otherwise: float) -> Array:
    if options.file is not None and options.variable is not None:
        return _of_file(options.file, options.variable, size)
    found = np.array(otherwise if options.initial is None else options.initial, dtype=np.float64)
    if found.ndim and len(found) != size:
        raise DataError(f"{len(found)} values for {size} cells", where="initial")
    return np.broadcast_to(found, (size,)).copy()


def _of_file(file: Path, variable: str, size: int) -> Array:
    """Return a variable of a netCDF file; ``group/variable`` is one of a group."""
    import xarray as xr

    group, _, name = variable.rpartition("/")
    try:
        with xr.open_dataset(file, group=group or None, decode_times=False) as ds:
            if name not in ds.variables:
                raise DataError(
                    f"no variable {name!r}", where=str(file), hint=did_you_mean(name, map(str, ds.variables))
                )
            values = np.array(ds[name].values, dtype=np.float64).reshape(-1)
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"cannot be read: {error}", where=str(file)) from error
    if len(values) != size or not np.isfinite(values).all():
        what = f"{name!r} has {len(values)} values, {np.isfinite(values).sum()} of them finite"
        raise DataError(what, where=str(file), hint=f"{size} are needed")
    return values
