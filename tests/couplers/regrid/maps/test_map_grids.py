"""Grids of weight files: their kind is found again, their areas are honoured."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest

from tradewind.couplers.grids import Grid, GridKind
from tradewind.couplers.regrid.maps import grids, netcdf
from tradewind.couplers.regrid.maps.layouts import MapLayout, grid_names
from tradewind.errors import DataError, GridError

LAYOUTS = list(MapLayout)


def there_and_back(grid: Grid, folder, layout=MapLayout.ESMF, spoil=None) -> Grid:
    names = grid_names(layout, "source")
    with netCDF4.Dataset(folder / "grid.nc", "w") as ds:
        grids.write(ds, grid, names)
        if spoil is not None:
            spoil(ds, names)
    with netcdf.opened(folder / "grid.nc") as ds:
        return grids.read(ds, names)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("fixture", ["coarse", "finer", "box", "rotated"])
def test_grids_come_back(fixture, layout, request, tmp_path):
    grid = request.getfixturevalue(fixture)
    assert there_and_back(grid, tmp_path, layout) == grid


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "grid",
    [
        Grid.cubed_sphere(3),
        Grid.polygons([[0.0, 1, 1, 0], [1, 2, 2, np.nan]], [[0.0, 0, 1, 1], [0, 0, 1, np.nan]]),
        Grid.points([1.0, 2.0], [3.0, 4.0], mask=[0, 1]),
        Grid.points([1.0, 2.0], [3.0, 4.0], area=[0.25, 0.5]),
        Grid.latlon([0.0, 1.0], [0.0, 1.0], mask=np.eye(2)),
        Grid.latlon([1.0, 0.0], [10.0, 9.0]),
        Grid.curvilinear([[0.0, 1.0], [0.1, 1.1]], [[0.0, 0.1], [1.0, 1.1]]),
    ],
    ids=["cube", "mixed", "points", "points with areas", "mask", "both falling", "no corners"],
)
def test_grids_of_every_kind_come_back(grid, layout, tmp_path):
    assert there_and_back(grid, tmp_path, layout) == grid


def double_areas(ds, names) -> None:
    ds[names.area][:] = 2 * ds[names.area][:]


def no_areas(ds, names) -> None:
    ds[names.area][:] = 0


def test_areas_of_the_polygons_are_not_taken_for_given_ones(coarse, tmp_path):
    assert there_and_back(coarse, tmp_path).given_area is None


def test_other_areas_are_those_of_a_model(coarse, tmp_path):
    back = there_and_back(coarse, tmp_path, spoil=double_areas)
    assert back.area == pytest.approx(2 * coarse.area, rel=1e-15)
    assert back.area_note == "area_a of the weight file"


def test_zeros_are_no_areas(coarse, tmp_path):
    assert there_and_back(coarse, tmp_path, spoil=no_areas).given_area is None


def one_row(ds, names) -> None:
    ds.renameVariable(names.dims, "other_dims")
    ds.createDimension("two", 2)
    ds.createVariable(names.dims, "i4", ("two",))[:] = [54, 1]


def no_dims(ds, names) -> None:
    ds.renameVariable(names.dims, "other_dims")


@pytest.mark.parametrize("spoil", [one_row, no_dims])
def test_cells_in_one_row_or_no_dimensions_are_a_mesh(spoil, tmp_path):
    mesh = Grid.cubed_sphere(3)
    assert there_and_back(mesh, tmp_path, spoil=spoil) == mesh


def test_a_mask_may_be_absent(coarse, tmp_path):
    back = there_and_back(coarse, tmp_path, spoil=lambda ds, n: ds.renameVariable(n.mask, "other"))
    assert back.mask.all()


def test_half_the_corners_are_refused(coarse, tmp_path):
    with pytest.raises(DataError, match="variable 'yv_a' is missing"):
        there_and_back(coarse, tmp_path, spoil=lambda ds, n: ds.renameVariable(n.lat_corners, "other"))


def bow_tie(ds, names) -> None:
    ds[names.lon_corners][7] = ds[names.lon_corners][7][[1, 0, 2, 3]]


def test_cells_of_a_file_are_checked_as_any(rotated, tmp_path):
    with pytest.raises(GridError, match="cell 7 of 80 has sides that cross"):
        there_and_back(rotated, tmp_path, spoil=bow_tie)


def test_one_bent_cell_makes_a_grid_curvilinear(box, tmp_path):
    def bend(ds, names) -> None:
        ds[names.lat_corners][0, 2] += 0.01

    assert there_and_back(box, tmp_path, spoil=bend).kind is GridKind.CURVILINEAR
