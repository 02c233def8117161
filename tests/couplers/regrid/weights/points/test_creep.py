"""Creep: level after level by hand, on grids and meshes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid
from tradewind.couplers.regrid.scheme import Creep
from tradewind.couplers.regrid.weights import Method, Scheme, generate
from tradewind.errors import GridError

# one mapped target at (0, 0) in a target of 5 x 5; the source is a quad about it, each corner a quarter
SOURCE = Grid.latlon([-0.3, 0.3], [-0.3, 0.3])
STEPS = np.arange(-2.0, 3)


def target(**extras) -> Grid:
    return Grid.latlon(STEPS, STEPS, **extras)


def by(levels: int) -> Scheme:
    return Scheme(Method.BILINEAR, extrapolation=Creep(levels))


def filled(grid: Grid, levels: int) -> np.ndarray:
    return generate(SOURCE, grid, by(levels)).frac_target.reshape(grid.shape)


def reach(levels: int) -> np.ndarray:
    """Cells within so many steps along rows and columns from the middle."""
    x, y = np.meshgrid(STEPS, STEPS)
    return (np.abs(x) + np.abs(y) <= levels).astype(float)


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 9])
def test_a_level_is_a_step_along_rows_and_columns(levels):
    assert np.array_equal(filled(target(), levels), reach(levels))


def test_what_crept_is_told_apart():
    made = generate(SOURCE, target(), by(1))
    assert np.array_equal(made.extrapolated.reshape(5, 5), reach(1) - reach(0))


def test_a_filled_target_takes_what_its_neighbour_has(matrix):
    got = matrix(SOURCE, target(), by(1))
    assert got[12] == pytest.approx([0.25] * 4, abs=1e-12)
    assert got[13] == pytest.approx([0.25] * 4, abs=1e-12)


def test_a_target_between_two_takes_their_mean(matrix):
    # nine targets in a block: the four at the corners are mapped, the others not
    steps, block = [-0.4, 0.4, 1.0, 1.6, 2.4], Grid.latlon([0.0, 1, 2], [0.0, 1, 2])
    grid = Grid.latlon(steps, steps, mask=holed())
    got = matrix(grid, block, by(1))
    corners = [matrix(grid, block, Scheme(Method.BILINEAR))[k] for k in (0, 2, 6, 8)]
    assert all(c.sum() == pytest.approx(1) for c in corners)
    # a side cell lies between two mapped corners
    assert got[1] == pytest.approx((corners[0] + corners[1]) / 2, abs=1e-12)
    assert got[3] == pytest.approx((corners[0] + corners[2]) / 2, abs=1e-12)
    assert not got[4].any()
    middle = matrix(grid, block, by(2))[4]
    assert middle == pytest.approx(sum(corners) / 4, abs=1e-12)


def holed() -> np.ndarray:
    """Active are the four blocks of 2 x 2 at the corners of 5 x 5."""
    line = np.array([1, 1, 0, 1, 1])
    return np.outer(line, line)


def test_masked_targets_neither_take_nor_give():
    mask = np.ones((5, 5))
    mask[:, 3] = 0
    got = filled(target(mask=mask), 4)
    assert not got[:, 3].any()
    assert not got[:, 4].any()
    assert got[:, :3].all()


def test_a_way_around_a_masked_target_takes_longer():
    mask = np.ones((5, 5))
    mask[2, 3] = 0
    # from the middle to the cell behind the masked one: three steps longer than straight
    assert filled(target(mask=mask), 3)[2, 4] == 0
    assert filled(target(mask=mask), 4)[2, 4] == 1


def test_creep_goes_around_the_globe(matrix):
    around = Grid.latlon([-30.0, 0.0, 30.0], np.arange(0.0, 360, 60))
    source = Grid.latlon([-1.0, 1.0], [-1.0, 1.0])
    got = generate(source, around, by(1)).frac_target.reshape(3, 6)
    assert got.tolist() == [[1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0]]


def test_on_a_mesh_sides_of_the_dual_are_the_way(globe):
    from tradewind.couplers.regrid.weights.points.elements import between_centres, sides

    middle = globe.centres[30]
    lon, lat = np.rad2deg(np.arctan2(middle[1], middle[0])), np.rad2deg(np.arcsin(middle[2]))
    source = Grid.latlon([lat - 0.1, lat + 0.1], [lon - 0.1, lon + 0.1])
    a, b = sides(between_centres(globe))
    neighbours = set(b[a == 30].tolist()) | {30}
    assert set(np.flatnonzero(generate(source, globe, by(1)).frac_target).tolist()) == neighbours


def test_points_have_no_neighbours_to_creep_to():
    with pytest.raises(GridError, match=r"points have none.*NearestSource or InverseDistance"):
        generate(SOURCE, Grid.points([0.0, 1.0], [0.0, 0.0]), by(1))


def test_a_row_alone_has_no_elements_to_creep_along():
    row = Grid.latlon([0.0], STEPS, lat_bounds=[-1, 1])
    assert generate(SOURCE, row, by(3)).frac_target.tolist() == [0, 0, 1, 0, 0]


def test_where_all_is_mapped_nothing_creeps(matrix, coarse, finer):
    assert np.array_equal(matrix(coarse, finer, by(2)), matrix(coarse, finer, Scheme(Method.BILINEAR)))


@settings(max_examples=20)
@given(st.integers(0, 999), st.integers(1, 5))
def test_crept_rows_sum_to_one_and_stay_between_their_sources(matrix, seed, levels):
    rng = np.random.default_rng(seed)
    source = Grid.latlon(np.arange(6.0), np.arange(7.0), mask=rng.random((6, 7)) > 0.2)
    grid = Grid.latlon(np.arange(-3.0, 9, 0.8), np.arange(-3.0, 9, 0.9), mask=rng.random((15, 14)) > 0.2)
    made = generate(source, grid, by(levels))
    got = matrix(source, grid, by(levels))
    assert got.sum(axis=1) == pytest.approx(made.frac_target, abs=1e-13)
    assert (got >= 0).all()
    assert not got[:, ~source.mask].any()
    assert not got[~grid.mask].any()


@settings(max_examples=10)
@given(st.integers(0, 999))
def test_more_levels_change_nothing_that_fewer_filled(matrix, seed):
    rng = np.random.default_rng(seed)
    grid = Grid.latlon(STEPS, STEPS, mask=rng.random((5, 5)) > 0.2)
    few, more = matrix(SOURCE, grid, by(1)), matrix(SOURCE, grid, by(3))
    mapped = few.any(axis=1)
    assert np.array_equal(few[mapped], more[mapped])
