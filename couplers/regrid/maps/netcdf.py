"""netCDF variables of weight files, read and written plainly and fast."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.errors import DataError

if TYPE_CHECKING:
    from netCDF4 import Dataset
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

ADVICE = "is this a weight file?"
LARGE = 2**31
"""From here on 32-bit indices do not reach."""


@contextmanager
def opened(path: Path) -> Iterator[Dataset]:
    """Open a netCDF file for reading.

    Raises
    ------
    DataError
        When it is missing, damaged or cut off, also where that shows only as values are read.
    """
    from netCDF4 import Dataset

    if not path.is_file():
        raise DataError("no such file", where=str(path))
    try:
        with Dataset(path) as ds:
            ds.set_auto_maskandscale(False)
            yield ds
    except (OSError, RuntimeError) as error:
        raise DataError(f"cannot be read as netCDF: {error}", where=str(path)) from error


def values(ds: Dataset, name: str) -> NDArray[Any]:
    """Return a variable as it is stored.

    Raises
    ------
    DataError
        When there is none of that name.
    """
    if name not in ds.variables:
        raise DataError(f"variable {name!r} is missing", where=ds.filepath(), hint=ADVICE)
    return np.asarray(ds[name][...])


def floats(ds: Dataset, name: str) -> Array:
    """Return a variable in double precision."""
    return np.asarray(values(ds, name), dtype=np.float64)


def degrees(ds: Dataset, name: str) -> Array:
    """Return angles in degrees, whatever the variable's units."""
    found = floats(ds, name)
    radians = str(getattr(ds[name], "units", "degrees")).lower().startswith("rad")
    return np.rad2deg(found) if radians else found


def put(ds: Dataset, name: str, dims: tuple[str, ...], content: NDArray[Any], units: str = "") -> None:
    """Write a variable, uncompressed: weights do not compress, and a start from the cache has to be fast."""
    contiguous = content.size > 0  # nothing has no place on disk
    variable = ds.createVariable(name, content.dtype, dims, contiguous=contiguous, fill_value=False)
    if units:
        variable.units = units
    variable[...] = content


def indices(index: NDArray[np.int64]) -> NDArray[Any]:
    """Return indices from 1, in 32 bits where they fit, as other programs expect them."""
    large = index.size > 0 and int(index.max()) + 1 >= LARGE
    return (index + 1).astype(np.int64 if large else np.int32)
