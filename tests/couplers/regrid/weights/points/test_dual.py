"""The dual of a mesh: polygons about nodes by hand, how they are cut, and what cannot be joined."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.couplers.grids import Grid
from tradewind.couplers.regrid.weights.points.dual import dual_elements
from tradewind.errors import GridError


def cycle(element) -> tuple[int, ...]:
    """Corners from the smallest on."""
    corners = [int(c) for c in element if c >= 0]
    start = corners.index(min(corners))
    return tuple(corners[start:] + corners[:start])


def cycles(grid: Grid) -> set[tuple[int, ...]]:
    return {cycle(e) for e in dual_elements(grid)}


def fan(n: int, reach: float = 1.0) -> Grid:
    """`n` triangles about a node at 20 E, 10 N; all around for a reach of 1."""
    angle = np.linspace(0, 2 * np.pi * reach, n + 1)
    lon = np.concatenate([[20], 20 + 2 * np.cos(angle)])
    lat = np.concatenate([[10], 10 + 2 * np.sin(angle)])
    last = 1 if reach == 1.0 else n + 1
    faces = [[0, k, k + 1 if k < n else last] for k in range(1, n + 1)]
    return Grid.mesh(lon, lat, faces)


def test_four_quadrilaterals_make_one():
    lon, lat = np.meshgrid([0.0, 1, 2], [0.0, 1, 2])
    grid = Grid.mesh(lon.ravel(), lat.ravel(), [[0, 1, 4, 3], [1, 2, 5, 4], [3, 4, 7, 6], [4, 5, 8, 7]])
    assert cycles(grid) == {(0, 1, 3, 2)}


def test_three_cells_about_a_node_make_a_triangle():
    assert cycles(fan(3)) == {(0, 1, 2)}


def test_two_cells_make_nothing():
    assert len(dual_elements(fan(2, 0.5))) == 0


def test_a_single_cell_makes_nothing():
    assert len(dual_elements(Grid.mesh([0, 1, 0], [0, 0, 1], [[0, 1, 2]]))) == 0


@pytest.mark.parametrize("n", [5, 6, 7, 9])
def test_a_polygon_of_more_than_four_is_cut_into_triangles(n):
    cut = dual_elements(fan(n))
    assert cut.shape == (n - 2, 4)
    assert (cut[:, 3] == -1).all()


@pytest.mark.parametrize("n", [5, 6, 8])
def test_the_triangles_fill_the_polygon_without_overlap(n):
    grid = fan(n)
    triangles = grid.centres[dual_elements(grid)[:, :3]]
    twice = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    ring = grid.centres
    whole = sum(np.cross(ring[k], ring[(k + 1) % n]) for k in range(n))
    assert (np.einsum("ij,ij->i", twice, triangles[:, 0]) > 0).all()
    assert twice.sum(axis=0) == pytest.approx(whole, abs=1e-12)


def test_the_sharpest_ear_is_cut_first():
    # five cells about a node; the centre of the second stands out, so that its ear is the sharpest
    grid = fan(5)
    lon, lat = grid.lon.copy(), grid.lat.copy()
    lon[1], lat[1] = 20 + (lon[1] - 20) * 1.9, 10 + (lat[1] - 10) * 1.9
    moved = Grid.mesh(
        grid.lon_corners.ravel(), grid.lat_corners.ravel(), np.arange(15).reshape(5, 3), centres=(lon, lat)
    )
    assert (0, 1, 2) in cycles(moved)


def test_around_a_node_on_the_rim_the_line_first_to_last_closes_the_polygon():
    # four triangles over a half circle: their centres go around once, and back along the base
    assert cycles(fan(4, 0.5)) == {(0, 1, 2, 3)}


def test_order_of_cells_is_counter_clockwise_however_they_are_numbered():
    plain = fan(4)
    shuffled = np.array([2, 0, 3, 1])
    grid = Grid.mesh(
        plain.lon_corners[shuffled].ravel(), plain.lat_corners[shuffled].ravel(), np.arange(12).reshape(4, 3)
    )
    place = np.argsort(shuffled)
    assert cycles(grid) == {cycle(place)}


def test_a_globe_is_covered_once(globe):
    elements = dual_elements(globe)
    flat = globe.centres[np.where(elements < 0, elements[:, :1], elements)]
    a, b, c, d = np.moveaxis(flat, 1, 0)

    def solid(p, q, r):
        volume = np.einsum("ij,ij->i", p, np.cross(q, r))
        return 2 * np.arctan2(volume, 1 + (p * q).sum(axis=1) + (q * r).sum(axis=1) + (r * p).sum(axis=1))

    assert (solid(a, b, c) + solid(a, c, d)).sum() == pytest.approx(4 * np.pi, abs=1e-10)


def test_about_the_poles_of_a_globe_all_cells_are_joined(globe):
    pole = globe.lat_corners.max(axis=1) == 90
    corners = dual_elements(globe)
    inside = pole[np.where(corners < 0, corners[:, :1], corners)].all(axis=1)
    assert inside.sum() == pole.sum() - 2


def test_structured_corners_have_the_dual_of_their_centres(box):
    mesh = Grid.mesh(
        box.lon_corners.ravel(),
        box.lat_corners.ravel(),
        np.arange(box.size * 4).reshape(-1, 4),
        centres=(box.lon, box.lat),
    )
    from tradewind.couplers.grids.topology import centre_quads

    assert cycles(mesh) == {cycle(q) for q in centre_quads(box)}


def test_points_have_no_dual():
    with pytest.raises(GridError, match=r"points.*which cells touch.*nearest_s2d"):
        dual_elements(Grid.points([0.0, 1.0, 0.0], [0.0, 0.0, 1.0]))


def test_centres_that_cannot_be_joined_are_named_by_their_node():
    grid = fan(5)
    lon, lat = np.full(5, 20.4), np.full(5, 10.3)
    heap = Grid.mesh(
        grid.lon_corners.ravel(), grid.lat_corners.ravel(), np.arange(15).reshape(5, 3), centres=(lon, lat)
    )
    with pytest.raises(GridError, match=r"node at 20 E, 10 N cannot be joined.*inside of their cells"):
        dual_elements(heap)
