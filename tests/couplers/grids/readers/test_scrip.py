"""SCRIP's grid files: cells one by one, in degrees or radians, with and without rows and columns."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tradewind.couplers.grids import Grid, GridKind
from tradewind.errors import GridError


def dataset(grid: Grid, units: str = "degrees", dims=None) -> xr.Dataset:
    turn = np.deg2rad if units == "radians" else np.asarray
    about = {"units": units}
    cells = ("grid_size", "grid_corners")
    return xr.Dataset(
        {
            "grid_dims": ("grid_rank", np.array(dims or grid.shape[::-1], dtype=np.int32)),
            "grid_center_lat": (cells[:1], turn(grid.lat), about),
            "grid_center_lon": (cells[:1], turn(grid.lon), about),
            "grid_imask": (cells[:1], grid.mask.astype(np.int32)),
            "grid_corner_lat": (cells, turn(grid.lat_corners), about),
            "grid_corner_lon": (cells, turn(grid.lon_corners), about),
        }
    )


@pytest.mark.parametrize("fixture", ["coarse", "finer", "box", "rotated", "mixed"])
def test_a_grid_comes_back(fixture, request):
    grid = request.getfixturevalue(fixture)
    assert Grid.from_dataset(dataset(grid)) == grid


def test_angles_in_radians_are_converted(rotated):
    grid = Grid.from_dataset(dataset(rotated, "radians"))
    assert grid.kind is GridKind.CURVILINEAR
    assert np.allclose(grid.lon_corners, rotated.lon_corners, rtol=0, atol=1e-12)


def test_every_variable_has_units_of_its_own(mixed):
    ds = dataset(mixed)
    ds["grid_center_lon"] = (
        ds["grid_center_lon"].copy(data=np.deg2rad(mixed.lon)).assign_attrs(units="radians")
    )
    assert np.allclose(Grid.from_dataset(ds).lon, mixed.lon, rtol=0, atol=1e-12)


def test_cells_that_imask_has_as_zero_are_inactive(coarse):
    ds = dataset(coarse)
    ds["grid_imask"][:10] = 0
    assert (~Grid.from_dataset(ds).mask).sum() == 10


@pytest.mark.parametrize("units", ["radians^2", "square radians", "steradian"])
def test_areas_are_taken(mixed, units):
    ds = dataset(mixed).assign(grid_area=("grid_size", 1.01 * mixed.area, {"units": units}))
    assert Grid.from_dataset(ds).area == pytest.approx(1.01 * mixed.area)


def test_without_corners_there_are_points(mixed):
    ds = dataset(mixed).drop_vars(["grid_corner_lon", "grid_corner_lat"])
    assert Grid.from_dataset(ds).kind is GridKind.POINTS


@pytest.mark.parametrize("dims", [[0], [3], [3, 1]], ids=["left empty", "one", "one row"])
def test_cells_in_no_order_make_a_mesh(mixed, dims):
    assert Grid.from_dataset(dataset(mixed, dims=dims)) == mixed


def test_grid_dims_may_be_absent(mixed):
    assert Grid.from_dataset(dataset(mixed).drop_vars("grid_dims")) == mixed


def test_dims_that_do_not_make_the_cells_are_refused(coarse):
    with pytest.raises(GridError, match=r"grid_dims \(13, 6\) do not make 72 cells"):
        Grid.from_dataset(dataset(coarse, dims=[13, 6]))


def test_half_the_corners_are_refused(mixed):
    with pytest.raises(GridError, match="variable 'grid_corner_lat' is missing"):
        Grid.from_dataset(dataset(mixed).drop_vars("grid_corner_lat"))


def test_units_that_are_no_angle_are_refused(mixed):
    with pytest.raises(GridError, match="'grid_center_lon': units 'km' are no angle"):
        Grid.from_dataset(dataset(mixed, "km"))
