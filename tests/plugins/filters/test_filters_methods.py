"""Each method against what it must amount to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from tradewind.couplers.assimilation import Ensemble, Observations
from tradewind.couplers.assimilation.covariance import DenseCovariance, DiagonalCovariance
from tradewind.errors import DataError, SpecError
from tradewind.plugins.filters import options
from tradewind.plugins.filters.denkf import DEnKF
from tradewind.plugins.filters.enkf import EnKF
from tradewind.plugins.filters.local import geometry
from tradewind.plugins.filters.local.letkf import LESTKF, LETKF
from tradewind.plugins.filters.serial.eakf import EAKF
from tradewind.plugins.filters.transform.etkf import ESTKF, ETKF
from tradewind.plugins.filters.transform.finite_size import EnKFN

ALL = {"radius": 30000.0, "taper": "boxcar"}
NEAR = {"radius": 2500.0}
LOCAL = {
    "letkf": (LETKF, options.LETKFOptions, ETKF),
    "lestkf": (LESTKF, options.LESTKFOptions, ESTKF),
    "denkf": (DEnKF, options.DEnKFOptions, DEnKF),
    "enkf": (EnKF, options.EnKFOptions, EnKF),
    "eakf": (EAKF, options.EAKFOptions, EAKF),
}
local = pytest.mark.parametrize("name", LOCAL)


def close(a, b, rtol=1e-11):
    torch.testing.assert_close(a, b, rtol=rtol, atol=1e-11)


def made(name, near, **given):
    return LOCAL[name][0](LOCAL[name][1](localization=near, **given))


@local
def test_within_reach_of_everything_a_filter_is_the_global_one(ring, name):
    given = ring()
    found = made(name, ALL).analyse(given.ensemble, given.observations)
    expected = LOCAL[name][2]().analyse(given.ensemble, given.observations)
    close(found.fields["x"], expected.fields["x"])
    close(found.simulated, expected.simulated)


@local
def test_fields_that_have_no_place_see_everything(ring, name):
    given = ring()
    both = Ensemble({"x": given.x, "no": 2 * given.x}, given.ensemble.simulated, {"x": given.layout})
    found = made(name, NEAR).analyse(both, given.observations).fields
    expected = LOCAL[name][2]().analyse(given.ensemble, given.observations).fields["x"]
    close(found["no"], 2 * expected)
    assert (found["x"] - expected).abs().max() > 0.01


@local
def test_blocks_leave_no_trace(ring, name, monkeypatch):
    given = ring()
    whole = made(name, NEAR).analyse(given.ensemble, given.observations)
    monkeypatch.setattr(geometry, "ROOM", 1)
    monkeypatch.setattr(geometry, "FEWEST", 5)
    found = made(name, NEAR).analyse(given.ensemble, given.observations)
    assert torch.equal(found.fields["x"], whole.fields["x"])
    assert torch.equal(found.simulated, whole.simulated)


@local
def test_places_that_move_are_looked_at_again(ring, name):
    given, other = ring(), ring()
    other.longitude = other.longitude + 20.0
    used = made(name, NEAR)
    used.analyse(given.ensemble, given.observations)
    found = used.analyse(given.ensemble, other.observations).fields["x"]
    fresh = made(name, NEAR).analyse(given.ensemble, other.observations).fields["x"]
    assert torch.equal(found, fresh)


@pytest.mark.parametrize("name", ["letkf", "eakf"])
def test_each_level_sees_what_is_near_it(ring, name):
    given = ring()
    levels = {"x": torch.tensor([1.0, 5.0], dtype=torch.float64)}
    places = {**given.observations.coordinates, "vertical": np.where(np.arange(12) < 6, 1.0, 5.0)}
    seen = replace(given.observations, coordinates=places)
    both = Ensemble(
        {"x": torch.stack([given.x, given.x], 1)}, given.ensemble.simulated, {"x": given.layout}, levels
    )
    near = {**NEAR, "vertical": {"radius": 2.0, "taper": "boxcar"}}
    found = made(name, near).analyse(both, seen).fields["x"]
    for level, which in enumerate((slice(0, 6), slice(6, 12))):
        part = replace(given.ensemble, simulated=given.ensemble.simulated[:, which])
        alone = made(name, NEAR).analyse(part, seen.take(torch.arange(12)[which]))
        close(found[:, level], alone.fields["x"])


def test_correlated_errors_among_those_in_reach(ring):
    given = ring()
    a = given.draw(12, 12, seed=9)
    noise = DenseCovariance(a @ a.T / 12 + torch.eye(12, dtype=torch.float64))
    seen = replace(given.observations, covariance=noise)
    for name in ("letkf", "lestkf", "denkf", "enkf"):
        found = made(name, ALL).analyse(given.ensemble, seen).fields["x"]
        close(found, LOCAL[name][2]().analyse(given.ensemble, seen).fields["x"])
    with pytest.raises(SpecError, match="correlated"):
        EAKF().analyse(given.ensemble, seen)


def test_one_observation_after_the_other_is_the_kalman_filter(ring):
    given = ring(members=9)
    mean, spread = given.kalman()
    found = EAKF().analyse(given.ensemble, given.observations).fields["x"]
    close(found.mean(0), mean)
    close(found.T.cov(), spread)


def test_the_serial_filter_in_a_scalar_case_by_hand():
    # members -1, 1: v = 2; error variance 2, y = 4: mean 2, spread halved
    x = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)
    seen = Observations(torch.tensor([4.0]).double(), DiagonalCovariance(torch.tensor([2.0]).double()))
    found = EAKF().analyse(Ensemble({"x": x}, x), seen)
    assert found.fields["x"][:, 0].tolist() == pytest.approx([2 - 0.5**0.5, 2 + 0.5**0.5], rel=1e-14)


def test_a_taper_scales_the_regression(ring):
    # one observation: members elsewhere move by ρ cov/v times what they move by without localisation
    given = ring(m=1)
    everywhere = EAKF().analyse(given.ensemble, given.observations).fields["x"] - given.x
    found = made("eakf", {"radius": 4000.0, "taper": "exponential", "support": 1000.0})
    moved = found.analyse(given.ensemble, given.observations).fields["x"] - given.x
    arc = 6371.0 * np.radians(15.0)
    close(moved[:, 2], np.exp(-arc / 1000.0) * everywhere[:, 2])
    assert (moved[:, 9] == 0).all()


def test_perturbed_observations_tend_to_the_kalman_filter(ring):
    members = 150
    given = ring(members=members)
    mean, spread = given.kalman()
    found = EnKF().analyse(given.ensemble, given.observations).fields["x"]
    close(found.mean(0), mean, rtol=1e-9)  # the perturbations' mean is taken out
    # sampling errors of a variance are sqrt(2/N) of it
    assert ((found.T.cov() - spread).diagonal() / spread.diagonal()).abs().max() < 5 * (2 / members) ** 0.5


def test_perturbations_follow_from_seed_and_number(ring):
    given = ring()
    by = [
        EnKF(options.EnKFOptions(seed=seed)).analyse(
            replace(given.ensemble, number=number), given.observations
        )
        for seed, number in ((0, 0), (0, 0), (1, 0), (0, 1))
    ]
    same, again, other, later = (found.fields["x"] for found in by)
    assert torch.equal(same, again)
    assert min((same - other).abs().max(), (same - later).abs().max()) > 0.01


@pytest.mark.parametrize("certainty", [1.0, 2.0])
@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_the_finite_size_filter_minimises_its_cost(ring, certainty, shift):
    given = ring()
    given.y = given.y + shift
    z = (given.ensemble.simulated - given.ensemble.simulated.mean(0)) / given.variance.sqrt()
    d = (given.y - given.ensemble.simulated.mean(0)) / given.variance.sqrt()
    n = len(z)
    values = torch.linalg.eigvalsh(z @ z.T).clamp(min=0)
    unseen = float(((n - 1) / (values + n - 1)).mean())
    mode = ((n + 1) / n * (n - 1) / n) ** (unseen / 2)
    epsilon, log = certainty * (n + 1) / n / mode, certainty * n / (n - 1) * mode

    def cost(size):
        total = torch.eye(len(d), dtype=torch.float64) + size**2 * z.T @ z / (n - 1)
        return float(d @ torch.linalg.solve(total, d)) / (n - 1) + epsilon / size**2 + log * np.log(size**2)

    best = minimize_scalar(cost, bounds=(0.3, 10), method="bounded", options={"xatol": 1e-10}).x
    method = EnKFN(options.FiniteSizeOptions(certainty=certainty))
    found = method.analyse(given.ensemble, given.observations)
    assert found.details["inflation"] == pytest.approx(best, rel=1e-6)
    plain = ETKF(options.ETKFOptions(inflation={"forget": min(1.0, best**-2)}))
    if best > 1:
        close(found.fields["x"], plain.analyse(given.ensemble, given.observations).fields["x"], rtol=1e-5)


# ---------------------------------------------------------------------- what goes wrong
@local
def test_without_observations_nothing_happens(ring, name):
    given = ring()
    none = replace(
        given.ensemble, simulated=torch.zeros(5, 0, dtype=torch.float64), memory={"inflation": 2.0}
    )
    seen = given.observations.take(torch.zeros(12, dtype=torch.bool))
    assert made(name, NEAR, inflation=2.0).analyse(none, seen) is none


@local
def test_a_member_that_is_not_finite_is_named(ring, name):
    given = ring()
    given.x[3, 7] = torch.nan
    simulated = torch.zeros(5, 12, dtype=torch.float64)
    with pytest.raises(DataError, match=r"field 'x' of member 3 is nan at element 7"):
        made(name, NEAR).analyse(replace(given.ensemble, simulated=simulated), given.observations)


@local
def test_an_observation_that_is_not_finite_is_named_with_its_place(ring, name):
    given = ring()
    given.y[2] = torch.inf
    with pytest.raises(DataError, match=r"observation \[2\] is inf \(longitude 45.0, latitude 0.0\)"):
        made(name, NEAR).analyse(given.ensemble, given.observations)


@local
def test_members_that_are_all_the_same_stay_and_are_noted(ring, name):
    given = ring()
    given.x = given.x[:1].repeat(5, 1)
    found = made(name, NEAR).analyse(given.ensemble, given.observations)
    assert found.details["notes"] == ("all members are the same: the analysis is the forecast",)
    close(found.fields["x"], given.x)


def test_members_that_show_the_same_are_noted(ring):
    given = ring()
    blind = replace(given.ensemble, simulated=torch.ones(5, 12, dtype=torch.float64))
    found = ETKF().analyse(blind, given.observations)
    assert found.details["notes"] == ("all members show the same: observations change no mean",)
    close(found.fields["x"], given.x)


@pytest.mark.parametrize(
    ("places", "error", "message"),
    [
        ({"longitude": np.zeros(12)}, SpecError, "no latitude"),
        ({"longitude": np.zeros(3), "latitude": np.zeros(12)}, SpecError, "shape"),
        (
            {"longitude": np.full(12, np.nan), "latitude": np.zeros(12)},
            DataError,
            r"longitude of observation \[0\]",
        ),
    ],
)
def test_a_localisation_wants_places(ring, places, error, message):
    given = ring()
    with pytest.raises(error, match=message):
        made("letkf", NEAR).analyse(given.ensemble, replace(given.observations, coordinates=places))


def test_work_grows_with_what_is_seen(ring):
    given = ring(m=1)
    cost = made("letkf", NEAR).work(given.layout.grid.lon, given.layout.grid.lat, given.observations)
    assert cost[0] == pytest.approx(1 + 1 / 600)
    assert cost[18] < 0.1
