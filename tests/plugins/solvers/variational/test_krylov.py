"""Conjugate gradients and their Lanczos vectors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import cg

from tradewind.plugins.solvers.variational.krylov import conjugate_gradients


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def run(matrix, right, reduction=1e-12, limit=50):
    told = []
    found = conjugate_gradients(
        lambda v: matrix @ v, right, reduction, limit, lambda *seen: told.append(seen)
    )
    return found, told


def matrix_of(n, seed=0, decay=1.0):
    q = torch.linalg.qr(
        torch.randn(n, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    ).Q
    values = 1.0 + 10.0 * torch.exp(-decay * torch.arange(n, dtype=torch.float64))
    return q @ torch.diag(values) @ q.T, values


def test_two_by_two_by_hand():
    # A = diag(1, 2), b = (1, 1): alpha = 2/3, s = (2/3, 2/3), r = (1/3, -1/3); beta = 1/9, then exact
    found, told = run(torch.diag(tensor(1.0, 2.0)), tensor(1.0, 1.0))
    assert told[0][1].tolist() == pytest.approx([2 / 3, 2 / 3])
    assert told[0][2].tolist() == pytest.approx([1 / 3, -1 / 3])
    assert found.step.tolist() == pytest.approx([1.0, 0.5])
    assert found.reached
    assert not found.fault
    # between (1, 1)/√2 and (1, -1)/√2, A is (3/2, -1/2; -1/2, 3/2)
    assert found.tridiagonal.flatten().tolist() == pytest.approx([1.5, -0.5, -0.5, 1.5])


def test_the_tridiagonal_matrix_is_that_of_the_lanczos_vectors():
    matrix, _ = matrix_of(12)
    found, _ = run(matrix, torch.ones(12, dtype=torch.float64), limit=7)
    q = found.vectors
    torch.testing.assert_close(q @ q.T, torch.eye(7, dtype=torch.float64), rtol=0, atol=1e-13)
    torch.testing.assert_close(q @ matrix @ q.T, found.tridiagonal, rtol=0, atol=1e-12)


def test_ritz_pairs_are_eigenpairs_when_all_directions_are_gone():
    matrix, values = matrix_of(6)
    found, _ = run(matrix, torch.ones(6, dtype=torch.float64), reduction=1e-15, limit=6)
    ritz, vectors = found.eigenpairs()
    torch.testing.assert_close(ritz, values - 1.0, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(vectors @ matrix, (1 + ritz)[:, None] * vectors, rtol=0, atol=1e-8)


@given(st.integers(1, 15), st.integers(0, 50))
def test_it_solves_in_as_many_steps_as_there_are_unknowns(n, seed):
    matrix, _ = matrix_of(n, seed)
    right = torch.randn(n, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    found, told = run(matrix, right, reduction=1e-11, limit=n)
    assert len(told) <= n
    torch.testing.assert_close(found.step, torch.linalg.solve(matrix, right), rtol=1e-8, atol=1e-9)


def test_each_step_is_scipy_s():
    matrix, _ = matrix_of(20, decay=0.2)
    right = torch.ones(20, dtype=torch.float64)
    steps = []
    cg(matrix.numpy(), right.numpy(), rtol=0, maxiter=5, callback=lambda x: steps.append(x.copy()))
    _, told = run(matrix, right, limit=5)
    for (_, ours, _), theirs in zip(told, steps, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-12)


def test_nothing_to_do_is_done_at_once():
    found, told = run(torch.eye(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64))
    assert found.reached
    assert not told
    assert found.eigenpairs()[0].shape == (0,)
    assert found.vectors.shape == (0, 3)


@pytest.mark.parametrize("curvature", [-1.0, 0.0, float("nan"), float("inf")])
def test_a_matrix_that_is_not_positive_is_a_fault(curvature):
    found, _ = run(torch.diag(tensor(curvature, curvature)), tensor(1.0, 1.0))
    assert found.fault.startswith("the curvature along a search direction is")
    assert not found.reached
    assert not found.step.any()
