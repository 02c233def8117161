"""Datasets through a regridder: variables found by the names of their dimensions, never by position."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tradewind.couplers.grids.grid import Grid
from tradewind.couplers.regrid.datasets.variables import Field, Handling, Vector
from tradewind.couplers.regrid.mapfile import refuse_other_grid
from tradewind.errors import DataError, GridError, SpecError, did_you_mean

if TYPE_CHECKING:
    import xarray as xr

    from tradewind.couplers.regrid.datasets.variables import Array, Place
    from tradewind.couplers.regrid.regridder import Regridder

PLACES = ("cell_area", "latitude", "longitude")


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
    vectors: Sequence[tuple[str, str]] = (),
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
    vectors
        Names of (eastward, northward) components that are regridded together, as vectors.
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
    fields = fields_of(regridder, ds, found, handling or Handling())
    arrays = {name: np.empty(field.shape, dtype=field.dtype) for name, field in fields.items()}
    for name, place, values in blocks(fields, vectors):
        arrays[name][place] = values
    for name, field in fields.items():
        out[name] = field.dims, arrays[name], field.attributes
        out[name].encoding = field.encoding
    return out


def fields_of(regridder: Regridder, ds: xr.Dataset, found: Plan, handling: Handling) -> dict[str, Field]:
    """Return the regridded variables of a plan by name, before anything is computed."""
    return {name: Field(regridder, ds[name], found.dims, handling) for name in found.regridded}


def blocks(
    fields: Mapping[str, Field], vectors: Sequence[tuple[str, str]] = ()
) -> Iterator[tuple[str, Place, Array]]:
    """Yield all regridded fields in blocks: name, where the block belongs, values; collective.

    Raises
    ------
    DataError, SpecError
        Vectors with components that are not there, or do not fit.
    """
    pairs = [_vector(fields, *names) for names in vectors]
    in_pairs = {name for names in vectors for name in names}
    for name, field in fields.items():
        if name not in in_pairs:
            yield from ((name, place, values) for place, values in field.blocks())
    for names, pair in zip(vectors, pairs, strict=True):
        for place, both in pair.blocks():
            yield from ((name, place, values) for name, values in zip(names, both, strict=True))


def _vector(fields: Mapping[str, Field], east: str, north: str) -> Vector:
    for name in (east, north):
        if name not in fields:
            hint = did_you_mean(name, fields)
            raise DataError(
                "is not among the regridded variables", where=f"vector component {name!r}", hint=hint
            )
    if east == north:
        raise SpecError("one variable twice", where=f"vector {east!r}, {north!r}")
    return Vector(fields[east], fields[north])


# ---------------------------------------------------------------------- which variables
def grid_of(ds: xr.Dataset, variables: Sequence[str] | None = None) -> Grid:
    """Return the grid of a dataset; where it has several, that of the first variable wanted."""
    for name in variables or ():
        # a variable that lies on no grid is refused by name later
        with suppress(GridError):
            if name in ds.variables:
                return Grid.from_dataset(ds, name=name)
    return Grid.from_dataset(ds)


def plan(source: Grid, ds: xr.Dataset, variables: Sequence[str] | None = None) -> Plan:
    """Return what happens to each variable; see `regrid_dataset` for what is refused."""
    grid = grid_of(ds, variables)
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
