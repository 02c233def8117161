"""The digital filter: its weights, and how far the middle of a window is from the filtered state."""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta
from math import comb, pi

import cftime
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.signal.windows import chebwin

from tradewind.couplers.assimilation.observing import Observed
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import ConfigError
from tradewind.plugins.observations.digital_filter import DigitalFilter, dolph_chebyshev
from tradewind.plugins.observations.digital_filter_options import DigitalFilterOptions

GRID = Grid.latlon([0.0], [0.0, 90.0, 180.0], lat_bounds=[-30.0, 30.0])
HOUR = timedelta(hours=1)
START = datetime(2000, 1, 1)


def window(steps, start=START) -> Interval:
    return Interval(start, start + steps * HOUR)


def built(extra=(), initial=True, **options) -> DigitalFilter:
    variable = Variable("x", "1", GRID, extra=extra)
    return DigitalFilter(
        DigitalFilterOptions(**{"cutoff": "4h"} | options),
        Observed("model.x", variable, Layout(GRID), HOUR, initial),
    )


def seen_of(operator, states, when) -> torch.Tensor:
    """Return what the operator sees of a run's states, shape ``(steps + 1, ..., 3)``."""
    looks = operator.looks(when)
    parts = [look(states[round((time - START) / HOUR)]) for (_, time), look in looks.items()]
    return torch.stack(parts).sum(0) + operator.offset(when)


# ---------------------------------------------------------------------- weights
@pytest.mark.parametrize("half", [1, 2, 8, 30, 200])
def test_with_a_cutoff_of_two_steps_they_are_binomial(half):
    # x0 is without bound, and R(c) = c^2M: the sum over m gives C(2M, M + n) / 4^M
    expected = [comb(2 * half, k) / 4**half for k in range(2 * half + 1)]
    np.testing.assert_allclose(dolph_chebyshev(half, pi), expected, rtol=0, atol=1e-15)


@settings(max_examples=25)
@given(st.integers(1, 40), st.floats(0.05, 3.0))
def test_they_are_scipy_s_window(half, angle):
    # side lobes of 1 / T_2M(1 / cos(angle / 2)); scipy's largest weight is 1, our sum is
    ripple = 1 / np.cosh(2 * half * np.arccosh(1 / np.cos(angle / 2)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where side lobes are higher than 45 dB
        theirs = chebwin(2 * half + 1, at=-20 * np.log10(ripple))
    np.testing.assert_allclose(dolph_chebyshev(half, angle), theirs / theirs.sum(), rtol=0, atol=1e-12)


@settings(max_examples=25)
@given(st.integers(1, 60), st.floats(0.05, pi))
def test_their_sum_is_one_and_they_are_symmetric(half, angle):
    weights = dolph_chebyshev(half, angle)
    assert weights.sum() == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_allclose(weights, weights[::-1], rtol=0, atol=1e-14)


def test_fast_waves_are_damped_as_much_as_promised():
    # of all waves faster than the cut-off, none passes with more than the ripple
    half, angle = 12, 2 * pi / 6
    weights, n = dolph_chebyshev(half, angle), np.arange(-12, 13)
    ripple = 1 / np.cosh(24 * np.arccosh(1 / np.cos(angle / 2)))
    passed = [abs(weights @ np.cos(theta * n)) for theta in np.linspace(angle, pi, 50)]
    assert max(passed) == pytest.approx(ripple, rel=1e-6)


# ---------------------------------------------------------------------- as an operator
def test_two_steps_by_hand():
    # binomial weights (1 2 1)/4 with a cut-off of two steps: (x0 - 2 x1 + x2) / 4
    states = torch.tensor([[1.0, 0.0, 2.0], [3.0, 1.0, 2.0], [2.0, 0.0, 2.0]], dtype=torch.float64)
    assert seen_of(built(cutoff="2h"), states, window(2)).tolist() == pytest.approx([-0.75, -0.5, 0.0])


def test_states_on_a_line_in_time_have_no_penalty():
    states = torch.arange(9, dtype=torch.float64)[:, None] * torch.tensor([1.0, -2.0, 0.5]) + 3.0
    assert float(seen_of(built(), states, window(8)).abs().max()) < 1e-14


def test_all_levels_are_filtered():
    states = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    operator = built(extra=(("lev", 2),))
    weights = torch.from_numpy(dolph_chebyshev(2, 2 * pi / 4))
    expected = (weights[:, None, None] * states).sum(0) - states[2]
    torch.testing.assert_close(seen_of(operator, states, window(4)), expected.flatten())
    assert len(operator.windows([window(4)])[window(4)]) == 6


def test_zeros_are_observed_in_every_window():
    windows = [window(4), window(4, START + 4 * HOUR)]
    found = built(weight=25.0).windows(windows)
    assert list(found) == windows
    seen = found[windows[1]]
    assert seen.y.tolist() == [0.0, 0.0, 0.0]
    assert seen.covariance.diagonal().tolist() == [0.04, 0.04, 0.04]
    assert seen.coordinates["time"][0] == np.datetime64("2000-01-01T06:00")
    assert seen.coordinates["longitude"].tolist() == [0.0, 90.0, 180.0]


def test_it_looks_at_the_state_at_every_step_from_the_window_s_start():
    times = [time for _, time in built().looks(window(6))]
    assert times == [START + k * HOUR for k in range(7)]


def test_an_export_has_no_value_as_a_window_begins():
    with pytest.raises(ConfigError, match=r"model\.x is no state variable"):
        built(initial=False)


def test_a_cutoff_of_less_than_two_steps_is_refused():
    with pytest.raises(ConfigError, match="a cut-off of 1:30:00, but steps of 1:00:00"):
        built(cutoff="90min")


@pytest.mark.parametrize("steps", [3, 1, 2.5])
def test_a_window_without_a_middle_is_refused(steps):
    with pytest.raises(ConfigError, match="has no middle state"):
        built().windows([window(steps)])


def test_windows_of_other_calendars_are_refused():
    start = cftime.DatetimeNoLeap(2000, 1, 1)
    with pytest.raises(ConfigError, match="calendar"):
        built().windows([Interval(start, start + 4 * HOUR)])


@pytest.mark.parametrize("options", [{"weight": 0.0}, {"cutoff": "soon"}, {"weight": float("inf")}])
def test_settings_that_make_no_sense_are_refused(options):
    with pytest.raises(ValidationError, match=next(iter(options))):
        DigitalFilterOptions(**options)
