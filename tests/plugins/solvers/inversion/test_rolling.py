"""The Kalman mode: periods in turn, by hand and against inversions written out one after the other."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import torch

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.covariance import DenseCovariance, DiagonalCovariance
from tradewind.couplers.coupling.component import Interval
from tradewind.plugins.solvers.inversion.rolling import cut
from tradewind.testing import LinearModel, VectorControl
from tradewind.testing.model import days

WINDOWS = days(4)


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def one_element(*observed):
    """Return a model that sees its one element once a day, prior 1 with error 1, errors 1."""
    windows = days(len(observed))
    model = LinearModel({w: tensor([1.0]) for w in windows}, {w: tensor(0.0) for w in windows})
    noise = DiagonalCovariance(tensor(1.0))
    seen = {w: Observations(tensor(y), noise) for w, y in zip(windows, observed, strict=True)}
    return model, VectorControl(tensor(1.0), DiagonalCovariance(tensor(1.0))), seen


def larger(n=4):
    model = LinearModel(
        {w: draw(3, n, seed=i) for i, w in enumerate(WINDOWS)},
        {w: draw(3, seed=10 + i) for i, w in enumerate(WINDOWS)},
    )
    noise = DiagonalCovariance(tensor(0.5, 1.0, 2.0))
    seen = {w: Observations(draw(3, seed=20 + i), noise) for i, w in enumerate(WINDOWS)}
    root = draw(n, n, seed=30)
    prior = DenseCovariance(root @ root.T + torch.eye(n, dtype=torch.float64))
    return model, VectorControl(draw(n, seed=31), prior), seen


# ---------------------------------------------------------------------- by hand
def test_two_periods_of_one_element_by_hand(inversions):
    # first: 1 + (3 - 1)/2 = 2; prior of the second: 1 + 0.9 (2 - 1) = 1.9, then 1.9 + (4 - 1.9)/2 = 2.95
    found = inversions.solve(*one_element(3.0, 4.0), every="1d")
    first, second = found.details["periods"]
    assert (first["prior"].item(), first["mean"].item()) == (1.0, 2.0)
    assert second["prior"].item() == pytest.approx(1.9)
    assert found.mean.item() == second["mean"].item() == pytest.approx(2.95)
    assert second["sigma"].item() == pytest.approx(0.5**0.5)
    assert (first["start"], second["stop"]) == (datetime(2000, 1, 1), datetime(2000, 1, 3))
    assert [one["observations"] for one in (first, second)] == [1, 1]


def test_costs_are_sums_over_the_periods(inversions):
    found = inversions.solve(*one_element(3.0, 4.0), every="1d")
    # J_A: 1² + 1.05²; J_O after: (3 - 2)² + (4 - 2.95)²
    assert found.cost["prior_after"] == pytest.approx(1.0 + 1.05**2)
    assert found.cost["observations_after"] == pytest.approx(1.0 + 1.05**2)
    assert found.details["prior_cost_per_element"] == pytest.approx((1.0 + 1.05**2) / 2)


def test_each_window_is_simulated_with_the_mean_of_its_period(inversions):
    found = inversions.solve(*one_element(3.0, 4.0), every="1d").simulated
    assert [one["posterior"].item() for one in found.values()] == pytest.approx([2.0, 2.95])


def test_a_full_nudge_makes_periods_independent(inversions):
    found = inversions.solve(*one_element(3.0, 4.0), every="1d", nudge=1.0)
    assert [one["mean"].item() for one in found.details["periods"]] == pytest.approx([2.0, 2.5])


def test_a_carried_covariance_by_hand(inversions):
    # S1 = 1/2; with nudge 1/2 the next Sa = 1/4 · 1/2 + 3/4 = 7/8, prior 1.5: 1.5 + 7/15 (4 - 1.5)
    found = inversions.solve(*one_element(3.0, 4.0), every="1d", nudge=0.5, carry_covariance=True)
    assert found.mean.item() == pytest.approx(1.5 + 7 / 15 * 2.5)
    assert found.covariance.item() == pytest.approx(7 / 15)


# ---------------------------------------------------------------------- against other ways
def test_carried_on_without_a_nudge_it_is_the_inversion_of_all(inversions):
    problem = larger()
    whole = inversions.solve(*problem)
    turns = inversions.solve(*problem, every="1d", nudge=0.0, carry_covariance=True)
    torch.testing.assert_close(turns.mean, whole.mean, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(turns.covariance, whole.covariance, rtol=1e-9, atol=1e-9)


def test_it_is_a_sequence_of_inversions(inversions):
    model, control, seen = larger()
    found = inversions.solve(model, control, seen, every="2d", nudge=0.3)
    mean = control.prior
    for number, told in enumerate(found.details["periods"]):
        windows = WINDOWS[2 * number : 2 * number + 2]
        part = LinearModel({w: model.jacobians[w] for w in windows}, model.offsets)
        before = VectorControl(mean, control.covariance)
        alone = inversions.solve(part, before, {w: seen[w] for w in windows})
        torch.testing.assert_close(told["mean"], alone.mean, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(told["sigma"], alone.covariance.diagonal().sqrt(), rtol=1e-10, atol=0.0)
        assert told["dofs"] == pytest.approx(alone.dofs)
        mean = control.prior + 0.7 * (alone.mean - control.prior)


@pytest.mark.parametrize("form", ["gain", "low-rank"])
def test_forms_agree_in_turn(inversions, form):
    problem = larger()
    one = inversions.solve(*problem, every="1d")
    other = inversions.solve(*problem, every="1d", form=form)
    torch.testing.assert_close(other.mean, one.mean, rtol=1e-10, atol=1e-10)


def test_logarithms_roll_as_well(inversions):
    control = inversions.lognormal(3)
    model, seen = inversions.problem(control, (5, 6))
    found = inversions.solve(model, control, seen, every="1d", nudge=0.2, convergence=1e-12)
    first = model.windows[0]
    alone = inversions.solve(model, control, {first: seen[first]}, convergence=1e-12)
    told = found.details["periods"]
    torch.testing.assert_close(told[0]["mean"], alone.mean, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(told[1]["prior"], 0.8 * alone.mean, rtol=1e-9, atol=1e-9)


def test_a_period_without_observations_keeps_what_it_begins_with(inversions):
    model, control, seen = one_element(3.0, 4.0, 5.0)
    found = inversions.solve(model, control, {w: seen[w] for w in WINDOWS[:3:2]}, every="1d", nudge=0.5)
    middle = found.details["periods"][1]
    assert middle["mean"].item() == middle["prior"].item() == pytest.approx(1.5)
    assert middle["dofs"] == 0.0


def test_one_period_is_the_inversion(inversions):
    problem = larger()
    assert torch.equal(inversions.solve(*problem, every="9d").mean, inversions.solve(*problem).mean)


# ---------------------------------------------------------------------- periods
def test_windows_belong_to_the_period_in_which_they_begin():
    assert cut(days(5), timedelta(days=2)) == [range(2), range(2, 4), range(4, 5)]
    assert cut(days(3), None) == [range(3)]
    assert cut((), timedelta(days=1)) == [range(0)]


def test_periods_without_a_window_are_left_out():
    start = datetime(2000, 1, 1)
    apart = [Interval(start + timedelta(days=d), start + timedelta(days=d + 1)) for d in (0, 9)]
    assert cut(apart, timedelta(days=2)) == [range(1), range(1, 2)]
