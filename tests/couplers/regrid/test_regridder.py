"""The regridder as an operator: what it gives, its adjoint, its gradient, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import DiagonalOperator, Distributed, dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.backends import Backend
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.weights import Method, Norm
from tradewind.errors import DataError, GridError, SpecError

NATIVE = ("conservative", "bilinear", "nearest_s2d", "nearest_d2s")
LAND = np.arange(72).reshape(6, 12) % 4 != 0


def build(source, target, method="conservative", **options) -> Regridder:
    return Regridder.build(source, target, method, backend="native", **options)


@pytest.fixture(scope="module")
def land() -> Grid:
    return Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30), mask=LAND)


@pytest.fixture(scope="module", params=NATIVE)
def method(request) -> str:
    return request.param


@pytest.fixture(scope="module", params=["global", "masked source", "masked target", "regional", "rotated"])
def pair(request, coarse, finer, land, box, rotated) -> tuple[Grid, Grid]:
    return {
        "global": (coarse, finer), "masked source": (land, finer), "masked target": (finer, land),
        "regional": (rotated, box), "rotated": (finer, rotated),
    }[request.param]  # fmt: skip


@pytest.mark.parametrize("norm", list(Norm))
def test_the_adjoint_is_exact(pair, method, norm):
    assert dot_test(build(*pair, method, norm=norm), batch=(2,)) <= 1e-14


def test_forward_is_the_matrix(pair, method):
    op = build(*pair, method)
    x = op.domain.random(1, (3,))
    assert np.allclose(op.forward(x), x.numpy() @ op.weights.toarray().T, rtol=1e-13, atol=1e-13)


def test_adjoint_is_the_transposed_matrix(pair, method):
    op = build(*pair, method)
    y = op.range.random(1, (3,))
    assert np.allclose(op.adjoint(y), y.numpy() @ op.weights.toarray(), rtol=1e-13, atol=1e-13)


def test_torch_differentiates_in_both_modes(box, rotated, method):
    op = build(rotated, box, method)
    x = op.domain.random(1, (2,)).requires_grad_()
    assert torch.autograd.gradcheck(op, x, check_forward_ad=True, fast_mode=True)


def test_gradients_are_checked_entry_by_entry_too(method):
    source, target = Grid.latlon([0.0, 1.0], [0.0, 1.0, 2.0]), Grid.latlon([0.2, 0.9], [0.3, 1.1])
    op = build(source, target, method)
    x = op.domain.random(1).requires_grad_()
    assert torch.autograd.gradcheck(op, x, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(lambda x: op(x) ** 2, x)


@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3)])
def test_members_and_levels_come_first(coarse, finer, shape):
    op = build(coarse, finer)
    x = op.domain.random(1, shape)
    y = op(x)
    assert y.shape == (*shape, 144)
    flat = y.reshape(-1, 144)
    for member, one in zip(flat, x.reshape(-1, 72), strict=True):
        assert torch.allclose(member, op(one), rtol=1e-14, atol=1e-14)


def test_no_members_give_no_results(coarse, finer):
    assert build(coarse, finer)(torch.zeros(0, 72, dtype=torch.float64)).shape == (0, 144)


def test_a_view_with_strides_is_taken_as_it_is(coarse, finer):
    op = build(coarse, finer)
    x = op.domain.random(1, (4,))
    assert torch.equal(op(x.T.contiguous().T), op(x))


@pytest.mark.parametrize("method", ["conservative", "bilinear", "nearest_s2d"])
@pytest.mark.parametrize("value", [1.0, -3.5])
def test_constants_stay_constant(coarse, finer, method, value):
    op = build(coarse, finer, method)
    assert torch.allclose(
        op(torch.full((72,), value, dtype=torch.float64)), torch.tensor(value).double(), rtol=1e-14
    )


def test_constants_stay_constant_on_partly_covered_targets_with_fracarea(rotated, box, land, finer):
    for source, target in ((rotated, box), (land, finer)):
        op = build(source, target)
        ones = op(torch.ones(source.size, dtype=torch.float64))
        assert torch.allclose(ones[~op.unmapped], torch.ones(()).double(), rtol=0, atol=1e-13)


def test_with_dstarea_partly_covered_targets_are_diluted(land, finer):
    op = build(land, finer, norm="dstarea")
    got = op(torch.ones(72, dtype=torch.float64))
    assert torch.allclose(got, op.frac_target, rtol=0, atol=1e-14)
    assert (got < 0.99).any()


@pytest.mark.parametrize("norm", list(Norm))
def test_integrals_are_conserved(coarse, finer, norm):
    op = build(coarse, finer, norm=norm)
    x = op.domain.random(1)
    before, after = coarse.area @ x.numpy(), finer.area @ op(x).numpy()
    assert after == pytest.approx(before, abs=1e-13 * (coarse.area @ np.abs(x.numpy())))


def test_integrals_over_the_active_part_are_conserved(land, finer):
    op = build(land, finer)
    x = op.domain.random(1)
    before = (land.area * land.mask) @ x.numpy()
    after = (finer.area * op.frac_target.numpy()) @ op(x).numpy()
    assert after == pytest.approx(before, abs=1e-13 * (land.area @ np.abs(x.numpy())))


@settings(max_examples=20)
@given(st.floats(-10, 10), st.floats(-10, 10), st.sampled_from(NATIVE))
def test_regridding_is_linear(a, b, method):
    source, target = Grid.latlon([0.0, 1.0], [0.0, 1.0, 2.0]), Grid.latlon([0.2, 0.9], [0.3, 1.1])
    op = build(source, target, method)
    x, y = op.domain.random(1), op.domain.random(2)
    assert torch.allclose(op(a * x + b * y), a * op(x) + b * op(y), rtol=1e-12, atol=1e-12)


def test_unmapped_targets_are_zero_in_the_operator_and_told(coarse, box):
    far = Grid.latlon([28.0, 31.0, 60.0], [-100.0, -99.0])
    op = build(box, far)
    assert op.unmapped.tolist() == [False, False, False, False, True, True]
    assert op(torch.ones(42, dtype=torch.float64))[4:].tolist() == [0, 0]


def test_unmapped_targets_of_a_field_are_nan(box):
    op = build(box, Grid.latlon([28.0, 31.0, 60.0], [-100.0, -99.0]))
    got = op.regrid_field(torch.ones(2, 42, dtype=torch.float64))
    assert torch.isnan(got[:, 4:]).all()
    assert torch.isfinite(got[:, :4]).all()


def test_or_what_the_caller_fills_in(box):
    op = build(box, Grid.latlon([28.0, 31.0, 60.0], [-100.0, -99.0]))
    assert op.regrid_field(torch.ones(42, dtype=torch.float64), fill=-1.0)[4:].tolist() == [-1, -1]


def test_filled_fields_still_have_gradients(box):
    op = build(box, Grid.latlon([28.0, 31.0, 60.0], [-100.0, -99.0]))
    x = op.domain.random(1).requires_grad_()
    op.regrid_field(x).nansum().backward()
    assert torch.isfinite(x.grad).all()
    assert x.grad.abs().sum() > 0


def test_the_transpose_is_an_operator(coarse, finer):
    op = build(coarse, finer)
    y = op.range.random(1)
    assert torch.equal(op.T(y), op.adjoint(y))


def test_regridders_compose_where_grids_meet(coarse, finer, box):
    there, on = build(coarse, finer), build(finer, box)
    x = there.domain.random(1)
    assert torch.equal((on @ there)(x), on(there(x)))
    assert dot_test(on @ there) <= 1e-14


def test_regridders_compose_with_other_operators(coarse, finer):
    op = build(coarse, finer)
    scale = DiagonalOperator(torch.full((72,), 2.0, dtype=torch.float64), op.domain)
    x = op.domain.random(1)
    assert torch.allclose((op @ scale)(x), 2 * op(x), rtol=1e-14)


def test_swapped_grids_do_not_compose(coarse, finer):
    with pytest.raises(SpecError, match="Regridder begins in"):
        build(coarse, finer) @ build(coarse, finer)


@pytest.mark.parametrize(
    ("x", "fault"),
    [
        (
            torch.zeros(144, dtype=torch.float64),
            r"shape \(\.\.\., 72\).*got shape \(144,\).*latlon grid 9x16.*swapped",
        ),
        (torch.zeros(6, 12, dtype=torch.float64), r"got shape \(6, 12\)"),
        (torch.zeros(72), "got torch.float32"),
        (torch.zeros(72, dtype=torch.float64, device="meta"), "on meta"),
        (np.zeros(72), "expected a torch tensor, got ndarray"),
    ],
    ids=["swapped grids", "two dimensions", "float32", "device", "numpy"],
)
def test_fields_that_do_not_fit_are_refused(coarse, finer, x, fault):
    with pytest.raises(SpecError, match=fault):
        build(coarse, finer)(x)


def test_cotangents_that_do_not_fit_are_refused(coarse, finer):
    with pytest.raises(SpecError, match=r"\(\.\.\., 144\)"):
        build(coarse, finer).adjoint(torch.zeros(72, dtype=torch.float64))


@pytest.mark.parametrize("method", ["conservative", "bilinear"])
def test_grids_that_do_not_overlap_are_refused_by_name(box, method):
    elsewhere = Grid.latlon([50.0, 51.0], [10.0, 11.0])
    with pytest.raises(GridError, match=r"latlon grid 6x7 .* and latlon grid 2x2 .* do not overlap"):
        build(box, elsewhere, method)


def test_a_source_that_is_masked_everywhere_is_refused(coarse):
    nothing = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30), mask=np.zeros((6, 12)))
    with pytest.raises(GridError, match=r"72 masked.*do not overlap"):
        build(nothing, coarse, "nearest_s2d")


def test_conservative_needs_corners(coarse):
    with pytest.raises(GridError, match="have no area"):
        build(coarse, Grid.points([1.0, 2.0], [3.0, 4.0]))


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"method": "bilinaer"}, "no method 'bilinaer'.*one of conservative, "),
        ({"norm": "none"}, "no norm 'none'.*fracarea, dstarea"),
        ({"backend": "xesmf"}, "no backend 'xesmf'.*auto, native, esmpy"),
        ({"backend": "file"}, "no backend 'file'"),
    ],
    ids=lambda v: "-".join(v.values()) if isinstance(v, dict) else "",
)
def test_unknown_choices_are_refused(coarse, finer, options, fault):
    with pytest.raises(SpecError, match=fault):
        Regridder.build(coarse, finer, **options)


def test_choices_are_names_or_enums(coarse, finer):
    op = Regridder.build(coarse, finer, Method.BILINEAR, norm=Norm.DSTAREA, backend=Backend.NATIVE)
    assert (op.method, op.norm, op.backend) == ("bilinear", "dstarea", "native")


def test_layouts_may_stand_for_grids(coarse, finer):
    op = build(Layout(coarse), Layout(finer))
    assert op.domain == Distributed(Layout(coarse))
    assert op.range == Distributed(Layout(finer))


def test_weights_are_a_sparse_matrix_with_sorted_rows(coarse, finer):
    weights = build(coarse, finer).weights
    assert isinstance(weights, sparse.csr_array)
    assert weights.shape == (144, 72)
    assert weights.has_sorted_indices


def test_a_regridder_says_what_it_does(coarse, finer):
    text = repr(build(coarse, finer))
    assert "latlon grid 6x12" in text
    assert "latlon grid 9x16" in text
    assert "conservative, fracarea, backend native" in text


def test_a_norm_is_told_only_where_it_matters(coarse, finer):
    assert "fracarea" not in repr(build(coarse, finer, "bilinear"))


@pytest.mark.parametrize("norm", list(Norm))
def test_a_regridder_comes_back_from_its_file(tmp_path, pair, method, norm):
    op = build(*pair, method, norm=norm)
    op.to_file(tmp_path / "weights.nc")
    back = Regridder.from_file(tmp_path / "weights.nc", *pair)
    x = op.domain.random(1, (2,))
    assert torch.equal(back(x), op(x))
    assert torch.equal(back.frac_target, op.frac_target)
    assert (back.method, back.norm, back.backend) == (op.method, op.norm, "file")


def test_without_grids_those_of_the_file_are_taken(tmp_path, coarse, finer):
    build(coarse, finer).to_file(tmp_path / "weights.nc")
    back = Regridder.from_file(tmp_path / "weights.nc")
    assert (back.source.grid, back.target.grid) == (coarse, finer)


def test_grids_that_are_not_those_of_the_file_are_refused(tmp_path, coarse, finer):
    build(coarse, finer).to_file(tmp_path / "weights.nc")
    with pytest.raises(GridError, match=r"weights\.nc, source: latlon grid 9x16.*swapped"):
        Regridder.from_file(tmp_path / "weights.nc", finer, coarse)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.nc: no such file"):
        Regridder.from_file(tmp_path / "none.nc")


@pytest.mark.shared
@pytest.mark.parametrize(
    "case",
    [
        "a_ll5_to_4x5_conserve_2nd",
        "a_ll5_to_4x5_patch",
        "b_permian_conserve_dstarea",
        "c_masked3_to_5_conserve_fracarea",
        "d_rotated_to_2.5_bilinear",
        "e_C12_to_5_conserve_2nd_dstarea",
        "f_ll5_to_points_bilinear",
    ],
)
def test_esmf_weight_files_give_what_esmpy_gave(shared, case):
    import netCDF4

    folder = shared / "reference" / "esmf_weights"
    op = Regridder.from_file(folder / f"{case}.nc")
    with netCDF4.Dataset(folder / "esmpy_applied.nc") as ds:
        source = torch.from_numpy(ds["random_source"][: op.source.n_global].filled())
        expected = ds[case]["dst_random"][:].filled()
    assert np.abs(op(source).numpy() - expected).max() <= 5e-15 * np.abs(expected).max()


@pytest.mark.shared
@pytest.mark.parametrize(
    ("case", "method", "norm"),
    [
        ("a_ll5_to_4x5_conserve_2nd", "conservative_2nd", "dstarea"),
        ("a_ll5_to_4x5_patch", "patch", "dstarea"),
        ("b_permian_conserve_fracarea", "conservative", "fracarea"),
        ("b_permian_bilinear", "bilinear", "dstarea"),
        ("f_ll5_to_points_nearest_stod", "nearest_s2d", "dstarea"),
    ],
)
def test_how_esmf_made_a_file_is_read_from_it(shared, case, method, norm):
    op = Regridder.from_file(shared / "reference" / "esmf_weights" / f"{case}.nc")
    assert (op.method, op.norm) == (method, norm)
