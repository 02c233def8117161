"""Laws of conservative weights over random grids of every kind."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import SphericalVoronoi

from tradewind.couplers.grids import Grid, sphere
from tradewind.couplers.regrid.weights import Method, Norm, Scheme, Triplets, generate, tree
from tradewind.couplers.regrid.weights.overlaps import conservative

GLOBAL = ["even", "uneven", "turned", "voronoi"]
REGIONAL = ["box", "tilted", "cap"]

seeds = st.integers(0, 40)


@cache
def grid(kind: str, seed: int) -> Grid:
    return MAKERS[kind](np.random.default_rng(seed))


def edges(rng: np.random.Generator, low: float, high: float, n: int, spread: float = 8.0) -> np.ndarray:
    """Return n + 1 edges with steps of which some are `spread` times as wide as others."""
    steps = rng.uniform(1, spread, n).cumsum()
    out = low + np.concatenate([[0], steps / steps[-1]]) * (high - low)
    out[-1] = high
    return out


def cells(x: np.ndarray, y: np.ndarray) -> Grid:
    return Grid.latlon((y[1:] + y[:-1]) / 2, (x[1:] + x[:-1]) / 2, lat_bounds=y, lon_bounds=x)


def even(rng: np.random.Generator) -> Grid:
    nx, ny = rng.integers(4, 20), rng.integers(2, 12)
    return cells(rng.uniform(-180, 180) + np.linspace(0, 360, nx + 1), np.linspace(-90, 90, ny + 1))


def uneven(rng: np.random.Generator) -> Grid:
    west = rng.uniform(-180, 180)
    # no cell as wide as half of the globe
    x = edges(rng, west, west + 360, rng.integers(9, 20), 4.0)
    return cells(x, edges(rng, -90, 90, rng.integers(3, 12)))


def placed(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> Grid:
    """Return a curvilinear grid: rows and columns on a sphere that is turned at random."""
    rotation, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    lon, lat = np.meshgrid((x[1:] + x[:-1]) / 2, (y[1:] + y[:-1]) / 2)
    nodes = sphere.unit_vectors(*np.meshgrid(x, y)) @ rotation
    centres = sphere.unit_vectors(lon, lat) @ rotation
    return Grid.curvilinear(*sphere.lon_lat(centres), *sphere.lon_lat(nodes))


def turned(rng: np.random.Generator) -> Grid:
    return placed(rng, np.linspace(0, 360, rng.integers(6, 18)), np.linspace(-90, 90, rng.integers(4, 12)))


def tilted(rng: np.random.Generator) -> Grid:
    width, height = rng.uniform(5, 60, 2)
    return placed(rng, edges(rng, -width, width, 7), edges(rng, -height, height, 6))


def box(rng: np.random.Generator) -> Grid:
    west, south = rng.uniform(-180, 180), rng.uniform(-85, 40)
    x = edges(rng, west, west + rng.uniform(5, 120), rng.integers(2, 9))
    return cells(x, edges(rng, south, south + rng.uniform(5, 45), rng.integers(2, 9)))


def voronoi(rng: np.random.Generator) -> Grid:
    """Return convex polygons of three to ten corners or so that cover the globe."""
    points = rng.standard_normal((int(rng.integers(12, 70)), 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    found = SphericalVoronoi(points)
    found.sort_vertices_of_regions()
    faces = np.full((len(points), max(map(len, found.regions))), -1)
    for k, region in enumerate(found.regions):
        faces[k, : len(region)] = region
    return Grid.mesh(*sphere.lon_lat(found.vertices), faces, centres=sphere.lon_lat(points))


def cap(rng: np.random.Generator) -> Grid:
    """Return sectors about a pole, with corners at it."""
    r, up = rng.uniform(2, 40), rng.choice([-1, 1])
    x, y = np.linspace(0, 360, rng.integers(5, 30)), np.sort([up * 90, up * (90 - r / 3), up * (90 - r)])
    return cells(x, y)


MAKERS = {f.__name__: f for f in (even, uneven, turned, voronoi, box, tilted, cap)}
worlds = st.builds(grid, st.sampled_from(GLOBAL), seeds)
regions = st.builds(grid, st.sampled_from(REGIONAL), seeds)
grids = st.one_of(worlds, regions)


def weights(
    source: Grid, target: Grid, norm: Norm = Norm.DSTAREA, rows: np.ndarray | None = None
) -> Triplets:
    return generate(source, target, Scheme(Method.CONSERVATIVE, norm), rows)


def dense(made: Triplets) -> np.ndarray:
    out = np.zeros((made.n_target, made.n_source))
    out[made.row, made.col] = made.value
    return out


def same_bits(a: Triplets, b: Triplets) -> bool:
    return all(
        np.array_equal(x, y) for x, y in zip((a.row, a.col, a.value), (b.row, b.col, b.value), strict=True)
    )


@pytest.mark.parametrize("kind", GLOBAL)
def test_the_random_worlds_cover_the_globe(kind):
    assert all(grid(kind, seed).area.sum() == pytest.approx(4 * np.pi, rel=1e-13) for seed in range(10))


@settings(max_examples=60, deadline=None)
@given(grids, grids, st.sampled_from(Norm))
def test_weights_are_positive_and_at_most_one(source, target, norm):
    made = weights(source, target, norm)
    assert (made.value > 0).all()
    assert (made.value <= 1 + 1e-12).all()


@settings(max_examples=60, deadline=None)
@given(grids, grids)
def test_pairs_come_once_sorted_by_row_then_column(source, target):
    made = weights(source, target)
    assert (np.diff(made.row * source.size + made.col) > 0).all()


@settings(max_examples=40, deadline=None)
@given(grids, grids)
def test_rows_sum_to_the_covered_fraction(source, target):
    made = weights(source, target)
    assert np.allclose(dense(made).sum(axis=1), made.frac_target, rtol=0, atol=1e-14)
    assert (made.frac_target <= 1 + 1e-12).all()


@settings(max_examples=40, deadline=None)
@given(grids, grids)
def test_constants_stay_constant(source, target):
    made = weights(source, target, Norm.FRACAREA)
    got = dense(made) @ np.full(source.size, 3.0)
    assert np.allclose(got[made.frac_target > 0], 3.0, rtol=1e-13)
    assert (got[made.frac_target == 0] == 0).all()


@settings(max_examples=40, deadline=None)
@given(worlds, grids)
def test_a_source_that_covers_the_globe_covers_every_target(source, target):
    assert np.allclose(weights(source, target).frac_target, 1, rtol=0, atol=1e-11)


@settings(max_examples=40, deadline=None)
@given(worlds, worlds)
def test_every_source_cell_is_given_away_once(source, target):
    carried = target.area @ dense(weights(source, target))
    assert np.allclose(carried, source.area, rtol=1e-11, atol=1e-15)


@settings(max_examples=40, deadline=None)
@given(worlds, worlds, seeds)
def test_integrals_are_conserved(source, target, seed):
    field = np.random.default_rng(seed).standard_normal(source.size)
    got = target.area @ (dense(weights(source, target)) @ field)
    assert got == pytest.approx(source.area @ field, abs=1e-13 * (source.area @ np.abs(field)))


@settings(max_examples=40, deadline=None)
@given(regions, worlds)
def test_a_region_within_the_globe_is_given_away_once(source, target):
    carried = target.area @ dense(weights(source, target))
    assert np.allclose(carried, source.area, rtol=1e-11, atol=1e-15)


@settings(max_examples=30, deadline=None)
@given(grids, grids)
def test_there_and_back_the_overlaps_are_the_same(source, target):
    there = dense(weights(source, target)) * target.area[:, None]
    back = dense(weights(target, source)) * source.area[:, None]
    assert np.allclose(there, back.T, rtol=0, atol=1e-14)


@settings(max_examples=30, deadline=None)
@given(grids)
def test_a_grid_onto_itself_is_the_identity(either):
    assert np.allclose(dense(weights(either, either)), np.eye(either.size), rtol=0, atol=1e-11)


@settings(max_examples=30, deadline=None)
@given(grids, grids, seeds, st.floats(-3, 3), st.floats(-3, 3))
def test_sums_and_multiples_of_fields_stay_sums_and_multiples(source, target, seed, a, b):
    made = dense(weights(source, target))
    x, y = np.random.default_rng(seed).standard_normal((2, source.size))
    assert np.allclose(made @ (a * x + b * y), a * (made @ x) + b * (made @ y), rtol=0, atol=1e-13)


@settings(max_examples=30, deadline=None)
@given(grids, grids, seeds)
def test_means_stay_between_the_least_and_the_largest(source, target, seed):
    field = np.random.default_rng(seed).standard_normal(source.size)
    made = weights(source, target, Norm.FRACAREA)
    got = (dense(made) @ field)[made.frac_target > 0]
    assert ((got >= field.min() - 1e-12) & (got <= field.max() + 1e-12)).all()


@settings(max_examples=40, deadline=None)
@given(grids, grids, seeds)
def test_rows_made_alone_have_the_bits_of_rows_made_together(source, target, seed):
    some = np.flatnonzero(np.random.default_rng(seed).random(target.size) < 0.3)
    whole, part = weights(source, target), weights(source, target, rows=some)
    kept = np.isin(whole.row, some)
    assert np.array_equal(part.row, whole.row[kept])
    assert np.array_equal(part.col, whole.col[kept])
    assert np.array_equal(part.value, whole.value[kept])


@settings(max_examples=20, deadline=None)
@given(grids, grids, st.integers(1, 9), st.integers(1, 40))
def test_the_size_of_blocks_changes_no_bit(source, target, block, most):
    whole = weights(source, target)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conservative, "BLOCK", block)
        patch.setattr(tree.BoxTree.chunks, "__defaults__", (most,))
        assert same_bits(weights(source, target), whole)


@settings(max_examples=20, deadline=None)
@given(grids, grids, seeds)
def test_masked_sources_give_nothing_and_change_nothing_for_others(source, target, seed):
    mask = np.random.default_rng(seed).random(source.size) < 0.6
    if mask.any():
        whole, part = weights(source, target), weights(source.with_mask(mask.reshape(source.shape)), target)
        kept = mask[whole.col]
        assert np.array_equal(part.col, whole.col[kept & (part.frac_target > 0)[whole.row]])
        assert np.isin(part.value, whole.value).all()


@settings(max_examples=20, deadline=None)
@given(grids, grids, seeds)
def test_masked_targets_receive_nothing_and_change_nothing_for_others(source, target, seed):
    mask = np.random.default_rng(seed).random(target.size) < 0.6
    whole, part = weights(source, target), weights(source, target.with_mask(mask.reshape(target.shape)))
    kept = mask[whole.row]
    assert np.array_equal(part.value, whole.value[kept])
    assert np.array_equal(part.row, whole.row[kept])


def relisted(mesh: Grid, change) -> Grid:
    """Return the same cells with their corners listed otherwise."""
    lon, lat = mesh.lon_corners, mesh.lat_corners
    corners = [change(np.ascontiguousarray(c)) for c in (lon, lat)]
    faces = np.arange(corners[0].size).reshape(corners[0].shape)
    return Grid.mesh(*(c.ravel() for c in corners), faces, centres=(mesh.lon, mesh.lat))


@pytest.mark.parametrize(
    "change",
    [lambda c: np.roll(c, 1, axis=1), lambda c: c[:, ::-1], lambda c: np.repeat(c, 2, axis=1)],
    ids=["another first", "clockwise", "each twice"],
)
@pytest.mark.parametrize(("here", "there"), [("voronoi", "tilted"), ("box", "voronoi"), ("turned", "box")])
def test_the_order_of_corners_does_not_matter(change, here, there):
    source, target = grid(here, 3), grid(there, 4)
    expected = dense(weights(source, target))
    assert np.allclose(dense(weights(relisted(source, change), target)), expected, rtol=0, atol=1e-12)
    assert np.allclose(dense(weights(source, relisted(target, change))), expected, rtol=0, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(grids, st.integers(-64 * 180, 64 * 180), st.sampled_from([-360.0, 360.0]), st.integers(3, 12))
def test_whole_turns_of_longitude_change_no_bit(other, west, turn, nx):
    # in steps of 1/64 degree, so that sums with 360 are exact
    x, y = west / 64 + np.arange(nx + 1) * 4.5, np.linspace(-60, 75, 6)
    here, there = cells(x, y), cells(x + turn, y)
    assert same_bits(weights(here, other), weights(there, other))
    assert same_bits(weights(other, here), weights(other, there))


@settings(max_examples=30, deadline=None)
@given(grids, seeds)
def test_rows_from_the_north_are_rows_from_the_south_in_another_order(other, seed):
    rng = np.random.default_rng(seed)
    x, y = edges(rng, -50, 40, 5), edges(rng, -70, 80, 6)
    up, down = dense(weights(other, cells(x, y))), dense(weights(other, cells(x, y[::-1])))
    flipped = down.reshape(6, 5, -1)[::-1].reshape(30, -1)
    assert np.allclose(flipped, up, rtol=0, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(grids, seeds)
def test_columns_from_the_east_are_columns_from_the_west_in_another_order(other, seed):
    rng = np.random.default_rng(seed)
    x, y = edges(rng, -50, 40, 5), edges(rng, -70, 80, 6)
    east, west = dense(weights(cells(x, y), other)), dense(weights(cells(x[::-1], y), other))
    flipped = west.reshape(-1, 6, 5)[:, :, ::-1].reshape(-1, 30)
    assert np.allclose(flipped, east, rtol=0, atol=1e-12)
