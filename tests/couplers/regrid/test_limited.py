"""Limited second order: within bounds, conserving, and with the derivative that it says it has."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import forward_ad

from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.limited import LimitedRegridder, Limits
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.errors import GridError, SpecError


def equal_angle(nx: int, ny: int, **extras: object) -> Grid:
    return Grid.latlon((np.arange(ny) + 0.5) * 180 / ny - 90, (np.arange(nx) + 0.5) * 360 / nx, **extras)


SOURCE, TARGET = equal_angle(12, 6), equal_angle(17, 9)


@pytest.fixture(scope="module")
def limited() -> LimitedRegridder:
    return LimitedRegridder.build(SOURCE, TARGET)


@pytest.fixture(scope="module")
def plain() -> Regridder:
    return Regridder.build(SOURCE, TARGET, "conservative_2nd", backend="native")


def spikes(seed: int = 0, n: int = SOURCE.size) -> torch.Tensor:
    """Zero nearly everywhere, large here and there."""
    rng = np.random.default_rng(seed)
    return torch.from_numpy(np.where(rng.random(n) < 0.2, 5 * rng.random(n), 0.0))


def rough(seed: int = 1, batch: tuple[int, ...] = (), n: int = SOURCE.size) -> torch.Tensor:
    """Positive everywhere, far from kinks, with cells in which the bound binds."""
    return torch.from_numpy(np.random.default_rng(seed).random((*batch, n)) ** 4 + 0.01)


def integral(grid: Grid, field: torch.Tensor) -> float:
    return float(field @ torch.from_numpy(grid.area))


# ---- bounds and conservation


def test_spikes_stay_positive_where_plain_second_order_goes_below_zero(limited, plain):
    assert plain(spikes()).min() < -0.1
    assert limited(spikes()).min() >= 0.0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.05, 0.3, 0.9]), st.sampled_from([1e-30, 1.0, 1e30]))
def test_no_field_within_the_bounds_leaves_them(seed, part, scale):
    regridder = LimitedRegridder.build(SOURCE, TARGET, Limits(0.0, scale))
    rng = np.random.default_rng(seed)
    x = scale * torch.from_numpy(np.where(rng.random(SOURCE.size) < part, rng.random(SOURCE.size), 0.0))
    y = regridder(x)
    assert y.min() >= 0.0
    assert y.max() <= scale


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_integrals_are_kept(seed):
    x = spikes(seed)
    y = LimitedRegridder.build(SOURCE, TARGET)(x)
    assert integral(TARGET, y) == pytest.approx(integral(SOURCE, x), rel=1e-14)


def test_constants_stay(limited):
    assert (limited(torch.full((SOURCE.size,), 7.0, dtype=torch.float64)) - 7).abs().max() <= 1e-13


def test_zero_stays_exactly_zero(limited):
    assert not limited(torch.zeros(SOURCE.size, dtype=torch.float64)).any()


def test_where_nothing_is_limited_it_is_plain_second_order(limited, plain):
    x = 10 + rough()
    assert (limited.factor(x) == 1).all()
    assert (limited(x) - plain(x)).abs().max() <= 1e-14 * 20


def test_it_stays_near_second_order_where_only_spikes_are_limited(limited, plain):
    first = Regridder.build(SOURCE, TARGET, "conservative", backend="native")
    x = rough()
    assert (limited(x) - plain(x)).norm() < 0.7 * (first(x) - plain(x)).norm()


def test_factors_lie_between_0_and_1_and_are_as_large_as_may_be(limited):
    x = rough()
    factor = limited.factor(x)
    assert 0 < (factor < 1).sum() < SOURCE.size
    # in a cell that is limited the lowest of its values stands on the bound
    slope = torch.stack([g(x) for g in limited._gradient])
    starts, shift = limited._starts, torch.from_numpy(limited._shift)
    for j in torch.nonzero(factor < 1).flatten().tolist():
        values = x[j] + factor[j] * shift[starts[j] : starts[j + 1]] @ slope[:, j]
        assert values.min().abs() <= 1e-15


def test_an_upper_bound_alone(plain):
    regridder = LimitedRegridder.build(SOURCE, TARGET, Limits(-np.inf, 1.0))
    x = 1 - spikes() / 5
    assert plain(x).max() > 1.01
    assert regridder(x).max() <= 1.0
    assert regridder(x).min() < 0.2


def test_bounds_move_with_the_field(limited):
    moved = LimitedRegridder.build(SOURCE, TARGET, Limits(100.0))
    assert (moved(100 + spikes()) - 100 - limited(spikes())).abs().max() <= 1e-12


def test_the_mirror_image_has_the_mirrored_bounds(limited):
    mirrored = LimitedRegridder.build(SOURCE, TARGET, Limits(-np.inf, 0.0))
    assert torch.equal(mirrored(-spikes()), -limited(spikes()))


def test_cells_out_of_bounds_keep_their_mean_and_are_counted(limited):
    x = rough()
    x[40] = -1.0
    assert limited.outside(x) == 1
    assert limited.factor(x)[40] == 0
    assert integral(TARGET, limited(x)) == pytest.approx(integral(SOURCE, x), rel=1e-14)
    reached = limited.first.weights[:, [40]].toarray()[:, 0] > 0
    assert (limited(x).numpy() < 0).any()
    assert not (limited(x).numpy()[~reached] < 0).any()


def test_missing_values_are_not_hidden(limited):
    x = rough()
    x[40] = float("nan")
    assert limited(x).isnan().any()
    assert limited.outside(x) == 0


def test_partly_covered_targets_are_diluted_bounds_and_all(box):
    wide = Grid.latlon(np.arange(20.0, 46, 3.7), np.arange(-115.0, -90, 3.1))
    x = spikes(n=box.size)
    diluted, undiluted = (LimitedRegridder.build(box, wide, norm=n) for n in ("dstarea", "fracarea"))
    assert diluted(x).min() >= 0.0
    frac = Regridder.build(box, wide, backend="native").frac_target
    assert (diluted(x) - frac * undiluted(x)).abs().max() <= 1e-14
    assert integral(wide, diluted(x)) == pytest.approx(integral(box, x), rel=1e-13)


def test_masked_cells_give_and_receive_nothing():
    mask = np.arange(72).reshape(6, 12) % 5 != 0
    regridder = LimitedRegridder.build(equal_angle(12, 6, mask=mask), TARGET)
    x = rough()
    other = torch.where(torch.from_numpy(mask.ravel()), x, 1e6)
    assert torch.equal(regridder(x), regridder(other))


def test_members_are_limited_one_by_one(limited):
    x = torch.stack([spikes(1), 10 + rough(2), rough(3)])
    assert torch.equal(limited(x), torch.stack([limited(member) for member in x]))


# ---- derivatives


@pytest.fixture(scope="module")
def small() -> LimitedRegridder:
    return LimitedRegridder.build(equal_angle(7, 4), equal_angle(6, 5), Limits(0.0, 0.9))


def test_gradcheck_in_both_modes_away_from_kinks(small):
    x = (0.88 * rough(batch=(2,), n=28)).requires_grad_()
    assert (small.factor(x) < 1).any()
    assert small.outside(x) == 0
    assert torch.autograd.gradcheck(small, (x,), check_forward_ad=True)


def test_gradcheck_with_cells_out_of_bounds(small):
    x = rough(5, n=28) - 0.05
    assert small.outside(x) > 0
    assert torch.autograd.gradcheck(small, (x.requires_grad_(),), check_forward_ad=True)


@pytest.mark.parametrize("field", [rough(), spikes(), rough() - 0.05, 10 + rough(), torch.zeros(72).double()])
def test_the_tangent_is_what_torch_takes(limited, field):
    v, w = limited.first.domain.random(1), limited.first.range.random(2)
    tangent = limited.linearize(field)
    with forward_ad.dual_level():
        change = forward_ad.unpack_dual(limited(forward_ad.make_dual(field, v))).tangent
    (cotangent,) = torch.autograd.grad(limited(x := field.clone().requires_grad_()), x, w)
    assert (tangent.forward(v) - change).abs().max() <= 1e-13 * change.abs().max()
    assert (tangent.adjoint(w) - cotangent).abs().max() <= 1e-13 * cotangent.abs().max()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([spikes, rough]))
def test_the_adjoint_of_the_tangent_is_exact(seed, kind):
    assert dot_test(LimitedRegridder.build(SOURCE, TARGET).linearize(kind(seed))) <= 1e-14


def test_tangents_of_members(limited):
    x = torch.stack([spikes(1), rough(2)])
    v = limited.first.domain.random(3, (2,))
    apart = torch.stack([limited.linearize(a).forward(b) for a, b in zip(x, v, strict=True)])
    assert (limited.linearize(x).forward(v) - apart).abs().max() <= 1e-15
    assert dot_test(limited.linearize(x), batch=(4, 2)) <= 1e-14


def step_of(regridder: LimitedRegridder, x: torch.Tensor, v: torch.Tensor, h: float = 1e-7) -> torch.Tensor:
    """The one-sided difference quotient in the direction of v."""
    return (regridder(x + h * v) - regridder(x)) / h


def lowest(limited: LimitedRegridder, x: torch.Tensor, cell: int) -> float:
    """The lowest value that plain second order has within a cell."""
    slope = torch.stack([g(x) for g in limited._gradient])[:, cell]
    shift = torch.from_numpy(limited._shift[limited._starts[cell] : limited._starts[cell + 1]])
    return float(x[cell] + (shift @ slope).min())


def on_the_bound(limited: LimitedRegridder) -> tuple[torch.Tensor, int]:
    """A field whose cell 40 just touches the bound: its lowest value is 0, by bisection."""
    x, low, high = 10 + rough(), 0.0, 10.0
    for _ in range(60):
        x[40] = (low + high) / 2
        low, high = (low, float(x[40])) if lowest(limited, x, 40) >= 0 else (float(x[40]), high)
    x[40] = high
    return x, 40


def test_where_the_factor_just_is_1_the_derivative_is_that_of_plain_second_order(limited, plain):
    x, cell = on_the_bound(limited)
    assert limited.factor(x)[cell] == 1
    assert 0 <= lowest(limited, x, cell) <= 1e-14
    v = torch.zeros_like(x)
    v[cell] = 1.0
    # away from the bound the one-sided difference agrees; into it, another piece begins
    assert (limited.linearize(x).forward(v) - plain.forward(v)).abs().max() <= 1e-14
    assert (step_of(limited, x, v) - plain.forward(v)).abs().max() <= 1e-6
    assert (step_of(limited, x, -v) + plain.forward(v)).abs().max() > 1e-3


def test_at_the_bound_itself_the_derivative_is_that_of_growing_away_from_it(limited):
    x = rough()
    x[40] = 0.0
    assert limited.factor(x)[40] == 0
    v = torch.zeros_like(x)
    v[40] = 1.0
    change = limited.linearize(x).forward(v)
    assert (step_of(limited, x, v) - change).abs().max() <= 1e-5
    # below the bound the cell stays flat
    assert (step_of(limited, x, -v) + change).abs().max() > 1e-3


def test_where_all_is_zero_the_derivative_is_that_of_plain_second_order(limited, plain):
    zero = torch.zeros(SOURCE.size, dtype=torch.float64)
    v = limited.first.domain.random(1)
    assert (limited.linearize(zero).forward(v) - plain.forward(v)).abs().max() <= 1e-14


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([1e-300, 1e-200, 1e-100, 1.0, 1e100]), st.booleans())
def test_derivatives_are_finite_everywhere(seed, scale, spiky):
    regridder = LimitedRegridder.build(SOURCE, TARGET)
    x = (scale * (spikes(seed) if spiky else rough(seed))).requires_grad_()
    (cotangent,) = torch.autograd.grad(regridder(x), x, regridder.first.range.random(1))
    assert cotangent.isfinite().all()
    # of the order of area ratios and of weights, whatever the field
    assert cotangent.abs().max() <= 100


def test_a_bound_that_two_overlaps_reach_alike_has_a_derivative():
    # cells that are halved: both halves of a ridge between two valleys touch zero together
    source, target = equal_angle(12, 6), equal_angle(24, 6)
    regridder = LimitedRegridder.build(source, target)
    x = torch.zeros(6, 12, dtype=torch.float64)
    x[:, 4], x[:, 5], x[:, 6] = 0.1, 1.0, 0.1
    found = torch.autograd.functional.jacobian(regridder, x.flatten())
    assert found.isfinite().all()


# ---- the cache


def test_the_cache_gives_the_same_bits(tmp_path, limited):
    built = [LimitedRegridder.build(SOURCE, TARGET, cache=tmp_path)(spikes()) for _ in range(2)]
    assert len(list(tmp_path.iterdir())) == 1
    assert torch.equal(built[0], limited(spikes()))
    assert torch.equal(built[1], built[0])


def test_bounds_share_a_cache_entry_and_norms_do_not(tmp_path):
    LimitedRegridder.build(SOURCE, TARGET, cache=tmp_path)
    LimitedRegridder.build(SOURCE, TARGET, Limits(1.0, 2.0), cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    LimitedRegridder.build(SOURCE, TARGET, norm="dstarea", cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def overwritten(entry, change):
    with np.load(entry) as ds:
        content = dict(ds)
    change(content)
    np.savez(entry, **content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: entry.write_bytes(entry.read_bytes()[:1000]),
        lambda entry: entry.write_bytes(b""),
        lambda entry: overwritten(entry, lambda content: content.pop("shift")),
        lambda entry: overwritten(entry, lambda content: content["share"].__imul__(1.1)),
    ],
)
def test_a_damaged_entry_is_rebuilt_with_a_notice(tmp_path, limited, damage):
    LimitedRegridder.build(SOURCE, TARGET, cache=tmp_path)
    (entry,) = tmp_path.iterdir()
    damage(entry)
    with pytest.warns(UserWarning, match="rebuilt"):
        again = LimitedRegridder.build(SOURCE, TARGET, cache=tmp_path)
    assert torch.equal(again(spikes()), limited(spikes()))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LimitedRegridder.build(SOURCE, TARGET, cache=tmp_path)


# ---- wrong calls


@pytest.mark.parametrize("bounds", [(1.0, 0.0), (1.0, 1.0), (float("nan"), 1.0)])
def test_bounds_the_wrong_way_round_are_refused(bounds):
    with pytest.raises(SpecError, match="lower < upper"):
        Limits(*bounds)


@pytest.mark.parametrize(
    "x",
    [
        torch.zeros(TARGET.size).double(),
        torch.zeros(SOURCE.size),
        [0.0] * SOURCE.size,
        torch.zeros(3).double(),
    ],
)
def test_fields_of_another_shape_or_kind_are_refused(limited, x):
    for call in (limited, limited.factor, limited.outside, limited.linearize):
        with pytest.raises(SpecError, match="72"):
            call(x)


def test_grids_that_do_not_meet_are_both_named():
    here, there = Grid.latlon([10.0, 11.0], [10.0, 11.0]), Grid.latlon([-10.0, -11.0], [10.0, 11.0])
    with pytest.raises(GridError, match=r"latlon grid 2x2 \(10E.*and latlon grid 2x2 .*do not overlap"):
        LimitedRegridder.build(here, there)


def test_points_are_refused():
    with pytest.raises(GridError, match="corners"):
        LimitedRegridder.build(SOURCE, Grid.points([0.0], [0.0]))


def test_an_unknown_norm_is_refused():
    with pytest.raises(SpecError, match="one of fracarea, dstarea"):
        LimitedRegridder.build(SOURCE, TARGET, norm="area")


def test_layouts_stand_in_for_grids(limited):
    assert torch.equal(LimitedRegridder.build(Layout(SOURCE), Layout(TARGET))(spikes()), limited(spikes()))


def test_it_shows_both_grids_and_the_bounds(limited):
    assert repr(limited).startswith("LimitedRegridder(latlon grid 6x12")
    assert "0 to inf, fracarea" in repr(limited)
