"""Grids of UGRID datasets, read and written.

Looked for: a variable with ``cf_role = "mesh_topology"`` and what it names: ``node_coordinates``,
``face_node_connectivity`` (with ``start_index``, ``_FillValue``, either dimension first), and, if there,
``face_coordinates`` and ``face_dimension``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.couplers.grids.grid import Grid
from tradewind.couplers.grids.readers.connectivity import counted_from_zero
from tradewind.couplers.grids.readers.wanted import Wanted, degrees, mask_of, missing, with_areas
from tradewind.errors import GridError, did_you_mean

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Index: TypeAlias = NDArray[np.int64]

MESH = "mesh2d"


def topologies(ds: xr.Dataset) -> list[str]:
    """Return the names of the mesh topologies."""
    return [str(n) for n, v in ds.variables.items() if v.attrs.get("cf_role") == "mesh_topology"]


def from_dataset(ds: xr.Dataset, wanted: Wanted) -> Grid:
    """Return the faces of a mesh, or its nodes as points where a variable on nodes is asked for.

    Raises
    ------
    GridError
        Several meshes and none named, networks without faces, data on edges, missing variables, or cells
        that cannot be used.
    """
    mesh, location = _chosen(ds, wanted)
    where = f"UGRID mesh {mesh!r}"
    about = ds[mesh].attrs
    if int(about.get("topology_dimension", 2)) != 2 or "face_node_connectivity" not in about:
        raise GridError("has no faces", where=where, hint="a mesh of topology_dimension 2 is needed")
    nodes = _pair(ds, about, "node_coordinates", where)
    if location == "node":
        return _points(ds, nodes, wanted)
    if location != "face":
        raise GridError(f"data on location {location!r}", where=where, hint="on faces or nodes")
    return _faces(ds, about, nodes, wanted, where)


def _chosen(ds: xr.Dataset, wanted: Wanted) -> tuple[str, str]:
    """Return the mesh that is asked for by its name or by that of data on it, and the data's location."""
    found, name = topologies(ds), wanted.name
    if name is None and len(found) == 1:
        return found[0], "face"
    if name in found:
        return str(name), "face"
    about = ds[name].attrs if name in ds.variables else {}
    if about.get("mesh") in found:
        return about["mesh"], str(about.get("location", "face"))
    what = f"no mesh {name!r}" if name else f"several meshes ({', '.join(found)})"
    hint = did_you_mean(name, found) if name else f"choose one by name={found[0]!r}"
    raise GridError(what, where="UGRID dataset", hint=hint)


def _pair(
    ds: xr.Dataset, about: dict[str, Any], attribute: str, where: str
) -> tuple[xr.DataArray, xr.DataArray]:
    names = str(about.get(attribute, "")).split()
    if len(names) < 2:
        raise GridError(f"{attribute} names {len(names)} variables", where=where, hint="two are needed")
    found = [missing(ds, n, f"{where}, {attribute}") for n in names[:2]]
    return (found[1], found[0]) if _northward(found[0]) else (found[0], found[1])


def _northward(variable: xr.DataArray) -> bool:
    about = variable.attrs
    named = about.get("standard_name") == "latitude" or "north" in str(about.get("units", ""))
    return named or "lat" in str(variable.name).lower()


def _points(ds: xr.Dataset, nodes: tuple[xr.DataArray, xr.DataArray], wanted: Wanted) -> Grid:
    dims = (str(nodes[0].dims[0]),)
    grid = Grid.points(degrees(nodes[0]), degrees(nodes[1]), mask=mask_of(ds, dims, wanted))
    return replace(grid, dims=dims)


def _faces(
    ds: xr.Dataset,
    about: dict[str, Any],
    nodes: tuple[xr.DataArray, xr.DataArray],
    wanted: Wanted,
    where: str,
) -> Grid:
    table = missing(ds, about["face_node_connectivity"], where)
    centres = None
    if "face_coordinates" in about:
        x, y = _pair(ds, about, "face_coordinates", where)
        centres = degrees(x), degrees(y)
    dim = str(about.get("face_dimension", table.dims[0] if centres is None else x.dims[0]))
    if table.ndim != 2 or dim not in table.dims:
        raise GridError(f"connectivity has dimensions {table.dims}, faces {dim!r}", where=where)
    index = counted_from_zero(table.transpose(dim, ...), start=0)
    mask = mask_of(ds, (dim,), wanted)
    grid = Grid.mesh(degrees(nodes[0]), degrees(nodes[1]), index, centres=centres, mask=mask)
    return with_areas(replace(grid, dims=(dim,)), _area(ds, dim), ds, wanted)


def _area(ds: xr.Dataset, dim: str) -> xr.DataArray | None:
    for name, variable in ds.variables.items():
        if variable.attrs.get("standard_name") == "cell_area" and variable.dims == (dim,):
            return ds[name]
    return None


def to_dataset(grid: Grid) -> xr.Dataset:
    """Return nodes, faces, centres, mask and given areas of a mesh; `from_dataset` makes the same grid of it.

    Raises
    ------
    GridError
        When the grid is no mesh.
    """
    import xarray as xr

    if len(grid.shape) != 1 or not grid.has_corners:
        raise GridError("UGRID is for meshes", where=repr(grid), hint='use convention="cf"')
    (node_lon, node_lat), faces = _nodes(grid)
    dim = grid.dims[0] if grid.dims[0] != "node" else "face"
    variables: dict[str, Any] = {
        MESH: ((), np.int32(0), _topology(dim)),
        f"{MESH}_node_lon": ("node", node_lon, _about("longitude", "degrees_east")),
        f"{MESH}_node_lat": ("node", node_lat, _about("latitude", "degrees_north")),
        f"{MESH}_face_nodes": ((dim, "max_nodes"), faces, CONNECTIVITY),
        f"{MESH}_face_lon": (dim, grid.lon, _about("longitude", "degrees_east")),
        f"{MESH}_face_lat": (dim, grid.lat, _about("latitude", "degrees_north")),
    }
    if not grid.mask.all():
        variables["mask"] = (dim, grid.mask.astype(np.int8), {"long_name": "active cells"})
    if grid.given_area is not None:
        about = {"standard_name": "cell_area", "units": "sr", "comment": grid.area_note}
        variables["cell_area"] = (dim, grid.given_area, about)
    return xr.Dataset(variables, attrs={"Conventions": "CF-1.11 UGRID-1.0"})


CONNECTIVITY = {"cf_role": "face_node_connectivity", "start_index": np.int32(0), "_FillValue": np.int32(-1)}


def _topology(dim: str) -> dict[str, Any]:
    return {
        "cf_role": "mesh_topology",
        "topology_dimension": np.int32(2),
        "node_coordinates": f"{MESH}_node_lon {MESH}_node_lat",
        "face_node_connectivity": f"{MESH}_face_nodes",
        "face_dimension": dim,
        "face_coordinates": f"{MESH}_face_lon {MESH}_face_lat",
    }


def _about(name: str, units: str) -> dict[str, str]:
    return {"standard_name": name, "units": units}


def _nodes(grid: Grid) -> tuple[Array, NDArray[np.int32]]:
    """Return longitudes and latitudes ``(2, nodes)`` and faces that end in -1 where corners repeat."""
    lon, lat = grid.places.angles_of(slice(None))
    # exact pairs, so that what is read again is the same grid
    pairs, faces = np.unique((lon + 1j * lat).reshape(-1), return_inverse=True)
    faces = faces.reshape(lon.shape).astype(np.int64)
    last, before = (faces[:, 1:] == other for other in (faces[:, -1:], faces[:, :-1]))
    repeated = np.zeros(faces.shape, dtype=bool)
    repeated[:, 1:] = np.logical_and.accumulate(last[:, ::-1], axis=1)[:, ::-1] & before
    repeated[:, :3] = False
    # other programs expect 32 bits
    return np.stack([pairs.real, pairs.imag]), np.where(repeated, -1, faces).astype(np.int32)
