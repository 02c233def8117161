"""Conservative weights: overlaps by hand, by an independent sampling, and by their laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid, sphere
from tradewind.couplers.regrid.weights import Method, Norm, Scheme, generate
from tradewind.couplers.regrid.weights.overlaps import conservative as overlaps
from tradewind.couplers.regrid.weights.triplets import Triplets
from tradewind.errors import GridError


def dense(weights: Triplets) -> np.ndarray:
    out = np.zeros((weights.n_target, weights.n_source))
    np.add.at(out, (weights.row, weights.col), weights.value)
    return out


def conservative(source: Grid, target: Grid, norm: Norm = Norm.DSTAREA) -> Triplets:
    return generate(source, target, Scheme(Method.CONSERVATIVE, norm))


def cells(lon_edges, lat_edges, **extras) -> Grid:
    x, y = np.asarray(lon_edges, dtype=float), np.asarray(lat_edges, dtype=float)
    return Grid.latlon((y[1:] + y[:-1]) / 2, (x[1:] + x[:-1]) / 2, lat_bounds=y, lon_bounds=x, **extras)


@st.composite
def regional(draw) -> Grid:
    west, south = draw(st.floats(-30, 0)), draw(st.floats(-60, 50))
    nx, ny = draw(st.integers(2, 7)), draw(st.integers(2, 7))
    steps = st.floats(0.8, 4)
    x = west + np.cumsum([0, *draw(st.lists(steps, min_size=nx, max_size=nx))])
    y = south + np.cumsum([0, *draw(st.lists(steps, min_size=ny, max_size=ny))])
    mask = np.array(draw(st.lists(st.booleans(), min_size=nx * ny, max_size=nx * ny))).reshape(ny, nx)
    return cells(x, y, mask=mask if mask.any() else None)


@st.composite
def worldwide(draw) -> Grid:
    nx, ny = draw(st.integers(4, 16)), draw(st.integers(2, 10))
    west = draw(st.floats(-180, 180))
    return cells(west + np.linspace(0, 360, nx + 1), np.linspace(-90, 90, ny + 1))


def test_a_grid_onto_itself_is_the_identity(coarse):
    assert np.allclose(dense(conservative(coarse, coarse)), np.eye(72), rtol=0, atol=1e-14)


def test_a_cell_split_at_its_middle_meridian():
    # two mirror-image halves
    whole, halves = cells([0, 2], [0, 1]), cells([0, 1, 2], [0, 1])
    weights = dense(conservative(halves, whole))
    assert weights[0, 0] == pytest.approx(weights[0, 1], rel=1e-13)
    # the upper side of the whole cell bulges north of the halves' two sides, so they cover a little less
    assert 0.99 < weights.sum() < 1


def test_a_whole_cell_onto_its_half_covers_it():
    whole, halves = cells([0, 2], [0, 1]), cells([0, 1, 2], [0, 1])
    weights = conservative(whole, halves)
    assert np.allclose(weights.frac_target, 1, atol=1e-14)


def test_cells_split_along_the_equator_are_cut_exactly():
    # the equator is a great circle: each half belongs to one hemisphere
    band, hemispheres = cells([0, 10], [-10, 10]), cells([0, 10], [-10, 0, 10])
    assert np.allclose(dense(conservative(hemispheres, band)), [[0.5, 0.5]], rtol=0, atol=1e-14)


def test_a_quarter_of_an_octant():
    # target: the octant 0..90 E, 0..90 N; source: its half 0..45 E
    octant, half = cells([0, 90], [0, 90]), cells([0, 45], [0, 90])
    assert np.allclose(dense(conservative(half, octant)), [[0.5]], rtol=0, atol=1e-14)


def test_fracarea_divides_by_what_is_covered():
    octant, half = cells([0, 90], [0, 90]), cells([0, 45], [0, 90])
    weights = conservative(half, octant, Norm.FRACAREA)
    assert np.allclose(dense(weights), [[1.0]], rtol=0, atol=1e-14)
    assert np.allclose(weights.frac_target, [0.5], rtol=0, atol=1e-14)


def test_cells_that_only_touch_share_nothing():
    left, right = cells([0, 1, 2], [0, 1, 2]), cells([2, 3, 4], [0, 1, 2])
    assert len(conservative(left, right).row) == 0


def test_cells_apart_share_nothing():
    assert len(conservative(cells([0, 1], [0, 1]), cells([40, 41], [0, 1])).row) == 0


def test_masked_cells_take_no_part(coarse, finer):
    masked = Grid.latlon(
        np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30), mask=np.arange(72).reshape(6, 12) > 20
    )
    assert (conservative(masked, finer).col > 20).all()
    assert (conservative(finer, masked).row > 20).all()


def test_a_source_of_masked_cells_gives_nothing(coarse):
    nothing = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30), mask=np.zeros((6, 12)))
    assert len(conservative(nothing, coarse).row) == 0


def test_overlaps_agree_with_counting_random_points(rotated):
    # an oracle that knows nothing of clipping: points of the sphere, each in one cell of either grid
    target = cells(np.arange(-112, -80, 4.0), np.arange(28, 54, 4.0))
    points = _uniform_points(200_000, (-112, -84), (28, 52))
    here, there = _holder(target, points), _holder(rotated, points)
    both = (here >= 0) & (there >= 0)
    counts = np.zeros((target.size, rotated.size))
    np.add.at(counts, (here[both], there[both]), 1)
    drawn = np.bincount(here[here >= 0], minlength=target.size)
    got = dense(conservative(rotated, target))
    # three thousand points a cell: a part of 0.5 is known to 0.01 (one standard deviation)
    assert np.abs(got - counts / drawn[:, None]).max() < 0.045


def _uniform_points(n, lon, lat):
    rng = np.random.default_rng(1)
    z = rng.uniform(*np.sin(np.deg2rad(lat)), n)
    return sphere.unit_vectors(rng.uniform(*lon, n), np.rad2deg(np.arcsin(z)))


def _holder(grid: Grid, points: np.ndarray) -> np.ndarray:
    out = np.full(len(points), -1)
    for cell, corners in enumerate(grid.corners):
        inside = np.ones(len(points), dtype=bool)
        for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            inside &= points @ np.cross(a, b) >= 0
        out[inside] = cell
    return out


@settings(max_examples=25, deadline=None)
@given(regional(), regional(), st.sampled_from(Norm))
def test_weights_are_not_negative(source, target, norm):
    assert (conservative(source, target, norm).value > 0).all()


@settings(max_examples=25, deadline=None)
@given(regional(), regional())
def test_rows_sum_to_the_covered_fraction(source, target):
    weights = conservative(source, target)
    assert np.allclose(dense(weights).sum(axis=1), weights.frac_target, rtol=0, atol=1e-14)
    assert (weights.frac_target <= 1 + 1e-12).all()


@settings(max_examples=25, deadline=None)
@given(regional(), regional())
def test_rows_sum_to_one_with_fracarea(source, target):
    weights = conservative(source, target, Norm.FRACAREA)
    sums = dense(weights).sum(axis=1)
    assert np.allclose(sums[weights.frac_target > 0], 1, rtol=0, atol=1e-13)
    assert (sums[weights.frac_target == 0] == 0).all()


@settings(max_examples=20, deadline=None)
@given(worldwide(), worldwide())
def test_worldwide_every_source_cell_is_given_away_once(source, target):
    carried = target.area @ dense(conservative(source, target))
    assert np.allclose(carried / source.area, 1, rtol=0, atol=1e-13)


@settings(max_examples=20, deadline=None)
@given(worldwide(), worldwide(), st.integers(0, 9))
def test_integrals_are_conserved(source, target, seed):
    field = np.random.default_rng(seed).standard_normal(source.size)
    got = target.area @ (dense(conservative(source, target, Norm.FRACAREA)) @ field)
    assert got == pytest.approx(source.area @ field, abs=1e-13 * (source.area @ np.abs(field)))


@settings(max_examples=20, deadline=None)
@given(regional(), regional())
def test_there_and_back_the_overlaps_are_the_same(source, target):
    there, back = dense(conservative(source, target)), dense(conservative(target, source))
    assert np.allclose(there * target.area[:, None], (back * source.area[:, None]).T, rtol=0, atol=1e-15)


@settings(max_examples=20, deadline=None)
@given(regional(), regional(), st.sampled_from([-360.0, 360.0]))
def test_the_convention_of_longitudes_does_not_matter(source, target, turn):
    x = np.append(target.lon_corners[: target.shape[1], 0], target.lon_corners[target.shape[1] - 1, 1])
    y = np.append(target.lat_corners[:: target.shape[1], 0], target.lat_corners[-1, 2])
    moved = cells(x + turn, y, mask=target.mask.reshape(target.shape))
    assert np.allclose(
        dense(conservative(source, moved)), dense(conservative(source, target)), rtol=0, atol=1e-12
    )


@settings(max_examples=20, deadline=None)
@given(worldwide(), worldwide())
def test_the_order_of_latitudes_does_not_matter(source, target):
    ny, nx = target.shape
    x = np.append(target.lon_corners[:nx, 0], target.lon_corners[nx - 1, 1])
    down = cells(x, np.linspace(90, -90, ny + 1))
    flipped = dense(conservative(source, down)).reshape(ny, nx, -1)[::-1].reshape(ny * nx, -1)
    assert np.allclose(flipped, dense(conservative(source, target)), rtol=0, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(regional(), regional(), st.integers(0, 99))
def test_rows_do_not_depend_on_which_others_are_made(source, target, seed):
    some = np.flatnonzero(np.random.default_rng(seed).random(target.size) < 0.4)
    whole = conservative(source, target)
    part = generate(source, target, Scheme(Method.CONSERVATIVE, Norm.DSTAREA), some)
    keep = np.isin(whole.row, some)
    assert np.array_equal(part.row, whole.row[keep])
    assert np.array_equal(part.col, whole.col[keep])
    assert np.array_equal(part.value, whole.value[keep])


@pytest.fixture
def bent() -> Grid:
    """An L of three of the four unit squares about (1 E, 0 N), with nodes wherever squares have some."""
    lon, lat = [0, 1, 2, 2, 1, 1, 0, 0], [-1, -1, -1, 0, 0, 1, 1, 0]
    return Grid.mesh(lon, lat, [range(8)], centres=([0.5], [-0.5]))


SQUARES = cells([0, 1, 2], [-1, 0, 1])


def test_a_cell_that_is_not_convex_is_cut_right(bent):
    expected = SQUARES.area * [1, 1, 1, 0] / SQUARES.area[:3].sum()
    assert np.allclose(dense(conservative(SQUARES, bent)), [expected], rtol=0, atol=1e-12)


def test_as_a_source_a_cell_that_is_not_convex_shares_the_same(bent):
    there = dense(conservative(SQUARES, bent)) * bent.area[:, None]
    back = dense(conservative(bent, SQUARES)) * SQUARES.area[:, None]
    assert np.allclose(there, back.T, rtol=0, atol=1e-16)


def seen_by(source: Grid, target: Grid, rows: list[int], monkeypatch) -> np.ndarray:
    """Return the source cells that some rows look at."""
    seen = []
    found = overlaps._Sources.near.__func__

    def near(cls, *args):
        seen.append(found(cls, *args).cells)
        return found(cls, *args)

    monkeypatch.setattr(overlaps._Sources, "near", classmethod(near))
    overlaps.overlap_areas(source, target, np.array(rows, dtype=np.int64))
    return seen[0]


def test_sources_far_from_the_rows_are_not_looked_at(coarse, monkeypatch):
    # ten degrees about 15 E, 15 N lie in one cell of thirty degrees, and box to box touch no other column
    target = cells([10, 20], [10, 20])
    assert seen_by(coarse, target, [0], monkeypatch).tolist() == [3 * 12]


def test_no_rows_look_at_no_sources(coarse, monkeypatch):
    assert len(seen_by(coarse, coarse, [], monkeypatch)) == 0


def test_rows_in_any_order_give_sorted_entries(coarse, finer):
    rows = np.array([70, 3, 44])
    got = generate(coarse, finer, Scheme(Method.CONSERVATIVE, Norm.DSTAREA), rows)
    expected = generate(coarse, finer, Scheme(Method.CONSERVATIVE, Norm.DSTAREA), np.sort(rows))
    assert np.array_equal(got.row, expected.row)
    assert np.array_equal(got.value, expected.value)


def test_points_have_no_overlaps_and_say_so(coarse):
    points = Grid.points([0.0, 1.0], [0.0, 1.0])
    with pytest.raises(GridError, match=r"points grid.*has no corners"):
        conservative(coarse, points)
    with pytest.raises(GridError, match=r"points grid.*has no corners"):
        conservative(points, coarse)


def test_a_cell_over_the_date_line_meets_cells_on_both_sides():
    across = cells([178, 182], [-1, 1])
    west, east = cells([170, 180], [-5, 5]), cells([-180, -170], [-5, 5])
    assert dense(conservative(west, across))[0, 0] == pytest.approx(0.5, rel=1e-13)
    assert dense(conservative(east, across))[0, 0] == pytest.approx(0.5, rel=1e-13)


def test_a_polygon_about_the_pole_takes_its_part_of_every_wedge():
    # ten corners at 80 N, and twenty wedges of 18 degrees: each is cut alike
    ten = Grid.mesh(np.arange(0, 360, 36), np.full(10, 80.0), [range(10)], centres=([0.0], [90.0]))
    wedges = cells(np.arange(0, 361, 18), [60, 90])
    assert np.allclose(dense(conservative(wedges, ten)), 1 / 20, rtol=1e-13)


def test_footprints_that_lie_on_each_other_count_each_for_itself(coarse):
    twice = Grid.polygons([[10, 20, 20, 10]] * 2, [[0, 0, 10, 10]] * 2)
    got = dense(conservative(coarse, twice))
    assert np.array_equal(got[0], got[1])
    assert got.sum(axis=1) == pytest.approx([1, 1], rel=1e-13)


def test_triangles_and_quadrilaterals_side_by_side():
    # a quadrilateral cut along its diagonal, and a whole one beside it
    lon, lat = [0, 2, 4, 0, 2, 4], [0, 0, 0, 2, 2, 2]
    mixed = Grid.mesh(lon, lat, [[0, 1, 4, -1], [0, 4, 3, -1], [1, 2, 5, 4]])
    whole = cells([0, 2, 4], [0, 2])
    got = dense(conservative(mixed, whole))
    assert np.allclose(got.sum(axis=1), 1, rtol=1e-13)
    assert got[1].tolist() == [0, 0, pytest.approx(1, rel=1e-13)]
    assert got[0, :2] == pytest.approx(mixed.area[:2] / whole.area[0], rel=1e-13)


@pytest.mark.parametrize("first", range(4))
def test_a_dart_is_cut_right_whichever_corner_comes_first(first):
    # from two of its corners, one triangle of the fan lies outside of the dart and is taken away again
    corners = np.roll([(4, 0), (1, 1), (0, 4), (0, 0)], first, axis=0)
    dart = Grid.mesh(*corners.T, [range(4)], centres=([0.5], [0.5]))
    grid = cells(np.arange(-1, 6.0), np.arange(-1, 6.0))
    shared = dense(conservative(grid, dart))[0] * dart.area[0]
    # as a source it is cut as it is, without a fan
    whole = dense(conservative(dart, grid))[:, 0] * grid.area
    assert np.allclose(shared, whole, rtol=0, atol=1e-17)
    assert shared.sum() == pytest.approx(dart.area[0], rel=1e-12)
    # beyond the dent there is none of it
    assert shared[(grid.lon > 2) & (grid.lat > 2)].sum() == 0
