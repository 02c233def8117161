"""Markov chains against posteriors that are known: normal ones, and a banana."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.covariance import DenseCovariance, DiagonalCovariance
from tradewind.couplers.operators import MatrixOperator
from tradewind.errors import DataError, SpecError
from tradewind.plugins.solvers.analytical import Analytical
from tradewind.plugins.solvers.sampling.mcmc import MCMC
from tradewind.plugins.solvers.sampling.options import Kernel, MCMCOptions
from tradewind.testing import LinearModel, VectorControl
from tradewind.testing.model import days

FIRST, SECOND = days(2)
SHORT = {
    Kernel.METROPOLIS: {"chains": 150, "steps": 240},
    Kernel.MALA: {"chains": 12, "steps": 200},
    Kernel.HMC: {"chains": 10, "steps": 110, "leapfrog": 5},
}
"""Enough for a few hundred independent draws of small problems."""


def draw(*shape, seed) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@dataclass
class Placed(VectorControl):
    """Elements by longitude."""

    longitude: np.ndarray = None

    @property
    def places(self):
        return self.longitude, np.zeros(len(self.longitude))


def normal_problem():
    model = LinearModel({FIRST: draw(3, 2, seed=1), SECOND: draw(2, 2, seed=2)},
                        {FIRST: draw(3, seed=3), SECOND: draw(2, seed=4)})  # fmt: skip
    prior = DenseCovariance(torch.tensor([[1.0, 0.3], [0.3, 0.5]]).double())
    control = VectorControl(torch.tensor([0.5, -1.0]).double(), prior)
    seen = {w: Observations(draw(len(model.offsets[w]), seed=5),
                            DiagonalCovariance(0.3 * torch.ones(len(model.offsets[w])).double()))
            for w in model.windows}  # fmt: skip
    return model, control, seen


def mcmc(kernel=Kernel.METROPOLIS, **options) -> MCMC:
    return MCMC(MCMCOptions(**{"kernel": kernel, "batch": 2000, **SHORT[kernel], **options}))


def within(found, mean, covariance, errors=4.0):
    """Whether the mean is within so many standard errors, by the effective size, which is no trifle."""
    size = found.details["effective_size"]
    assert size.min() > 100
    standard = (covariance.diagonal() / size).sqrt()
    assert ((found.mean - mean).abs() / standard).max() < errors
    # a variance from n draws is off by sqrt(2 / n)
    ratio = found.covariance.diagonal() / covariance.diagonal() - 1
    assert (ratio.abs() / (2 / size).sqrt()).max() < errors


# ---------------------------------------------------------------------- calibration
@pytest.mark.parametrize("kernel", Kernel)
def test_a_normal_posterior_is_found(kernel):
    problem = normal_problem()
    exact, found = Analytical().solve(*problem), mcmc(kernel).solve(*problem)
    within(found, exact.mean, exact.covariance)
    assert found.details["r_hat"].max() < 1.1
    assert found.dofs == pytest.approx(exact.dofs, abs=0.1)
    target = {Kernel.METROPOLIS: 0.337, Kernel.MALA: 0.574, Kernel.HMC: 0.8}[kernel]
    # warm-ups this short leave steps too small rather than too large
    assert target - 0.1 < float(found.details["acceptance"].mean()) < target + 0.2


class Banana(LinearModel):
    """Sees ``x2 + x1²`` (Haario et al., 1999): with x1 ~ N(0, 1) a bent density of known moments."""

    def __call__(self, x, window):
        return (x[..., 1] + x[..., 0] ** 2)[..., None]

    def linearize(self, x, window):
        return MatrixOperator(torch.stack([2 * x[0], torch.ones_like(x[0])])[None])


def banana():
    """Return the problem, and mean and covariance by quadrature on a fine grid."""
    model = Banana({FIRST: torch.zeros(1, 2).double()}, {FIRST: torch.zeros(1).double()})
    control = VectorControl(torch.zeros(2).double(), DiagonalCovariance(torch.tensor([1.0, 9.0]).double()))
    seen = {FIRST: Observations(torch.zeros(1).double(), DiagonalCovariance(torch.full((1,), 0.5).double()))}
    a, b = np.meshgrid(np.linspace(-5, 5, 501), np.linspace(-16, 6, 801), indexing="ij")
    weight = np.exp(-0.5 * (a**2 + b**2 / 9 + (b + a**2) ** 2 / 0.5))
    points = np.stack([a, b], axis=-1).reshape(-1, 2)
    mean, covariance = (
        np.average(points, 0, weight.ravel()),
        np.cov(points.T, aweights=weight.ravel(), ddof=0),
    )
    return (model, control, seen), torch.from_numpy(mean), torch.from_numpy(covariance)


def test_a_banana_is_found():
    problem, mean, covariance = banana()
    found = mcmc(chains=500, steps=500).solve(*problem)
    size = found.details["effective_size"]
    assert ((found.mean - mean).abs() / (covariance.diagonal() / size).sqrt()).max() < 4
    assert found.covariance.diagonal().tolist() == pytest.approx(covariance.diagonal().tolist(), rel=0.1)


def test_a_cooled_chain_looks_for_the_maximum():
    # J/T: the variance is T times the posterior's
    problem = normal_problem()
    exact, found = Analytical().solve(*problem), mcmc(temperature=0.1).solve(*problem)
    ratio = found.covariance.diagonal() / exact.covariance.diagonal()
    assert ratio.tolist() == pytest.approx([0.1, 0.1], rel=0.3)
    assert "temperature 0.1" in found.details["notes"][-1]


def test_the_recipe_of_site_by_site_calibration():
    # uniform steps first, then a fixed factor on a covariance that is learnt all the way
    problem = normal_problem()
    exact = Analytical().solve(*problem)
    found = mcmc(uniform_steps=100, uniform_width=1.0, scale=2.4**2 / 2, adapt="always").solve(*problem)
    within(found, exact.mean, exact.covariance)


# ---------------------------------------------------------------------- sites
def sites(longitude, together=False):
    """Two elements and three observations at each place; a place's numbers depend on it alone."""
    count = len(longitude)
    k = {lon: draw(3, 2, seed=int(lon)) for lon in longitude}
    whole = torch.zeros(3 * count, 2 * count, dtype=torch.float64)
    for i, lon in enumerate(longitude):  # elements: all first ones, then all second ones
        whole[3 * i : 3 * i + 3, [i, count + i]] = k[lon]
    model = LinearModel({FIRST: whole}, {FIRST: torch.zeros(3 * count).double()})
    ones = torch.ones(2 * count, dtype=torch.float64)
    control = Placed(ones, DiagonalCovariance(ones), longitude=np.tile(np.array(longitude, float), 2))
    y = torch.cat([draw(3, seed=100 + int(lon)) for lon in longitude])
    where = {"longitude": np.repeat(np.array(longitude, float), 3), "latitude": np.zeros(3 * count)}
    seen = Observations(y, DiagonalCovariance(torch.full((3 * count,), 0.5).double()), where)
    return model, control, {FIRST: seen}


@pytest.mark.parametrize("kernel", [Kernel.METROPOLIS, Kernel.HMC])
def test_a_site_s_chains_do_not_depend_on_the_others(kernel):
    options = {"sites": "places", "chains": 3, "steps": 20, "members": 10000}
    whole = mcmc(kernel, **options).solve(*sites([10, 20, 30])).members
    alone = mcmc(kernel, **options).solve(*sites([20])).members
    # the model's own product is not the same to the bit
    torch.testing.assert_close(whole[:, [1, 4]], alone, rtol=1e-9, atol=1e-9)


def test_many_sites_are_found_at_once():
    problem = sites(list(range(10, 40)))
    exact = Analytical().solve(*problem)
    found = mcmc(sites="places", chains=60, steps=200).solve(*problem)
    size = found.details["effective_size"]
    errors = (found.mean - exact.mean) / (exact.covariance.diagonal() / size).sqrt()
    # 60 elements: calibrated errors are standard normal
    assert errors.abs().max() < 4.5
    assert 0.6 < float(errors.std()) < 1.6
    assert found.details["acceptance"].shape == (60, 30)


def test_sites_that_depend_on_each_other_are_refused():
    model, control, seen = sites([10, 20])
    model.jacobians[FIRST][4, 0] = 0.5
    with pytest.raises(SpecError, match="observation 4, of site 1, changes when other sites do"):
        mcmc(sites="places").solve(model, control, seen)


def test_errors_that_are_correlated_within_a_site_are_fine_and_between_sites_refused():
    model, control, seen = sites([10, 20])
    block = 0.5 * torch.eye(3).double() + 0.2
    coordinates, y = seen[FIRST].coordinates, seen[FIRST].y
    fine = {FIRST: Observations(y, DenseCovariance(torch.block_diag(block, block)), coordinates)}
    exact = Analytical().solve(model, control, fine)
    found = mcmc(sites="places").solve(model, control, fine)
    within(found, exact.mean, exact.covariance)
    mixed = {FIRST: Observations(y, DenseCovariance(0.5 * torch.eye(6).double() + 0.2), coordinates)}
    with pytest.raises(SpecError, match="errors of site 0 are correlated"):
        mcmc(sites="places").solve(model, control, mixed)


# ---------------------------------------------------------------------- what it says
def test_what_has_not_converged_is_said():
    found = mcmc(chains=3, steps=12).solve(*normal_problem())
    assert not found.details["converged"]
    assert found.details["notes"][0].startswith("not converged: R-hat is")


def test_steps_are_thinned_and_members_are_few():
    found = mcmc(chains=2, steps=100, warmup=0.6, thin=4, members=7).solve(*normal_problem())
    assert found.members.shape == (7, 2)
    assert len(found.details["iterations"]) == 50


def test_the_same_seed_gives_the_same_chains_in_any_batches():
    one, two, other = (
        mcmc(chains=3, steps=30, **k).solve(*normal_problem()).members
        for k in ({"seed": 1}, {"seed": 1, "batch": 2}, {"seed": 2})
    )
    torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-9)
    assert not torch.allclose(one, other)


@pytest.mark.parametrize(("kernel", "needs"), [("metropolis", False), ("mala", True), ("hmc", True)])
def test_only_gradients_need_an_adjoint(kernel, needs):
    assert MCMC(MCMCOptions(kernel=kernel)).needs_gradient is needs


# ---------------------------------------------------------------------- faults
class Walled(LinearModel):
    """Fails where x1 is negative."""

    def __call__(self, x, window):
        found = super().__call__(x, window)
        return torch.where((x[..., 0] < 0)[..., None], torch.nan, found)


@pytest.mark.parametrize("kernel", [Kernel.METROPOLIS, Kernel.HMC])
def test_a_model_that_fails_somewhere_has_no_density_there(kernel):
    model, control, seen = normal_problem()
    walled = Walled(model.jacobians, model.offsets)
    found = mcmc(kernel, chains=8, steps=30).solve(walled, control, seen)
    assert found.members[:, 0].min() >= 0
    assert "begin at the prior" in found.details["notes"][0]


def test_a_model_that_fails_at_the_prior_is_named():
    model, control, seen = normal_problem()
    control.prior = -control.prior
    with pytest.raises(DataError, match=r"not finite \(chain \d+, site 0\)"):
        mcmc().solve(Walled(model.jacobians, model.offsets), control, seen)


def test_no_observations_are_refused():
    model, control, _ = normal_problem()
    with pytest.raises(DataError, match="no observations"):
        mcmc().solve(model, control, {})


@pytest.mark.parametrize(
    "wrong",
    [
        {"kernel": "nuts"},
        {"warmup": 1.0},
        {"chains": 0},
        {"temperature": 0.0},
        {"steps": 6},
        {"steps": 100, "thin": 20},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        MCMCOptions(**wrong)
