"""Covariances of parts, and of space and time, are never formed: held to the matrices that they mean."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.assimilation.covariance import (
    BlockCovariance,
    DenseCovariance,
    DiagonalCovariance,
    KroneckerCovariance,
    RootOperator,
    dense,
    square_root,
)
from tradewind.couplers.operators import dot_test
from tradewind.errors import SpecError


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


A = DenseCovariance(tensor([4.0, 2.0], [2.0, 5.0]))
D = DiagonalCovariance(tensor(9.0, 1.0, 4.0))


def draw(*shape, seed=0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def wishart(n: int, seed: int) -> DenseCovariance:
    a = draw(n, n, seed=seed)
    return DenseCovariance(a @ a.T + n * torch.eye(n, dtype=torch.float64))


def test_blocks_know_nothing_of_each_other():
    block = BlockCovariance([A, D])
    assert block.size == 5
    assert dense(block).tolist() == torch.block_diag(A.matrix, torch.diag(D.variance)).tolist()
    assert block.diagonal().tolist() == [4.0, 5.0, 9.0, 1.0, 4.0]


def test_time_and_space_multiply():
    # T = [[1, 1/2], [1/2, 1]], S = [[4, 2], [2, 5]]: the corner block is S / 2
    both = KroneckerCovariance(DenseCovariance(tensor([1.0, 0.5], [0.5, 1.0])), A)
    assert dense(both).tolist() == [
        [4.0, 2.0, 2.0, 1.0],
        [2.0, 5.0, 1.0, 2.5],
        [2.0, 1.0, 4.0, 2.0],
        [1.0, 2.5, 2.0, 5.0],
    ]
    assert both.diagonal().tolist() == [4.0, 5.0, 4.0, 5.0]


def compounds(seed: int):
    yield BlockCovariance([wishart(3, seed), D, wishart(2, seed + 1)])
    yield KroneckerCovariance(wishart(3, seed), wishart(4, seed + 1))
    yield KroneckerCovariance(D, BlockCovariance([wishart(2, seed), D]))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([(), (3,), (2, 3), (0,)]))
def test_every_action_is_that_of_the_matrix(seed, batch):
    for c in compounds(seed):
        matrix, x = dense(c), draw(*batch, c.size, seed=seed)
        root = c.sqrt(torch.eye(c.size, dtype=torch.float64)).T
        torch.testing.assert_close(matrix, matrix.T)
        torch.testing.assert_close(root @ root.T, matrix)
        torch.testing.assert_close(c.apply(x), x @ matrix)
        torch.testing.assert_close(c.solve(c.apply(x)), x, rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(c.sqrt_adjoint(x), x @ root)
        torch.testing.assert_close(c.diagonal(), matrix.diagonal())


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.sets(st.integers(0, 6), min_size=1))
def test_some_elements_have_their_part_of_the_matrix(seed, chosen):
    index = torch.tensor(sorted(chosen))
    for c in compounds(seed):
        torch.testing.assert_close(dense(c.take(index)), dense(c)[index][:, index])


def test_the_square_root_is_an_operator_with_an_exact_adjoint():
    for c in (*compounds(3), A, D):
        root, identity = square_root(c), torch.eye(c.size, dtype=torch.float64)
        assert dot_test(root, batch=(2,)) <= 1e-14
        torch.testing.assert_close(root.forward(root.adjoint(identity)), dense(c))


class Forwards:
    """A covariance of somebody's own that knows its root and no adjoint of it."""

    size, sqrt = A.size, staticmethod(A.sqrt)


def test_a_root_is_a_matrix_only_where_its_adjoint_is_not_known():
    assert isinstance(square_root(BlockCovariance([A, D])), RootOperator)
    root, identity = square_root(Forwards()), torch.eye(A.size, dtype=torch.float64)
    assert not isinstance(root, RootOperator)
    torch.testing.assert_close(root.forward(root.adjoint(identity)), dense(A))


def test_no_parts_are_no_covariance():
    with pytest.raises(SpecError, match="no parts"):
        BlockCovariance([])
