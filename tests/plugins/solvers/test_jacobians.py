"""Ways in which an operator becomes a matrix."""

from __future__ import annotations

import pytest
import torch

from tradewind.couplers.operators import MatrixOperator
from tradewind.plugins.solvers.jacobians import BATCH, Perturbed, Way, chosen, dense, rows


class Counting(MatrixOperator):
    """A matrix that remembers how many vectors it was given at once."""

    def __init__(self, matrix):
        super().__init__(matrix)
        self.forwards, self.adjoints = [], []

    def forward(self, x):
        self.forwards.append(len(x))
        return super().forward(x)

    def adjoint(self, y):
        self.adjoints.append(len(y))
        return super().adjoint(y)


def drawn(m, n):
    return torch.randn(m, n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (200, 130), (1, 1)])
@pytest.mark.parametrize("way", list(Way))
def test_every_way_gives_the_matrix(shape, way):
    matrix = drawn(*shape)
    assert torch.equal(dense(MatrixOperator(matrix), way), matrix)
    assert torch.equal(torch.cat(list(rows(MatrixOperator(matrix), way, 7))), matrix)


def test_fewer_rows_than_columns_are_made_by_the_adjoint():
    assert chosen(MatrixOperator(drawn(3, 5)), Way.AUTO) is Way.ADJOINT
    assert chosen(MatrixOperator(drawn(5, 3)), Way.AUTO) is Way.RUNS
    assert chosen(MatrixOperator(drawn(4, 4)), Way.AUTO) is Way.RUNS


def test_one_by_one_means_one_by_one():
    operator = Counting(drawn(4, 3))
    dense(operator, Way.ONE_BY_ONE)
    assert operator.forwards == [1, 1, 1]
    assert not operator.adjoints


def test_runs_are_made_together_up_to_a_number():
    operator = Counting(drawn(2, BATCH + 5))
    dense(operator, Way.RUNS)
    assert operator.forwards == [BATCH, 5]


def test_no_more_rows_than_asked_for_are_held():
    operator = Counting(drawn(10, 20))
    pieces = rows(operator, Way.ADJOINT, 4)
    assert next(pieces).shape == (4, 20)
    assert operator.adjoints == [4]
    assert [len(piece) for piece in pieces] == [4, 2]


def test_an_operator_without_rows_or_columns():
    assert dense(MatrixOperator(drawn(0, 3))).shape == (0, 3)
    assert dense(MatrixOperator(drawn(3, 0))).shape == (3, 0)
    assert list(rows(MatrixOperator(drawn(0, 3)))) == []


class Affine:
    """A model ``K x + 7`` that remembers how often it was run."""

    def __init__(self, matrix):
        self.matrix, self.runs = matrix, 0

    def __call__(self, x, window):
        self.runs += x.shape[:-1].numel()
        return x @ self.matrix.T + 7.0


def test_differences_of_runs_are_the_jacobian_of_a_linear_model():
    model, x = Affine(drawn(6, 4)), torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    perturbed = Perturbed(model, x, None, model(x, None))
    assert torch.allclose(dense(perturbed, Way.MODEL_RUNS), model.matrix, rtol=0, atol=1e-13)
    assert model.runs == 1 + 4


def test_its_adjoint_takes_the_same_runs_once():
    model, x = Affine(drawn(6, 4)), torch.zeros(4, dtype=torch.float64)
    perturbed = Perturbed(model, x, None, model(x, None))
    y = drawn(2, 6)
    for _ in range(2):
        assert torch.allclose(perturbed.adjoint(y), y @ model.matrix, rtol=0, atol=1e-13)
    assert model.runs == 1 + 4
