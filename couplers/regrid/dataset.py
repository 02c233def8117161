"""Datasets through a regridder: variables found by the names of their dimensions, never by position."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from tradewind.couplers.grids.grid import Grid
from tradewind.couplers.ranks.parallel import agree
from tradewind.couplers.regrid.mapfile import refuse_other_grid
from tradewind.couplers.regrid.masks import masked_regrid
from tradewind.couplers.regrid.scheme import Method, Norm
from tradewind.errors import DataError, SpecError, did_you_mean

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from tradewind.couplers.regrid.regridder import Regridder

    Array: TypeAlias = NDArray[Any]

BLOCK_BYTES = 256 * 2**20
"""How much of a variable is held in float64 at a time, roughly; one step of its first dimension at least."""
MISSING = ("_FillValue", "missing_value")
GEOGRAPHIC = ("grid_mapping", "cell_measures", "coordinates", "bounds", "mesh", "location")
"""Attributes that name parts of the old grid."""


PLACES = ("cell_area", "latitude", "longitude")


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


@dataclass(frozen=True)
class Plan:
    """What happens to each variable of a dataset.

    Attributes
    ----------
    dims
        Names of the source grid's dimensions in the dataset.
    regridded
        Variables on the grid.
    carried
        Variables that have nothing to do with the grid; they stay as they are.
    left_out
        Variables that cannot follow, and why.
    """

    dims: tuple[str, ...]
    regridded: tuple[str, ...]
    carried: tuple[str, ...]
    left_out: dict[str, str]


def regrid_dataset(
    regridder: Regridder,
    ds: xr.Dataset,
    *,
    variables: Sequence[str] | None = None,
    handling: Handling | None = None,
) -> xr.Dataset:
    """Return `ds` on the target grid; collective, every rank gives and gets the whole dataset.

    Other dimensions (time, level, member), attributes and the kinds of floating-point numbers stay;
    coordinates and bounds are those of the target. NaN is a missing value: a target takes the weighted
    mean of the values that are there.

    Parameters
    ----------
    variables
        Those wanted; by default all that lie on the grid.
    handling
        Missing values and integers.

    Raises
    ------
    GridError
        When the dataset does not lie on the regridder's source grid (other cells, turned latitudes).
    SpecError
        Integers that weights would average, or what is not a number.
    DataError
        When no variable lies on the grid, or one that was asked for is not there.
    """
    found = plan(regridder.source.grid, ds, variables)
    for name, why in found.left_out.items():
        warnings.warn(f"variable {name!r} is left out: {why}", stacklevel=2)
    out = skeleton(regridder, ds, found)
    for name in found.regridded:
        field = Field(regridder, ds[name], found.dims, handling or Handling())
        out[name] = field.dims, field.whole(), field.attributes
        out[name].encoding = field.encoding
    return out


# ---------------------------------------------------------------------- which variables
def plan(source: Grid, ds: xr.Dataset, variables: Sequence[str] | None = None) -> Plan:
    """Return what happens to each variable; see `regrid_dataset` for what is refused."""
    grid = Grid.from_dataset(ds)
    refuse_other_grid(source, grid, "dataset")
    on_grid, carried, left_out = [], [], dict[str, str]()
    parts = _parts_of_grid(ds, grid.dims)
    for name in map(str, ds.variables):
        if name in parts:
            continue
        shared = {str(d) for d in ds[name].dims} & set(grid.dims)
        if not shared:
            carried.append(name)
        elif shared < set(grid.dims):
            left_out[name] = f"it lies along {', '.join(sorted(shared))} only"
        else:
            on_grid.append(name)
    if variables is None:
        words = {name: _not_a_number(ds[name]) for name in on_grid}
        left_out |= {name: why for name, why in words.items() if why}
        wanted = tuple(name for name in on_grid if not words[name])
    else:
        wanted, left_out = _asked_for(variables, on_grid, ds), {}
    if not wanted:
        raise DataError(f"no variable lies on the {grid!r}", where="dataset", hint=_dimensions(ds, grid))
    return Plan(grid.dims, wanted, tuple(carried), left_out)


def _asked_for(variables: Sequence[str], on_grid: list[str], ds: xr.Dataset) -> tuple[str, ...]:
    for name in variables:
        if name not in ds.variables:
            raise DataError("no such variable", where=f"variable {name!r}", hint=did_you_mean(name, on_grid))
        if name not in on_grid:
            raise DataError(
                f"with dimensions {ds[name].dims}, it does not lie on the grid", where=f"variable {name!r}"
            )
        why = _not_a_number(ds[name])
        if why:
            raise SpecError(why, where=f"variable {name!r}")
    return tuple(dict.fromkeys(variables))


def _dimensions(ds: xr.Dataset, grid: Grid) -> str:
    return f"needed: {', '.join(grid.dims)}; there: {', '.join(map(str, ds.sizes)) or 'none'}"


def _parts_of_grid(ds: xr.Dataset, dims: tuple[str, ...]) -> set[str]:
    """Return coordinates, bounds, mask and areas of the grid, and what projects it."""
    parts = {str(n) for n in ds.coords if ds[n].dims and set(ds[n].dims) <= set(dims)}
    for name in map(str, ds.variables):
        about = {**ds[name].encoding, **ds[name].attrs}
        on_grid = set(dims) <= set(ds[name].dims)
        if about.get("standard_name") in PLACES or (name == "mask" and on_grid):
            parts.add(name)
        if name in parts and "bounds" in about:
            parts.add(str(about["bounds"]))
        if "grid_mapping_name" in about or about.get("cf_role") == "mesh_topology":
            parts.add(name)
    # a face of a mesh names its corners by number
    return parts | {
        str(n) for n in ds.variables if str(ds[n].attrs.get("cf_role", "")).endswith("_connectivity")
    }


def _not_a_number(variable: xr.DataArray) -> str:
    kind = variable.dtype.kind
    return "" if kind in "fiub" else f"{variable.dtype} cannot be regridded"


# ---------------------------------------------------------------------- what the target looks like
def skeleton(regridder: Regridder, ds: xr.Dataset, found: Plan) -> xr.Dataset:
    """Return the target's coordinates and bounds with all that is carried over, but no regridded field."""
    target = regridder.target.grid
    out = target.to_dataset()
    kept = ds[list(found.carried)]
    kept = kept.drop_vars([n for n in kept.coords if str(n) not in found.carried])
    other_size = {d for d in set(kept.dims) & set(out.dims) if kept.sizes[d] != out.sizes[d]}
    clash = set(kept.variables) & set(out.variables) | set(kept.dims) & set(target.dims) | other_size
    if clash:
        raise SpecError(
            f"{', '.join(sorted(map(str, clash)))} is a name of the target grid as well",
            where="dataset",
            hint="rename it first",
        )
    attributes = ds.attrs | out.attrs | {"regridding": str(regridder.how.scheme)}
    out = out.merge(kept).assign_attrs(attributes)
    limits = ds.encoding.get("unlimited_dims", ())
    out.encoding["unlimited_dims"] = {n for n in limits if n in out.dims}
    return out


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

    def blocks(self) -> Iterator[tuple[tuple[slice, ...], Array]]:
        """Yield the regridded variable in blocks of its first other dimension, and where they belong."""
        if not self.others:
            yield (), self._regridded(self.variable)
            return
        first = self.others[0]
        place = self.dims.index(first)
        for part in self._slices(first):
            where = (slice(None),) * place + (part,)
            yield where, self._regridded(self.variable.isel({first: part}))

    def _slices(self, first: str) -> Iterator[slice]:
        length = self.variable.sizes[first]
        cells = self.regridder.source.grid.size + self.regridder.target.grid.size
        rest = np.prod([self.variable.sizes[d] for d in self.others[1:]], dtype=np.int64)
        step = max(1, int(BLOCK_BYTES // (8 * cells * max(1, int(rest)))))
        yield from (slice(i, min(i + step, length)) for i in range(0, length, step))

    def _regridded(self, part: xr.DataArray) -> Array:
        ordered = part.transpose(*self.others, *self.grid_dims)
        batch = ordered.shape[: len(self.others)]
        with agree(self.regridder.target.comm, f"reading {self.variable.name!r}"):
            values = np.ascontiguousarray(_read(ordered).reshape(*batch, -1), dtype=np.float64)
        fields = apply(self.regridder, torch.from_numpy(values), self.handling).numpy()
        target = self.regridder.target.grid
        shaped = fields.reshape(*batch, *target.shape)
        order = [(*self.others, *target.dims).index(d) for d in self.dims]
        return shaped.transpose(order).astype(self.dtype)


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
    if regridder.method.is_conservative and regridder.norm is Norm.DSTAREA:
        y = y * regridder.forward(torch.ones(regridder.source.n_local, dtype=torch.float64))
    return regridder.target.gather(torch.where(y.isnan(), handling.fill, y))
