"""The ensemble over hyper-parameters: each member is the inversion with those settings, run by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from tradewind.couplers.assimilation.covariance import DenseCovariance, DiagonalCovariance
from tradewind.errors import ConfigError
from tradewind.plugins.solvers.inversion.variants import ScaledCovariance
from tradewind.plugins.solvers.options import AnalyticalOptions

TIGHT = {"convergence": 1e-12}


def scaled_noise(seen, factor):
    return {
        w: replace(o, covariance=DiagonalCovariance(factor**2 * o.covariance.variance)) if len(o) else o
        for w, o in seen.items()
    }


def with_errors(inversions, kind, prior, boundary=None):
    """Return a control of which prior errors are multiplied."""
    flux = getattr(inversions, kind)(4, 0.5 * prior)
    return flux if boundary is None else inversions.both(flux, inversions.added(2, 2.0 * boundary))


@pytest.mark.parametrize("options", [{}, {"every": "1d", "nudge": 0.3}], ids=["at once", "in turn"])
@pytest.mark.parametrize("kind", ["scaled", "lognormal"])
def test_each_member_is_the_inversion_with_its_settings(inversions, kind, options):
    control = with_errors(inversions, kind, 1.0)
    model, seen = inversions.problem(control, (6, 7), seed=3)
    settings = {"prior_error": [0.5, 2.0], "observation_error": [0.7, 1.5], "gamma": [0.3, 1.0]}
    told = inversions.solve(model, control, seen, ensemble=settings, **TIGHT, **options).details["ensemble"]
    assert len(told) == 8
    for one in told:
        alone = inversions.solve(
            model, with_errors(inversions, kind, one["prior_error"]),
            scaled_noise(seen, one["observation_error"]), gamma=one["gamma"], **TIGHT, **options,
        )  # fmt: skip
        torch.testing.assert_close(one["mean"], alone.mean, rtol=1e-8, atol=1e-9)
        assert one["dofs"] == pytest.approx(alone.dofs, rel=1e-8)
        expected = alone.details["prior_cost_per_element"]
        assert one["prior_cost_per_element"] == pytest.approx(expected, rel=1e-7)
        assert one["kept"] is (0.5 <= expected <= 2.0)


@pytest.mark.parametrize("kind", ["scaled", "lognormal"])
def test_a_boundary_has_a_factor_of_its_own(inversions, kind):
    control = with_errors(inversions, kind, 1.0, 1.0)
    model, seen = inversions.problem(control, (6, 7), seed=3)
    settings = {"prior_error": [0.5, 1.0], "boundary_error": [1.0, 3.0]}
    told = inversions.solve(model, control, seen, ensemble=settings, **TIGHT).details["ensemble"]
    assert len(told) == 4
    for one in told:
        other = with_errors(inversions, kind, one["prior_error"], one["boundary_error"])
        alone = inversions.solve(model, other, seen, **TIGHT)
        torch.testing.assert_close(one["mean"], alone.mean, rtol=1e-8, atol=1e-9)
        assert one["dofs"] == pytest.approx(alone.dofs, rel=1e-8)


def test_bounded_members_stay_between_them(inversions):
    control = with_errors(inversions, "scaled", 1.0)
    model, seen = inversions.problem(control, (6,), seed=3, scale=3.0)
    settings = {"prior_error": [1.0, 3.0]}
    told = inversions.solve(model, control, seen, bounds=[0.5, 1.5], ensemble=settings).details["ensemble"]
    assert all(0.5 <= one["mean"].min() <= one["mean"].max() <= 1.5 for one in told)


def test_the_weight_that_was_found_is_that_of_the_members(inversions):
    control = inversions.scaled(4, 0.1)
    model, seen = inversions.problem(control, (6,), scale=20.0)
    found = inversions.solve(model, control, seen, gamma="auto", ensemble={}).details
    (one,) = found["ensemble"]
    assert one["gamma"] == found["gamma"] < 1.0
    assert one["kept"]
    assert one["prior_cost_per_element"] == pytest.approx(1.0, rel=1e-8)


def test_low_rank_members_are_of_low_rank(inversions):
    control = inversions.scaled(6)
    model, seen = inversions.problem(control, (9,))
    (one,) = inversions.solve(model, control, seen, form="low-rank", rank=2, ensemble={}).details["ensemble"]
    assert one["dofs"] <= 2.0


def test_without_one_the_details_say_nothing_of_it(inversions):
    control = inversions.scaled(2)
    model, seen = inversions.problem(control, (3,))
    assert "ensemble" not in inversions.solve(model, control, seen).details


def test_a_factor_for_a_boundary_that_is_not_there_is_refused(inversions):
    control = inversions.scaled(2)
    model, seen = inversions.problem(control, (3,))
    with pytest.raises(ConfigError, match="no element belongs to a boundary"):
        inversions.solve(model, control, seen, ensemble={"boundary_error": [1.0, 2.0]})


@pytest.mark.parametrize("values", [[], [0.0], [-1.0], 2.0])
def test_factors_are_lists_of_positive_numbers(values):
    with pytest.raises(ValidationError):
        AnalyticalOptions(ensemble={"prior_error": values})


def test_the_model_is_not_run_again(inversions):
    calls = []

    class Counted(inversions.Model):
        def __call__(self, x, window):
            calls.append(window)
            return super().__call__(x, window)

    control = inversions.scaled(3)
    model, seen = inversions.problem(control, (4, 4))
    counted = Counted(model.jacobians, model.offsets, lognormal=model.lognormal)
    inversions.solve(counted, control, seen, ensemble={"prior_error": [0.5, 1.0, 2.0]})
    assert len(calls) == 4


# ---------------------------------------------------------------------- the covariance
def test_a_scaled_covariance_is_what_it_says():
    matrix = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    factors = torch.tensor([1.0, 3.0], dtype=torch.float64)
    found, expected = (
        ScaledCovariance(DenseCovariance(matrix), factors),
        matrix * torch.outer(factors, factors),
    )
    identity = torch.eye(2, dtype=torch.float64)
    torch.testing.assert_close(found.apply(identity), expected)
    torch.testing.assert_close(found.solve(identity), torch.linalg.inv(expected))
    root = found.sqrt(identity).T
    torch.testing.assert_close(root @ root.T, expected)
    torch.testing.assert_close(found.diagonal(), expected.diagonal())
    assert found.take(torch.tensor([1])).apply(torch.ones(1, dtype=torch.float64)).item() == 9.0
    assert found.size == 2
