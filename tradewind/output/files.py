"""Files that are whole or not there at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tradewind.errors import DataError

if TYPE_CHECKING:
    import xarray as xr


LARGE = 2**20
"""Numbers from which a matrix is written some rows at a time."""
CHUNK = 512
"""Rows and columns of the parts in which it is written, and compressed."""


class UnwritableError(DataError):
    """A file cannot be written: no folder, no permission, disk full, or no file at all."""


def check_writable(path: Path) -> None:
    """Refuse a path that could not be written at the end of a long run.

    Raises
    ------
    UnwritableError
        When its folder is missing or read-only, or the path names a folder or a device.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise UnwritableError(
            f"the folder {path.parent} does not exist", where=str(path), hint="create it first"
        )
    if path.is_dir():
        raise UnwritableError("this is a folder", where=str(path), hint="name a file in it")
    if not os.access(path.parent, os.W_OK):
        raise UnwritableError(f"the folder {path.parent} cannot be written to", where=str(path))
    # a file takes the place of what is there, which must not be that of /dev/full or of a pipe
    if path.exists() and not path.is_file():
        raise UnwritableError("this is a device or a pipe", where=str(path), hint="name a file")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to, and put it in place when all went well.

    A reader sees the old file or the whole new one. When the body fails, the temporary file goes.

    Raises
    ------
    UnwritableError
        When the file cannot be written: no folder, no permission, disk full.
    """
    path = Path(path)
    check_writable(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        _sync(part)
        part.replace(path)
        _sync(path.parent)
    # the netCDF library reports a full disk as a RuntimeError
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "is the disk full? Nothing was left behind, and an older file is as it was"
        raise UnwritableError(f"cannot be written: {reason}", where=str(path), hint=hint) from error
    finally:
        part.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(text: str, path: Path) -> None:
    """Write `text` in UTF-8, whole or not at all.

    Raises
    ------
    DataError
        When the file cannot be written.
    """
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_netcdf(ds: xr.Dataset, path: Path, groups: Mapping[str, xr.Dataset] | None = None) -> None:
    """Write `ds`, and further datasets as groups, to one netCDF-4 file, whole or not at all.

    Raises
    ------
    DataError
        When the file cannot be written.
    """
    large = {
        str(n): v for n, v in ds.data_vars.items() if v.ndim == 2 and v.size >= LARGE and v.dtype == "f8"
    }
    small = ds.drop_vars(large)
    with replacing(path) as part:
        small.to_netcdf(part, engine="netcdf4", encoding=_compressed(small))
        if large:
            _append(part, large)
        for name, group in (groups or {}).items():
            group.to_netcdf(part, mode="a", engine="netcdf4", group=name)


def _append(path: Path, large: Mapping[str, xr.DataArray]) -> None:
    """Add matrices to a file, some rows at a time: whole ones would be copied on their way."""
    import netCDF4

    with netCDF4.Dataset(path, "a") as file:
        for name, matrix in large.items():
            dims = tuple(map(str, matrix.dims))
            for dim, length in zip(dims, matrix.shape, strict=True):
                if dim not in file.dimensions:
                    file.createDimension(dim, length)
            chunks = tuple(min(CHUNK, length) for length in matrix.shape)
            out = file.createVariable(
                name, "f8", dims, fill_value=float("nan"),
                compression="zlib", complevel=1, chunksizes=chunks,
            )  # fmt: skip
            beside = " ".join(str(c) for c in matrix.coords if str(c) not in dims)
            out.setncatts(matrix.attrs | ({"coordinates": beside} if beside else {}))
            for begin in range(0, len(matrix), CHUNK):
                out[begin : begin + CHUNK] = matrix.values[begin : begin + CHUNK]


def _compressed(ds: xr.Dataset) -> dict[str, dict[str, object]]:
    large = [str(n) for n, v in ds.variables.items() if v.ndim > 1 and v.size > 1000]
    return {name: {"zlib": True, "complevel": 4, "shuffle": True} for name in large}
