"""Weight files of ESMF, SCRIP and OASIS3-MCT: the same files that they write, to read and to write."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tradewind.couplers.regrid.maps import entries, grids, netcdf
from tradewind.couplers.regrid.maps.content import WeightMap, frac_source, refuse_other_grid
from tradewind.couplers.regrid.maps.layouts import SHORT, MapLayout, Side, grid_names
from tradewind.couplers.regrid.weights.triplets import Triplets
from tradewind.errors import DataError, GridError, SpecError, did_you_mean

if TYPE_CHECKING:
    from netCDF4 import Dataset

    from tradewind.couplers.grids.grid import Grid

__all__ = [
    "MapLayout",
    "WeightMap",
    "frac_source",
    "read_grid",
    "read_map",
    "read_weights",
    "refuse_other_grid",
    "write_map",
    "write_weights",
]


def read_grid(path: Path, side: Side) -> Grid:
    """Return the source or target grid of a weight file, as rows and columns where it has two dimensions.

    Raises
    ------
    DataError
        When the file is no weight file.
    GridError
        When the grid in it cannot be used.
    """
    if side not in SHORT:
        raise DataError(f"side {side!r}", where=str(path), hint='"source" or "target"')
    with netcdf.opened(path) as ds:
        return grids.read(ds, grid_names(entries.layout_of(ds), side))


def read_map(path: Path, source: Grid | None = None, target: Grid | None = None) -> WeightMap:
    """Return grids and weights of a weight file; repeated (row, column) pairs are added up.

    The layout is found by the names of the variables: ``S``, ``row``, ``col`` of ESMF's offline tools, or
    ``remap_matrix``, ``dst_address``, ``src_address`` of SCRIP, OASIS3-MCT and CDO. Of SCRIP's three
    weights an entry the first is taken, that of first order; weights that SCRIP has not normalised are
    divided by the target's areas.

    Parameters
    ----------
    source, target
        Grids of files that bring none (OASIS3-MCT keeps them apart); else those of the file are taken.

    Raises
    ------
    DataError
        When the file is no weight file, is cut off, holds weights that are no numbers, or names cells that
        its grids do not have.
    GridError
        When a grid in it cannot be used.
    """
    with netcdf.opened(path) as ds:
        layout = entries.layout_of(ds)
        found = (_grid(ds, layout, "source", source), _grid(ds, layout, "target", target))
        weights, attributes = entries.read(ds, layout), entries.attributes(ds)
    return _normalised(WeightMap(*found, weights, attributes), layout)


def _grid(ds: Dataset, layout: MapLayout, side: Side, given: Grid | None) -> Grid:
    names = grid_names(layout, side)
    if given is None or names.lon in ds.variables:
        return grids.read(ds, names)
    size = entries.size(ds, names.size)
    if given.size != size:
        raise GridError(f"{given!r} was given, the file has {size} cells", where=f"{ds.filepath()}, {side}")
    return given


def _normalised(content: WeightMap, layout: MapLayout) -> WeightMap:
    how = content.attributes
    conservative = how.get("map_method", "").startswith("Conservative")
    if layout is MapLayout.ESMF or not conservative or how.get("normalization") != "none":
        return content
    w = content.weights
    divided = Triplets(w.row, w.col, w.value / content.target.area[w.row], w.frac_target, w.n_source)
    return WeightMap(content.source, content.target, divided, {**how, "normalization": "destarea"})


def read_weights(path: Path) -> tuple[Triplets, dict[str, str]]:
    """Return weights and attributes alone, without building the grids; faults as `read_map`."""
    with netcdf.opened(path) as ds:
        return entries.read(ds, entries.layout_of(ds)), entries.attributes(ds)


def write_map(path: Path, content: WeightMap, layout: MapLayout | str = MapLayout.ESMF) -> None:
    """Write a weight file (netCDF-4) in the layout of ESMF's offline tools or of SCRIP.

    Angles are in degrees, areas in steradian, indices count from 1, the longitude-like dimension comes
    first in ``*_grid_dims``. Nothing is compressed.

    Raises
    ------
    SpecError
        No such layout.
    """
    known = [k.value for k in MapLayout]
    if layout not in known:
        raise SpecError(f"no layout {layout!r}", where=str(path), hint=did_you_mean(layout, known))
    chosen = MapLayout(layout)
    about = {"title": "tradewind regridding weights", **content.attributes}
    fractions = {"source": frac_source(content), "target": content.weights.frac_target}
    with _created(path, {**about, "conventions": _CONVENTIONS[chosen]}) as ds:
        sides: dict[Side, Grid] = {"source": content.source, "target": content.target}
        for side, grid in sides.items():
            names = grid_names(chosen, side)
            grids.write(ds, grid, names)
            entries.write_fraction(ds, names.frac, names.size, fractions[side])
        entries.write(ds, content.weights, chosen)


_CONVENTIONS = {MapLayout.ESMF: "NCAR-CSM", MapLayout.SCRIP: "SCRIP"}


def write_weights(path: Path, weights: Triplets, attributes: dict[str, str]) -> None:
    """Write weights without their grids, for `read_weights`: a tenth of the file where grids are large."""
    with _created(path, attributes) as ds:
        ds.createDimension("n_a", weights.n_source)
        ds.createDimension("n_b", weights.n_target)
        entries.write_fraction(ds, "frac_b", "n_b", np.asarray(weights.frac_target))
        entries.write(ds, weights, MapLayout.ESMF)


def _created(path: Path, attributes: dict[str, str]) -> Dataset:
    from netCDF4 import Dataset

    ds = Dataset(path, "w", format="NETCDF4")
    ds.setncatts(attributes)
    return ds
