"""UGRID: the mesh is found by its role, and what it names is followed, however it is stored."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tradewind.couplers.grids import Grid, GridKind
from tradewind.errors import GridError

NODE_LON, NODE_LAT = np.array([10.0, 12, 14, 10, 12, 14]), np.array([40.0, 40, 40, 42, 42, 42])
FACES = np.array([[0, 1, 4, 3], [1, 2, 5, -1], [1, 5, 4, -1]])
CENTRES = (np.array([11.0, 13.3, 12.7]), np.array([41.0, 40.7, 41.3]))


def topology(prefix: str = "", **more) -> tuple:
    about = {
        "cf_role": "mesh_topology",
        "topology_dimension": 2,
        "node_coordinates": f"{prefix}node_x {prefix}node_y",
        "face_node_connectivity": f"{prefix}table",
        "face_coordinates": f"{prefix}face_x {prefix}face_y",
        **more,
    }
    return ((), 0, about)


def dataset(table=FACES, dims=("face", "corner"), prefix: str = "", about=None, **more) -> xr.Dataset:
    east, north = {"units": "degrees_east"}, {"units": "degrees_north"}
    about = {"_FillValue": -1} if about is None else about
    return xr.Dataset(
        {
            f"{prefix}mesh": topology(prefix, **more),
            f"{prefix}node_x": (f"{prefix}node", NODE_LON, east),
            f"{prefix}node_y": (f"{prefix}node", NODE_LAT, north),
            f"{prefix}table": (tuple(prefix + d for d in dims), table, about),
            f"{prefix}face_x": (f"{prefix}face", CENTRES[0], east),
            f"{prefix}face_y": (f"{prefix}face", CENTRES[1], north),
        }
    )


def test_faces_nodes_and_centres_are_read(mixed):
    grid = Grid.from_dataset(dataset())
    assert grid == mixed
    assert (grid.kind, grid.dims) == (GridKind.MESH, ("face",))


def counted_from_one() -> np.ndarray:
    return np.where(FACES < 0, -999, FACES + 1)


@pytest.mark.parametrize(
    ("table", "about"),
    [
        (counted_from_one(), {"_FillValue": -999, "start_index": 1}),
        (np.where(FACES < 0, np.nan, FACES), {}),  # as xarray decodes a fill value
        (np.where(FACES < 0, np.nan, FACES + 1), {"start_index": 1}),
        (np.where(FACES < 0, 0, FACES + 1), {"start_index": 1}),  # zero is no node
        (np.where(FACES < 0, 2**31 - 1, FACES), {"_FillValue": 2**31 - 1}),
    ],
    ids=["from one", "nan", "nan, from one", "zero", "largest integer"],
)
def test_connectivity_is_understood_however_it_is_stored(mixed, table, about):
    assert Grid.from_dataset(dataset(table, about=about)) == mixed


@pytest.mark.parametrize("more", [{"face_dimension": "face"}, {}], ids=["said", "by the centres"])
def test_connectivity_may_be_transposed(mixed, more):
    assert Grid.from_dataset(dataset(FACES.T, dims=("corner", "face"), **more)) == mixed


def test_latitudes_may_be_named_first(mixed):
    ds = dataset(node_coordinates="node_y node_x", face_coordinates="face_y face_x")
    assert Grid.from_dataset(ds) == mixed


def test_centres_may_be_absent(mixed):
    ds = dataset().drop_vars(["face_x", "face_y"])
    del ds["mesh"].attrs["face_coordinates"]
    grid = Grid.from_dataset(ds)
    assert np.array_equal(grid.lon_corners, mixed.lon_corners)
    assert grid.lon[0] == pytest.approx(11.0)


def test_radians_are_converted(mixed):
    ds = dataset()
    for name in ("node_x", "node_y", "face_x", "face_y"):
        ds[name] = ds[name].copy(data=np.deg2rad(ds[name])).assign_attrs(units="radian")
    assert np.allclose(Grid.from_dataset(ds).lon_corners, mixed.lon_corners, rtol=0, atol=1e-12)


def test_mask_and_area_come_along():
    area = ("face", [1.0e-3, 5.0e-4, 5.0e-4], {"standard_name": "cell_area", "units": "sr"})
    ds = dataset().assign(mask=("face", [1, 0, 1]), area=area)
    grid = Grid.from_dataset(ds)
    assert grid.mask.tolist() == [True, False, True]
    assert grid.area.tolist() == [1.0e-3, 5.0e-4, 5.0e-4]


def two() -> xr.Dataset:
    other = dataset(prefix="b_").isel(b_face=[0])
    data = ("b_face", [1.0], {"mesh": "b_mesh", "location": "face"})
    return dataset().merge(other).assign(temperature=data)


@pytest.mark.parametrize(("name", "cells"), [("mesh", 3), ("b_mesh", 1), ("temperature", 1)])
def test_one_of_several_meshes_is_chosen_by_its_name_or_that_of_its_data(name, cells):
    assert Grid.from_dataset(two(), name=name).size == cells


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (None, r"several meshes \(mesh, b_mesh\).*name='mesh'"),
        ("mash", "no mesh 'mash'.*did you mean 'mesh'"),
    ],
)
def test_several_meshes_and_none_chosen_are_refused(name, fault):
    with pytest.raises(GridError, match=fault):
        Grid.from_dataset(two(), name=name)


def test_data_on_nodes_live_on_points():
    ds = dataset().assign(depth=("node", np.arange(6.0), {"mesh": "mesh", "location": "node"}))
    grid = Grid.from_dataset(ds, name="depth")
    assert grid == Grid.points(NODE_LON, NODE_LAT)
    assert grid.dims == ("node",)


def test_data_on_edges_are_refused():
    ds = dataset().assign(flux=("edge", np.arange(8.0), {"mesh": "mesh", "location": "edge"}))
    with pytest.raises(GridError, match="data on location 'edge'"):
        Grid.from_dataset(ds, name="flux")


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        ({"topology_dimension": 1}, "'mesh': has no faces"),
        ({"node_coordinates": "node_x"}, "node_coordinates names 1 variables"),
        ({"node_coordinates": "node_x nod_y"}, "variable 'nod_y' is missing.*did you mean 'node_y'"),
        ({"face_node_connectivity": "tables"}, "variable 'tables' is missing"),
        ({"face_dimension": "cell"}, r"connectivity has dimensions \('face', 'corner'\), faces 'cell'"),
    ],
)
def test_what_is_named_has_to_be_there(spoil, fault):
    with pytest.raises(GridError, match=fault):
        Grid.from_dataset(dataset(**spoil))


def test_a_node_that_does_not_exist_is_named():
    with pytest.raises(GridError, match="a face names node 6 of 6"):
        Grid.from_dataset(dataset(np.where(FACES == 5, 6, FACES)))


@pytest.mark.parametrize("cells", ["mixed", "octant", "masked"])
def test_a_mesh_comes_back(cells, mixed, tmp_path):
    grids = {
        "mixed": mixed,
        "octant": Grid.cubed_sphere(3),
        "masked": Grid.mesh(NODE_LON, NODE_LAT, FACES, mask=[0, 1, 1], area=[1e-3, 5e-4, 5e-4]),
    }
    grids[cells].to_file(tmp_path / "mesh.nc", "ugrid")
    assert Grid.from_file(tmp_path / "mesh.nc") == grids[cells]


def test_written_triangles_end_in_the_fill_value(mixed):
    ds = mixed.to_dataset("ugrid")
    assert (ds["mesh2d_face_nodes"] == -1).sum(axis=1).values.tolist() == [0, 1, 1]
    assert ds.sizes["node"] == 6


def test_other_grids_are_not_written_as_meshes(coarse):
    with pytest.raises(GridError, match=r"UGRID is for meshes.*convention=.cf"):
        coarse.to_dataset("ugrid")


def test_an_unknown_convention_is_refused(mixed):
    with pytest.raises(GridError, match=r"no convention 'ugird' to write.*did you mean 'ugrid'"):
        mixed.to_dataset("ugird")
