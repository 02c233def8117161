"""Covariances by their actions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.assimilation.covariance import DenseCovariance, DiagonalCovariance
from tradewind.errors import DataError


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


MATRIX = torch.tensor([[4.0, 2.0], [2.0, 5.0]], dtype=torch.float64)
"""Its Cholesky factor is [[2, 0], [1, 2]], its inverse [[5, -2], [-2, 4]] / 16."""


def test_diagonal_by_hand():
    c = DiagonalCovariance(tensor(4.0, 9.0))
    assert c.size == 2
    assert c.apply(tensor(1.0, 2.0)).tolist() == [4.0, 18.0]
    assert c.solve(tensor(8.0, 27.0)).tolist() == [2.0, 3.0]
    assert c.sqrt(tensor(1.0, 2.0)).tolist() == [2.0, 6.0]
    assert c.diagonal().tolist() == [4.0, 9.0]


def test_dense_by_hand():
    c = DenseCovariance(MATRIX)
    assert c.size == 2
    assert c.apply(tensor(1.0, 1.0)).tolist() == [6.0, 7.0]
    assert c.solve(tensor(16.0, 0.0)).tolist() == pytest.approx([5.0, -2.0], rel=1e-15)
    assert c.sqrt(tensor(1.0, 1.0)).tolist() == [2.0, 3.0]
    assert c.diagonal().tolist() == [4.0, 5.0]


def random_covariances(n: int, seed: int):
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(n, n, generator=generator, dtype=torch.float64)
    yield DenseCovariance(a @ a.T + n * torch.eye(n, dtype=torch.float64))
    yield DiagonalCovariance(torch.rand(n, generator=generator, dtype=torch.float64) + 0.1)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 12), st.integers(0, 1000), st.sampled_from([(), (3,), (2, 3), (0,)]))
def test_solve_undoes_apply_and_sqrt_squares_to_it(n, seed, batch):
    for c in random_covariances(n, seed):
        x = torch.randn(*batch, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        torch.testing.assert_close(c.solve(c.apply(x)), x, rtol=1e-10, atol=1e-12)
        root = c.sqrt(torch.eye(n, dtype=torch.float64)).T
        torch.testing.assert_close(x @ root @ root.T, c.apply(x), rtol=1e-12, atol=1e-12)
        assert c.solve(x).shape == x.shape


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_a_variance_must_be_positive_and_finite(bad):
    with pytest.raises(DataError, match="variance 1 is"):
        DiagonalCovariance(tensor(1.0, bad))


def test_no_observations_have_no_variance():
    assert DiagonalCovariance(torch.zeros(0, dtype=torch.float64)).size == 0


@pytest.mark.parametrize(
    "matrix",
    [
        tensor(1.0, 2.0),
        torch.ones(2, 3, dtype=torch.float64),
        torch.tensor([[1.0, 0.5], [0.4, 1.0]], dtype=torch.float64),
        torch.tensor([[1.0, float("nan")], [float("nan"), 1.0]], dtype=torch.float64),
    ],
)
def test_a_matrix_that_is_not_symmetric_is_refused(matrix):
    with pytest.raises(DataError, match="not symmetric"):
        DenseCovariance(matrix)


def test_a_matrix_that_is_not_positive_definite_is_refused():
    with pytest.raises(DataError, match=r"not positive definite \(minor 2\)"):
        DenseCovariance(torch.tensor([[1.0, 2.0], [2.0, 1.0]], dtype=torch.float64))
