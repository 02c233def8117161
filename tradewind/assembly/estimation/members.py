"""Initial members from a netCDF file: dimension ``member`` first, variables by the name of what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.assembly.estimation.targets import ElementTarget, StateTarget, Target
from tradewind.errors import DataError

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

MEMBER = "member"


@dataclass(frozen=True)
class MembersFile:
    """A file of members.

    Attributes
    ----------
    members
        How many are wanted; a file may hold more, and the first are taken.
    """

    file: Path
    members: int

    def check(self, targets: Sequence[Target]) -> None:
        """Refuse a file that does not hold what is analysed.

        Raises
        ------
        DataError
            It cannot be read, lacks a variable, or has members or cells that do not fit.
        """
        with self._opened() as ds:
            for target in targets:
                self._found(ds, target)

    def read(self, target: Target, which: Sequence[int]) -> Array:
        """Return some members, shape ``(len(which), *extra, cell)``, of elements ``(len(which), k)``.

        Raises
        ------
        DataError
            As `check`, and when a value is missing.
        """
        with self._opened() as ds:
            found = self._found(ds, target)
            values = np.asarray(found[list(which)].values, dtype=np.float64)
        bad = ~np.isfinite(values)
        if bad.any():
            member = which[int(np.argwhere(bad)[0][0])]
            raise DataError(f"{found.name} of member {member} has missing values", where=str(self.file))
        return values.reshape(len(which), *inner_shape(target))

    def _opened(self) -> xr.Dataset:
        import xarray as xr

        try:
            return xr.open_dataset(self.file, decode_times=False)
        except (OSError, ValueError) as error:
            raise DataError(f"cannot be read: {error}", where=str(self.file)) from error

    def _found(self, ds: xr.Dataset, target: Target) -> xr.DataArray:
        names = (target.port, target.port.replace(".", "_"), target.port.partition(".")[2])
        found = next((ds[name] for name in names if name in ds.variables), None)
        where = str(self.file)
        if found is None:
            hint = f"name a variable {names[0]!r}, {names[1]!r} or {names[2]!r}"
            raise DataError(f"holds no members of {target.port}", where=where, hint=hint)
        if not found.dims or found.dims[0] != MEMBER or found.shape[0] < self.members:
            what = f"{found.name} has {dict(zip(found.dims, found.shape, strict=True))}"
            raise DataError(what, where=where, hint=f"the first dimension is {MEMBER}, of {self.members}")
        wanted = inner_shape(target)
        if prod(found.shape[1:]) != prod(wanted):
            what = f"{found.name} has {prod(found.shape[1:])} values a member, {target.port} {prod(wanted)}"
            raise DataError(what, where=where)
        return found


def inner_shape(target: Target) -> tuple[int, ...]:
    """Return the shape of one member of what is analysed."""
    if isinstance(target, ElementTarget):
        return (len(target.at),)
    return state_shape(target)


def state_shape(target: StateTarget) -> tuple[int, ...]:
    """Return the shape of one member's whole field: ``(*extra, cell)``."""
    cells = () if target.layout is None else (target.layout.n_local,)
    return (*(length for _, length in target.variable.extra), *cells)
