"""Files of fields, netCDF or Zarr: found, opened one or two at a time, and their variables looked up.

Nothing is read but coordinates until a record is asked for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from glob import has_magic
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tradewind.couplers.grids import Grid
from tradewind.errors import DataError, GridError, did_you_mean

if TYPE_CHECKING:
    import xarray as xr

STORES = (".zgroup", ".zmetadata", "zarr.json")
INSTALL = 'pip install "tradewind[zarr]"'
OPEN_AT_ONCE = 2
SHOWN = 8


def find_files(patterns: Sequence[Path]) -> tuple[Path, ...]:
    """Return the files that are meant, those of a pattern by name.

    Raises
    ------
    DataError
        When a file does not exist, or a pattern fits none.
    """
    found: list[Path] = []
    for pattern in patterns:
        fits = [pattern] if pattern.exists() or not has_magic(str(pattern)) else _fitting(pattern)
        if not fits:
            raise DataError("no file fits this pattern", where=str(pattern))
        found += fits
    for path in found:
        if not path.exists():
            raise DataError("file not found", where=str(path))
    return tuple(dict.fromkeys(found))


def _fitting(pattern: Path) -> list[Path]:
    root = Path(pattern.anchor)
    return sorted(root.glob(str(pattern.relative_to(root))))


def is_zarr(path: Path) -> bool:
    """Return whether `path` is a Zarr store."""
    return path.is_dir() and any((path / name).exists() for name in STORES)


def open_data(path: Path, missing: str = "file not found") -> xr.Dataset:
    """Open a netCDF file or a Zarr store; times stay numbers, values are read when they are asked for.

    Parameters
    ----------
    missing
        What to say when it does not exist.

    Raises
    ------
    DataError
        When it cannot be read, or Zarr is not installed.
    """
    import xarray as xr

    if not path.exists():
        raise DataError(missing, where=str(path))
    if is_zarr(path) and find_spec("zarr") is None:
        raise DataError("is a Zarr store, and zarr is not installed", where=str(path), hint=INSTALL)
    try:
        if is_zarr(path):
            store: xr.Dataset = xr.open_zarr(path, chunks=None, consolidated=False, decode_times=False)
            return store
        return xr.open_dataset(path, decode_times=False, cache=False)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise DataError(f"cannot be read: {error}", where=str(path)) from error


def find_variable(ds: xr.Dataset, name: str, where: str) -> xr.DataArray:
    """Return a variable by its name.

    Raises
    ------
    DataError
        When there is none; names those that there are.
    """
    if name in ds.variables:
        return ds[name]
    known = [str(v) for v in ds.data_vars]
    hint = did_you_mean(name, known)
    if len(known) <= SHOWN:
        hint = f"it holds {', '.join(known)}"
    raise DataError(f"no variable {name!r}", where=where, hint=hint)


def grid_of(ds: xr.Dataset, name: str, where: str, mask: str | None = None) -> Grid:
    """Return the grid of one of a dataset's variables; its `dims` are those of the variable.

    Raises
    ------
    GridError
        As `Grid.from_dataset`, with the file's name.
    """
    try:
        return Grid.from_dataset(ds, name=name, mask=mask)
    except GridError as error:
        raise GridError(error.what, where=f"{where}, {name}", hint=error.hint) from error


class Archive:
    """Files of which only a few are open at a time.

    Parameters
    ----------
    paths
        In any order.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        self._open: OrderedDict[Path, xr.Dataset] = OrderedDict()

    def open(self, path: Path) -> xr.Dataset:
        """Return the dataset of one of the files; others may be closed for it.

        Raises
        ------
        DataError
            As `open_data`.
        """
        if path not in self._open:
            while len(self._open) >= OPEN_AT_ONCE:
                self._open.popitem(last=False)[1].close()
            self._open[path] = open_data(path)
        self._open.move_to_end(path)
        return self._open[path]

    def close(self) -> None:
        """Close all files; they are opened again when they are needed."""
        while self._open:
            self._open.popitem()[1].close()
