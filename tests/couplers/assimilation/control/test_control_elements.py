"""Which cells are an element, where there are levels, sites, no grid at all; and where elements lie."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tradewind.couplers.assimilation.control import Add, Clustering, FieldControl, Per, PriorError, Scale
from tradewind.couplers.assimilation.control import elements as module
from tradewind.couplers.assimilation.covariance import (
    Correlation,
    DiagonalCovariance,
    DiffusionCovariance,
    Kernel,
    dense,
)
from tradewind.couplers.assimilation.places import Distance
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import Distributed, Replicated, dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import ConfigError, DataError

TARGET = "air.temperature"


def tensor(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def line(n: int = 4) -> Grid:
    return Grid.latlon([0.5], np.arange(n) + 0.5, lat_bounds=[0.0, 1.0])


def control(values, per=Per.CELL, grid=None, error=None, change=None) -> FieldControl:
    field = tensor(values)
    grid = grid or line(field.shape[-1])
    return FieldControl(TARGET, field, Layout(grid), Clustering(per), error, change or Add())


# ---------------------------------------------------------------------- levels
def test_every_level_has_cells_of_its_own():
    found = control([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert found.labels.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert found.names[3] == "level 1, 0.5N 1.5E"
    x = tensor([0.0, 0.0, 0.0, 10.0, 0.0, 0.0])
    assert found.to_fields(x)[TARGET].tolist() == [[1.0, 2.0], [3.0, 14.0], [5.0, 6.0]]


def test_all_levels_of_a_column_share_a_total():
    found = control([[1.0, 2.0], [3.0, 4.0]], Per.TOTAL, change=Scale())
    assert found.names == ("total",)
    assert found.to_fields(tensor([2.0]))[TARGET].tolist() == [[2.0, 4.0], [6.0, 8.0]]


def test_the_derivative_of_levels_is_exact_and_knows_its_space():
    found = control([[1.0, 2.0], [3.0, 4.0]], change=Scale())
    operator = found.linearize(found.prior)
    assert operator.range == Distributed(Layout(line(2)), (2,))
    assert operator.forward(tensor([1.0, 1.0, 1.0, 2.0])).tolist() == [1.0, 2.0, 3.0, 8.0]
    assert dot_test(operator, batch=(3,)) <= 1e-15


def test_a_cell_counts_where_any_level_can_change():
    found = control([[0.0, 2.0, 0.0], [0.0, 0.0, 1.0]], change=Scale())
    assert found.labels.tolist() == [[-1, 0, 1], [-1, 2, 3]]


def test_levels_are_independent_of_each_other():
    correlated = PriorError(2.0, correlation=Correlation(1.0, distance=Distance.DEGREES))
    found = dense(control([[1.0, 2.0], [3.0, 4.0]], error=correlated).covariance)
    one = dense(control([1.0, 2.0], error=correlated).covariance)
    assert torch.equal(found, torch.block_diag(one, one))
    independent = control([[1.0, 2.0], [3.0, 4.0]]).covariance
    assert isinstance(independent, DiagonalCovariance)
    assert independent.size == 4


# ---------------------------------------------------------------------- sites, and no place at all
def test_a_site_is_all_that_lies_at_one_place():
    # three plots at one tower, one at another; 362 E is 2 E
    towers = Grid.points([2.0, 2.0, 5.0, 362.0], [45.0, 45.0, 45.0, 45.0])
    found = control([1.0, 2.0, 3.0, 4.0], Per.SITE, towers)
    assert found.labels.tolist() == [0, 0, 1, 0]
    assert found.names == ("45N 2E", "45N 5E")
    assert found.places[0].tolist() == pytest.approx([2.0, 5.0])


def test_a_number_without_a_place_is_one_element():
    found = FieldControl(TARGET, tensor(3.0), None, Clustering(Per.CELL), change=Scale())
    assert found.names == ("total",)
    assert found.to_fields(tensor([[2.0], [3.0]]))[TARGET].tolist() == [6.0, 9.0]
    operator = found.linearize(found.prior)
    assert operator.range == Replicated(1)
    assert operator.adjoint(tensor([2.0])).tolist() == [6.0]
    assert np.isnan(found.places).all()


def test_several_numbers_without_a_place_are_an_element_each():
    found = FieldControl(TARGET, tensor([3.0, 0.0, 5.0]), None, Clustering(Per.CELL), change=Add())
    assert found.names == ("number 0", "number 1", "number 2")
    assert found.to_fields(tensor([1.0, 1.0, 1.0]))[TARGET].tolist() == [4.0, 1.0, 6.0]
    assert FieldControl(TARGET, tensor([3.0, 5.0]), None, Clustering(Per.TOTAL)).names == ("total",)


def test_a_field_without_a_grid_has_no_tiles_and_no_distances():
    with pytest.raises(DataError, match="no clusters"):
        FieldControl(TARGET, tensor(3.0), None, Clustering(Per.CLUSTER))
    with pytest.raises(DataError, match="no distances"):
        FieldControl(TARGET, tensor(3.0), None, Clustering(Per.CELL), PriorError(1.0, 100.0))


# ---------------------------------------------------------------------- places
def test_an_element_of_one_cell_lies_where_the_cell_does():
    lon, lat = control([1.0, 2.0, 3.0]).places
    assert (lon.tolist(), lat.tolist()) == ([0.5, 1.5, 2.5], [0.5, 0.5, 0.5])


def test_an_element_of_several_cells_lies_between_them():
    found = control([1.0, 1.0, 1.0, 1.0], Per.CLUSTER)
    assert found.places[0] == pytest.approx([1.0, 3.0])


def test_factors_lie_where_their_prior_does():
    grid = Grid.points([0.0, 2.0], [0.0, 0.0])
    # vectors at 0 and 2 E weighted 1 : 3; tan = 3 sin 2 / (1 + 3 cos 2)
    expected = np.degrees(np.arctan2(3 * np.sin(np.radians(2)), 1 + 3 * np.cos(np.radians(2))))
    found = FieldControl(TARGET, tensor([1.0, 3.0]), Layout(grid), Clustering(tile=10.0))
    assert found.places[0] == pytest.approx([expected], rel=1e-12)


def test_the_total_and_what_surrounds_the_globe_have_no_place():
    ring = Grid.latlon([0.0], [0.0, 90.0, 180.0, 270.0], lat_bounds=[-10.0, 10.0])
    assert np.isnan(control([1.0] * 4, Per.TOTAL, ring).places).all()
    around = FieldControl(
        TARGET, tensor([1.0] * 4), Layout(ring), Clustering(Per.REGION, regions=[3, 3, 3, 3])
    )
    assert np.isnan(around.places).all()


def test_every_level_of_a_cell_lies_at_its_place():
    assert control([[1.0, 2.0], [3.0, 4.0]]).places[0].tolist() == [0.5, 1.5, 0.5, 1.5]


def test_on_a_plane_elements_lie_at_the_mean_of_their_coordinates():
    grid = Grid.points([0.0, 100.0, 200.0], [0.0, 0.0, 0.0])
    found = module.find_elements(
        grid, np.ones(3, dtype=bool), Clustering(Per.REGION, regions=[0, 0, 1]), np.array([1.0, 3.0, 1.0])
    )
    assert found.positions(Distance.PLANE).tolist() == [[75.0, 0.0], [200.0, 0.0]]


# ---------------------------------------------------------------------- correlated priors
def test_every_kernel_makes_the_covariance_of_the_elements():
    grid = Grid.points([0.0, 1.0, 3.0], [0.0, 0.0, 0.0])
    d = np.abs(np.subtract.outer([0.0, 1.0, 3.0], [0.0, 1.0, 3.0]))
    for kernel, expected in (
        (Kernel.EXPONENTIAL, np.exp(-d / 2)),
        (Kernel.GAUSSIAN, np.exp(-((d / 2) ** 2) / 2)),
    ):
        error = PriorError(0.5, correlation=Correlation(2.0, kernel, Distance.DEGREES))
        found = control([1.0, 1.0, 1.0], grid=grid, error=error)
        assert dense(found.covariance).numpy() == pytest.approx(0.25 * expected, rel=1e-10)


def test_diffusion_needs_cells():
    error = PriorError(0.5, correlation=Correlation(2.0, Kernel.DIFFUSION, Distance.DEGREES))
    found = control([1.0, 1.0, 1.0, 1.0], error=error)
    assert isinstance(found.covariance, DiffusionCovariance)
    assert found.covariance.diagonal().tolist() == [0.25] * 4
    with pytest.raises(DataError, match="from cell to cell"):
        control([1.0, 1.0, 1.0, 1.0], Per.CLUSTER, error=error)


def test_a_correlation_is_given_once():
    with pytest.raises(ConfigError, match="given twice"):
        PriorError(0.5, 100.0, Correlation(100.0))


def test_a_field_of_another_size_is_refused():
    with pytest.raises(DataError, match=r"shape \(2, 3\) on 4 cells"):
        control([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]], grid=line(4))
