"""Second order against a real ESMPy: the same pattern, the same weights; skipped where it is absent."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.couplers.grids import Grid, sphere
from tradewind.couplers.regrid.weights import Method, Norm, Scheme


def equal_angle(nx: int, ny: int, **extras: object) -> Grid:
    return Grid.latlon((np.arange(ny) + 0.5) * 180 / ny - 90, (np.arange(nx) + 0.5) * 360 / nx, **extras)


def speckled(nx: int, ny: int, seed: int) -> Grid:
    return equal_angle(nx, ny, mask=np.random.default_rng(seed).random((ny, nx)) > 0.3)


@pytest.fixture(params=list(Norm))
def hold(matrix, esmpys, request):
    """Return a function that holds native weights to ESMPy's, entry by entry."""
    scheme = Scheme(Method.CONSERVATIVE_2ND, request.param)

    def compare(source: Grid, target: Grid, tolerance: float = 1e-9) -> None:
        ours, theirs = matrix(source, target, scheme), esmpys(source, target, scheme)
        here, there = target.polygon_area[:, None], source.polygon_area[None]
        part = here / np.minimum(here, there)
        assert theirs.any()
        assert np.array_equal(np.abs(ours) * part > 1e-10, np.abs(theirs) * part > 1e-10)
        assert np.abs(ours - theirs).max() <= tolerance

    return compare


@pytest.mark.parametrize(("a", "b"), [((36, 18), (24, 12)), ((36, 18), (50, 31)), ((60, 31), (24, 12))])
def test_global_grids(hold, a, b):
    hold(equal_angle(*a), equal_angle(*b), 1e-11)


def test_masks_on_either_side(hold):
    hold(speckled(40, 20, 1), speckled(33, 17, 2), 1e-11)


def test_from_north_to_south(hold):
    hold(Grid.latlon(np.arange(85.0, -90, -10), np.arange(5.0, 360, 10)), equal_angle(24, 12), 1e-11)


def test_regions_with_rims(hold):
    inner = Grid.latlon(np.arange(20.0, 38, 1.5), np.arange(-109.0, -90, 1.3))
    outer = Grid.latlon(np.arange(16.1, 45, 2.3), np.arange(-103.0, -80, 2.1))
    hold(inner, outer, 1e-11)
    hold(outer, inner, 1e-11)


def test_regions_and_the_globe(hold, box):
    hold(box, equal_angle(60, 30), 1e-11)
    hold(equal_angle(60, 30), box, 1e-11)


def test_curvilinear_grids(hold, rotated):
    hold(rotated, equal_angle(60, 30), 1e-11)
    hold(equal_angle(60, 30), rotated, 1e-11)


def test_triangles_about_poles_and_elsewhere(hold, triangles):
    hold(triangles, equal_angle(20, 10), 1e-11)
    hold(equal_angle(20, 10), triangles, 1e-11)


def test_targets_of_many_corners(hold, globe):
    hold(equal_angle(20, 10), globe, 1e-11)


@pytest.fixture
def hollow() -> Grid:
    """A region of 4 x 5 quadrilaterals as a mesh, nodes of which are moved so far that cells are hollow."""
    lon, lat = (c.astype(float).ravel() for c in np.meshgrid(np.arange(6) * 6, np.arange(5) * 6))
    lon[[8, 15]] += [3.9, -3.5]
    lat[[8, 15]] += [3.9, 4.0]
    faces = [[6 * j + i, 6 * j + i + 1, 6 * j + i + 7, 6 * j + i + 6] for j in range(4) for i in range(5)]
    return Grid.mesh(lon, lat, faces)


AROUND = Grid.latlon(np.arange(-5.0, 35, 3.7), np.arange(-5.0, 40, 4.1))


def test_hollow_sources(hold, hollow):
    assert not sphere.convex(hollow.corners).all()
    hold(hollow, AROUND, 1e-11)


def test_hollow_targets_hold_what_they_should_where_esmf_divides_by_half_of_them(matrix, esmpys, hollow):
    # a source cell that meets one half of a hollow target is divided by the area of that half in ESMF
    scheme = Scheme(Method.CONSERVATIVE_2ND, Norm.DSTAREA)
    ours, theirs = matrix(AROUND, hollow, scheme), esmpys(AROUND, hollow, scheme)
    bent = ~sphere.convex(hollow.corners)
    assert np.abs(ours.sum(axis=1) - 1).max() <= 1e-12
    assert (theirs.sum(axis=1)[bent] > 1.01).any()
    assert np.abs(ours - theirs)[~bent].max() <= 1e-11


def test_sources_of_many_corners_are_taken_whole_where_esmf_takes_them_apart(matrix, esmpys, globe):
    # ESMF gives each triangle of a hexagon a gradient, mostly from the others: little is left of it
    target = equal_angle(48, 24)
    scheme = Scheme(Method.CONSERVATIVE_2ND, Norm.DSTAREA)
    x, y = (2 + g.centres[:, 0] * g.centres[:, 1] + g.centres[:, 2] for g in (globe, target))
    errors = [
        np.abs(w @ x - y).mean() for w in (matrix(globe, target, scheme), esmpys(globe, target, scheme))
    ]
    assert errors[0] < 0.9 * errors[1]
