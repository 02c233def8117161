"""Every fault that a grid can have is named, with where it is; none is mended in silence."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.couplers.grids import Grid
from tradewind.errors import GridError

LAT, LON = np.arange(-60.0, 61, 30), np.arange(0.0, 360, 30)


def spoilt(values: np.ndarray, index: int, value: float) -> np.ndarray:
    out = values.copy()
    out[index] = value
    return out


@pytest.mark.parametrize(
    ("lat", "lon", "fault"),
    [
        (spoilt(LAT, 2, np.nan), LON, r"latitude: 1 of 5 values are not finite, the first at \(2,\)"),
        (LAT, spoilt(LON, 3, np.inf), r"longitude: 1 of 12 values are not finite"),
        (LAT * 2, LON, "latitude -120 lies beyond a pole.*swapped"),
        (LAT, LON * 1e3, "longitude 330000 is not in degrees"),
        (np.deg2rad(np.arange(-75.0, 90, 30)), np.deg2rad(LON), "look like radians.*rad2deg"),
        (LAT, np.append(LON, 360.0), "duplicated"),
        (LAT, spoilt(LON, 3, 60.0), "60 is duplicated"),
        (LAT, LON[[0, 2, 1, 3, 4]], "neither increasing nor decreasing"),
        (spoilt(LAT, 1, -60.0), LON, "-60 is duplicated"),
        (LAT[[0, 2, 1, 3, 4]], LON, "neither increasing nor decreasing"),
        (LAT[:, None], LON, "expected one dimension"),
        ([], LON, "is empty"),
        (["a", "b"], LON, "not numeric"),
    ],
    ids=["nan", "inf", "beyond a pole", "metres", "radians", "0 and 360", "twice", "disorder", "lat twice",
         "lat disorder", "2-D", "empty", "text"],
)  # fmt: skip
def test_bad_axes(lat, lon, fault):
    with pytest.raises(GridError, match=fault):
        Grid.latlon(lat, lon)


def test_a_small_region_in_degrees_is_not_taken_for_radians():
    assert Grid.latlon([-1.0, 0.0, 1.0], [0.0, 1.0, 2.0]).size == 9


@pytest.mark.parametrize(
    ("bounds", "fault"),
    [
        ([0.0, 1.0], r"bounds of shape \(2,\) for 3 cells"),
        ([[0, 1], [1, 2]], r"bounds of shape \(2, 2\)"),
        ([[0, 1], [1.5, 2], [2, 3]], "do not meet"),
        ([0, np.nan, 2, 3], "not finite"),
        ([0.0, 0.0, 2.0, 3.0], "has no area"),
    ],
    ids=["short", "wrong shape", "gap", "nan", "flat cell"],
)
def test_bad_bounds(bounds, fault):
    with pytest.raises(GridError, match=fault):
        Grid.latlon([0.5, 1.5, 2.5], [10.0, 11.0], lat_bounds=bounds)


def test_latitude_bounds_beyond_a_pole_are_cut_by_nobody():
    # given bounds are the user's: cut at the pole, the outermost cells would lose their meaning
    grid = Grid.latlon([85.0, 95.0 - 6], [0.0, 1.0])
    assert grid.lat_corners.max() == 90


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"mask": np.ones((2, 2))}, r"mask: shape \(2, 2\) is not the grid's \(5, 12\)"),
        ({"area": np.ones(3)}, r"area: shape \(3,\)"),
        ({"area": np.zeros((5, 12))}, "area of cell 0 is not positive and finite: 0"),
        ({"area": np.full((5, 12), np.nan)}, "area of cell 0 .*: nan"),
    ],
    ids=["mask shape", "area shape", "no area", "nan area"],
)
def test_bad_masks_and_areas(arguments, fault):
    with pytest.raises(GridError, match=fault):
        Grid.latlon(LAT, LON, **arguments)


SQUARE = ([[0.5]], [[0.5]])


@pytest.mark.parametrize(
    ("lon", "lat", "fault"),
    [
        ([[[0, 1, 0, 1]]], [[[0, 1, 1, 0]]], r"cell 0 of 1 has sides that cross \(a bow-tie\)"),
        ([[[0, 1, 2, 3]]], [[[0, 0, 0, 0]]], "cell 0 of 1 has no area"),
        ([[[0, 1, 1, 0]]], [[[0, 0, 91, 91]]], "beyond a pole"),
        ([[[0, 1, np.nan, 0]]], [[[0, 0, 1, 1]]], "cell 0 of 1 has corners that are missing"),
        ([0, 1], [0, 1], r"corners of shape \(2,\) for cells of shape \(1, 1\)"),
        ([[[0, 1]]], [[[0, 0]]], r"corners of shape \(1, 1, 2\)"),
        ([[[0, 1, 1, 0]]], None, "only one of lon_corners and lat_corners"),
    ],
    ids=["bow-tie", "flat", "beyond a pole", "nan", "shape", "two corners", "half"],
)
def test_bad_corners(lon, lat, fault):
    with pytest.raises(GridError, match=fault):
        Grid.curvilinear(*SQUARE, lon, lat)


@pytest.mark.parametrize(
    ("lon", "lat"), [([0.0, 1.0], [0.0, 1.0]), ([[0.0, 1.0]], [[0.0], [1.0]])], ids=["1-D", "shapes differ"]
)
def test_curvilinear_centres_are_two_dimensional(lon, lat):
    with pytest.raises(GridError, match="centres of shapes"):
        Grid.curvilinear(lon, lat)


@pytest.mark.parametrize(
    ("faces", "fault"),
    [
        ([[0, 1]], "at least three corners"),
        ([[0, 1, -1]], "at least three corners"),
        ([[0, 1, 3]], "a face names node 3 of 3"),
        ([[0, 1, 1]], "cell 0 of 1 has no area"),
    ],
    ids=["two corners", "padded", "unknown node", "flat"],
)
def test_bad_meshes(faces, fault):
    with pytest.raises(GridError, match=fault):
        Grid.mesh([0.0, 1.0, 0.0], [0.0, 0.0, 1.0], faces)


def test_points_come_in_pairs():
    with pytest.raises(GridError, match=r"shapes \(2,\) and \(3,\)"):
        Grid.points([0.0, 1.0], [0.0, 1.0, 2.0])


def test_missing_corners_are_said_when_they_are_needed():
    grid = Grid.curvilinear([[0.0, 1.0], [0.0, 1.0]], [[0.0, 0.0], [1.0, 1.0]])
    with pytest.raises(GridError, match=r"has no corners.*bilinear or nearest"):
        grid.corners  # noqa: B018
