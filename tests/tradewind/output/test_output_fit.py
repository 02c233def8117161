"""Misfits by hand, and what is refused when observations and simulations do not match."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
import torch

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.coupling.component import Interval
from tradewind.errors import SpecError
from tradewind.output.fit import Misfit, compare


def test_bias_and_rmse_by_hand():
    # residuals 3 and -1: mean 1, mean square (9 + 1) / 2 = 5
    assert Misfit.of(np.array([3.0, -1.0])) == Misfit(2, 1.0, np.sqrt(5.0))


def test_nothing_to_compare_is_not_a_perfect_fit():
    misfit = Misfit.of(np.zeros(0))
    assert misfit.count == 0
    assert np.isnan([misfit.bias, misfit.rmse]).all()


def test_residuals_are_simulated_minus_observed(result):
    window = result.windows[0]
    comparison = compare(result)
    expected = result.posterior.simulated[window]["prior"] - result.observations[window].y
    np.testing.assert_array_equal(comparison.residuals("prior")[:10], expected.numpy())


def test_an_inversion_fits_better_than_its_prior(result):
    comparison = compare(result)
    assert comparison.misfit("posterior").rmse < 0.2 * comparison.misfit("prior").rmse


def test_sigma_is_the_root_of_the_variance(result):
    np.testing.assert_array_equal(compare(result).sigma, np.full(30, 2.0))


def test_windows_are_numbered_in_their_order(result):
    np.testing.assert_array_equal(compare(result).window, np.repeat([0, 1, 2], 10))


def test_a_mean_over_windows_of_one_size_is_the_mean(result):
    comparison = compare(result)
    by_window = [m.bias for m in comparison.by_window("prior")]
    assert np.mean(by_window) == pytest.approx(comparison.misfit("prior").bias, rel=1e-12)


def test_an_empty_window_counts_as_a_window(result):
    empty = Observations(torch.zeros(0, dtype=torch.float64), None, {})
    observations = dict(result.observations) | {result.windows[1]: empty}
    simulated = dict(result.posterior.simulated) | {result.windows[1]: {}}
    posterior = replace(result.posterior, simulated=simulated)
    comparison = compare(replace(result, observations=observations, posterior=posterior))
    assert [m.count for m in comparison.by_window("prior")] == [10, 0, 10]
    np.testing.assert_array_equal(np.unique(comparison.window), [0, 2])


def test_no_observation_at_all(result):
    comparison = compare(replace(result, observations={}))
    assert len(comparison) == 0
    assert comparison.coordinates == {}
    assert np.isnan(comparison.misfit("prior").bias)


def test_what_was_not_simulated_is_nan(result):
    simulated = {w: {"prior": s["prior"]} for w, s in result.posterior.simulated.items()}
    comparison = compare(replace(result, posterior=replace(result.posterior, simulated=simulated)))
    assert np.isnan(comparison.simulated["posterior"]).all()
    assert np.isfinite(comparison.simulated["prior"]).all()


def test_simulations_of_another_length_are_refused(result):
    window = result.windows[2]
    simulated = dict(result.posterior.simulated) | {window: {"prior": torch.zeros(9)}}
    broken = replace(result, posterior=replace(result.posterior, simulated=simulated))
    with pytest.raises(SpecError, match=r"1996-01-17 00:00.* prior: 9 simulated observations for 10"):
        compare(broken)


def test_times_may_be_datetimes(result):
    window = Interval(datetime(1996, 1, 15), datetime(1996, 1, 16))
    seen = result.observations[window]
    times = [datetime(1996, 1, 15, hour) for hour in range(10)]
    changed = Observations(seen.y, seen.covariance, {"time": times})
    comparison = compare(replace(result, observations={window: changed}))
    assert comparison.coordinates["time"][3] == np.datetime64("1996-01-15T03:00")


def test_coordinates_that_some_window_lacks_are_left_out(result):
    first = result.windows[0]
    seen = result.observations[first]
    bare = Observations(seen.y, seen.covariance, {"latitude": seen.coordinates["latitude"]})
    comparison = compare(replace(result, observations=dict(result.observations) | {first: bare}))
    assert set(comparison.coordinates) == {"latitude"}
