"""Spaces and linear operators: equations by hand, adjoints by the dot-product test, gradients by torch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.operators import (
    AdjointOperator,
    DiagonalOperator,
    Distributed,
    IdentityOperator,
    LinearOperator,
    MatrixOperator,
    Replicated,
    StackOperator,
    SumOperator,
    dot_test,
)
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import SpecError


def matrix(m: int, n: int, seed: int = 0) -> MatrixOperator:
    return MatrixOperator(
        torch.randn(m, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    )


def vector(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


A = MatrixOperator(torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0]], dtype=torch.float64))
EVERY = {
    "matrix": matrix(3, 4),
    "adjoint": matrix(3, 4).T,
    "composed": matrix(3, 4) @ matrix(4, 2, 1),
    "diagonal": DiagonalOperator(vector(1, -2, 3)),
    "identity": IdentityOperator(Replicated(4)),
    "sum": matrix(3, 4) + matrix(3, 4, 1),
    "stack": StackOperator([matrix(3, 4), matrix(2, 4, 1), IdentityOperator(Replicated(4))]),
    "normal": matrix(3, 4).T @ DiagonalOperator(vector(4, 1, 2)) @ matrix(3, 4),
}


@pytest.fixture(params=EVERY)
def op(request) -> LinearOperator:
    return EVERY[request.param]


def test_matrix_forward_by_hand():
    # (1·1 + 2·2, 2 − 3)
    assert A.forward(vector(1, 2, 3)).tolist() == [5, -1]


def test_matrix_adjoint_by_hand():
    # Aᵀ (1, 2) = (1, 2 + 2, −2)
    assert A.adjoint(vector(1, 2)).tolist() == [1, 4, -2]


def test_diagonal_by_hand():
    assert DiagonalOperator(vector(2, 3)).forward(vector(5, 7)).tolist() == [10, 21]


def test_composition_applies_the_right_one_first():
    double = DiagonalOperator(vector(2, 2, 2))
    assert (A @ double).forward(vector(1, 2, 3)).tolist() == [10, -2]


def test_sum_by_hand():
    assert (A + A).forward(vector(1, 2, 3)).tolist() == [10, -2]


def test_stack_puts_results_one_behind_the_other():
    assert StackOperator([A, A]).forward(vector(1, 2, 3)).tolist() == [5, -1, 5, -1]


def test_identity_gives_a_copy():
    x = vector(1, 2)
    y = IdentityOperator(Replicated(2)).forward(x)
    assert torch.equal(x, y)
    assert y.data_ptr() != x.data_ptr()


def test_adjoint_of_the_adjoint_is_the_operator():
    assert A.T.T is A


def test_adjoint_swaps_domain_and_range():
    assert (A.T.domain, A.T.range) == (Replicated(2), Replicated(3))
    assert isinstance(A.T, AdjointOperator)


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_every_adjoint_is_exact(op, batch):
    assert dot_test(op, seed=3, batch=batch) <= 1e-14


def test_the_dot_test_finds_a_wrong_adjoint():
    class Wrong(MatrixOperator):
        def adjoint(self, y):
            return 1.0001 * super().adjoint(y)

    assert dot_test(Wrong(EVERY["matrix"].matrix)) > 1e-6


def test_the_dot_test_of_nothing_is_zero():
    assert dot_test(MatrixOperator(torch.zeros(2, 2, dtype=torch.float64))) == 0.0


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_leading_dimensions_are_a_batch(op, batch):
    x = op.domain.random(1, batch)
    one_by_one = torch.stack([op.forward(row) for row in x.reshape(-1, op.domain.size)])
    assert torch.allclose(op.forward(x).reshape(one_by_one.shape), one_by_one, rtol=1e-15, atol=1e-15)


def test_calling_is_forward(op):
    x = op.domain.random(1)
    assert torch.equal(op(x), op.forward(x))


def test_torch_sees_the_adjoint_in_reverse_and_the_operator_forwards(op):
    x = op.domain.random(1, (2,)).requires_grad_()
    assert torch.autograd.gradcheck(
        op, x, check_forward_ad=True, check_batched_grad=True, check_batched_forward_grad=True
    )


def test_torch_differentiates_twice(op):
    x = op.domain.random(1).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: op(x) ** 2, x)


def test_gradient_of_a_product_is_the_adjoint(op):
    x, y = op.domain.random(1).requires_grad_(), op.range.random(2)
    (op(x) * y).sum().backward()
    assert torch.equal(x.grad, op.adjoint(y))


def test_torch_func_maps_over_members(op):
    x = op.domain.random(1, (5,))
    assert torch.allclose(torch.func.vmap(op)(x), op.forward(x), rtol=1e-15, atol=1e-15)


def test_torch_func_jvp_is_the_operator(op):
    x, dx = op.domain.random(1), op.domain.random(2)
    _, tangent = torch.func.jvp(op, (x,), (dx,))
    assert torch.allclose(tangent, op.forward(dx), rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize(
    ("x", "fault"),
    [
        (
            torch.zeros(4, dtype=torch.float64),
            r"MatrixOperator: expected float64 of shape \(\.\.\., 3\).*\(4,\)",
        ),
        (torch.zeros((), dtype=torch.float64), r"got shape \(\)"),
        (torch.zeros(3), "got torch.float32"),
        (torch.zeros(3, dtype=torch.int64), "got torch.int64"),
        (torch.zeros(3, dtype=torch.float64, device="meta"), "got it on meta"),
        ([0.0, 0.0, 0.0], "expected a torch tensor, got list"),
    ],
    ids=["size", "scalar", "float32", "integers", "device", "list"],
)
@pytest.mark.parametrize("how", ["forward", "__call__"])
def test_what_does_not_belong_to_the_domain_is_refused(x, fault, how):
    with pytest.raises(SpecError, match=fault):
        getattr(A, how)(x)


def test_what_does_not_belong_to_the_range_is_refused():
    with pytest.raises(SpecError, match=r"\(\.\.\., 2\)"):
        A.adjoint(vector(1, 2, 3))


def test_an_adjoint_names_itself_in_errors():
    with pytest.raises(SpecError, match=r"MatrixOperator\.T"):
        A.T(vector(1, 2, 3))


def test_operators_that_do_not_meet_are_not_composed():
    with pytest.raises(
        SpecError, match=r"ends in Replicated\(2\), but MatrixOperator begins in Replicated\(3\)"
    ):
        A @ A


def test_a_replicated_and_a_distributed_space_of_one_size_do_not_meet(coarse):
    onto_cells = DiagonalOperator(torch.ones(72, dtype=torch.float64), Distributed(Layout(coarse)))
    with pytest.raises(SpecError, match="Distributed"):
        onto_cells @ IdentityOperator(Replicated(72))


def test_terms_of_a_sum_must_end_in_one_space():
    with pytest.raises(SpecError, match="terms end in"):
        SumOperator([matrix(2, 3), matrix(3, 3)])


def test_terms_of_a_sum_must_begin_in_one_space():
    with pytest.raises(SpecError, match="they begin in"):
        SumOperator([matrix(2, 3), matrix(2, 4)])


def test_a_sum_of_nothing_is_refused():
    with pytest.raises(SpecError, match="no operators"):
        SumOperator([])


def test_only_replicated_results_are_stacked(coarse):
    cells = IdentityOperator(Distributed(Layout(coarse)))
    with pytest.raises(SpecError, match="replicated ranges"):
        StackOperator([cells])


@pytest.mark.parametrize(
    "bad", [torch.zeros(2, 2), torch.zeros(2, dtype=torch.float64)], ids=["float32", "1-D"]
)
def test_a_matrix_is_a_float64_matrix(bad):
    with pytest.raises(SpecError, match="expected a float64 matrix"):
        MatrixOperator(bad)


def test_a_matrix_fits_its_spaces():
    with pytest.raises(SpecError, match="does not map"):
        MatrixOperator(torch.zeros(2, 3, dtype=torch.float64), Replicated(2), Replicated(3))


def test_a_diagonal_fits_its_space():
    with pytest.raises(SpecError, match="DiagonalOperator"):
        DiagonalOperator(vector(1, 2), Replicated(3))


def test_operators_say_what_they_map():
    assert repr(A) == "MatrixOperator(Replicated(3) -> Replicated(2))"
    assert repr(A @ A.T) == "MatrixOperator @ MatrixOperator.T(Replicated(2) -> Replicated(2))"


def test_dot_by_hand():
    assert Replicated(3).dot(vector(1, 2, 3), vector(4, -5, 6)) == 12


def test_dot_sums_over_the_batch():
    x = torch.ones(2, 5, 3, dtype=torch.float64)
    assert Replicated(3).dot(x, 2 * x) == 60


def test_norm_by_hand():
    assert Replicated(2).norm(vector(3, 4)) == 5


def test_zeros_have_the_shape_of_the_space():
    assert Replicated(3).zeros((2,)).shape == (2, 3)


def test_random_numbers_are_repeatable_and_differ_by_seed():
    space = Replicated(5)
    assert torch.equal(space.random(1, (2,)), space.random(1, (2,)))
    assert not torch.equal(space.random(1), space.random(2))


def test_spaces_compare_by_size():
    assert Replicated(3) == Replicated(3)
    assert Replicated(3) != Replicated(4)
    assert hash(Replicated(3)) == hash(Replicated(3))


def test_distributed_spaces_count_their_extra_axes(coarse):
    assert Distributed(Layout(coarse), extra=(2, 3)).size == 6 * 72


def test_distributed_spaces_compare_by_layout_and_extra(coarse, finer):
    one = Distributed(Layout(coarse))
    assert one == Distributed(Layout(coarse))
    assert hash(one) == hash(Distributed(Layout(coarse)))
    assert one != Distributed(Layout(finer))
    assert one != Distributed(Layout(coarse), extra=(1,))
    assert one != Replicated(72)


def test_distributed_dot_by_hand(coarse):
    space = Distributed(Layout(coarse), extra=(2,))
    ones = torch.ones(3, 144, dtype=torch.float64)
    assert space.dot(ones, 2 * ones) == 3 * 144 * 2


@given(st.integers(0, 100), st.integers(1, 9))
def test_dot_is_symmetric(seed, members):
    space = Replicated(7)
    a, b = space.random(seed, (members,)), space.random(seed + 1, (members,))
    assert space.dot(a, b) == space.dot(b, a)
