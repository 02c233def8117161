"""ES-MDA: exact where its draws are, within its sampling error where they are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tradewind.couplers.assimilation import Observations
from tradewind.errors import DataError, SpecError
from tradewind.plugins.solvers.smoothers.drawing import prior_members
from tradewind.plugins.solvers.smoothers.esmda import ESMDA, leading
from tradewind.plugins.solvers.smoothers.options import Draws, ESMDAOptions, Failure
from tradewind.testing import SolverConformance


def esmda(**options) -> ESMDA:
    return ESMDA(ESMDAOptions(**options))


class TestESMDAConforms(SolverConformance):
    """With exact draws the solver is as exact as the analytical one."""

    def solver(self):
        return esmda(members=20, draws=Draws.EXACT, steps=3)


# ---------------------------------------------------------------------- the posterior
@pytest.mark.parametrize("inflation", [(1.0,), (2.0, 2.0), (9.333, 7.0, 4.0, 2.0)])
@pytest.mark.parametrize("correlated", [False, True])
def test_with_exact_draws_a_linear_problem_is_solved_to_rounding(makers, inflation, correlated):
    problem = makers.linear(correlated=correlated)
    found = problem.solve(esmda(members=12, draws=Draws.EXACT, inflation=inflation))
    mean, covariance, dofs = makers.exact(problem)
    torch.testing.assert_close(found.mean, mean, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(found.covariance, covariance, rtol=1e-11, atol=1e-11)
    assert found.dofs == pytest.approx(dofs, rel=1e-10)


@pytest.mark.parametrize("draws", [Draws.RANDOM, Draws.CENTRED])
def test_drawn_members_are_off_by_their_sampling_error(makers, draws):
    problem = makers.linear()
    found = problem.solve(esmda(members=200, draws=draws))
    mean, covariance, _ = makers.exact(problem)
    sigma = covariance.diagonal().sqrt()
    # gains are sampled as well as perturbations: 5 / sqrt(N)
    assert ((found.mean - mean).abs() / sigma).max() < 5 / 200**0.5
    assert (found.covariance.diagonal().sqrt() / sigma - 1).abs().max() < 5 / 200**0.5


def test_several_small_steps_do_better_than_one_where_the_model_is_not_linear(makers):
    problem = makers.linear(kind=makers.kinds["cubic"])
    one, many = (
        problem.solve(esmda(members=200, steps=steps, seed=1)).cost["observations_after"] for steps in (1, 8)
    )
    assert many < 0.5 * one


def test_the_members_are_the_sample_of_mean_and_covariance(makers):
    found = makers.linear().solve(esmda(members=30))
    assert found.members.shape == (30, 3)
    torch.testing.assert_close(found.mean, found.members.mean(0))
    torch.testing.assert_close(found.covariance, found.members.T.cov())


def test_iterations_tell_costs_and_spread(makers):
    found = makers.linear().solve(esmda(members=12, draws=Draws.EXACT, steps=2))
    first, second, last = found.details["iterations"]
    assert first["prior"] == pytest.approx(0.0, abs=1e-20)
    assert first["spread"] == pytest.approx(1.0, rel=1e-12)
    assert first["observations"] == found.cost["observations_before"]
    assert first["observations"] > second["observations"] > last["observations"]
    assert first["spread"] > second["spread"] > last["spread"]
    assert last["chi_square"] == pytest.approx((last["prior"] + last["observations"]) / 7)


def test_simulations_after_are_those_of_the_mean(makers, windows):
    problem = makers.linear()
    found = problem.solve(esmda(members=8))
    for window in windows:
        expected = problem.model(found.mean, window)
        torch.testing.assert_close(found.simulated[window]["posterior"], expected)


def test_members_are_those_of_their_number_and_not_of_their_batch(makers):
    wide, narrow = (makers.linear().solve(esmda(members=9, batch=batch)).members for batch in (100, 2))
    torch.testing.assert_close(wide, narrow, rtol=1e-12, atol=1e-12)


def test_another_seed_draws_other_members(makers):
    one, same, other = (makers.linear().solve(esmda(members=8, seed=seed)).mean for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


# ---------------------------------------------------------------------- truncation and localisation
def test_leading_values_hold_their_part():
    values = torch.tensor([6.0, 3.0, 1.0, 0.0], dtype=torch.float64)
    assert [leading(values, part) for part in (0.5, 0.6, 0.61, 0.9, 0.95, 1.0)] == [1, 1, 2, 2, 3, 4]


def test_truncation_learns_from_the_leading_directions_only(makers):
    problem = makers.linear()
    full, cut = (
        problem.solve(esmda(members=12, draws=Draws.EXACT, truncation=part, steps=1)) for part in (1.0, 0.5)
    )
    # what is reduced by one direction has rank one
    reduced = torch.linalg.eigvalsh(problem.control.covariance.matrix - cut.covariance)
    assert (reduced.abs() > 1e-10).tolist() == [False, False, True]
    assert (full.covariance - cut.covariance).diagonal().max() < 0
    assert cut.dofs is None


def place(seen, lon):
    return replace(seen, coordinates={"longitude": np.array(lon, float), "latitude": np.zeros(len(lon))})


def placed(problem, windows):
    first, _, third = windows
    seen = {**problem.seen, first: place(problem.seen[first], [0, 0, 0])}
    problem.seen = {**seen, third: place(problem.seen[third], [0, 0, 0, 0])}
    return problem


@pytest.mark.parametrize("taper", ["gaspari-cohn", "exponential", "boxcar"])
def test_elements_out_of_reach_keep_their_prior(makers, windows, taper):
    # elements lie at 0, 1 and 2 degrees, all observations at 0
    problem = placed(makers.linear(), windows)
    reach = {"radius": 1.5, "distance": "degrees", "taper": taper}
    before = prior_members(problem.control, 15, Draws.CENTRED, 0)
    after = problem.solve(esmda(members=15, localization=reach, steps=1)).members
    torch.testing.assert_close(after[:, 2], before[:, 2], rtol=1e-14, atol=1e-14)
    assert ((after[:, :2] - before[:, :2]).abs().mean(0) > 1e-3).all()


def test_a_boxcar_that_reaches_everything_changes_nothing(makers, windows):
    problem = placed(makers.linear(), windows)
    whole = problem.solve(esmda(members=15))
    reach = {"radius": 180.0, "distance": "degrees", "taper": "boxcar"}
    local = problem.solve(esmda(members=15, localization=reach))
    torch.testing.assert_close(local.members, whole.members, rtol=1e-11, atol=1e-11)


def test_localisation_needs_places(makers):
    with pytest.raises(DataError, match="no longitude and no latitude"):
        makers.linear().solve(esmda(localization={"radius": 100.0}))


# ---------------------------------------------------------------------- members that fail
def fragile(makers, limit):
    makers.sizes = (3, 2, 4)
    problem = makers.linear(kind=makers.kinds["fragile"])
    problem.model.limit = limit
    problem.seen = {w: replace(s, y=s.y.nan_to_num()) for w, s in problem.seen.items()}
    return problem


def test_a_member_that_fails_is_named_with_its_window(makers):
    with pytest.raises(DataError, match=r"member \d+, before update 1,.*not finite in window 2000-01-02"):
        fragile(makers, 1.0).solve(esmda(members=20))


def test_a_failing_member_is_extrapolated_and_noted(makers):
    # the model is linear elsewhere: extrapolation from half the way is exact
    whole = fragile(makers, 1e9).solve(esmda(members=20, steps=1))
    found = fragile(makers, 1.0).solve(esmda(members=20, steps=1, failure=Failure.EXTRAPOLATE))
    torch.testing.assert_close(found.members, whole.members, rtol=1e-10, atol=1e-10)
    assert not whole.details["notes"]
    assert "extrapolated from 0.5 of its way from the centre" in found.details["notes"][0]


def test_a_centre_that_fails_stops_the_run(makers):
    with pytest.raises(DataError, match="centre of the ensemble, before update 1"):
        fragile(makers, 0.0).solve(esmda(members=20, failure=Failure.EXTRAPOLATE))


# ---------------------------------------------------------------------- faults
def test_too_few_members_for_exact_draws_are_refused(makers):
    # 1 + 3 elements + 7 observations
    with pytest.raises(SpecError, match="10 members cannot be drawn exactly: 11 are needed"):
        makers.linear().solve(esmda(members=10, draws=Draws.EXACT))


def test_a_model_that_takes_no_batches_is_refused(makers):
    problem = makers.linear()

    class Single(type(problem.model)):
        def __call__(self, x, window):
            return super().__call__(x[0], window)[None]

    problem.model = Single(problem.model.jacobians, problem.model.offsets)
    with pytest.raises(SpecError, match="takes batches"):
        problem.solve(esmda())


@pytest.mark.parametrize(
    "wrong", [{"members": 1}, {"steps": 0}, {"inflation": (2.0, 3.0)}, {"truncation": 0.0}, {"draws": "some"}]
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        ESMDAOptions(**wrong)


def test_published_coefficients_are_scaled_to_add_up():
    alphas = ESMDAOptions(inflation=(9.333, 7.0, 4.0, 2.0)).alphas
    assert sum(1 / a for a in alphas) == pytest.approx(1.0, abs=1e-15)
    assert alphas == pytest.approx((9.333, 7.0, 4.0, 2.0), rel=1e-4)


def test_observations_of_a_window_that_nobody_knows_are_refused(makers):
    from tradewind.testing.model import days

    problem = makers.linear()
    problem.seen = {**problem.seen, days(4)[3]: Observations(torch.ones(1).double(), None)}
    with pytest.raises(DataError, match="unknown window"):
        problem.solve(esmda())
