"""What the network sees: the order of channels, and winds that are those of the model."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import torch

from tradewind.plugins.jacobian_emulator.boxes import box_moments
from tradewind.plugins.jacobian_emulator.inputs import InputWindows, cell_winds, surface_pressure
from tradewind.plugins.transport.massflux import PressureFixer, divergence
from tradewind.plugins.transport.weather import REFERENCE_PRESSURE, interpolate, level_weights
from tradewind.surrogates.datasets import Windows
from tradewind.surrogates.domain import summarise

END, LENGTH = datetime(1996, 1, 16, 6), timedelta(hours=12)


@pytest.fixture(scope="module")
def inputs(transport):
    return InputWindows(transport.flows, 20, LENGTH)


def test_there_are_thirteen_channels_in_single_precision(inputs):
    x = inputs([(20, 20), (22, 24)], END)
    assert x.shape == (2, 13, 41, 41)
    assert x.dtype == torch.float32


def test_channels_are_two_halves_of_three_layers_of_east_and_north_and_then_pressure(inputs, transport):
    whole = inputs.channels(END)
    hours = [END - LENGTH + timedelta(hours=h) for h in (0, 3, 6)]
    winds = [cell_winds(transport.flows.at(t), t, transport.flows) for t in hours]
    # Simpson's weights over the first half; channel 3 is the northward wind of the second of three layers
    north = (winds[0][1] + 4.0 * winds[1][1] + winds[2][1])[2] / 6.0
    assert torch.allclose(whole[3], north, rtol=1e-12)
    middle = END - LENGTH / 2
    assert torch.equal(whole[12], surface_pressure(transport.flows.at(middle), middle, transport.flows))
    assert 9.5e4 < float(whole[12].mean()) < 1.06e5


def test_the_second_half_is_that_nearer_to_the_observation(inputs, transport):
    later = inputs.channels(END)[:6]
    assert torch.equal(inputs.channels(END + timedelta(hours=6))[:6], inputs.channels(END)[6:12])
    assert not torch.equal(later, inputs.channels(END)[6:12])


def test_a_window_is_cut_around_its_source(inputs):
    whole = inputs.channels(END)
    (window,) = inputs([(21, 23)], END)
    assert torch.equal(window, whole[:, 1:42, 3:44].float())


def test_latitudes_are_those_of_the_sources(inputs, transport):
    assert inputs.latitude([(20, 20), (23, 20)]).tolist() == transport.domain.lat[[20, 23]].tolist()


def test_winds_are_those_of_the_analyses_but_for_the_pressure_fixer(transport):
    flows, domain = transport.flows, transport.domain
    time = flows.weather.times[40]
    u, v = cell_winds(flows.at(time), time, flows)
    weather, axes = flows.weather, (flows.weather.lat, flows.weather.lon)
    levels = level_weights(weather.levels, domain.middle * REFERENCE_PRESSURE)
    wanted = [torch.einsum("kl,lyx->kyx", levels, part[40]) for part in (weather.u, weather.v)]
    for found, wind in zip((u, v), wanted, strict=True):
        difference = found - interpolate(wind, axes, domain.lat, domain.lon)
        assert float(difference.abs().max()) < 4.0
        # the fixer's correction is the same in all layers, and what interpolation adds is small
        assert float((difference - difference.mean(0)).abs().max()) < 0.6


def test_with_the_fixers_correction_taken_out_nothing_is_left_of_the_difference(transport):
    flows, domain = transport.flows, transport.domain
    flow = flows.between(40)
    raw = flows._raw_fluxes(40)
    gain = (flow.air[1] - flow.air[0]).sum(0) / flow.interval.seconds
    fixed = PressureFixer(domain)(raw, gain)
    assert torch.allclose(fixed[0], flow.eastward[0], rtol=1e-12, atol=1e-3)
    assert float(divergence(fixed).sum(0).abs().max()) < float(divergence(raw).sum(0).abs().max())


def test_one_end_is_worked_out_once(inputs):
    assert inputs.channels(END) is inputs.channels(END)


def test_summaries_of_all_windows_are_those_of_each_window(inputs, interior):
    one_by_one = summarise(Windows(inputs(interior, END), inputs.latitude(interior)))
    together = inputs.summaries(END)
    assert together.shape == (4, 5, 27)
    # windows are single precision, and the mean of a pressure has five digits before the point
    assert torch.allclose(together.flatten(0, 1), one_by_one, rtol=1e-6, atol=1e-4)


def test_running_sums_keep_the_digits_of_every_windows_moments():
    wave = 0.01 * torch.sin(torch.arange(44 * 45, dtype=torch.float64)).reshape(1, 44, 45)
    mean, square = torch.empty(1, 4, 5, dtype=torch.float64), torch.empty(1, 4, 5, dtype=torch.float64)
    box_moments(wave.numpy(), mean.numpy(), square.numpy())
    for row, column in ((0, 0), (3, 4), (1, 2)):
        direct = wave[0, row : row + 41, column : column + 41]
        assert float(mean[0, row, column]) == pytest.approx(float(direct.mean()), rel=1e-9, abs=1e-16)
        assert float(square[0, row, column]) == pytest.approx(float(direct.square().mean()), rel=1e-9)


def test_a_constant_field_has_its_value_as_mean_everywhere():
    mean, square = torch.empty(2, 3, 1, dtype=torch.float64), torch.empty(2, 3, 1, dtype=torch.float64)
    box_moments(torch.full((2, 5, 3), 2.0, dtype=torch.float64).numpy(), mean.numpy(), square.numpy())
    assert mean.unique().tolist() == [2.0]
    assert square.unique().tolist() == [4.0]


def test_winds_of_some_layers_are_those_of_all(transport):
    flow = transport.flows.at(END)
    every = cell_winds(flow, END, transport.flows)
    some = cell_winds(flow, END, transport.flows, (0, 2, 4))
    for whole, part in zip(every, some, strict=True):
        assert torch.equal(whole[[0, 2, 4]], part)
