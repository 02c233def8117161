"""ESMF's mesh files: elements padded or in one row, counted from one, in degrees."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tradewind.couplers.grids import Grid
from tradewind.errors import GridError

NODES = np.array([[10.0, 40], [12, 40], [14, 40], [10, 42], [12, 42], [14, 42]])
CENTRES = np.array([[11.0, 41.0], [13.3, 40.7], [12.7, 41.3]])
PADDED = np.array([[1, 2, 5, 4], [2, 3, 6, -1], [2, 6, 5, -1]], dtype=np.int32)
RAGGED = PADDED[PADDED > 0]


def dataset(table=PADDED, about=None, units: str = "degrees", counts=(4, 3, 3)) -> xr.Dataset:
    dims = ("elementCount", "maxNodePElement") if table.ndim == 2 else ("connectionCount",)
    return xr.Dataset(
        {
            "nodeCoords": (("nodeCount", "coordDim"), NODES, {"units": units}),
            "elementConn": (dims, table, {"_FillValue": -1} if about is None else about),
            "numElementConn": ("elementCount", np.array(counts, dtype=np.int8)),
            "centerCoords": (("elementCount", "coordDim"), CENTRES, {"units": units}),
        },
        attrs={"gridType": "unstructured", "version": "0.9"},
    )


def test_elements_are_read(mixed):
    grid = Grid.from_dataset(dataset())
    assert grid == mixed
    assert grid.dims == ("elementCount",)


@pytest.mark.parametrize(
    ("table", "about"),
    [
        (RAGGED, {}),
        (RAGGED - 1, {"start_index": 0}),
        (PADDED - (PADDED > 0), {"start_index": 0, "_FillValue": -1}),
        (np.where(PADDED > 0, PADDED, np.nan), {}),
        (np.where(PADDED > 0, PADDED, 77), {}),  # behind the last node anything may stand
    ],
    ids=["ragged", "ragged from zero", "from zero", "decoded", "rubbish behind"],
)
def test_connections_are_understood_however_they_are_stored(mixed, table, about):
    assert Grid.from_dataset(dataset(table, about)) == mixed


def test_a_file_comes_back(mixed, tmp_path):
    dataset().to_netcdf(tmp_path / "mesh.nc")
    assert Grid.from_file(tmp_path / "mesh.nc") == mixed


def test_masks_and_areas_come_along():
    area = ("elementCount", [5.0e4, 2.5e4, 2.5e4], {"units": "km^2"})
    ds = dataset().assign(elementMask=("elementCount", np.array([1, 0, 1], np.int8)), elementArea=area)
    grid = Grid.from_dataset(ds)
    assert grid.mask.tolist() == [True, False, True]
    # 50 000 km2 over the square of 6371.22 km
    assert grid.area[0] == pytest.approx(5.0e4 / 6371.22**2, rel=1e-15)
    assert "6371220 m (standard)" in grid.area_note


def test_radians_are_converted(mixed):
    ds = dataset(units="radians")
    for name in ("nodeCoords", "centerCoords"):
        ds[name] = ds[name].copy(data=np.deg2rad(ds[name]))
    assert np.allclose(Grid.from_dataset(ds).lon_corners, mixed.lon_corners, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("spoilt", "fault"),
    [
        ({"table": np.where(PADDED == 6, -8, PADDED)}, "elements have several parts"),
        ({"table": RAGGED, "counts": (4, 3, 4)}, "10 connections for 11 corners"),
        ({"counts": (4, 3)}, "sizes"),
        ({"counts": (5, 3, 3)}, "elementConn of shape .* for 3 elements of up to 5 nodes"),
        ({"table": np.where(PADDED == 6, 7, PADDED)}, "a face names node 6 of 6"),
        ({"units": "km"}, "units 'km' are no angle"),
    ],
    ids=["parts", "short", "counts", "too many", "unknown node", "Cartesian"],
)
def test_bad_files(spoilt, fault):
    with pytest.raises((GridError, ValueError), match=fault):
        Grid.from_dataset(dataset(**spoilt))


def test_cartesian_nodes_are_refused():
    ds = dataset().drop_vars(["nodeCoords", "centerCoords"])
    ds["nodeCoords"] = (("nodeCount", "coordDim"), np.zeros((6, 3)), {"units": "degrees"})
    with pytest.raises(GridError, match=r"nodeCoords has shape \(6, 3\).*not Cartesian"):
        Grid.from_dataset(ds)


def test_the_number_of_nodes_is_needed():
    with pytest.raises(GridError, match="ESMF mesh: variable 'numElementConn' is missing"):
        Grid.from_dataset(dataset().drop_vars("numElementConn"))
