"""The sparse operator between layouts: any entries, guards that name both grids, other devices, gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.apply.halves import TorchProduct
from tradewind.couplers.regrid.apply.sparse import SparseOperator
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.errors import GridError, SpecError

THREE, TWO = Grid.points([0.0, 1.0, 2.0], [0.0, 0.0, 0.0]), Grid.points([0.5, 1.5], [0.0, 0.0])


def operator(row, col, value) -> SparseOperator:
    index = (np.array(row, dtype=np.int64), np.array(col, dtype=np.int64))
    return SparseOperator(Layout(THREE), Layout(TWO), *index, np.array(value, dtype=float))


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture
def small() -> SparseOperator:
    return operator([0, 0, 1], [0, 1, 2], [0.25, 0.75, 2.0])


@pytest.fixture(scope="module")
def op(coarse, finer) -> Regridder:
    return Regridder.build(coarse, finer, backend="native")


def test_forward_by_hand(small):
    assert small(tensor(4, 8, 1)).tolist() == [7, 2]


def test_adjoint_by_hand(small):
    assert small.adjoint(tensor(4, 1)).tolist() == [1, 3, 2]


def test_entries_may_come_in_any_order():
    assert operator([1, 0, 0], [2, 1, 0], [2, 0.75, 0.25])(tensor(4, 8, 1)).tolist() == [7, 2]


def test_repeated_pairs_are_added_up():
    twice = operator([0, 0, 0], [1, 1, 0], [1, 2, 4])
    assert twice.entries == 2
    assert twice(tensor(1, 10, 0)).tolist() == [34, 0]


def test_without_entries_everything_is_unmapped():
    none = operator([], [], [])
    assert none.unmapped.all()
    assert none(tensor(1, 2, 3)).tolist() == [0, 0]
    assert none.adjoint(tensor(1, 2)).tolist() == [0, 0, 0]


def test_triplets_are_what_was_given(small):
    row, col, value = small.triplets()
    assert (row.tolist(), col.tolist(), value.tolist()) == ([0, 0, 1], [0, 1, 2], [0.25, 0.75, 2.0])


@pytest.mark.parametrize("batch", [(), (1,), (2,), (9,), (2, 3)])
def test_the_adjoint_is_exact(op, batch):
    assert dot_test(op, batch=batch) <= 1e-14


def test_it_can_be_used_again_and_again(op):
    x, y = op.domain.random(1, (9,)), op.range.random(2, (9,))
    first = op(x), op.adjoint(y)
    for _ in range(3):
        assert torch.equal(op(x), first[0])
        assert torch.equal(op.adjoint(y), first[1])


def test_inputs_are_left_as_they_are(op):
    x = op.domain.random(1, (9,))
    before = x.clone()
    op(x)
    assert torch.equal(x, before)


def test_a_result_is_not_a_view_of_an_earlier_one(op):
    x = op.domain.random(1, (9,))
    kept = op(x)
    before = kept.clone()
    op(2 * x)
    assert torch.equal(kept, before)


SHAPES = [
    ((6, 12), r"flatten rows and columns with x\.reshape\(\*x\.shape\[:-2\], 72\), or use \.field\(x\)"),
    ((4, 6, 12), "flatten rows and columns"),
    ((12, 6), r"longitude comes last: x = x\.mT"),
    ((72, 5), r"cells come last: x\.movedim\(0, -1\)"),
    ((144,), "as many cells as latlon grid 9x16.*swapped grids"),
    ((9, 16), "a field on latlon grid 9x16.*swapped grids"),
    ((71,), r"come last, in C order of \(6, 12\)"),
    ((), "come last"),
]


@pytest.mark.parametrize(("shape", "remedy"), SHAPES, ids=str)
def test_a_wrong_shape_is_refused_with_a_remedy(op, shape, remedy):
    with pytest.raises(SpecError, match=remedy):
        op(torch.zeros(shape, dtype=torch.float64))


WRONG = [
    torch.zeros(5, dtype=torch.float64),
    torch.zeros(72),
    torch.zeros(72, dtype=torch.int64),
    torch.zeros(72, dtype=torch.complex128),
    torch.zeros(72, dtype=torch.float64, device="meta"),
    torch.zeros(2, 72, dtype=torch.float64).to_sparse(),
    np.zeros(72),
    [0.0] * 72,
    None,
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda x: f"{type(x).__name__}-{getattr(x, 'dtype', '')}")
@pytest.mark.parametrize("how", ["__call__", "forward", "adjoint", "regrid_field"])
def test_whatever_is_wrong_both_grids_are_named(op, wrong, how):
    with pytest.raises(SpecError, match=r"latlon grid 6x12 .* to latlon grid 9x16"):
        getattr(op, how)(wrong)


def test_the_transpose_names_both_grids_too(op):
    with pytest.raises(SpecError, match=r"Regridder\.T from latlon grid 6x12 .* to latlon grid 9x16"):
        op.T(torch.zeros(72, dtype=torch.float64))


def test_grids_of_one_size_are_told_apart_where_operators_meet(coarse):
    shifted = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(0.0, 360, 30))
    there = Regridder.build(coarse, shifted, backend="native")
    with pytest.raises(SpecError, match="swapped grids"):
        there @ there


def test_a_field_in_the_shape_of_its_grid_keeps_it(op):
    x = op.domain.random(1, (3,))
    assert torch.equal(op.field(x.reshape(3, 6, 12)), op(x).reshape(3, 9, 16))


@pytest.mark.parametrize("shape", [(72,), (12, 6), (9, 16), (12,)])
def test_a_field_of_another_shape_is_refused(op, shape):
    with pytest.raises(
        SpecError, match=r"latlon grid 6x12.*expected a tensor of shape \(\.\.\., \(6, 12\)\)"
    ):
        op.field(torch.zeros(shape, dtype=torch.float64))


@pytest.mark.parametrize("count", [1, 4, 9])
def test_nan_spreads_to_the_targets_that_use_it_and_no_further(op, count):
    x = op.domain.random(1, (count,))
    x[0, 30] = torch.nan
    uses = torch.from_numpy(op.weights[:, [30]].toarray()[:, 0] != 0)
    assert 0 < uses.sum() < 144
    got = op(x)
    assert torch.equal(got[0].isnan(), uses)
    assert not got[1:].isnan().any()


def test_gradients_of_a_field_filled_with_nan_are_numbers(box):
    op = Regridder.build(box, Grid.latlon([28.0, 31.0, 60.0], [-100.0, -99.0]), backend="native")
    x = op.domain.random(1, (2,)).requires_grad_()
    y = op.regrid_field(x)
    torch.where(y.isnan(), 0.0, y).sum().backward()
    assert torch.isfinite(x.grad).all()
    assert torch.equal(x.grad, op.adjoint(torch.ones(2, 6, dtype=torch.float64)))


def test_forward_mode_is_the_operator_itself(op):
    x, tangent = op.domain.random(1), op.domain.random(2)
    with torch.autograd.forward_ad.dual_level():
        y = op(torch.autograd.forward_ad.make_dual(x, tangent))
        derivative = torch.autograd.forward_ad.unpack_dual(y).tangent
    assert torch.equal(derivative, op(tangent))


def test_derivatives_of_any_order_are_exact(small):
    x = tensor(1, 2, 3).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: small(x) ** 3, x)


def test_members_mapped_by_torch_are_members(op):
    x = op.domain.random(1, (5,))
    assert torch.equal(torch.func.vmap(op)(x), op(x))


@pytest.mark.parametrize("batch", [(), (1,), (9,)])
def test_torchs_product_agrees_up_to_rounding(op, batch):
    half, x = op._forward, op.domain.random(1, batch).reshape(-1, 72)
    other = TorchProduct(half.matrix, torch.device("cpu"))
    assert torch.allclose(other(x), torch.from_numpy(half.product(x.numpy())), rtol=1e-14, atol=1e-14)


def test_moving_to_the_cpu_changes_nothing(op):
    x = op.domain.random(1, (3,))
    assert torch.equal(op.to("cpu")(x), op(x))


def test_an_operator_elsewhere_refuses_what_is_here(op):
    with pytest.raises(SpecError, match=r"on meta, got it on cpu \(move it with \.to\(\)\)"):
        op.to("meta")(op.domain.random(1))


def test_operators_on_two_devices_do_not_compose(op, coarse, finer):
    back = Regridder.build(finer, coarse, backend="native")
    with pytest.raises(SpecError, match="Regridder is on cpu, Regridder on meta"):
        back.to("meta") @ op


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("batch", [(), (1,), (9,)])
def test_on_a_gpu_results_agree_up_to_rounding(op, batch):
    there, x, y = op.to("cuda"), op.domain.random(1, batch), op.range.random(2, batch)
    assert torch.allclose(there(x.cuda()).cpu(), op(x), rtol=1e-14, atol=1e-14)
    assert torch.allclose(there.adjoint(y.cuda()).cpu(), op.adjoint(y), rtol=1e-14, atol=1e-14)


@pytest.mark.gpu
@needs_gpu
def test_on_a_gpu_the_adjoint_is_exact(op):
    assert dot_test(op.to("cuda"), batch=(3,)) <= 1e-14


@pytest.mark.gpu
@needs_gpu
def test_on_a_gpu_torch_differentiates(op):
    there = op.to("cuda")
    x = op.domain.random(1).cuda().requires_grad_()
    assert torch.autograd.gradcheck(there, x, check_forward_ad=True, fast_mode=True)
    assert there.regrid_field(x).device.type == "cuda"


def test_a_layout_given_alone_meets_the_file_s_other_grid(tmp_path, op):
    op.to_file(tmp_path / "weights.nc")
    back = Regridder.from_file(tmp_path / "weights.nc", target=op.target)
    assert back.source.grid == op.source.grid
    x = op.domain.random(1, (9,))
    assert torch.equal(back(x), op(x))


def test_swapped_grids_of_one_size_are_found_where_weights_are_read(tmp_path, coarse):
    shifted = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(0.0, 360, 30))
    Regridder.build(coarse, shifted, backend="native").to_file(tmp_path / "weights.nc")
    with pytest.raises(GridError, match="swapped"):
        Regridder.from_file(tmp_path / "weights.nc", shifted, coarse)
