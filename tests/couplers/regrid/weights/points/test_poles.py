"""What closes grids around poles: rows, triangles, values, by hand and against each other."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.couplers.grids import Grid
from tradewind.couplers.regrid.scheme import PoleKind, Poles
from tradewind.couplers.regrid.weights import Method, Scheme
from tradewind.couplers.regrid.weights.points.poles import closures, poles_of
from tradewind.errors import SpecError

SIX = np.arange(0.0, 360, 60)
"""Longitudes of six columns."""


def ring(lats=(60.0, 80.0), **extras) -> Grid:
    return Grid.latlon(lats, SIX, **extras)


def at(lon: float, lat: float) -> Grid:
    return Grid.points([lon], [lat])


def scheme(kind: PoleKind, points: int = 1) -> Scheme:
    return Scheme(Method.BILINEAR, poles=Poles(kind, points))


def test_a_globe_closes_both_poles(coarse):
    south, north = poles_of(coarse)
    assert south.tolist() == list(range(12))
    # the other way around, as ESMF goes, from the first cell on
    assert north.tolist() == [60, 71, 70, 69, 68, 67, 66, 65, 64, 63, 62, 61]


def test_a_cap_closes_its_own_pole_only():
    assert [sorted(r) for r in poles_of(ring())] == [[6, 7, 8, 9, 10, 11]]
    assert [sorted(r) for r in poles_of(ring((-80.0, -60.0)))] == [[0, 1, 2, 3, 4, 5]]
    assert [sorted(r) for r in poles_of(ring((80.0, 60.0)))] == [[0, 1, 2, 3, 4, 5]]


@pytest.mark.parametrize(
    "grid",
    [
        Grid.latlon([-10.0, 10.0], SIX),
        Grid.latlon([60.0, 80.0], SIX[:4]),
        Grid.latlon([80.0], SIX, lat_bounds=[70, 90]),
        Grid.latlon([0.0, 45.0, 90.0], SIX),
    ],
    ids=["a band", "a part of the way around", "one row", "a row on the pole"],
)
def test_what_needs_no_closing_is_left_open(grid):
    assert poles_of(grid) == []


def test_none_leaves_a_hole(matrix, coarse):
    assert not matrix(coarse, at(10, 89), scheme(PoleKind.NONE)).any()


def test_the_default_is_the_mean_of_all(matrix, coarse):
    target = at(10, 85)
    default = matrix(coarse, target, Scheme(Method.BILINEAR))
    assert np.array_equal(default, matrix(coarse, target, scheme(PoleKind.ALLAVG)))


def test_the_pole_itself_is_the_mean_of_the_last_row(matrix):
    got = matrix(ring(), at(123, 90), scheme(PoleKind.ALLAVG))[0]
    assert got == pytest.approx([0] * 6 + [1 / 6] * 6, abs=1e-15)


def test_masked_cells_are_left_out_of_the_mean(matrix):
    mask = np.ones((2, 6))
    mask[1, 3] = 0
    got = matrix(ring(mask=mask), at(30, 90), scheme(PoleKind.ALLAVG))[0]
    assert got[6:] == pytest.approx([0.2, 0.2, 0.2, 0, 0.2, 0.2], abs=1e-15)


def test_a_triangle_with_a_masked_corner_is_open(matrix):
    mask = np.ones((2, 6))
    mask[1, 3] = 0
    assert not matrix(ring(mask=mask), at(170, 85), scheme(PoleKind.ALLAVG)).any()


def test_a_row_without_active_cells_closes_nothing(matrix):
    mask = [[1] * 6, [0] * 6]
    for kind in PoleKind:
        assert not matrix(ring(mask=mask), at(30, 89), scheme(kind)).any()


def test_the_middle_of_an_uneven_row_is_where_its_mean_points():
    edges = np.array([0.0, 30, 80, 150, 210, 330, 360])
    grid = Grid.latlon([60.0, 80.0], (edges[1:] + edges[:-1]) / 2, lon_bounds=edges)
    (closed,) = closures(grid, Poles(PoleKind.ALLAVG))
    mean = grid.centres[6:].mean(axis=0)
    assert closed.places[0] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-15)
    assert closed.places[0][2] < 1


def test_the_middle_of_an_even_row_is_the_pole():
    (closed,) = closures(ring(), Poles(PoleKind.ALLAVG))
    assert closed.places.tolist() == [[0.0, 0.0, 1.0]]


def test_every_triangle_stands_on_a_side_of_the_row(coarse):
    for closed, row in zip(closures(coarse, Poles(PoleKind.ALLAVG)), poles_of(coarse), strict=True):
        sides = {frozenset(t[:2].tolist()) for t in closed.triangles}
        assert sides == {frozenset((int(a), int(b))) for a, b in zip(row, np.roll(row, -1), strict=True)}
        assert len(set(closed.triangles[:, 2].tolist())) == 1


def test_one_point_takes_the_second_end_of_the_side(matrix):
    # over the side from 0 to 60 east of the southern row, which is gone around eastwards
    south = ring((-80.0, -60.0))
    got = matrix(south, at(30, -89.99), scheme(PoleKind.NPNTAVG, 1))[0]
    assert got[1] == pytest.approx(1, abs=1e-3)
    # the northern row is gone around westwards
    got = matrix(ring(), at(30, 89.99), scheme(PoleKind.NPNTAVG, 1))[0]
    assert got[6] == pytest.approx(1, abs=1e-3)


def test_two_points_take_both_ends_of_the_side(matrix):
    got = matrix(ring(), at(30, 89.99), scheme(PoleKind.NPNTAVG, 2))[0]
    assert got[[6, 7]] == pytest.approx([0.5, 0.5], abs=1e-15)
    assert got.sum() == pytest.approx(1, abs=1e-15)


def test_the_mean_of_as_many_as_there_are_is_the_mean_of_all(matrix):
    target = Grid.points([10.0, 130.0, 200.0], [85.0, 88.0, 82.0])
    every = matrix(ring(), target, scheme(PoleKind.NPNTAVG, 6))
    assert every == pytest.approx(matrix(ring(), target, scheme(PoleKind.ALLAVG)), abs=1e-15)


def test_more_points_than_the_row_has_are_refused(matrix):
    with pytest.raises(SpecError, match=r"mean of 7 points.*the last row has 6 cells"):
        matrix(ring(), at(0, 89), scheme(PoleKind.NPNTAVG, 7))


def test_masked_cells_are_left_out_of_few_points_too(matrix):
    # over the side 0-60 four points are 300, 0, 60, 120 east; 120 is masked
    mask = np.ones((2, 6))
    mask[1, 2] = 0
    got = matrix(ring(mask=mask), at(30, 89.99), scheme(PoleKind.NPNTAVG, 4))[0]
    assert got[[11, 6, 7]] == pytest.approx([1 / 3] * 3, abs=1e-3)
    assert got[8] == 0


@pytest.mark.parametrize("n", [3, 4, 5, 6, 9])
def test_teeth_fill_the_row_with_two_triangles_less_than_cells(n):
    grid = Grid.latlon([60.0, 80.0], np.arange(n) * 360.0 / n)
    (closed,) = closures(grid, Poles(PoleKind.TEETH))
    assert closed.triangles.shape == (n - 2, 3)
    assert set(closed.triangles.ravel().tolist()) == set(range(n, 2 * n))
    corners = grid.centres[closed.triangles]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] / 2
    # the area of a regular polygon with corners at 80 north
    assert np.abs(flat).sum() == pytest.approx(n / 2 * np.sin(2 * np.pi / n) * np.cos(np.deg2rad(80)) ** 2)


def test_teeth_join_cells_only(matrix):
    got = matrix(ring(), at(30, 89.9), scheme(PoleKind.TEETH))[0]
    assert (got > 0).sum() <= 3
    assert got.sum() == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("kind", [k for k in PoleKind if k is not PoleKind.NONE])
def test_whatever_closes_them_no_place_is_left_out(matrix, coarse, scattered, kind):
    got = matrix(coarse, scattered, scheme(kind, 3))
    assert got.sum(axis=1) == pytest.approx(np.ones(300), abs=1e-14)
    assert (got >= 0).all()


@pytest.mark.parametrize("kind", list(PoleKind))
def test_away_from_the_poles_they_make_no_difference(matrix, coarse, scattered, kind):
    inner = np.abs(scattered.lat) < 74
    target = Grid.points(scattered.lon[inner], scattered.lat[inner])
    assert np.array_equal(matrix(coarse, target, scheme(kind)), matrix(coarse, target, scheme(PoleKind.NONE)))


def test_methods_that_know_no_poles_refuse_them(matrix, coarse):
    for method in (Method.NEAREST_S2D, Method.CONSERVATIVE):
        with pytest.raises(SpecError, match="does not look beyond the last row"):
            matrix(coarse, coarse, Scheme(method, poles=Poles(PoleKind.TEETH)))
