"""Cells in convex pieces."""

from __future__ import annotations

import numpy as np

from tradewind.couplers.grids import Grid, sphere
from tradewind.couplers.regrid.weights.overlaps.pieces import Pieces


def cell(lon: list[float], lat: list[float]) -> Grid:
    return Grid.mesh(lon, lat, [list(range(len(lon)))])


def areas(grid: Grid) -> np.ndarray:
    return sphere.polygon_areas(Pieces.of(grid, np.arange(grid.size)).corners)


def test_a_convex_quadrilateral_stays_whole():
    grid = cell([0.0, 10.0, 10.0, 0.0], [0.0, 0.0, 10.0, 10.0])
    assert len(areas(grid)) == 1
    assert np.isclose(areas(grid)[0], grid.polygon_area[0], rtol=1e-14)


def test_a_hollow_quadrilateral_becomes_two_triangles_that_fill_it():
    grid = cell([0.0, 20.0, 6.0, 0.0], [0.0, 0.0, 5.0, 20.0])
    assert len(areas(grid)) == 2
    assert (areas(grid) > 0).all()
    assert np.isclose(areas(grid).sum(), grid.polygon_area[0], rtol=1e-13)


def test_a_hexagon_becomes_four_triangles_that_fill_it():
    turn = np.deg2rad(np.arange(0, 360, 60))
    grid = cell(list(10 * np.cos(turn)), list(10 * np.sin(turn)))
    assert len(areas(grid)) == 4
    assert np.isclose(areas(grid).sum(), grid.polygon_area[0], rtol=1e-13)


def test_corners_that_only_fill_up_do_not_count():
    lon, lat = [0.0, 10.0, 10.0, 0.0], [0.0, 0.0, 10.0, 10.0]
    grid = Grid.mesh(lon, lat, [[0, 1, 2, 3, -1, -1], [0, 1, 2, -1, -1, -1]])
    assert len(areas(grid)) == 2


def test_each_cell_knows_its_pieces():
    turn = np.deg2rad(np.arange(0, 360, 60))
    lon, lat = [*(10 * np.cos(turn)), 30.0, 40.0, 35.0], [*(10 * np.sin(turn)), 0.0, 0.0, 8.0]
    faces = [[6, 7, 8, -1, -1, -1], [0, 1, 2, 3, 4, 5], [6, 7, 8, -1, -1, -1]]
    assert list(Pieces.of(Grid.mesh(lon, lat, faces), np.array([0, 1, 2])).starts) == [0, 1, 5, 6]


def test_pairs_of_cells_become_pairs_of_all_their_pieces():
    two, three = (
        Pieces(np.zeros((2, 3, 3)), np.array([0, 2])),
        Pieces(np.zeros((4, 3, 3)), np.array([0, 1, 4])),
    )
    pair, here, there = two.pairs(three, np.array([0, 0]), np.array([1, 0]))
    assert list(pair) == [0] * 6 + [1] * 2
    assert list(zip(here, there, strict=True)) == [
        (0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3), (0, 0), (1, 0),
    ]  # fmt: skip
