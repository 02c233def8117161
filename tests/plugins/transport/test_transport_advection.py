"""Sweeps along one axis: donor cells by hand, and what every positive flux-form scheme must keep."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.plugins.transport.advection import Upwind, VanLeer, limited_slope

SCHEMES = pytest.mark.parametrize("scheme", [Upwind(), VanLeer()], ids=["upwind", "van leer"])
AXES = pytest.mark.parametrize("axis", [-1, -2, -3], ids=["longitude", "latitude", "layer"])


def vector(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def along(values: torch.Tensor, axis: int) -> torch.Tensor:
    """Return a vector laid along one of three axes."""
    shape = [1, 1, 1]
    shape[axis] = -1
    return values.reshape(shape)


def moved(scheme, tracer, air, flux, axis=-1):
    return scheme.sweep(air, flux, axis)(tracer.flatten(-3)).view(tracer.shape)


def random_case(seed: int, shape=(3, 4, 5), axis=-1, courant=1.0):
    """Return tracer, air and fluxes at which no cell gives away more than the fraction `courant`."""
    g = torch.Generator().manual_seed(seed)
    tracer, air = (torch.rand(shape, generator=g, dtype=torch.float64) + 1e-3 for _ in range(2))
    longer = [n + (d == axis % 3) for d, n in enumerate(shape)]
    flux = 2.0 * torch.rand(longer, generator=g, dtype=torch.float64) - 1.0
    n = air.shape[axis]
    leaving = flux.narrow(axis, 1, n).clamp(min=0) - flux.narrow(axis, 0, n).clamp(max=0)
    return tracer, air, flux * courant / (leaving / air).max()


@AXES
def test_a_donor_cell_step_by_hand(axis):
    # air 10 10 20 10; 5 kg cross the first inner face, -4 the second, 0 the third; nothing at the sides.
    # face 1 takes 5/10 of the 8 in cell 0; face 2 takes 4/20 of the 6 in cell 2, downwards
    tracer, air = along(vector(8, 2, 6, 1), axis), along(vector(10, 10, 20, 10), axis)
    flux = along(vector(0, 5, -4, 0, 0), axis)
    after = moved(Upwind(), tracer, air, flux, axis)
    assert after.flatten().tolist() == pytest.approx([4.0, 2.0 + 4.0 + 1.2, 4.8, 1.0], rel=1e-15)


def test_a_van_leer_step_by_hand():
    # ratios 1 2 4: slope of the middle cell is 2*1*2/(1+2) = 4/3; a quarter of it crosses its high face,
    # with the ratio 2 + (1 - 1/4) (4/3) / 2 = 2.5
    air, tracer = along(vector(4, 4, 4), -1), along(vector(4, 8, 16), -1)
    after = moved(VanLeer(), tracer, air, along(vector(0, 0, 1, 0), -1))
    assert after.flatten().tolist() == pytest.approx([4.0, 8.0 - 2.5, 16.0 + 2.5], rel=1e-15)


def test_a_van_leer_step_downwards_mirrors_one_upwards():
    tracer, air, flux = random_case(3, courant=0.7)
    forth = moved(VanLeer(), tracer, air, flux)
    back = moved(VanLeer(), tracer.flip(-1), air.flip(-1), -flux.flip(-1)).flip(-1)
    assert torch.allclose(forth, back, rtol=1e-14, atol=0)


@SCHEMES
def test_what_flows_in_through_the_sides_is_clean_and_what_flows_out_is_lost(scheme):
    tracer, air = along(vector(8, 2), -1), along(vector(10, 10), -1)
    flux = along(vector(5, 5, 5), -1)
    # cell 0 gives half of its 8, cell 1 half of its 2; nothing comes into cell 0
    assert moved(scheme, tracer, air, flux).flatten().tolist() == [4.0, 5.0]


@SCHEMES
@AXES
def test_rows_do_not_leak_into_each_other(scheme, axis):
    tracer, air, flux = random_case(5, axis=axis)
    for line in range(2):
        pick = [slice(line, line + 1)] * 3
        pick[axis] = slice(None)
        pick = tuple(pick)
        alone = moved(scheme, tracer[pick], air[pick], flux[pick], axis)
        assert torch.allclose(moved(scheme, tracer, air, flux, axis)[pick], alone, rtol=1e-14, atol=0)


@SCHEMES
@AXES
def test_whole_cells_move_exactly_at_courant_number_one(scheme, axis):
    tracer, air = along(vector(1, 2, 4, 3), axis), along(vector(1, 1, 1, 1), axis)
    after = moved(scheme, tracer, air, along(vector(1, 1, 1, 1, 1), axis), axis)
    assert after.flatten().tolist() == [0.0, 1.0, 2.0, 4.0]


@given(seed=st.integers(0, 10_000), axis=st.sampled_from([-1, -2, -3]), courant=st.floats(0.0, 1.0))
@settings(max_examples=60, deadline=None)
def test_no_cell_becomes_negative_up_to_courant_number_one(seed, axis, courant):
    tracer, air, flux = random_case(seed, axis=axis, courant=courant)
    for scheme in (Upwind(), VanLeer()):
        assert float(moved(scheme, tracer, air, flux, axis).min()) >= -1e-16


@given(seed=st.integers(0, 10_000), axis=st.sampled_from([-1, -2, -3]))
@settings(max_examples=40, deadline=None)
def test_a_constant_mixing_ratio_stays_constant_in_a_closed_row(seed, axis):
    _, air, flux = random_case(seed, axis=axis, courant=0.8)
    flux.narrow(axis, 0, 1).zero_()
    flux.narrow(axis, -1, 1).zero_()
    after = air - flux.diff(dim=axis)
    for scheme in (Upwind(), VanLeer()):
        assert torch.allclose(moved(scheme, 3.0 * air, air, flux, axis) / after, torch.tensor(3.0).double())


@given(seed=st.integers(0, 10_000), axis=st.sampled_from([-1, -2, -3]))
@settings(max_examples=40, deadline=None)
def test_tracer_is_neither_made_nor_lost_in_a_closed_row(seed, axis):
    tracer, air, flux = random_case(seed, axis=axis)
    flux.narrow(axis, 0, 1).zero_()
    flux.narrow(axis, -1, 1).zero_()
    for scheme in (Upwind(), VanLeer()):
        total = float(moved(scheme, tracer, air, flux, axis).sum())
        assert total == pytest.approx(float(tracer.sum()), rel=1e-14)


@AXES
def test_upwind_superposes(axis):
    a, air, flux = random_case(1, axis=axis)
    b, _, _ = random_case(2, axis=axis)
    both = moved(Upwind(), 2.0 * a - 3.0 * b, air, flux, axis)
    parts = 2.0 * moved(Upwind(), a, air, flux, axis) - 3.0 * moved(Upwind(), b, air, flux, axis)
    assert torch.allclose(both, parts, rtol=0, atol=1e-14)


def test_van_leer_does_not_superpose():
    a, air, flux = random_case(1)
    b, _, _ = random_case(2)
    both = moved(VanLeer(), a + b, air, flux)
    parts = moved(VanLeer(), a, air, flux) + moved(VanLeer(), b, air, flux)
    assert float((both - parts).abs().max()) > 1e-3


@AXES
def test_van_leer_is_homogeneous(axis):
    tracer, air, flux = random_case(4, axis=axis)
    scaled = moved(VanLeer(), 1e-9 * tracer, air, flux, axis)
    assert torch.allclose(scaled, 1e-9 * moved(VanLeer(), tracer, air, flux, axis), rtol=1e-12, atol=0)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_van_leer_makes_no_new_extrema_of_the_mixing_ratio_in_a_closed_row(seed):
    tracer, air, flux = random_case(seed, courant=0.9)
    flux[..., 0] = flux[..., -1] = 0.0
    after = moved(VanLeer(), tracer, air, flux) / (air - flux.diff(dim=-1))
    before = tracer / air
    assert bool((after <= before.amax(-1, keepdim=True) * (1 + 1e-12)).all())
    assert bool((after >= before.amin(-1, keepdim=True) * (1 - 1e-12)).all())


def test_slopes_are_harmonic_means_and_zero_at_extrema():
    # differences 1 3 | 3 -1 | -1 0 | 0 2
    slopes = limited_slope(vector(0, 1, 4, 3, 3, 5), 1)
    assert slopes.tolist() == pytest.approx([1.5, 0.0, 0.0, 0.0], rel=1e-15)


@pytest.mark.parametrize("size", [1e-120, 1e-9, 1e60])
def test_slopes_have_the_units_of_the_mixing_ratio(size):
    assert limited_slope(size * vector(0, 1, 4), 1).tolist() == pytest.approx([1.5 * size], rel=1e-14)


def test_gradients_of_slopes_are_finite_where_nothing_changes():
    ratio = vector(0, 0, 0, 1, 1, 0, 2).requires_grad_()
    limited_slope(ratio, 1).sum().backward()
    assert bool(ratio.grad.isfinite().all())


def rotating_hill(scheme, cells=32, steps=200):
    """Turn a hill once round the middle of a square; return it before and after.

    The stream function makes faces exactly free of divergence, and each cell holds air of one.
    """
    corner = torch.linspace(-1.0, 1.0, cells + 1, dtype=torch.float64)
    psi = -0.5 * (corner[:, None].square() + corner.square())
    scale = (2.0 * math.pi / steps) / (2.0 / cells) ** 2
    east, north = -scale * psi.diff(dim=0)[None], scale * psi.diff(dim=1)[None]
    air = torch.ones(1, cells, cells, dtype=torch.float64)
    middle = 0.5 * (corner[1:] + corner[:-1])
    hill = torch.exp(-(((middle - 0.35) / 0.15) ** 2 + (middle[:, None] / 0.15) ** 2))[None]
    tracer = hill
    for step in range(steps):
        order = (-1, -2) if step % 2 == 0 else (-2, -1)
        now = air
        for axis in order:
            flux = east if axis == -1 else north
            tracer = moved(scheme, tracer, now, flux, axis)
            now = now - flux.diff(dim=axis)
    return hill, tracer


def test_van_leer_is_sharper_than_upwind_on_a_hill_turned_once_round():
    errors = {}
    for scheme in (Upwind(), VanLeer()):
        exact, after = rotating_hill(scheme)
        errors[type(scheme).__name__] = float((after - exact).abs().sum() / exact.sum())
    assert errors["VanLeer"] < 0.5 * errors["Upwind"]


def test_a_hill_turned_once_round_comes_back_to_its_place():
    exact, after = rotating_hill(VanLeer())
    column = torch.arange(32, dtype=torch.float64)
    centres = [float((f.sum((0, 1)) * column).sum() / f.sum()) for f in (exact, after)]
    assert centres[1] == pytest.approx(centres[0], abs=0.1)


@SCHEMES
def test_a_sweep_over_many_tracers_is_that_over_each(scheme):
    tracer, air, flux = random_case(8)
    several = torch.stack([tracer, 2.0 * tracer, tracer.flip(0)])
    together = moved(scheme, several, air, flux)
    for one, alone in zip(together, several, strict=True):
        assert torch.equal(one, moved(scheme, alone, air, flux))


@SCHEMES
def test_members_may_have_air_of_their_own(scheme):
    cases = [random_case(seed, courant=0.5) for seed in (1, 2)]
    tracer, air, flux = (torch.stack(part) for part in zip(*cases, strict=True))
    together = moved(scheme, tracer, air, flux)
    for one, case in zip(together, cases, strict=True):
        assert torch.equal(one, moved(scheme, *case))


@SCHEMES
@AXES
def test_torch_differentiates_a_sweep(scheme, axis):
    tracer, air, flux = random_case(9, shape=(3, 3, 4), axis=axis, courant=0.8)
    sweep = scheme.sweep(air, flux, axis)
    assert torch.autograd.gradcheck(sweep, tracer.flatten(-3).requires_grad_())
