"""What all conventions share: angles and areas in any units, and where a radius comes from."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tradewind.couplers.grids import Grid
from tradewind.couplers.grids.readers.wanted import EARTH, Wanted, degrees, with_areas
from tradewind.errors import GridError

SQUARE = 3.0e-4
"""Steradians of about one degree."""


def grid() -> Grid:
    return Grid.latlon([0.0, 1.0], [0.0, 1.0])


def area(value: float, units: str, **about) -> xr.DataArray:
    return xr.DataArray(
        np.full((2, 2), value), dims=("lat", "lon"), name="cells", attrs={"units": units, **about}
    )


@pytest.mark.parametrize("units", ["degrees", "degrees_east", "degree_north", "deg", "°", "Degrees", ""])
def test_degrees_are_left(units):
    assert degrees(xr.DataArray([180.0], attrs={"units": units})).tolist() == [180.0]


@pytest.mark.parametrize("units", ["rad", "radian", "radians", "Radians"])
def test_radians_are_converted(units):
    assert degrees(xr.DataArray([np.pi], attrs={"units": units})) == pytest.approx([180.0])


def test_bounds_have_the_units_of_their_coordinate():
    assert degrees(xr.DataArray([np.pi]), "radian") == pytest.approx([180.0])


@pytest.mark.parametrize("units", ["m", "km", "K", "1"])
def test_units_that_are_no_angle_are_refused(units):
    with pytest.raises(GridError, match="are no angle"):
        degrees(xr.DataArray([1.0], name="x", attrs={"units": units}))


@pytest.mark.parametrize(
    ("factor", "units"),
    [
        (1.0, "sr"), (1.0, "steradian"), (1.0, "radians^2"), (1.0, "rad2"), (1.0, "square radians"),
        (EARTH**2, "m2"), (EARTH**2, "m^2"), (EARTH**2, "m**2"), (EARTH**2, "meters^2"),
        (EARTH**2, "square meters"), (EARTH**2 / 1e6, "km2"), (EARTH**2 / 1e6, "km^2"),
        (EARTH**2 * 1e4, "cm2"),
    ],
)  # fmt: skip
def test_areas_in_any_units_become_steradian(factor, units):
    found = with_areas(grid(), area(SQUARE * factor, units), xr.Dataset(), Wanted())
    assert found.area == pytest.approx(np.full(4, SQUARE), rel=1e-12)
    assert found.area_note.startswith("cells")


def mapping(**about) -> xr.Dataset:
    return xr.Dataset({"crs": ((), 0, {"grid_mapping_name": "latitude_longitude", **about})})


@pytest.mark.parametrize(
    ("wanted", "about", "ds", "radius", "source"),
    [
        (Wanted(radius=6e6), {"earth_radius": 6.1e6}, mapping(earth_radius=6.2e6), 6e6, "given"),
        (Wanted(), {"earth_radius": 6.1e6}, mapping(earth_radius=6.2e6), 6.1e6, "earth_radius of the file"),
        (Wanted(), {}, mapping(earth_radius=6.2e6), 6.2e6, "earth_radius of the file"),
        (Wanted(), {}, xr.Dataset(attrs={"sphere_radius": 6.3e6}), 6.3e6, "sphere_radius of the file"),
        (Wanted(), {}, xr.Dataset(attrs={"radius": "large"}), EARTH, "standard"),
        (Wanted(), {}, xr.Dataset(), EARTH, "standard"),
    ],
    ids=["asked for", "of the variable", "of the mapping", "of the file", "in words", "none"],
)
def test_the_nearest_radius_counts(wanted, about, ds, radius, source):
    found = with_areas(grid(), area(SQUARE * radius**2, "m2", **about), ds, wanted)
    assert found.area == pytest.approx(np.full(4, SQUARE), rel=1e-12)
    assert found.area_note.endswith(f"({source})")


@pytest.mark.parametrize("factor", [0.2, 5.0])
def test_odd_areas_of_a_model_are_honoured(factor):
    assert with_areas(grid(), area(SQUARE * factor, "sr"), xr.Dataset(), Wanted()).area[0] == SQUARE * factor


@pytest.mark.parametrize("factor", [1e-6, 0.05, 20.0, 1e6])
def test_areas_that_no_unit_explains_are_refused(factor):
    with pytest.raises(GridError, match=r"'cells': areas are .* times those of the cells"):
        with_areas(grid(), area(SQUARE * factor, "sr"), xr.Dataset(), Wanted())


def test_points_have_nothing_to_compare_with_but_the_sphere():
    points = Grid.points([0.0, 1.0], [0.0, 1.0])
    small = xr.DataArray([1e-9, 1e-9], dims=("cell",), name="cells", attrs={"units": "sr"})
    assert with_areas(points, small, xr.Dataset(), Wanted()).area.tolist() == [1e-9, 1e-9]
    with pytest.raises(GridError, match="times those of the cells"):
        with_areas(points, small.copy(data=[100.0, 100.0]), xr.Dataset(), Wanted())


def test_a_grid_without_areas_is_left():
    assert with_areas(grid(), None, xr.Dataset(), Wanted()) == grid()
