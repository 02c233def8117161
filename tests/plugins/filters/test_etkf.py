"""The ensemble transform Kalman filter against the Kalman filter."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tradewind.couplers.assimilation import Ensemble, Observations
from tradewind.couplers.assimilation.covariance import DenseCovariance, DiagonalCovariance
from tradewind.errors import DataError, SpecError
from tradewind.plugins.filters.options import ETKFOptions
from tradewind.plugins.filters.transform.applying import transform
from tradewind.plugins.filters.transform.etkf import ETKF


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def draw(*shape, seed=0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def moments(x):
    """Mean and sample covariance of members ``(N, n)``."""
    deviations = x - x.mean(0)
    return x.mean(0), deviations.T @ deviations / (len(x) - 1)


def case(members, cells, m, seed):
    x, h, y = draw(members, cells, seed=seed), draw(m, cells, seed=seed + 1), draw(m, seed=seed + 2)
    a = draw(m, m, seed=seed + 3)
    noise = DenseCovariance(a @ a.T / m + torch.eye(m, dtype=torch.float64))
    return Ensemble({"c": x}, x @ h.T), Observations(y, noise), h


def kalman(ensemble, observations, h, inflation=1.0):
    mean, spread = moments(ensemble.fields["c"])
    spread = spread * inflation**2
    gain = spread @ h.T @ torch.linalg.inv(h @ spread @ h.T + observations.covariance.matrix)
    return mean + gain @ (observations.y - h @ mean), spread - gain @ h @ spread


def test_two_members_one_observation_by_hand():
    # members -1 and 1: mean 0, variance 2; R = 2, y = 4: gain 1/2, mean 2, variance 1
    found = ETKF().analyse(Ensemble({"c": tensor([-1.0], [1.0])}, tensor([-1.0], [1.0])),
                           Observations(tensor(4.0), DiagonalCovariance(tensor(2.0))))  # fmt: skip
    root_half = 0.5**0.5
    assert found.fields["c"].flatten().tolist() == pytest.approx([2 - root_half, 2 + root_half], rel=1e-14)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.integers(1, 15), st.integers(1, 10), st.integers(0, 999))
def test_mean_and_covariance_are_those_of_the_kalman_filter(members, cells, m, seed):
    ensemble, observations, h = case(members, cells, m, seed)
    mean, spread = moments(ETKF().analyse(ensemble, observations).fields["c"])
    expected_mean, expected_spread = kalman(ensemble, observations, h)
    torch.testing.assert_close(mean, expected_mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(spread, expected_spread, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("inflation", [1.05, 2.0])
def test_inflation_widens_the_prior(inflation):
    ensemble, observations, h = case(8, 5, 3, 1)
    found = ETKF(ETKFOptions(inflation=inflation)).analyse(ensemble, observations)
    mean, spread = moments(found.fields["c"])
    expected_mean, expected_spread = kalman(ensemble, observations, h, inflation)
    torch.testing.assert_close(mean, expected_mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(spread, expected_spread, rtol=1e-12, atol=1e-12)


def test_the_square_root_is_the_symmetric_one():
    # the weights of the perturbations are (I + Y'ᵀR⁻¹Y'/(N-1))^-1/2, here by Newton's iteration
    ensemble, observations, _ = case(5, 4, 3, 2)
    y = ensemble.simulated - ensemble.simulated.mean(0)
    a = torch.eye(5, dtype=torch.float64) + y @ torch.linalg.inv(observations.covariance.matrix) @ y.T / 4
    root = inverse_root(a)
    found = ETKF().analyse(ensemble, observations).fields["c"]
    x = ensemble.fields["c"] - ensemble.fields["c"].mean(0)
    torch.testing.assert_close(found - found.mean(0), root.T @ x, rtol=1e-12, atol=1e-12)


def inverse_root(a):
    """Return a^-1/2 by the Denman-Beavers iteration."""
    y, z = a, torch.eye(len(a), dtype=a.dtype)
    for _ in range(30):
        y, z = (y + torch.linalg.inv(z)) / 2, (z + torch.linalg.inv(y)) / 2
    return z


def test_what_each_member_would_show_is_analysed_alike():
    ensemble, observations, h = case(6, 5, 3, 3)
    found = ETKF().analyse(ensemble, observations)
    torch.testing.assert_close(found.simulated, found.fields["c"] @ h.T, rtol=1e-12, atol=1e-12)


def test_linear_balances_between_fields_are_kept():
    ensemble, observations, _ = case(6, 5, 3, 4)
    x = ensemble.fields["c"]
    both = Ensemble({"c": x, "d": 3 * x - 1}, ensemble.simulated)
    found = ETKF().analyse(both, observations).fields
    torch.testing.assert_close(found["d"], 3 * found["c"] - 1, rtol=1e-12, atol=1e-12)


def test_fields_with_levels_are_analysed_level_by_level():
    ensemble, observations, _ = case(6, 5, 3, 5)
    x = ensemble.fields["c"]
    found = ETKF().analyse(Ensemble({"c": torch.stack([x, 2 * x], 1)}, ensemble.simulated), observations)
    plain = ETKF().analyse(ensemble, observations).fields["c"]
    torch.testing.assert_close(found.fields["c"], torch.stack([plain, 2 * plain], 1), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("members", [2, 5, 16])
def test_a_part_of_the_cells_has_the_bits_of_the_whole(members):
    weights, whole = draw(members, members).numpy(), draw(members, 2, 1000, seed=9)
    for cells in (slice(0, 0), slice(0, 1), slice(3, 260), slice(999, 1000)):
        assert torch.equal(transform(whole[..., cells], weights), transform(whole, weights)[..., cells])


def test_without_observations_nothing_happens():
    ensemble, _, _ = case(4, 3, 2, 6)
    none = Observations(torch.zeros(0, dtype=torch.float64), None)
    assert ETKF(ETKFOptions(inflation=2.0)).analyse(ensemble, none) is ensemble


def test_the_ensemble_that_was_given_stays_as_it_is():
    ensemble, observations, _ = case(4, 3, 2, 7)
    before = ensemble.fields["c"].clone()
    ETKF().analyse(ensemble, observations)
    assert torch.equal(ensemble.fields["c"], before)


def spoilt(**changes):
    ensemble, observations, _ = case(4, 3, 2, 8)
    given = {"x": ensemble.fields["c"], "simulated": ensemble.simulated, "y": observations.y,
             "covariance": observations.covariance} | changes  # fmt: skip
    return Ensemble({"c": given["x"]}, given["simulated"]), Observations(given["y"], given["covariance"])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"simulated": draw(1, 2), "x": draw(1, 3)}, SpecError, "no spread"),
        ({"simulated": draw(4, 3)}, SpecError, r"\(4, 3\) for 2 observations"),
        ({"x": draw(5, 3)}, SpecError, "field 'c': 5 members, simulated has 4"),
        ({"y": tensor(1.0, float("nan"))}, DataError, r"observation \[1\] is nan"),
        (
            {"simulated": tensor([1.0, 2.0], [1.0, float("inf")], [1.0, 2.0], [0.0, 0.0])},
            DataError,
            r"\[1, 1\] is inf",
        ),
        ({"covariance": None}, DataError, "lack their errors"),
        ({"covariance": DiagonalCovariance(tensor(1.0))}, DataError, "lack their errors"),
    ],
)
def test_what_does_not_fit_is_refused(changes, error, message):
    with pytest.raises(error, match=message):
        ETKF().analyse(*spoilt(**changes))


@pytest.mark.parametrize("inflation", [0.9, float("nan"), float("inf")])
def test_inflation_does_not_deflate(inflation):
    with pytest.raises(ValidationError, match="inflation"):
        ETKFOptions(inflation=inflation)
