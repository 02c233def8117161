"""GRIDSPEC: a cell is four cells of its tile's supergrid; a mosaic is its tiles, one after another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tradewind.couplers.grids import Grid, GridKind
from tradewind.errors import DataError, GridError


def supergrid(lon: np.ndarray, lat: np.ndarray) -> xr.Dataset:
    """Return a tile as FMS writes it."""
    return xr.Dataset(
        {
            "tile": ((), b"tile1", {"standard_name": "grid_tile_spec"}),
            "x": (("nyp", "nxp"), lon, {"standard_name": "geographic_longitude", "units": "degree_east"}),
            "y": (("nyp", "nxp"), lat, {"standard_name": "geographic_latitude", "units": "degree_north"}),
        }
    )


def box(west: float = 0.0) -> xr.Dataset:
    """Return 2 rows and 3 columns of 2 degrees."""
    return supergrid(*np.meshgrid(west + np.arange(7.0), 10 + np.arange(5.0)))


def test_cells_are_made_of_four():
    grid = Grid.from_dataset(box())
    assert grid == Grid.latlon([11.0, 13.0], [1.0, 3.0, 5.0])


def test_tiles_that_follow_no_axes_are_curvilinear():
    lon, lat = np.meshgrid(np.arange(7.0), np.arange(5.0))
    grid = Grid.from_dataset(supergrid(lon + 0.1 * lat, lat + 0.05 * lon))
    assert (grid.kind, grid.shape) == (GridKind.CURVILINEAR, (2, 3))
    # the middle of the first cell is the point (1, 1), its corners (0, 0), (0, 2), (2, 2), (2, 0)
    assert (grid.lon[0], grid.lat[0]) == (1.1, 1.05)
    assert grid.lon_corners[0] == pytest.approx([0.0, 2.0, 2.2, 0.2])


def test_areas_of_the_quarters_are_added_up():
    quarters = (("ny", "nx"), np.full((4, 6), 1.2e10), {"units": "m2"})
    grid = Grid.from_dataset(box().assign(area=quarters).assign_attrs(earth_radius=6371000.0))
    assert grid.area == pytest.approx(np.full(6, 4 * 1.2e10 / 6371000.0**2))
    assert "earth_radius of the file" in grid.area_note


def test_areas_of_another_shape_are_refused():
    ds = box().assign(area=(("ny", "nx"), np.ones((2, 3)), {"units": "m2"}))
    with pytest.raises(GridError, match=r"area of shape \(2, 3\) for \(2, 3\) cells"):
        Grid.from_dataset(ds)


def test_an_even_number_of_points_is_refused():
    with pytest.raises(GridError, match=r"a supergrid of \(4, 7\) points.*2 ny \+ 1"):
        Grid.from_dataset(box().isel(nyp=slice(4)))


@pytest.fixture
def mosaic(tmp_path) -> Path:
    """Return a mosaic of two tiles that lie beside each other, in files of their own."""
    box(0.0).to_netcdf(tmp_path / "west.nc")
    box(6.0).to_netcdf(tmp_path / "east.nc")
    ds = xr.Dataset(
        {
            "mosaic": ((), b"two", {"standard_name": "grid_mosaic_spec"}),
            "gridlocation": ((), b"/somewhere/else/", {"standard_name": "grid_file_location"}),
            "gridfiles": ("ntiles", np.array([b"west.nc", b"east.nc"])),
            "gridtiles": ("ntiles", np.array([b"tile1", b"tile2"])),
        }
    )
    ds.to_netcdf(tmp_path / "mosaic.nc")
    return tmp_path / "mosaic.nc"


def test_all_tiles_make_one_mesh(mosaic):
    grid = Grid.from_file(mosaic)
    assert (grid.kind, grid.size) == (GridKind.MESH, 12)
    assert grid.lon.tolist() == [1, 3, 5, 1, 3, 5, 7, 9, 11, 7, 9, 11]


def test_tiles_of_a_mesh_touch(mosaic):
    # cell 2 is the last of the first row in the west, cell 6 the first in the east
    assert 6 in Grid.from_file(mosaic).neighbours(np.array([2])).tolist()


def test_one_tile_is_chosen_by_its_name(mosaic):
    assert Grid.from_file(mosaic, name="tile2") == Grid.latlon([11.0, 13.0], [7.0, 9.0, 11.0])


def test_a_mask_covers_all_tiles(mosaic):
    assert Grid.from_file(mosaic, mask=np.arange(12) % 2).mask.sum() == 6


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [({"name": "tile3"}, "no tile 'tile3'.*tile"), ({"mask": "wet"}, "mask 'wet' of several tiles")],
)
def test_what_a_mosaic_cannot_give_is_refused(mosaic, arguments, fault):
    with pytest.raises(GridError, match=fault):
        Grid.from_file(mosaic, **arguments)


def test_a_tile_that_is_missing_is_named(mosaic):
    (mosaic.parent / "east.nc").unlink()
    with pytest.raises(DataError, match=r"tile 'east\.nc' of the mosaic is missing.*/somewhere/else"):
        Grid.from_file(mosaic)


def test_a_tile_that_is_none_is_named(mosaic, coarse):
    coarse.to_file(mosaic.parent / "east.nc")
    with pytest.raises(GridError, match=r"east\.nc: is no supergrid"):
        Grid.from_file(mosaic)


def test_a_mosaic_needs_its_folder(mosaic):
    with xr.open_dataset(mosaic) as ds, pytest.raises(GridError, match=r"mosaic.*Grid\.from_file"):
        Grid.from_dataset(ds)
