"""The convention is found by what is in a file; what was looked for is said."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tradewind.couplers.grids import Grid, GridKind
from tradewind.couplers.regrid import mapfile
from tradewind.couplers.regrid.weights import Triplets
from tradewind.errors import DataError, GridError


def test_what_was_looked_for_is_said():
    ds = xr.Dataset({f"v{i:02}": ("x", [1.0]) for i in range(20)})
    looked = r"v00, .*v11 and 8 more .*standard_name .*UGRID .*SCRIP .*ESMF mesh .*GRIDSPEC"
    with pytest.raises(GridError, match=looked):
        Grid.from_dataset(ds)


@pytest.mark.parametrize("layout", ["esmf", "scrip"])
def test_weight_files_have_two_grids(layout, tmp_path, coarse, finer):
    none = np.array([], dtype=np.int64)
    content = mapfile.WeightMap(coarse, finer, Triplets(none, none, np.zeros(0), np.zeros(144), 72), {})
    mapfile.write_map(tmp_path / "map.nc", content, layout)
    with pytest.raises(GridError, match=r"map\.nc, dataset: is a weight file.*from_map_file"):
        Grid.from_file(tmp_path / "map.nc")


def staggered() -> xr.Dataset:
    """Return temperatures at centres, winds at edges, and places of release along a list."""
    lat, east, north = np.arange(3.0), {"units": "degrees_east"}, {"units": "degrees_north"}
    return xr.Dataset(
        {
            "t": (("lat", "lon"), np.zeros((3, 4))),
            "u": (("lat", "edge_lon"), np.zeros((3, 5))),
            "released": (("n", "lat", "lon"), np.zeros((2, 3, 4))),
            "n_lon": ("n", [1.0, 2.0], east),
            "n_lat": ("n", [1.0, 2.0], north),
        },
        {
            "lat": ("lat", lat, north),
            "lon": ("lon", 0.5 + np.arange(4.0), east),
            "edge_lon": ("edge_lon", np.arange(5.0), east),
        },
    )


@pytest.mark.parametrize(("name", "shape"), [("t", (3, 4)), ("u", (3, 5)), ("released", (3, 4))])
def test_a_variable_says_which_grid_is_meant(name, shape):
    grid = Grid.from_dataset(staggered(), name=name)
    assert (grid.kind, grid.shape) == (GridKind.LATLON, shape)


def test_a_coordinate_says_which_grid_is_meant():
    assert Grid.from_dataset(staggered(), name="n_lon") == Grid.points([1.0, 2.0], [1.0, 2.0])


def test_several_grids_and_no_name_are_refused():
    with pytest.raises(GridError, match=r"several longitudes \(edge_lon, lon\).*name="):
        Grid.from_dataset(staggered())


def test_an_unknown_variable_is_refused():
    with pytest.raises(GridError, match="no variable 'tt'"):
        Grid.from_dataset(staggered(), name="tt")


def masked() -> xr.Dataset:
    return staggered().assign(
        wet=(("lon", "lat"), np.eye(4, 3)),
        codes=(("lat", "lon"), np.arange(12).reshape(3, 4) % 3),
        changing=(("time", "lat", "lon"), np.ones((2, 3, 4))),
    )


def test_a_mask_is_named():
    grid = Grid.from_dataset(masked(), name="t", mask="wet")
    assert grid.mask.reshape(3, 4).tolist() == np.eye(3, 4, dtype=bool).tolist()


def test_a_mask_is_given():
    assert Grid.from_dataset(masked(), name="t", mask=np.eye(3, 4)).mask.sum() == 3


@pytest.mark.parametrize(
    ("mask", "fault"),
    [("wett", "variable 'wett' is missing.*did you mean 'wet'"), ("changing", "'changing': has dimensions")],
)
def test_masks_that_do_not_fit_are_refused(mask, fault):
    with pytest.raises(GridError, match=fault):
        Grid.from_dataset(masked(), name="t", mask=mask)


def test_swapped_units_are_said():
    ds = xr.Dataset(
        coords={
            "lon": ("x", [1.0, 2.0], {"units": "degrees_north", "standard_name": "longitude"}),
            "lat": ("y", [1.0, 2.0], {"units": "degrees_north", "standard_name": "latitude"}),
        }
    )
    with pytest.raises(GridError, match=r"longitude has units 'degrees_north'.*swapped"):
        Grid.from_dataset(ds)


def test_a_file_cut_off_is_named(tmp_path, coarse):
    coarse.to_file(tmp_path / "grid.nc")
    whole = (tmp_path / "grid.nc").read_bytes()
    (tmp_path / "grid.nc").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"grid\.nc: cannot be read as netCDF"):
        Grid.from_file(tmp_path / "grid.nc")
