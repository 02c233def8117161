"""Products: what is left of K once its rows have gone by."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.covariance import DenseCovariance, DiagonalCovariance
from tradewind.couplers.operators import MatrixOperator
from tradewind.couplers.ranks.parallel import Serial
from tradewind.errors import DataError
from tradewind.plugins.solvers.jacobians import Way
from tradewind.plugins.solvers.products import accumulating
from tradewind.plugins.solvers.products.accumulating import Accumulator, Building, batches, neighbours
from tradewind.plugins.solvers.products.sums import Products, scaled
from tradewind.testing.model import days

(WINDOW,) = days(1)


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def seen(m, **coordinates):
    return Observations(torch.zeros(m, dtype=torch.float64), None, coordinates)


def products(k, d, noise, building=None, observed=None):
    sums = Accumulator(k.shape[1])
    place = WINDOW, observed or seen(len(k))
    for batch in batches(MatrixOperator(k), d, noise, building or Building(), place):
        sums.add(batch)
    return sums.products(Serial())


def expected(k, d, r):
    inverse = np.linalg.inv(r.numpy())
    return (
        k.numpy().T @ inverse @ k.numpy(),
        k.numpy().T @ inverse @ d.numpy(),
        d.numpy() @ inverse @ d.numpy(),
    )


# ---------------------------------------------------------------------- what they are
def test_two_observations_of_two_elements_by_hand():
    # K = (1 2; 0 1), R = diag(1, 4), d = (1, 2): H = (1 2; 2 4 + 1/4), b = (1, 2 + 1/2), c = 1 + 1
    found = products(tensor([1.0, 2.0], [0.0, 1.0]), tensor(1.0, 2.0), DiagonalCovariance(tensor(1.0, 4.0)))
    assert found.hessian.tolist() == [[1.0, 2.0], [2.0, 4.25]]
    assert found.gradient.tolist() == [1.0, 2.5]
    assert (found.misfit, found.observations) == (2.0, 2)


def test_the_cost_of_the_observations_follows_from_them():
    k, d = draw(7, 3), draw(7, seed=1)
    found, change = products(k, d, DiagonalCovariance(torch.full((7,), 0.25).double())), draw(3, seed=2)
    left = d - k @ change
    assert found.cost(change) == pytest.approx(float(left @ left) / 0.25, rel=1e-13)
    torch.testing.assert_close(found.gradient_at(change), k.T @ left / 0.25, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("batch", [1, 3, 64, 4096])
@pytest.mark.parametrize("way", [Way.ADJOINT, Way.RUNS, Way.ONE_BY_ONE])
def test_the_size_of_batches_is_rounding(batch, way):
    k, d, variance = draw(70, 5), draw(70, seed=1), draw(70, seed=2).square() + 0.1
    found = products(k, d, DiagonalCovariance(variance), Building(way, batch))
    hessian, gradient, misfit = expected(k, d, torch.diag(variance))
    np.testing.assert_allclose(found.hessian, hessian, rtol=1e-12)
    np.testing.assert_allclose(found.gradient, gradient, rtol=1e-12)
    assert found.misfit == pytest.approx(misfit, rel=1e-12)


def test_correlated_errors_count_as_they_are():
    k, d, root = draw(6, 4), draw(6, seed=1), draw(6, 6, seed=2)
    noise = root @ root.T + torch.eye(6, dtype=torch.float64)
    found = products(k, d, DenseCovariance(noise))
    hessian, gradient, misfit = expected(k, d, noise)
    np.testing.assert_allclose(found.hessian, hessian, rtol=1e-11)
    np.testing.assert_allclose(found.gradient, gradient, rtol=1e-11)
    assert found.misfit == pytest.approx(misfit, rel=1e-11)


def test_many_elements_are_added_where_rows_have_entries(monkeypatch):
    monkeypatch.setattr(accumulating, "WHOLE", 3)
    monkeypatch.setattr(accumulating, "GROUP", 4)
    monkeypatch.setattr(accumulating, "STRIP", 2)
    k = draw(30, 12) * (draw(30, 12, seed=3) > 0.8)
    d, ones = draw(30, seed=1), torch.ones(30, dtype=torch.float64)
    observed = seen(30, longitude=draw(30, seed=4).numpy(), latitude=draw(30, seed=5).numpy())
    found = products(k, d, DiagonalCovariance(ones), observed=observed)
    hessian, gradient, _ = expected(k, d, torch.diag(ones))
    np.testing.assert_allclose(found.hessian, hessian, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found.gradient, gradient, rtol=1e-12, atol=1e-14)
    assert torch.equal(found.hessian, found.hessian.T)


def test_rows_without_any_entry_say_nothing(monkeypatch):
    monkeypatch.setattr(accumulating, "WHOLE", 1)
    found = products(
        torch.zeros(3, 2, dtype=torch.float64), draw(3), DiagonalCovariance(tensor(1.0, 1.0, 1.0))
    )
    assert not found.hessian.any()
    assert not found.gradient.any()


def test_an_entry_that_is_not_finite_is_named_by_its_row_in_the_window():
    class Spoilt(MatrixOperator):
        def adjoint(self, y):
            return self.matrix[y.argmax(1)]

    k = torch.zeros(9, 2, dtype=torch.float64)
    k[7, 1] = torch.inf
    noise = DiagonalCovariance(torch.ones(9, dtype=torch.float64))
    made = batches(Spoilt(k), draw(9), noise, Building(Way.ADJOINT, 3), (WINDOW, seen(9)))
    with pytest.raises(DataError, match=r"window 2000-01-01.*Jacobian entry \[7, 1\] is inf"):
        list(made)


# ---------------------------------------------------------------------- amplitudes
def test_another_amplitude_is_a_division_of_columns():
    found = Products(tensor([4.0, 6.0], [6.0, 9.0]), tensor(2.0, 3.0), 1.0, 1).divided(tensor(2.0, 3.0))
    assert found.hessian.tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert found.gradient.tolist() == [1.0, 1.0]


def test_a_local_slope_is_a_multiplication_of_columns():
    hessian, gradient = scaled(
        Products(tensor([1.0, 1.0], [1.0, 1.0]), tensor(1.0, 1.0), 1.0, 1), tensor(2.0, 3.0)
    )
    assert hessian.tolist() == [[4.0, 6.0], [6.0, 9.0]]
    assert gradient.tolist() == [2.0, 3.0]


# ---------------------------------------------------------------------- neighbours
def test_neighbours_follow_one_another():
    # the corners of a square in Morton's order, whatever order they come in
    observed = seen(4, longitude=np.array([9.0, 0.0, 9.0, 0.0]), latitude=np.array([5.0, 5.0, 0.0, 0.0]))
    assert neighbours(observed, slice(0, 4)).tolist() == [3, 2, 1, 0]


def test_without_places_rows_stay_as_they_come():
    assert neighbours(seen(3), slice(0, 3)).tolist() == [0, 1, 2]


@pytest.mark.parametrize("lon", [[np.nan] * 3, [1.0, np.nan, 2.0], [4.0, 4.0, 4.0]])
def test_every_row_is_there_once_even_where_places_are_strange(lon):
    observed = seen(3, longitude=np.array(lon), latitude=np.array([1.0, 2.0, 3.0]))
    assert sorted(neighbours(observed, slice(0, 3)).tolist()) == [0, 1, 2]
