"""Masks that change with every call: what counts, what is left out, and their derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import dot_test
from tradewind.couplers.regrid.masks import MaskedRegridder, as_mask, mask_of, masked_regrid
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.errors import DataError, SpecError

NAN = float("nan")
METHODS = ("conservative", "conservative_2nd", "bilinear", "nearest_s2d", "nearest_d2s")


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def build(source, target, method="conservative", **options) -> Regridder:
    return Regridder.build(source, target, method, backend="native", **options)


def strip(edges) -> Grid:
    """Cells from equator to pole, between the given longitudes: their areas are the differences."""
    edges = np.array(edges, dtype=float)
    centres = (edges[:-1] + edges[1:]) / 2
    return Grid.latlon([45.0], centres, lat_bounds=[0.0, 90.0], lon_bounds=edges)


@pytest.fixture(scope="module", params=["fracarea", "dstarea"])
def pairs(request) -> Regridder:
    """Four cells into two: targets 0 and 1 hold sources 0, 1 and 2, 3 in equal parts."""
    return build(strip(range(5)), strip([0, 2, 4]), norm=request.param)


@pytest.fixture(scope="module", params=["fracarea", "dstarea"])
def overhang(request) -> Regridder:
    """Two cells into two: the second target, as wide as two cells, is half covered."""
    return build(strip([0, 1, 2]), strip([0, 1, 3]), norm=request.param)


@pytest.fixture(scope="module")
def globe(coarse, finer) -> Regridder:
    return build(coarse, finer)


def some(size: int, seed: int = 0) -> torch.Tensor:
    """Fractions, a third of them 0."""
    drawn = torch.rand(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.where(drawn < 1 / 3, 0.0, drawn)


# ---------------------------------------------------------------------- what is a mask
def test_booleans_count_or_do_not():
    assert as_mask(np.array([True, False])).tolist() == [1.0, 0.0]


def test_zeros_and_ones_are_booleans():
    assert as_mask([0, 1, 1]).tolist() == [0.0, 1.0, 1.0]


def test_codes_count_when_they_are_named():
    # 0 ocean, 1 land, 2 lake
    assert as_mask(np.array([[0, 1], [2, 1]]), active=(1, 2)).tolist() == [[0.0, 1.0], [1.0, 1.0]]


def test_codes_that_are_not_named_are_refused_with_what_was_found():
    with pytest.raises(SpecError, match=r"integers 0, 1, 2: which of them count\? .*active=\(1, 2\)"):
        as_mask([0, 1, 2])


def test_codes_in_a_file_are_floats_where_some_are_missing():
    codes = xr.DataArray([1.0, NAN, 3.0])
    assert as_mask(codes, active={3}).tolist() == [0.0, 0.0, 1.0]


def test_fractions_stay_as_they_are():
    fractions = tensor(0.0, 0.25, 1.0)
    assert as_mask(fractions) is fractions


@pytest.mark.parametrize("values", [[0.5, 1.5], [-0.5, 1.0], [0.0, 100.0]])
def test_fractions_beyond_zero_and_one_are_refused(values):
    with pytest.raises(SpecError, match="1 values beyond 0 and 1"):
        as_mask(values)


def test_rounding_beyond_one_is_not_a_fault():
    assert as_mask([1.0 + 1e-15])[0] > 1.0


def test_a_mask_with_missing_values_is_refused():
    with pytest.raises(SpecError, match="1 missing values"):
        as_mask([0.0, NAN])


def test_missing_data_become_a_mask():
    field = xr.DataArray([[1.0, NAN], [0.0, -3.0]], dims=("y", "x"))
    assert mask_of(field).tolist() == [[1.0, 0.0], [1.0, 1.0]]


def test_infinite_data_are_not_missing_but_wrong():
    with pytest.raises(DataError, match="1 infinite values"):
        mask_of([1.0, np.inf])


# ---------------------------------------------------------------------- numbers by hand
def test_a_mean_is_taken_over_what_counts(pairs):
    # (0.25 * 8 + 0.75 * 4) / (0.25 + 0.75) = 5, and 1 * 7 alone = 7
    op = MaskedRegridder(pairs, tensor(0.25, 0.75, 1.0, 0.0))
    assert op(tensor(8.0, 4.0, 7.0, 100.0)) == pytest.approx(tensor(5.0, 7.0), rel=1e-14)


def test_coverage_is_a_part_of_the_whole_target(pairs):
    # (0.25 + 0.75) / 2 = 0.5; (1 + 0) / 2 = 0.5
    op = MaskedRegridder(pairs, tensor(0.25, 0.75, 1.0, 0.0))
    assert op.coverage == pytest.approx(tensor(0.5, 0.5), rel=1e-12)


def test_what_no_source_reaches_is_not_covered_either(overhang):
    # a full mask covers half of the second target, half a mask a quarter, whatever the norm
    assert MaskedRegridder(overhang, tensor(1.0, 1.0)).coverage == pytest.approx(tensor(1.0, 0.5), rel=1e-9)
    assert MaskedRegridder(overhang, tensor(1.0, 0.5)).coverage == pytest.approx(tensor(1.0, 0.25), rel=1e-9)


@pytest.mark.parametrize(
    ("threshold", "unmapped"),
    [(0.0, [False, False]), (0.4, [False, False]), (0.6, [False, True]), (1.0, [False, True])],
)
def test_too_little_is_too_little_of_the_whole_target(overhang, threshold, unmapped):
    assert MaskedRegridder(overhang, tensor(1.0, 1.0), threshold).unmapped.tolist() == unmapped


def test_a_full_mask_meets_a_threshold_of_one_in_spite_of_rounding(globe):
    op = MaskedRegridder(globe, torch.ones(72, dtype=torch.float64), 1.0)
    assert not op.unmapped.any()


def test_with_a_threshold_of_zero_a_little_is_enough(pairs):
    op = MaskedRegridder(pairs, tensor(1e-6, 0.0, 0.0, 0.0))
    assert op.regrid_field(tensor(3.0, 0.0, 0.0, 0.0)).tolist() == [
        pytest.approx(3.0),
        pytest.approx(NAN, nan_ok=True),
    ]


def test_a_full_mask_changes_nothing(coarse, finer):
    for method in METHODS[:4]:
        op = build(coarse, finer, method)
        masked = MaskedRegridder(op, torch.ones(72, dtype=torch.float64))
        x = op.domain.random(3, (2,))
        assert torch.allclose(masked(x), op(x), rtol=1e-14, atol=1e-15)


def test_both_norms_give_the_same_means(coarse, box):
    fields = []
    for norm in ("fracarea", "dstarea"):
        op = MaskedRegridder(build(box, coarse, norm=norm), some(42))
        fields.append(op.regrid_field(op.domain.random(1)))
    assert torch.equal(fields[0].isnan(), fields[1].isnan())
    assert torch.allclose(*fields, rtol=1e-12, equal_nan=True)


def test_what_counts_is_kept(globe, coarse, finer):
    # sum of a c y over targets = sum of a m x over sources
    m, x = some(72), globe.domain.random(4)
    op = MaskedRegridder(globe, m)
    left = float((torch.from_numpy(coarse.area) * m * x).sum())
    arrived = float((torch.from_numpy(finer.area) * op.coverage * op(x)).sum())
    scale = float((torch.from_numpy(coarse.area) * m * x.abs()).sum())
    assert abs(arrived - left) <= 1e-13 * scale


@pytest.mark.parametrize("method", METHODS)
def test_constants_stay_constant_whatever_the_mask(coarse, finer, method):
    op = MaskedRegridder(build(coarse, finer, method), some(72, 5))
    y = op(torch.full((72,), 7.5, dtype=torch.float64))
    assert torch.allclose(y[~op.unmapped], tensor(7.5), rtol=1e-13)
    assert op.unmapped.any()


def test_the_nearest_to_target_sources_are_averaged_not_added(pairs):
    op = MaskedRegridder(
        build(pairs.source.grid, pairs.target.grid, "nearest_d2s"), tensor(1.0, 1.0, 0.0, 1.0)
    )
    assert op(tensor(2.0, 4.0, 9.0, 6.0)).tolist() == [3.0, 6.0]
    assert op.coverage.tolist() == [1.0, 0.5]


# ---------------------------------------------------------------------- nothing is zero in silence
def test_unmapped_targets_are_nan_or_the_fill(pairs):
    op = MaskedRegridder(pairs, tensor(1.0, 1.0, 0.0, 0.0))
    x = tensor(1.0, 3.0, 5.0, 5.0)
    assert op.regrid_field(x)[1].isnan()
    assert op.regrid_field(x, fill=-999.0).tolist() == [pytest.approx(2.0), -999.0]
    assert masked_regrid(pairs, x, op.mask, fill=-999.0).tolist() == [pytest.approx(2.0), -999.0]


def test_where_nothing_counts_nothing_is_mapped(globe):
    none = torch.zeros(72, dtype=torch.float64)
    op, x = MaskedRegridder(globe, none), globe.domain.random(1)
    assert op.unmapped.all()
    assert op.regrid_field(x).isnan().all()
    assert not op.forward(x).any()
    assert not op.adjoint(globe.range.random(1)).any()
    assert dot_test(op) == 0.0


def test_static_masks_of_the_grids_leave_targets_unmapped_too(coarse, finer):
    land = np.arange(72).reshape(6, 12) >= 24  # the two southern rows are masked
    hidden = np.zeros((9, 16), dtype=bool)
    hidden[:7] = True  # the two southern rows of the target, which runs from north to south
    source = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30), mask=land)
    target = Grid.latlon(np.arange(80.0, -90, -20), np.arange(-168.75, 180, 22.5), mask=hidden)
    op = build(source, target)
    x = torch.full((72,), NAN, dtype=torch.float64).where(~torch.from_numpy(land.ravel()), 1.0)
    static = op.regrid_field(torch.nan_to_num(x))
    moving = MaskedRegridder(build(coarse, finer), mask_of(x)).regrid_field(x)
    assert static[-32:].isnan().all()
    # row 6 spans 50 S to 30 S, which the masked rows (90 S to 30 S) leave a sliver of at most
    assert torch.allclose(static[:96], moving[:96], rtol=1e-12)
    assert torch.equal(op.unmapped, static.isnan())


def test_a_static_and_a_moving_mask_meet(coarse, finer):
    land = Grid.latlon(
        np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30), mask=some(72, 8).reshape(6, 12) > 0
    )
    m = some(72, 9)
    both = m * torch.from_numpy(land.mask)
    x = torch.randn(72, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    one, other = MaskedRegridder(build(land, finer), m), MaskedRegridder(build(coarse, finer), both)
    assert torch.allclose(one.regrid_field(x), other.regrid_field(x), rtol=1e-10, equal_nan=True)
    assert torch.allclose(one.coverage, other.coverage, rtol=1e-10)


def test_nan_does_not_spread_from_where_the_mask_is_zero(pairs):
    x = tensor(NAN, 4.0, 7.0, NAN)
    op = MaskedRegridder(pairs, mask_of(x))
    assert op(x) == pytest.approx(tensor(4.0, 7.0), rel=1e-14)
    assert masked_regrid(pairs, x, mask_of(x)) == pytest.approx(tensor(4.0, 7.0), rel=1e-14)


def test_infinity_does_not_spread_either(pairs):
    x = tensor(np.inf, 4.0, 7.0, 7.0)
    assert MaskedRegridder(pairs, tensor(0.0, 1.0, 1.0, 1.0))(x) == pytest.approx(tensor(4.0, 7.0))
    assert masked_regrid(pairs, x, tensor(0.0, 1.0, 1.0, 1.0)) == pytest.approx(tensor(4.0, 7.0))


@pytest.mark.parametrize("face", ["operator", "function"])
@pytest.mark.parametrize("value", [NAN, np.inf])
def test_a_nan_that_counts_is_refused(pairs, face, value):
    x, m = tensor(value, 4.0, 7.0, 7.0), tensor(0.1, 1.0, 1.0, 1.0)
    with pytest.raises(DataError, match=r"1 values are NaN or infinite where the mask counts them .*mask_of"):
        MaskedRegridder(pairs, m)(x) if face == "operator" else masked_regrid(pairs, x, m)


# ---------------------------------------------------------------------- derivatives
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("norm", ["fracarea", "dstarea"])
@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_the_adjoint_is_exact(coarse, rotated, method, norm, threshold):
    op = MaskedRegridder(build(coarse, rotated, method, norm=norm), some(72), threshold)
    assert dot_test(op, batch=(3,)) <= 1e-14


def test_the_adjoint_is_the_transposed_matrix(pairs):
    m = tensor(0.25, 0.75, 1.0, 0.0)
    W = pairs.weights.toarray() * m.numpy()
    W /= W.sum(axis=1, keepdims=True)
    op, y = MaskedRegridder(pairs, m), tensor(2.0, 3.0)
    assert torch.allclose(op.adjoint(y), y @ torch.from_numpy(W), rtol=1e-14)


def test_the_operator_differentiates_in_both_modes(globe):
    op = MaskedRegridder(globe, some(72), 0.4)
    x = globe.domain.random(1, (2,)).requires_grad_()
    assert torch.autograd.gradcheck(op, x, check_forward_ad=True, fast_mode=True)


def test_cotangents_of_unmapped_targets_go_nowhere(pairs):
    op = MaskedRegridder(pairs, tensor(1.0, 1.0, 0.0, 0.0))
    assert op.adjoint(tensor(0.0, NAN)).tolist() == [0.0, 0.0, 0.0, 0.0]


def test_the_function_differentiates_in_field_and_mask(pairs):
    x, m = tensor(8.0, 4.0, 7.0, 1.0).requires_grad_(), tensor(0.25, 0.75, 0.5, 0.3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, m: masked_regrid(pairs, x, m), (x, m), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(lambda x, m: masked_regrid(pairs, x, m), (x, m))


def test_the_slope_in_the_mask_by_hand(pairs):
    # y0 = (m0 x0 + m1 x1) / (m0 + m1): dy0/dm0 = (x0 - y0) / (m0 + m1), here (8 - 5) / 1 and (4 - 5) / 1
    m = tensor(0.25, 0.75, 1.0, 0.0).requires_grad_()
    masked_regrid(pairs, tensor(8.0, 4.0, 7.0, 9.0), m)[0].backward()
    assert m.grad == pytest.approx(tensor(3.0, -1.0, 0.0, 0.0), abs=1e-13)


def test_where_the_mask_is_zero_its_slope_is_one_sided(pairs):
    # y1 = (m2 7 + m3 9) / (m2 + m3) at m = (1, 0): dy1/dm3 = (9 - 7) / 1
    m = tensor(1.0, 1.0, 1.0, 0.0).requires_grad_()
    masked_regrid(pairs, tensor(8.0, 4.0, 7.0, 9.0), m)[1].backward()
    assert m.grad[3] == pytest.approx(2.0)


def test_missing_values_have_no_slope(pairs):
    x, m = tensor(8.0, 4.0, 7.0, NAN).requires_grad_(), tensor(0.25, 0.75, 1.0, 0.0).requires_grad_()
    masked_regrid(pairs, x, m).sum().backward()
    assert x.grad[3] == 0.0
    assert m.grad[3] == 0.0


@pytest.mark.parametrize("fill", [NAN, -999.0, np.inf])
@pytest.mark.parametrize("loss", ["nansum", "square"])
def test_gradients_are_never_nan(globe, fill, loss):
    x, m = globe.domain.random(2), some(72)
    x[m == 0] = NAN
    x.requires_grad_()
    m.requires_grad_()
    y = masked_regrid(globe, x, m, 0.5, fill)
    (y.square() if loss == "square" else y).nansum().backward()
    assert x.grad.isfinite().all()
    assert m.grad.isfinite().all()
    assert x.grad.any()
    assert m.grad.any()


def test_both_faces_give_the_same(globe):
    x, m = globe.domain.random(2, (2,)), some(72)
    one, other = MaskedRegridder(globe, m, 0.3).regrid_field(x), masked_regrid(globe, x, m, 0.3)
    assert torch.allclose(one, other, rtol=1e-13, atol=1e-15, equal_nan=True)


# ---------------------------------------------------------------------- members
def test_every_member_may_have_its_own_mask(globe):
    x, masks = globe.domain.random(2, (3,)), torch.stack([some(72, seed) for seed in range(3)])
    together = MaskedRegridder(globe, masks, 0.2)
    assert together.coverage.shape == together.unmapped.shape == (3, 144)
    assert dot_test(together, batch=(3,)) <= 1e-14
    for member in range(3):
        alone = MaskedRegridder(globe, masks[member], 0.2)
        assert torch.allclose(together(x)[member], alone(x[member]), rtol=1e-14, atol=1e-15)


def test_levels_come_before_members_of_a_mask(globe):
    masks = torch.stack([some(72, seed) for seed in range(3)])
    assert MaskedRegridder(globe, masks)(globe.domain.random(2, (5, 3))).shape == (5, 3, 144)


def test_an_operator_does_not_make_members_of_its_own(globe):
    op = MaskedRegridder(globe, torch.stack([some(72), some(72, 1)]))
    for batch in ((), (3,), (2, 3), (1,)):
        with pytest.raises(SpecError, match=r"a mask for leading dimensions \(2,\), a field with"):
            op(globe.domain.random(1, batch))


def test_the_function_broadcasts(globe):
    masks, x = torch.stack([some(72), some(72, 1)]), globe.domain.random(1)
    assert masked_regrid(globe, x, masks).shape == (2, 144)
    assert masked_regrid(globe, x.expand(4, 1, 72), masks).shape == (4, 2, 144)


# ---------------------------------------------------------------------- misuse
@pytest.mark.parametrize("threshold", [-0.1, 1.1, 100.0, NAN, "half"])
def test_thresholds_beyond_zero_and_one_are_refused(globe, threshold):
    with pytest.raises(SpecError, match="a threshold of"):
        MaskedRegridder(globe, some(72), threshold)
    with pytest.raises(SpecError, match="a threshold of"):
        masked_regrid(globe, globe.domain.random(1), some(72), threshold)


@pytest.mark.parametrize("values", [None, "land", [["a"]], [1 + 2j], torch.zeros(2, dtype=torch.complex128)])
def test_what_is_no_number_is_refused(values):
    for convert in (as_mask, mask_of):
        with pytest.raises(SpecError, match="expected numbers, got"):
            convert(values)


def test_a_mask_of_the_target_is_refused(globe):
    with pytest.raises(SpecError, match=r"got shape \(144,\)"):
        MaskedRegridder(globe, some(144))
    with pytest.raises(SpecError, match=r"a mask of shape \(144,\), a field of \(72,\)"):
        masked_regrid(globe, globe.domain.random(1), some(144))


def test_booleans_and_arrays_are_taken_as_masks(globe):
    flags = some(72) > 0
    x = globe.domain.random(1)
    a, b = MaskedRegridder(globe, flags), MaskedRegridder(globe, flags.numpy())
    assert torch.equal(a(x), b(x))
    assert torch.equal(masked_regrid(globe, x, flags).isnan(), a.unmapped)


def test_something_else_than_a_field_is_refused(globe):
    with pytest.raises(SpecError, match="expected a torch tensor, got ndarray"):
        MaskedRegridder(globe, some(72)).forward(np.zeros(72))
    with pytest.raises(SpecError, match="float32"):
        MaskedRegridder(globe, some(72)).forward(torch.zeros(72))
    with pytest.raises(SpecError, match="ndarray"):
        masked_regrid(globe, np.zeros(72), some(72))
    with pytest.raises(SpecError, match="float32"):
        masked_regrid(globe, torch.zeros(72), some(72))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.2, 1.0]), min_size=72, max_size=72), st.sampled_from([0.0, 0.5, 1.0]))
def test_means_lie_between_what_they_are_means_of(globe, fractions, threshold):
    m, x = torch.tensor(fractions, dtype=torch.float64), globe.domain.random(6)
    y = masked_regrid(globe, x, m, threshold)
    mapped = ~y.isnan()
    counted = x[m > 0]
    assert not mapped.any() or float(y[mapped].min()) >= float(counted.min()) - 1e-12
    assert not mapped.any() or float(y[mapped].max()) <= float(counted.max()) + 1e-12
    assert torch.equal(mapped, ~MaskedRegridder(globe, m, threshold).unmapped)
