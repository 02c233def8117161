"""Variables of a dataset on their way through a regridder, a block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from tradewind.couplers.ranks.parallel import agree
from tradewind.couplers.regrid.masks import masked_regrid
from tradewind.couplers.regrid.scheme import Method, Norm
from tradewind.couplers.regrid.vectors import VectorRegridder
from tradewind.errors import DataError, SpecError

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from tradewind.couplers.regrid.regridder import Regridder

    Array: TypeAlias = NDArray[Any]
    Place: TypeAlias = tuple[slice, ...]

BLOCK_BYTES = 256 * 2**20
"""How much of a variable is held in float64 at a time, roughly; one step of its first dimension at least."""
MISSING = ("_FillValue", "missing_value")
GEOGRAPHIC = ("grid_mapping", "cell_measures", "coordinates", "bounds", "mesh", "location")
"""Attributes that name parts of the old grid."""


class Integers(StrEnum):
    """What becomes of integers (land types, flags) where weights would take means of them."""

    REFUSE = "refuse"
    AS_NUMBERS = "as-numbers"


@dataclass(frozen=True)
class Handling:
    """How fields are treated on their way.

    Attributes
    ----------
    threshold
        Least part of a target's whole area that values that are there must cover, 0 to 1; it takes the mean
        of those, or is missing. 0: any value will do.
    fill
        What missing and unmapped targets hold.
    integers
        What becomes of integers with methods that take means.
    """

    threshold: float = 0.0
    fill: float = float("nan")
    integers: Integers = Integers.REFUSE

    def __post_init__(self) -> None:
        if not 0.0 <= self.threshold <= 1.0:
            raise SpecError(f"a threshold of {self.threshold:g}", where="regridding", hint="0 to 1")


@dataclass(frozen=True, eq=False)
class Field:
    """One variable on its way to the target grid.

    Attributes
    ----------
    regridder
        The weights.
    variable
        What is regridded; read in blocks.
    grid_dims
        Names of the source grid's dimensions.
    handling
        Missing values and integers.
    """

    regridder: Regridder
    variable: xr.DataArray
    grid_dims: tuple[str, ...]
    handling: Handling

    def __post_init__(self) -> None:
        if self.is_category and not self._takes_one and self.handling.integers is Integers.REFUSE:
            raise SpecError(
                f"integers ({self.variable.dtype}) would be averaged by {self.regridder.method}",
                where=f"variable {self.variable.name!r}",
                hint="use nearest_s2d for categories; if they are quantities, ask for integers as numbers",
            )

    @property
    def is_category(self) -> bool:
        """Whether the variable's own numbers are integers or flags, also where missing ones became NaN."""
        flags = {"flag_values", "flag_masks"} & set(self.variable.attrs)
        return bool(flags) or (self._stored.kind in "iub" and not self._is_packed)

    @property
    def _stored(self) -> np.dtype[Any]:
        return np.dtype(self.variable.encoding.get("dtype") or self.variable.dtype)

    @property
    def _is_packed(self) -> bool:
        return bool({"scale_factor", "add_offset"} & set(self.variable.encoding))

    @property
    def others(self) -> tuple[str, ...]:
        """Dimensions that are not the grid's, in order."""
        return tuple(str(d) for d in self.variable.dims if d not in self.grid_dims)

    @property
    def dims(self) -> tuple[str, ...]:
        """Dimensions of the result: the target's stand where the first of the source's stood."""
        dims = [str(d) for d in self.variable.dims]
        first = min(dims.index(d) for d in self.grid_dims)
        before = sum(d in self.others for d in dims[:first])
        return (*self.others[:before], *self.regridder.target.grid.dims, *self.others[before:])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        sizes = dict(self.variable.sizes)
        sizes |= dict(zip(self.regridder.target.grid.dims, self.regridder.target.grid.shape, strict=True))
        return tuple(sizes[d] for d in self.dims)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Kind of the result's numbers: the variable's own; float64 for integers averaged or with gaps."""
        own = self.variable.dtype
        if own.kind == "f" or (self._takes_one and (self._fills_whole or not self._has_gaps())):
            return own
        return np.dtype(np.float64)

    @property
    def _takes_one(self) -> bool:
        return self.regridder.method is Method.NEAREST_S2D

    @property
    def _fills_whole(self) -> bool:
        return float(self.handling.fill).is_integer()

    def _has_gaps(self) -> bool:
        return any(self.regridder.target.comm.allgather(bool(self.regridder.unmapped.any())))

    @property
    def attributes(self) -> dict[str, Any]:
        """The variable's attributes without names of the old grid; means over cells say so."""
        kept = {k: v for k, v in self.variable.attrs.items() if k not in GEOGRAPHIC}
        methods = str(kept.get("cell_methods", ""))
        if self.regridder.method.is_conservative and "area:" not in methods and "lat" not in methods:
            kept["cell_methods"] = f"{methods} area: mean".strip()
        return kept

    @property
    def encoding(self) -> dict[str, Any]:
        """How the result is stored: unpacked; as before where its numbers are still of that kind."""
        same = self._stored == self.dtype or (self.is_category and self._takes_one and self._is_masked)
        kept = {k: v for k, v in self.variable.encoding.items() if k in MISSING}
        out = {"dtype": self._stored, **kept} if same and not self._is_packed else {}
        if not np.isnan(self.handling.fill):
            out = {k: v for k, v in out.items() if k not in MISSING} | {"_FillValue": self.handling.fill}
        return out

    @property
    def _is_masked(self) -> bool:
        return bool(set(MISSING) & set(self.variable.encoding))

    def sample(self) -> Array:
        """Return one value of the result's kind along each dimension, to see how it is stored."""
        return np.zeros((1,) * len(self.shape), dtype=self.dtype)

    def whole(self) -> Array:
        """Return the regridded variable."""
        out = np.empty(self.shape, dtype=self.dtype)
        for place, values in self.blocks():
            out[place] = values
        return out

    def blocks(self) -> Iterator[tuple[Place, Array]]:
        """Yield the regridded variable in blocks of its first other dimension, and where they belong."""
        for place, which in self.parts():
            yield place, self.shaped(apply(self.regridder, self.values(which), self.handling))

    def parts(self) -> Iterator[tuple[Place, dict[str, slice]]]:
        """Yield blocks: where they belong in the result, and which part of the variable they are."""
        if not self.others:
            yield (), {}
            return
        first = self.others[0]
        place = self.dims.index(first)
        for part in self._slices(first):
            yield (*(slice(None),) * place, part), {first: part}

    def _slices(self, first: str) -> Iterator[slice]:
        length = self.variable.sizes[first]
        cells = self.regridder.source.grid.size + self.regridder.target.grid.size
        rest = np.prod([self.variable.sizes[d] for d in self.others[1:]], dtype=np.int64)
        step = max(1, int(BLOCK_BYTES // (8 * cells * max(1, int(rest)))))
        yield from (slice(i, min(i + step, length)) for i in range(0, length, step))

    def values(self, which: dict[str, slice]) -> torch.Tensor:
        """Return a part of the variable as fields ``(*others, n_source)``; collective, as all ranks read."""
        part = self.variable.isel(which).transpose(*self.others, *self.grid_dims)
        with agree(self.regridder.target.comm, f"reading {self.variable.name!r}"):
            values = _read(part).reshape(*part.shape[: len(self.others)], self.regridder.source.grid.size)
        return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64))

    def shaped(self, fields: torch.Tensor) -> Array:
        """Return fields ``(*others, n_target)`` with the result's dimensions and kind of numbers."""
        target = self.regridder.target.grid
        whole = fields.numpy().reshape(*fields.shape[:-1], *target.shape)
        order = [(*self.others, *target.dims).index(d) for d in self.dims]
        return whole.transpose(order).astype(self.dtype)


@dataclass(frozen=True, eq=False)
class Vector:
    """Eastward and northward components, regridded together."""

    east: Field
    north: Field

    def __post_init__(self) -> None:
        u, v = self.east.variable, self.north.variable
        where = f"vector {u.name!r}, {v.name!r}"
        if u.dims != v.dims or u.shape != v.shape:
            raise SpecError(f"dimensions {dict(u.sizes)} and {dict(v.sizes)}", where=where)
        if u.attrs.get("units") != v.attrs.get("units"):
            raise SpecError(f"units {u.attrs.get('units')} and {v.attrs.get('units')}", where=where)
        names = [str(x.attrs.get("standard_name", "")) for x in (u, v)]
        if "northward" in names[0] or "eastward" in names[1]:
            raise SpecError(f"{names[0]} and {names[1]}", where=where, hint="eastward first, then northward")

    def blocks(self) -> Iterator[tuple[Place, tuple[Array, Array]]]:
        """Yield both components in blocks, and where they belong."""
        for place, which in self.east.parts():
            pair = self.east.values(which), self.north.values(which)
            u, v = apply_vector(self.east.regridder, pair, self.east.handling)
            yield place, (self.east.shaped(u), self.north.shaped(v))


def _read(part: xr.DataArray) -> Array:
    try:
        values: Array = part.values
    # the netCDF library reports damaged files as RuntimeError
    except (OSError, RuntimeError) as error:
        raise DataError(f"cannot be read: {error}", where=f"variable {part.name!r}") from error
    return values


# ---------------------------------------------------------------------- fields with missing values
def apply(regridder: Regridder, x: torch.Tensor, handling: Handling) -> torch.Tensor:
    """Return whole fields, shape ``(*batch, n_target)``, on all ranks from whole fields; collective.

    Without missing values and threshold it is ``W x``. Else targets take the mean ``W(m x) / W m`` of the
    values that are there (see `masks`); with norm dstarea times ``W 1``, so that partly covered targets are
    diluted alike whether or not values are missing somewhere.
    """
    there = ~torch.isnan(x)
    local = regridder.source.scatter(x)
    if bool(there.all()) and handling.threshold == 0.0:
        return regridder.target.gather(regridder.regrid_field(local, handling.fill))
    mask = regridder.source.scatter(there.to(torch.float64))
    y = masked_regrid(regridder, local, mask, handling.threshold)
    return _filled(regridder, y * _dilution(regridder), handling)


def apply_vector(
    regridder: Regridder, pair: tuple[torch.Tensor, torch.Tensor], handling: Handling
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return both components as `apply` does; a vector is missing where either component is."""
    there = ~(torch.isnan(pair[0]) | torch.isnan(pair[1]))
    local = [regridder.source.scatter(torch.where(there, x, 0.0)) for x in pair]
    mask = regridder.source.scatter(there.to(torch.float64))
    u, v = VectorRegridder(regridder).regrid(*local)
    # ones through the mask are ones, and NaN where too little is there
    ones = masked_regrid(regridder, torch.ones_like(mask), mask, handling.threshold)
    scale = ones * _dilution(regridder) / regridder.forward(mask)
    return _filled(regridder, u * scale, handling), _filled(regridder, v * scale, handling)


def _dilution(regridder: Regridder) -> torch.Tensor:
    """Return what partly covered targets are multiplied by: ``W 1`` with norm dstarea, else 1."""
    if regridder.method.is_conservative and regridder.norm is Norm.DSTAREA:
        return regridder.forward(torch.ones(regridder.source.n_local, dtype=torch.float64))
    return torch.ones((), dtype=torch.float64)


def _filled(regridder: Regridder, y: torch.Tensor, handling: Handling) -> torch.Tensor:
    return regridder.target.gather(torch.where(y.isnan(), handling.fill, y))
