"""The diffusion operator as a covariance: exact algebra, Matérn's shape where theory says so, walls."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tradewind.couplers.assimilation.covariance import (
    Correlation,
    DiffusionCovariance,
    Kernel,
    dense,
    square_root,
)
from tradewind.couplers.assimilation.covariance.kernels import matern
from tradewind.couplers.assimilation.covariance.laplacian import shared_sides, stiffness
from tradewind.couplers.assimilation.places import Distance
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import dot_test
from tradewind.errors import ConfigError, DataError


def diffused(grid: Grid, length: float, sigma=1.0, cells=None, **more) -> DiffusionCovariance:
    cells = np.flatnonzero(grid.mask) if cells is None else np.asarray(cells)
    how = Correlation(length, Kernel.DIFFUSION, Distance.DEGREES, **more)
    return DiffusionCovariance(grid, cells, sigma, how)


def box(ny=7, nx=9, step=1.0, mask=None) -> Grid:
    lat = step * (np.arange(ny) - ny // 2)
    edges = np.append(lat - step / 2, lat[-1] + step / 2)
    return Grid.latlon(lat, step * np.arange(nx), lat_bounds=edges, mask=mask)


def row_of(c: DiffusionCovariance, cell: int) -> np.ndarray:
    unit = torch.zeros(c.size, dtype=torch.float64)
    unit[cell] = 1.0
    return c.apply(unit).numpy()


# ---------------------------------------------------------------------- which cells touch
def test_cells_that_share_a_side_by_hand():
    # 2 x 3 cells: three pairs up and down, two in each row
    i, j, length = shared_sides(box(2, 3), np.arange(6))
    pairs = sorted(zip(i.tolist(), j.tolist(), strict=True))
    assert pairs == [(0, 1), (0, 3), (1, 2), (1, 4), (2, 5), (3, 4), (4, 5)]
    assert length == pytest.approx(np.radians(1.0), rel=1e-3)


def test_the_seam_of_a_periodic_grid_is_shared_and_a_pole_is_none():
    globe = Grid.latlon(np.arange(-80, 81, 20.0), np.arange(0, 360, 30.0))
    i, _, _ = shared_sides(globe, np.arange(globe.size))
    assert len(i) == 12 * 9 + 12 * 8  # every cell one eastwards, every row but the last one northwards


def test_a_mesh_has_the_neighbours_of_the_grid_that_it_is_made_of():
    sphere = Grid.cubed_sphere(4)
    i, j, _ = shared_sides(sphere, np.arange(sphere.size))
    assert np.bincount(np.concatenate([i, j])).tolist() == [4] * 96


def test_cells_that_are_left_out_are_walls():
    i, j, _ = shared_sides(box(1, 5), np.array([0, 1, 3, 4]))
    assert sorted(zip(i.tolist(), j.tolist(), strict=True)) == [(0, 1), (2, 3)]


def test_the_laplacian_is_symmetric_and_takes_nothing_from_a_constant():
    K = stiffness(box(), np.arange(63))
    assert abs(K - K.T).max() == 0.0
    assert np.abs(K @ np.ones(63)).max() <= 1e-13


def test_the_laplacian_of_a_harmonic_on_the_sphere():
    # ∇² sin(lat) = -2 sin(lat) on the unit sphere
    globe = Grid.latlon(np.arange(-88, 89, 4.0), np.arange(0, 360, 8.0))
    z = np.sin(np.radians(globe.lat))
    found = -(stiffness(globe, np.arange(globe.size)) @ z) / globe.area
    inner = np.abs(globe.lat) < 80
    assert found[inner] == pytest.approx(-2 * z[inner], abs=0.02)


# ---------------------------------------------------------------------- a covariance
def test_all_variances_are_the_same_up_to_the_walls():
    c = diffused(box(), 3.0, sigma=0.5)
    assert dense(c).diagonal().tolist() == pytest.approx([0.25] * 63, rel=1e-12)
    assert c.error == 0.0


def test_every_action_is_that_of_one_symmetric_positive_matrix():
    c = diffused(box(), 3.0, sigma=2.0)
    matrix = dense(c).numpy()
    x = torch.randn(2, 3, 63, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert np.abs(matrix - matrix.T).max() <= 1e-14
    assert np.linalg.eigvalsh(matrix)[0] > 0
    expected = np.linalg.solve(matrix, x.reshape(-1, 63).numpy().T).T.reshape(x.shape)
    torch.testing.assert_close(c.solve(x), torch.from_numpy(expected))
    torch.testing.assert_close(c.sqrt(c.sqrt_adjoint(x)), c.apply(x))
    assert dot_test(square_root(c), batch=(2,)) <= 1e-14
    index = torch.tensor([0, 5, 62])
    torch.testing.assert_close(dense(c.take(index)), torch.from_numpy(matrix)[index][:, index])


@pytest.mark.parametrize("halves", [1, 2])
def test_along_a_line_it_is_materns(halves):
    # nu = 2 halves - 1/2; length of 20 cells, half a circle long
    nu = 2 * halves - 0.5
    line = Grid.latlon([0.0], np.arange(0, 360, 1.0), lat_bounds=[-0.5, 0.5])
    row = row_of(diffused(line, 20.0, smoothness=nu), 100)
    d = np.arange(0, 60, 5)
    assert row[100 + d] == pytest.approx(matern(d / 20.0, nu), abs=2e-3)
    assert row[100 - d] == pytest.approx(row[100 + d], abs=1e-12)


def test_on_a_surface_it_is_materns_far_from_walls():
    # nu = 3; on a small square near the equator, one degree to the kilometre whatever the direction
    square = box(31, 31)
    row = row_of(diffused(square, 4.5, smoothness=3.0), 15 * 31 + 15)
    d = np.arange(0, 10, 3)
    expected = matern(d / 4.5, 3.0)
    assert row[15 * 31 + 15 + d] == pytest.approx(expected, abs=0.03)
    assert row[(15 + d) * 31 + 15] == pytest.approx(expected, abs=0.03)


def test_it_goes_around_the_globe_but_not_through_masked_cells():
    row = row_of(diffused(Grid.latlon([0.0], np.arange(0, 360, 10.0), lat_bounds=[-5, 5]), 30.0), 0)
    assert row[1] == pytest.approx(row[35], rel=1e-12)
    mask = np.ones((1, 9), dtype=bool)
    mask[0, 4] = False
    apart = row_of(diffused(box(1, 9, mask=mask), 30.0), 0)
    assert apart.shape == (8,)
    assert (apart[:4] > 0.1).all()
    assert apart[4:].tolist() == [0.0] * 4


def test_a_single_cell_keeps_its_variance():
    assert dense(diffused(box(), 3.0, sigma=3.0, cells=[31])).tolist() == [[pytest.approx(9.0)]]


def test_estimated_variances_are_as_good_as_they_say():
    c = diffused(box(20, 20), 4.0, samples=800)
    assert c.error == pytest.approx(0.05)  # sqrt(2 / 800)
    off = dense(c).diagonal().numpy() - 1.0
    assert 0.5 * c.error < np.sqrt((off**2).mean()) < 2.0 * c.error
    assert c.diagonal().tolist() == [1.0] * 400


# ---------------------------------------------------------------------- refused
@pytest.mark.parametrize(
    ("ny", "nu", "known"),
    [(5, 1.5, "1, 3, 5"), (1, 1.0, "1.5, 3.5, 5.5"), (5, 0.5, "1, 3, 5")],
)
def test_a_smoothness_that_needs_half_a_step_is_refused(ny, nu, known):
    with pytest.raises(DataError, match=f"one of {known}"):
        diffused(box(ny, 5), 3.0, smoothness=nu)


def test_points_do_not_touch():
    with pytest.raises(DataError, match="no corners"):
        diffused(Grid.points([0.0, 1.0], [0.0, 0.0]), 3.0)


def test_a_plane_is_refused():
    with pytest.raises(DataError, match="not over a plane"):
        DiffusionCovariance(box(), np.arange(63), 1.0, Correlation(3.0, Kernel.DIFFUSION, Distance.PLANE))


def test_cells_that_lie_on_each_other_are_refused():
    square = ([0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 1.0, 1.0])
    stacked = Grid.polygons([square[0]] * 3, [square[1]] * 3)
    with pytest.raises(DataError, match="three cells share a side"):
        diffused(stacked, 1.0)


def test_samples_are_positive():
    with pytest.raises(ConfigError, match="samples is"):
        diffused(box(), 3.0, samples=-3)
