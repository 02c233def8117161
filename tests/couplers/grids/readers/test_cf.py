"""Grids of CF datasets: what files say is taken, what they leave open is not guessed."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tradewind.couplers.grids import Grid, GridKind
from tradewind.errors import DataError, GridError

LAT, LON = np.array([30.0, 32, 34]), np.array([250.0, 252, 254, 256])


def dataset(**attributes) -> xr.Dataset:
    lat = ("y", LAT, {"standard_name": "latitude", "units": "degrees_north", **attributes})
    lon = ("x", LON, {"standard_name": "longitude", "units": "degrees_east"})
    return xr.Dataset(coords={"a": lat, "b": lon})


def test_axes_are_found_by_standard_name():
    grid = Grid.from_dataset(dataset())
    assert grid.kind is GridKind.LATLON
    assert grid.shape == (3, 4)
    assert grid.dims == ("y", "x")
    assert grid == Grid.latlon(LAT, LON)


def test_axes_are_found_by_units_alone():
    ds = xr.Dataset(
        coords={"u": ("u", LAT, {"units": "degrees_north"}), "v": ("v", LON, {"units": "degrees_east"})}
    )
    assert Grid.from_dataset(ds) == Grid.latlon(LAT, LON)


@pytest.mark.parametrize(("lat", "lon"), [("lat", "lon"), ("latitude", "longitude")])
def test_axes_are_found_by_their_usual_names(lat, lon):
    assert Grid.from_dataset(xr.Dataset(coords={lat: LAT, lon: LON})) == Grid.latlon(LAT, LON)


def test_the_order_of_the_file_is_kept():
    ds = dataset().isel(y=slice(None, None, -1))
    assert Grid.from_dataset(ds).lat[0] == 34


def test_bounds_of_the_file_go_before_guesses():
    ds = dataset(bounds="lat_bnds").assign(lat_bnds=(("y", "n"), [[29, 30.5], [30.5, 33], [33, 35.0]]))
    assert Grid.from_dataset(ds).lat_corners[0].tolist() == [29, 29, 30.5, 30.5]


def test_bounds_that_are_named_but_missing_are_said():
    with pytest.raises(GridError, match="variable 'a': bounds 'lat_bnds' are missing"):
        Grid.from_dataset(dataset(bounds="lat_bnds"))


def test_declared_radians_are_converted():
    ds = xr.Dataset(
        coords={
            "a": ("y", np.deg2rad(LAT), {"standard_name": "latitude", "units": "radian"}),
            "b": ("x", np.deg2rad(LON), {"standard_name": "longitude", "units": "radians"}),
        }
    )
    assert np.allclose(Grid.from_dataset(ds).lat[::4], LAT)


def test_two_dimensional_coordinates_make_a_curvilinear_grid(rotated):
    lon, lat = rotated.lon.reshape(8, 10), rotated.lat.reshape(8, 10)
    grid = Grid.from_dataset(xr.Dataset(coords={"lon": (("j", "i"), lon), "lat": (("j", "i"), lat)}))
    assert (grid.kind, grid.shape, grid.dims) == (GridKind.CURVILINEAR, (8, 10), ("j", "i"))


def test_coordinates_along_one_dimension_make_points():
    ds = xr.Dataset(coords={"lon": ("site", [1.0, 2, 3]), "lat": ("site", [4.0, 5, 6])})
    assert Grid.from_dataset(ds) == Grid.points([1.0, 2, 3], [4.0, 5, 6])


def test_mask_and_areas_come_along():
    ds = dataset().assign(
        mask=(("x", "y"), np.eye(4, 3)),
        a_cell=(("y", "x"), np.full((3, 4), 0.001), {"standard_name": "cell_area", "units": "sr"}),
    )
    grid = Grid.from_dataset(ds)
    assert grid.mask.reshape(3, 4).tolist() == np.eye(3, 4, dtype=bool).tolist()
    assert (grid.area == 0.001).all()


def area(values, units: str, **attributes) -> tuple:
    about = {"standard_name": "cell_area", "units": units, **attributes}
    return (("y", "x"), np.full((3, 4), values), about)


@pytest.mark.parametrize(
    ("value", "units", "attributes", "radius", "note"),
    [
        (4.0e10, "m2", {}, 6371220.0, "divided by the square of 6371220 m (standard)"),
        (4.0e4, "km^2", {}, 6371220.0, "divided by the square of 6371220 m (standard)"),
        (4.0e10, "m2", {"earth_radius": 6371000.0}, 6371000.0, "6371000 m (earth_radius of the file)"),
        (4.0e10, "m2", {"earth_radius": 6371.0}, 6371000.0, "6371000 m (earth_radius of the file)"),
    ],
    ids=["m2", "km2", "radius of the file", "radius in km"],
)
def test_areas_are_divided_by_the_square_of_a_radius_that_is_noted(value, units, attributes, radius, note):
    grid = Grid.from_dataset(dataset().assign(a_cell=area(value, units, **attributes)))
    assert grid.area == pytest.approx(np.full(12, 4.0e10 / radius**2), rel=1e-15)
    assert grid.area_note.startswith("a_cell in ")
    assert grid.area_note.endswith(note)


def test_the_radius_may_be_given():
    grid = Grid.from_dataset(dataset().assign(a_cell=area(4.0e10, "m2")), radius=6e6)
    assert grid.area[0] == pytest.approx(4.0e10 / 36e12)
    assert grid.area_note.endswith("6000000 m (given)")


@pytest.mark.parametrize(
    ("value", "units", "fault"),
    [
        (4.0e4, "m2", r"'a_cell': areas are 9\..*e-07 times those of the cells \(check the units"),
        (1.2e-3 * 3283, "sr", "are the coordinates in radians"),
        (4.0e10, "acres", "units 'acres' are no area"),
        (4.0e10, "", "units '' are no area"),
    ],
)
def test_areas_that_cannot_be_are_refused(value, units, fault):
    with pytest.raises(GridError, match=fault):
        Grid.from_dataset(dataset().assign(a_cell=area(value, units)))


def test_masked_cells_need_no_area():
    values = np.full((3, 4), 0.001)
    values[0, 0] = np.nan
    about = {"standard_name": "cell_area", "units": "sr"}
    ds = dataset().assign(a_cell=(("y", "x"), values, about), mask=(("y", "x"), values > 0))
    assert Grid.from_dataset(ds).area.tolist() == [0.0] + [0.001] * 11


@pytest.mark.parametrize("fixture", ["coarse", "finer", "box", "rotated"])
def test_a_grid_comes_back_from_its_dataset(fixture, request):
    grid = request.getfixturevalue(fixture)
    assert Grid.from_dataset(grid.to_dataset()) == grid


def test_masked_grids_with_areas_come_back():
    grid = Grid.latlon(LAT, LON, mask=np.eye(3, 4), area=np.full((3, 4), 0.01))
    assert Grid.from_dataset(grid.to_dataset()) == grid


def test_points_and_meshes_come_back():
    points = Grid.points([1.0, 2], [3.0, 4], mask=[1, 0])
    mesh = Grid.mesh([0, 1, 1, 0, 2], [0, 0, 1, 1, 0.5], [[0, 1, 2, 3], [1, 4, 2, -1]])
    assert Grid.from_dataset(points.to_dataset()) == points
    assert Grid.from_dataset(mesh.to_dataset()) == mesh


def test_a_grid_comes_back_from_a_file(tmp_path, box):
    path = tmp_path / "box.nc"
    box.to_dataset().to_netcdf(path)
    assert Grid.from_file(path) == box


def test_a_dataset_without_coordinates_is_refused():
    with pytest.raises(GridError, match=r"no longitude among t.*standard_name"):
        Grid.from_dataset(xr.Dataset({"t": ("x", [1.0])}))


def test_ambiguous_coordinates_are_refused():
    ds = dataset().assign_coords(c=("z", LON, {"standard_name": "longitude"}))
    with pytest.raises(GridError, match=r"several longitudes \(b, c\)"):
        Grid.from_dataset(ds)


def test_dimensions_that_do_not_fit_are_refused(rotated):
    ds = xr.Dataset(coords={"lon": (("j", "i"), rotated.lon.reshape(8, 10)), "lat": ("j", np.arange(8.0))})
    with pytest.raises(GridError, match="longitude has dimensions"):
        Grid.from_dataset(ds)


def test_three_dimensional_coordinates_are_refused():
    three = (("k", "j", "i"), np.zeros((1, 2, 2)))
    with pytest.raises(GridError, match="make no grid"):
        Grid.from_dataset(xr.Dataset(coords={"lon": three, "lat": three}))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.nc: no such file"):
        Grid.from_file(tmp_path / "none.nc")


def test_a_file_that_is_no_netcdf_is_named(tmp_path):
    path = tmp_path / "text.nc"
    path.write_text("not a grid")
    with pytest.raises(DataError, match=r"text\.nc: cannot be read as netCDF"):
        Grid.from_file(path)


def test_a_fault_in_a_file_names_the_file(tmp_path):
    path = tmp_path / "bad.nc"
    xr.Dataset(coords={"lat": LAT, "lon": [0.0, 180.0, 360.0]}).to_netcdf(path)
    with pytest.raises(GridError, match=r"bad\.nc, latlon grid longitude"):
        Grid.from_file(path)


@pytest.mark.shared
def test_a_real_file_is_read(shared):
    # 224 of its points are always missing, its coordinates are complete: 33 x 36 cells of 1.25 x 2.5 degrees
    grid = Grid.from_file(shared / "data" / "us_storm_1996.nc")
    assert grid.shape == (33, 36)
    assert (grid.lon.min(), grid.lon.max(), grid.lat.min(), grid.lat.max()) == (-140, -52.5, 20, 60)
