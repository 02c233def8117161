"""The bridge into torch: what it records, what it passes on, and that nothing else is differentiated."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.operators import LinearOperator, MatrixOperator, Replicated, grad

A = torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0]], dtype=torch.float64)


class Counting(LinearOperator):
    """A matrix that counts how often either direction is asked, through code torch cannot look into."""

    def __init__(self) -> None:
        self.domain, self.range = Replicated(3), Replicated(2)
        self.asked: list[str] = []

    def forward(self, x):
        self.asked.append("forward")
        return torch.from_numpy(x.detach().numpy() @ A.numpy().T)

    def adjoint(self, y):
        self.asked.append("adjoint")
        return torch.from_numpy(y.detach().numpy() @ A.numpy())


@pytest.fixture
def op() -> Counting:
    return Counting()


@pytest.fixture
def x() -> torch.Tensor:
    return torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)


def test_the_adjoint_is_asked_once_a_backward_pass(op, x):
    grad.apply(op, x).sum().backward()
    assert op.asked == ["forward", "adjoint"]


def test_the_gradient_of_a_sum_is_the_sum_of_columns(op, x):
    grad.apply(op, x).sum().backward()
    # Aᵀ (1, 1) = (1, 3, -1)
    assert x.grad.tolist() == [1, 3, -1]


def test_without_a_gradient_nothing_is_recorded(op):
    y = grad.apply(op, torch.ones(3, dtype=torch.float64))
    assert not y.requires_grad
    assert op.asked == ["forward"]


def test_no_grad_is_respected(op, x):
    with torch.no_grad():
        assert not grad.apply(op, x).requires_grad


def test_operators_without_torch_inside_pass_gradcheck(op, x):
    assert torch.autograd.gradcheck(lambda x: grad.apply(op, x), x, check_forward_ad=True)


def test_a_chain_of_operators_gives_the_product_of_adjoints(op, x):
    B = MatrixOperator(torch.tensor([[2.0, 1.0]], dtype=torch.float64))
    grad.apply(B, grad.apply(op, x)).sum().backward()
    # Aᵀ Bᵀ = Aᵀ (2, 1)
    assert x.grad.tolist() == [2, 5, -1]


def test_the_hessian_of_half_the_square_is_the_normal_matrix(op, x):
    H = torch.autograd.functional.hessian(lambda x: 0.5 * (grad.apply(op, x) ** 2).sum(), x.detach())
    assert torch.equal(H, A.T @ A)


def test_the_jacobian_in_reverse_is_the_matrix(op, x):
    assert torch.equal(torch.func.jacrev(lambda x: grad.apply(op, x))(x.detach()), A)


def test_the_jacobian_forwards_is_the_matrix(op, x):
    assert torch.equal(torch.func.jacfwd(lambda x: grad.apply(op, x))(x.detach()), A)


def test_members_may_stand_in_any_mapped_dimension(op):
    x = torch.arange(12.0, dtype=torch.float64).reshape(3, 4)
    y = torch.func.vmap(lambda x: grad.apply(op, x), in_dims=1)(x)
    assert torch.equal(y, x.T @ A.T)


@given(st.integers(0, 50), st.integers(0, 4))
def test_gradients_of_members_do_not_mix(seed, member):
    op = Counting()
    x = Replicated(3).random(seed, (5,)).requires_grad_()
    grad.apply(op, x)[member].sum().backward()
    others = [k for k in range(5) if k != member]
    assert not x.grad[others].any()
    assert x.grad[member].tolist() == [1, 3, -1]
