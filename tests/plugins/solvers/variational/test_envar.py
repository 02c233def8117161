"""Hybrid ensemble-variational assimilation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr
from pydantic import ValidationError

from tradewind.couplers.operators import dot_test
from tradewind.errors import DataError, SpecError
from tradewind.plugins.solvers.analytical import Analytical
from tradewind.plugins.solvers.smoothers.localisation import gaspari_cohn
from tradewind.plugins.solvers.variational.envar import EnVar
from tradewind.plugins.solvers.variational.incremental import FourDVar, ThreeDVar
from tradewind.plugins.solvers.variational.members import (
    BesideOperator,
    MembersRoot,
    ScaledOperator,
    localisation_root,
)
from tradewind.plugins.solvers.variational.options import EnVarOptions, FourDVarOptions
from tradewind.testing import SolverConformance

NEAR = {"radius": 40.0, "distance": "degrees"}


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def solve(case, **options):
    return EnVar(EnVarOptions(**options)).solve(case.model, case.control, case.seen)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class TestEnVarWithoutMembersConforms(SolverConformance):
    def solver(self):
        return EnVar(EnVarOptions(static=1.0, ensemble=0.0))


# ---------------------------------------------------------------------- equal to others
def test_without_members_it_is_4dvar_to_the_bit(curved):
    other = FourDVar(FourDVarOptions()).solve(curved.model, curved.control, curved.seen)
    assert torch.equal(solve(curved, static=1.0, ensemble=0.0).mean, other.mean)


def test_standing_still_it_is_3dvar_to_the_bit(curved):
    other = ThreeDVar().solve(curved.model, curved.control, curved.seen)
    assert torch.equal(solve(curved, static=1.0, ensemble=0.0, dynamics="still").mean, other.mean)


def test_many_members_are_worth_the_covariance_that_they_were_drawn_from(linear):
    exact = Analytical().solve(linear.model, linear.control, linear.seen)
    options = {"static": 0.0, "ensemble": 1.0, "covariance": "none"}
    found = [solve(linear, members=n, **options).mean for n in (20, 1000)]
    gaps = [float((mean - exact.mean).norm()) for mean in found]
    assert gaps[1] < 0.25 * gaps[0]
    assert gaps[1] < 0.15


@pytest.mark.parametrize("local", [None, NEAR])
def test_it_is_the_analytical_posterior_of_the_hybrid_covariance(linear, local, tmp_path):
    x = draw(5, 6, seed=3)
    xr.Dataset({"x": (("member", "element"), x.numpy())}).to_netcdf(tmp_path / "members.nc")
    found = solve(linear, static=0.3, ensemble=0.9, file=tmp_path / "members.nc", localization=local)
    spanned = torch.cov(x.T)
    if local is not None:
        gap = 10.0 * abs(np.arange(6)[:, None] - np.arange(6))
        spanned = spanned * torch.from_numpy(gaspari_cohn(gap / 40.0))
    b = 0.3 * linear.control.covariance.matrix + 0.9 * spanned
    k, d, r = linear.stacked()
    gain = b @ k.T @ torch.linalg.inv(k @ b @ k.T + torch.diag(r))
    torch.testing.assert_close(found.mean, linear.control.prior + gain @ d, rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(found.covariance, b - gain @ k @ b, rtol=1e-8, atol=1e-9)
    torch.testing.assert_close(found.averaging_kernel, gain @ k, rtol=1e-7, atol=1e-8)
    assert found.dofs == pytest.approx(float((gain @ k).trace()), rel=1e-8)


def test_differences_of_members_are_the_derivative_of_a_linear_model(linear):
    options = {"static": 0.0, "ensemble": 1.0, "members": 5}
    by_runs = EnVar(EnVarOptions(**options, derivative="ensemble"))
    found = by_runs.solve(linear.model, linear.control, linear.seen)
    torch.testing.assert_close(found.mean, solve(linear, **options).mean, rtol=1e-9, atol=1e-9)
    assert not by_runs.needs_gradient
    assert EnVar(EnVarOptions(**options)).needs_gradient
    assert not EnVar(EnVarOptions(dynamics="still")).needs_gradient


def test_members_that_span_too_little_give_no_averaging_kernel(linear):
    found = solve(linear, static=0.0, ensemble=1.0, members=4)
    assert found.averaging_kernel is None
    # three directions can be known at most
    assert 0 < found.dofs < 3


def test_observations_of_one_place_change_only_what_is_near(linear):
    # the members' runs, localised: an observation at element 0 does not reach element 5, 50 degrees away
    window = linear.model.windows[0]
    linear.model.jacobians[window] = torch.eye(6, dtype=torch.float64)[:1]
    linear.model.offsets[window] = torch.zeros(1, dtype=torch.float64)
    seen = {window: linear.seen[window].take(torch.tensor([0]))}
    options = EnVarOptions(static=0.0, ensemble=1.0, localization=NEAR, derivative="ensemble", members=8)
    found = EnVar(options).solve(linear.model, linear.control, seen)
    change = (found.mean - linear.control.prior).abs()
    assert change[0] > 1e-3
    assert change[4:].max() < 1e-12


# ---------------------------------------------------------------------- its operators
@pytest.mark.parametrize(
    "operator",
    [
        MembersRoot(draw(4, 5), draw(5, 3, seed=1)),
        ScaledOperator(0.3, MembersRoot(draw(4, 5), torch.ones(5, 1, dtype=torch.float64))),
        BesideOperator(MembersRoot(draw(2, 5), draw(5, 2)), MembersRoot(draw(4, 5), draw(5, 3, seed=1))),
    ],
)
def test_adjoints_are_exact(operator):
    assert dot_test(operator) <= 1e-14


def test_weights_of_members_by_hand():
    # a_1 = (1, 2), a_2 = (3, 4), T = (1 0; 1 1): alpha_1 = (1, 1) gives (1, 2), alpha_2 = (0, 2) gives (0, 2)
    operator = MembersRoot(tensor([1.0, 2.0], [3.0, 4.0]), tensor([1.0, 0.0], [1.0, 1.0]))
    assert operator.forward(tensor(1.0, 1.0, 0.0, 2.0)).tolist() == [1.0, 2.0 * 2.0 + 4.0 * 2.0]


def test_the_localisation_s_root(linear):
    root = localisation_root(linear.control, EnVarOptions(localization=NEAR).localization)
    gap = 10.0 * abs(np.arange(6)[:, None] - np.arange(6))
    torch.testing.assert_close(root @ root.T, torch.from_numpy(gaspari_cohn(gap / 40.0)), rtol=0, atol=1e-12)
    assert localisation_root(linear.control, None).tolist() == [[1.0]] * 6


# ---------------------------------------------------------------------- when things go wrong
def test_elements_without_a_place_cannot_be_localised(linear):
    from tradewind.testing import VectorControl

    linear.control = VectorControl(linear.control.prior, linear.control.covariance)
    with pytest.raises(SpecError, match="have no place"):
        solve(linear, localization=NEAR)


def test_observations_without_places_cannot_be_localised(linear):
    for seen in linear.seen.values():
        seen.coordinates.clear()
    with pytest.raises(DataError, match="observations have no latitude and no longitude"):
        solve(linear, static=0.0, ensemble=1.0, localization=NEAR, derivative="ensemble")


def test_members_that_blow_up_are_named(case, curved_kind):
    problem = case(curved_kind)
    k, _, _ = problem.stacked()
    problem.model.edge = float((k @ problem.control.prior).abs().max()) + 0.1
    with pytest.raises(DataError, match=r"window 2000-01-01.*runs of members .* are not finite"):
        solve(problem, static=0.0, ensemble=1.0, derivative="ensemble")


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (np.zeros((3, 5)), r"shape \(3, 5\), the control 6 elements"),
        (np.zeros((1, 6)), r"shape \(1, 6\)"),
        (np.array([[0.0] * 6, [np.nan] * 6]), "member 1 is not finite"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(linear, tmp_path, values, what):
    xr.Dataset({"x": (("member", "element"), values)}).to_netcdf(tmp_path / "m.nc")
    with pytest.raises(DataError, match=what):
        solve(linear, file=tmp_path / "m.nc")


def test_a_file_that_is_not_there_is_refused(linear, tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.nc: no members can be read"):
        solve(linear, file=tmp_path / "nowhere.nc")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"static": 0.0, "ensemble": 0.0}, "both 0"),
        ({"derivative": "ensemble"}, "set static: 0"),
        ({"derivative": "ensemble", "static": 0.0, "minimiser": "lbfgs"}, "another minimiser"),
        ({"localization": NEAR | {"taper": "boxcar"}}, "gaspari-cohn"),
        ({"members": 1}, "members"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, what):
    with pytest.raises(ValidationError, match=what):
        EnVarOptions(**options)
