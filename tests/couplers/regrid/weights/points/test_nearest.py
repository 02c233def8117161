"""Nearest neighbours: by hand, in both directions, with ties and masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid
from tradewind.couplers.regrid.weights import Method, Scheme, generate
from tradewind.couplers.regrid.weights.points import nearest
from tradewind.couplers.regrid.weights.points.positions import positions

FORTH, BACK = Scheme(Method.NEAREST_S2D), Scheme(Method.NEAREST_D2S)
SITES = Grid.points([0.0, 10.0, 20.0], [0.0, 0.0, 0.0])


def at(lon: float, lat: float) -> Grid:
    return Grid.points([lon], [lat])


def cells(grid: Grid) -> np.ndarray:
    return np.arange(grid.size)


def scatter(seed: int, n: int = 20) -> Grid:
    rng = np.random.default_rng(seed)
    return Grid.points(rng.uniform(-180, 180, n), rng.uniform(-90, 90, n))


def test_nearest_source_by_hand(matrix):
    got = matrix(SITES, Grid.points([4.0, 6.0, 100.0], [1.0, 1.0, 0.0]), FORTH)
    assert got.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_nearest_looks_across_the_date_line(matrix):
    sites = Grid.points([179.0, -170.0], [0.0, 0.0])
    assert matrix(sites, at(-179, 0), FORTH).tolist() == [[1, 0]]


def test_longitudes_do_not_part_cells_at_the_pole(matrix):
    sites = Grid.points([0.0, 180.0, 90.0], [80.0, 89.0, 85.0])
    assert matrix(sites, at(0, 89), FORTH).tolist() == [[0, 1, 0]]


def test_nearest_passes_over_masked_sources(matrix):
    sites = Grid.points([0.0, 10.0, 20.0], [0.0, 0.0, 0.0], mask=[1, 0, 1])
    assert matrix(sites, at(9, 0), FORTH).tolist() == [[1, 0, 0]]


def test_masked_targets_take_nothing(matrix):
    target = Grid.points([1.0, 9.0], [0.0, 0.0], mask=[0, 1])
    assert matrix(SITES, target, FORTH).tolist() == [[0, 0, 0], [0, 1, 0]]


def test_of_sources_at_the_same_place_the_first_is_taken(matrix):
    twins = Grid.points([20.0, 5.0, 5.0], [0.0, 1.0, 1.0])
    assert matrix(twins, at(4, 1), FORTH).tolist() == [[0, 1, 0]]


def test_of_sources_at_the_same_distance_the_first_is_taken(matrix):
    # equal to the last bit: the same coordinates but for a sign, seen from the plane between
    around = Grid.points([30.0, 30.0], [2.0, -2.0])
    north, south = positions(around.lon, around.lat)
    here = positions(np.array([30.0]), np.array([0.0]))[0]
    first = int(((north - here) ** 2).sum() > ((south - here) ** 2).sum())
    assert matrix(around, at(30, 0), FORTH)[0].argmax() == first


def test_where_many_tie_all_are_looked_at(matrix):
    # the pole is as near to every one of 60 cells; what rounding does to them decides, then the order
    row = Grid.points(np.arange(0.0, 360, 6), np.full(60, 80.0))
    here, places = positions(np.array([0.0]), np.array([90.0])), positions(row.lon, row.lat)
    x, y, z = (here - places).T
    square = x * x + y * y + z * z
    assert np.ptp(square) < 1e-14
    assert matrix(row, at(0, 90), FORTH)[0].argmax() == square.argmin()


def test_nearest_destination_takes_the_sum_of_all_that_are_near(matrix):
    got = matrix(SITES, Grid.points([4.0, 40.0, 80.0], [0.0, 0.0, 0.0]), BACK)
    # 0 and 10 are nearest to 4, 20 is nearer to 4 (16 degrees) than to 40 (20 degrees)
    assert got.tolist() == [[1, 1, 1], [0, 0, 0], [0, 0, 0]]


def test_masked_destinations_are_not_aimed_at(matrix):
    target = Grid.points([4.0, 40.0], [0.0, 0.0], mask=[0, 1])
    assert matrix(SITES, target, BACK).tolist() == [[0, 0, 0], [1, 1, 1]]


def test_masked_sources_give_nothing(matrix):
    sites = Grid.points([0.0, 10.0], [0.0, 0.0], mask=[0, 1])
    assert matrix(sites, at(0, 0), BACK).tolist() == [[0, 1]]


def test_fractions_say_who_received_something():
    target = Grid.points([4.0, 40.0], [0.0, 0.0])
    assert generate(SITES, target, BACK).frac_target.tolist() == [1, 0]
    assert generate(SITES, target, FORTH).frac_target.tolist() == [1, 1]


@pytest.mark.parametrize("scheme", [FORTH, BACK])
def test_nearest_of_nothing_is_nothing(matrix, scheme):
    nothing = Grid.points([0.0, 1.0], [0.0, 0.0], mask=[0, 0])
    assert not matrix(nothing, SITES, scheme).any()
    assert not matrix(SITES, nothing, scheme).any()


@settings(max_examples=30)
@given(st.integers(0, 999))
def test_nearest_is_nearest(matrix, seed):
    source, target = scatter(seed), scatter(seed + 1000)
    chosen = matrix(source, target, FORTH).argmax(axis=1)
    assert np.array_equal(chosen, (target.centres @ source.centres.T).argmax(axis=1))


@settings(max_examples=30)
@given(st.integers(0, 999))
def test_one_direction_is_the_other_with_the_grids_exchanged(matrix, seed):
    source, target = scatter(seed), scatter(seed + 1000)
    assert np.array_equal(matrix(source, target, BACK), matrix(target, source, FORTH).T)


@settings(max_examples=20)
@given(st.integers(0, 999))
def test_every_source_gives_once(matrix, seed):
    got = matrix(scatter(seed), scatter(seed + 1), BACK)
    assert (got.sum(axis=0) == 1).all()


@pytest.mark.parametrize("scheme", [FORTH, BACK])
def test_rows_do_not_depend_on_which_others_are_made(matrix, coarse, finer, scheme):
    whole = matrix(coarse, finer, scheme)
    for some in (np.arange(40, 60), np.array([3]), np.array([7, 2, 99])):
        part = matrix(coarse, finer, scheme, some)
        assert np.array_equal(part[some], whole[some])
        assert not np.delete(part, some, axis=0).any()


def test_blocks_of_points_do_not_show(monkeypatch, coarse, scattered):
    whole = nearest.nearest_cells(coarse, cells(coarse), scattered, cells(scattered), 3)
    monkeypatch.setattr(nearest, "POINTS", 7)
    pieces = nearest.nearest_cells(coarse, cells(coarse), scattered, cells(scattered), 3)
    assert np.array_equal(whole[0], pieces[0])
    assert np.array_equal(whole[1], pieces[1])


@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_the_nearest_few_are_the_nearest_few(scattered, count):
    source = scatter(5)
    found, distance = nearest.nearest_cells(source, cells(source), scattered, cells(scattered), count)
    every = np.linalg.norm(scattered.centres[:, None] - source.centres, axis=-1)
    assert np.sort(distance, axis=1) == pytest.approx(np.sort(every, axis=1)[:, :count], abs=1e-12)
    assert distance == pytest.approx(np.take_along_axis(every, found, axis=1), abs=1e-12)
    assert (np.diff(found, axis=1) > 0).all()


def test_of_many_that_tie_as_many_as_asked_for_are_taken():
    row = Grid.points(np.arange(0.0, 360, 6), np.full(60, 80.0))
    found, distance = nearest.nearest_cells(row, cells(row), at(0, 90), np.array([0]), 4)
    assert len(set(found[0].tolist())) == 4
    assert np.ptp(distance) < 1e-14


def test_of_few_all_are_taken():
    found, _ = nearest.nearest_cells(SITES, np.array([0, 2]), at(3, 3), np.array([0]), 8)
    assert found.tolist() == [[0, 2]]


def test_no_points_ask_for_nothing():
    found, distance = nearest.nearest_cells(SITES, cells(SITES), SITES, np.zeros(0, dtype=np.int64), 2)
    assert found.shape == distance.shape == (0, 2)


def test_positions_are_unit_vectors(scattered):
    assert positions(scattered.lon, scattered.lat) == pytest.approx(scattered.centres, abs=1e-15)


def test_the_poles_are_one_place():
    assert positions(np.array([0.0, 77.0]), np.array([90.0, 90.0])).tolist() == [[0, 0, 1], [0, 0, 1]]
    assert positions(np.array([0.0, 77.0]), np.array([-90.0, -90.0])).tolist() == [[0, 0, -1], [0, 0, -1]]
