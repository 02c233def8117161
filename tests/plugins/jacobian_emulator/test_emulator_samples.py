"""Training sets: drawn from the period that was named, by seed, from the reference model's answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import torch

from tradewind.errors import ConfigError
from tradewind.plugins.jacobian_emulator.samples import Period, SampleMaker, joined
from tradewind.plugins.jacobian_emulator.weather.climatology import MonthlyWinds
from tradewind.plugins.jacobian_emulator.weather.simulated import Simulator
from tradewind.plugins.transport.windows import Windows

END, LENGTH = datetime(1996, 1, 16, 6), timedelta(hours=12)
WEEK = Period(datetime(1996, 1, 5), datetime(1996, 1, 12))


@pytest.fixture(scope="module")
def weather(transport):
    return transport.flows.weather


@pytest.fixture(scope="module")
def maker(transport):
    return SampleMaker(transport, LENGTH)


@pytest.fixture(scope="module")
def samples(maker, transport):
    return maker.at(transport.flows, END, [(20, 20), (23, 24)])


def test_windows_lie_within_their_period(weather):
    ends = WEEK.ends(weather, LENGTH)
    assert ends[0] == WEEK.start + LENGTH
    assert ends[-1] == WEEK.stop
    assert len(ends) == 27


def test_a_period_that_is_too_short_is_refused(weather):
    with pytest.raises(ConfigError, match="no window of 12:00:00 fits between"):
        Period(WEEK.start, WEEK.start + timedelta(hours=6)).ends(weather, LENGTH)


def test_a_period_is_cut_from_the_weather(weather):
    cut = WEEK.cut(weather)
    assert (cut.times[0], cut.times[-1]) == (WEEK.start, WEEK.stop)
    assert torch.equal(cut.u[-1], weather.u[weather.times.index(WEEK.stop)])


def test_samples_are_the_reference_models_fractions(samples, transport):
    windows = Windows(transport.flows, transport.solver, 20, LENGTH)
    exact = windows.fractions([(20, 20), (23, 24)], END)
    assert samples.target.dtype == torch.float32
    assert torch.allclose(samples.target.double(), exact, atol=1e-5)


def test_inputs_belong_to_the_same_windows(samples, maker, transport):
    assert samples.windows.x.shape == (2, 13, 41, 41)
    assert samples.windows.latitude.tolist() == transport.domain.lat[[20, 23]].tolist()


def test_cells_are_drawn_where_windows_fit_and_by_seed(maker, interior):
    assert set(maker.cells(200, 1)) == set(interior)
    assert maker.cells(50, 1) == maker.cells(50, 1)
    assert maker.cells(50, 1) != maker.cells(50, 2)


def test_a_region_smaller_than_a_window_is_refused(make_transport):
    small = make_transport(region={"west": -110, "east": -100, "south": 26, "north": 38})
    with pytest.raises(ConfigError, match="holds no window of 41"):
        SampleMaker(small, LENGTH).cells(1, 0)


def test_real_samples_come_from_every_window_end(maker):
    half_day = Period(END - LENGTH, END)
    (only,) = maker.real(half_day, per_time=2, seed=3)
    assert len(only) == 2


def test_simulated_samples_are_the_same_for_the_same_seed(maker):
    first, second = (next(maker.simulated(WEEK, 1, 2, seed)) for seed in (5, 5))
    assert torch.equal(first.target, second.target)
    assert torch.equal(first.windows.x, second.windows.x)


@pytest.mark.parametrize("seed", [5, 6])
def test_synoptic_samples_are_the_same_for_the_same_seed(maker, seed):
    first, second = (next(maker.synoptic(WEEK, 1, 2, seed)) for _ in range(2))
    assert torch.equal(first.target, second.target)
    assert len(first) == 2


def test_climatological_samples_follow_their_month(maker):
    """An even wind of 10 m/s to the east moves the mass that way, whatever else is drawn."""
    even = torch.full((1, 3, 4), 10.0, dtype=torch.float64)
    axis = torch.tensor([-90.0, 0.0, 90.0], dtype=torch.float64)
    months = MonthlyWinds(axis, 90.0, 0.0, even, 0.0 * even)
    (samples,) = maker.climatological(WEEK, months, situations=1, per_situation=4, seed=2)
    east = samples.target[:, :, 21:].sum(dim=(1, 2))
    assert bool((east > samples.target[:, :, :20].sum(dim=(1, 2))).all())


def test_a_situation_holds_one_window(maker):
    assert maker.analyses == 3  # twelve hours between the first and the last of six-hourly analyses


def test_samples_are_joined_in_order(samples):
    both = joined([samples, samples])
    assert len(both) == 4
    assert torch.equal(both.target[2:], samples.target)


def test_the_same_seed_simulates_the_same_weather(weather):
    simulator = Simulator(weather, 3)
    assert torch.equal(simulator.draw(1).u, simulator.draw(1).u)
    assert not torch.equal(simulator.draw(1).u, simulator.draw(2).u)


def test_simulated_weather_is_as_long_as_asked_and_as_wide_as_the_real(weather):
    drawn = Simulator(weather, 3).draw(0)
    assert drawn.times == weather.times[:3]
    assert drawn.u.shape == (3, *weather.u.shape[1:])
    assert torch.equal(drawn.lat, weather.lat)


def test_without_anomalies_the_mean_is_drawn(weather):
    drawn = Simulator(weather, 3, amplitude=0.0).draw(0)
    assert torch.allclose(drawn.pressure, weather.pressure.mean(0).expand(3, -1, -1), rtol=1e-14)


def test_the_mean_of_many_situations_is_that_of_the_period(weather):
    simulator = Simulator(weather, 2)
    drawn = torch.stack([simulator.draw(seed).u[0] for seed in range(400)])
    spread = weather.u.std(0)
    assert float(((drawn.mean(0) - weather.u.mean(0)) / spread).abs().mean()) < 0.1


def test_the_spread_of_many_situations_is_that_of_the_period(weather):
    simulator = Simulator(weather, 1)
    drawn = torch.stack([simulator.draw(seed).u[0] for seed in range(400)])
    ratio = drawn.std(0) / weather.u.std(0)
    assert float(ratio.mean()) == pytest.approx(1.0, abs=0.05)


def test_wind_and_pressure_keep_their_covariance(weather):
    # were pressure twice the eastward wind in every analysis, it would be so in every situation
    tied = replace(weather, pressure=2.0 * weather.u[:, 0])
    drawn = Simulator(tied, 4, amplitude=1.5).draw(9)
    assert torch.allclose(drawn.pressure, 2.0 * drawn.u[:, 0], rtol=0, atol=1e-10)
