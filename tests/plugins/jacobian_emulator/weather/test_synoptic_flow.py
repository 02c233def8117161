"""Simulated synoptic flow: balanced, drawn by seed, and never blowing harder than allowed."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import torch

from tradewind.plugins.jacobian_emulator.weather.synoptic import (
    DENSITY,
    FASTEST,
    LEVELS,
    Disturbances,
    Draws,
    SynopticFlow,
    by_level,
    plane,
    slowed,
    turned,
)
from tradewind.plugins.transport.domain import EARTH_RADIUS
from tradewind.plugins.transport.weather import Weather

SIX_HOURS = timedelta(hours=6)


def region(south: float = 20.0, north: float = 60.0) -> Weather:
    """Return weather without content on 33 by 22 points."""
    lat, lon = (
        torch.linspace(a, b, n, dtype=torch.float64) for a, b, n in ((south, north, 33), (-122, -70, 22))
    )
    times = tuple(datetime(1996, 1, 5) + k * SIX_HOURS for k in range(5))
    nothing = torch.zeros(5, 2, 33, 22, dtype=torch.float64)
    levels = torch.tensor([1e5, 5e4], dtype=torch.float64)
    return Weather(times, lat, lon, levels, nothing, nothing, nothing[:, 0])


def one_system(
    amplitude: float = 10.0, size: float = 5e5, speed: tuple[float, float] = (0.0, 0.0)
) -> Disturbances:
    empty = torch.zeros(0, dtype=torch.float64)
    return Disturbances(
        torch.tensor([amplitude], dtype=torch.float64),
        empty.reshape(0, 2),
        empty,
        torch.zeros(1, 2, dtype=torch.float64),
        torch.tensor([size], dtype=torch.float64),
        torch.tensor(speed, dtype=torch.float64),
    )


def metres(*values: float) -> torch.Tensor:
    return torch.tensor([values], dtype=torch.float64)


def test_the_same_seed_draws_the_same_weather():
    flow = SynopticFlow(region(), 3)
    assert torch.equal(flow.draw(1).u, flow.draw(1).u)
    assert not torch.equal(flow.draw(1).u, flow.draw(2).u)


def test_a_situation_has_the_points_and_first_times_of_the_region_and_levels_of_its_own():
    like = region()
    drawn = SynopticFlow(like, 3).draw(0)
    assert drawn.times == like.times[:3]
    assert drawn.u.shape == drawn.v.shape == (3, 4, 33, 22)
    assert drawn.pressure.shape == (3, 33, 22)
    assert drawn.levels.tolist() == list(LEVELS)
    assert torch.equal(drawn.lat, like.lat)


def test_the_fields_of_the_region_are_not_looked_at():
    like = region()
    other = replace(like, u=like.u + 7.0, v=like.v - 3.0, pressure=like.pressure + 1e5)
    assert torch.equal(SynopticFlow(like, 2).draw(4).u, SynopticFlow(other, 2).draw(4).u)


def test_weather_changes_from_one_analysis_to_the_next():
    drawn = SynopticFlow(region(), 3).draw(5)
    assert float((drawn.pressure[1] - drawn.pressure[0]).abs().max()) > 10.0


@pytest.mark.parametrize("seed", range(6))
def test_pressure_and_winds_are_those_of_this_planet(seed):
    drawn = SynopticFlow(region(), 3).draw(seed)
    assert float(drawn.pressure.min()) > 92_000
    assert float(drawn.pressure.max()) < 109_000
    assert float(torch.hypot(drawn.u, drawn.v).max()) <= FASTEST * (1 + 1e-12)


def test_winds_near_the_ground_follow_the_isobars():
    """Geostrophic wind is along isobars: without friction it has no part along the pressure gradient."""
    flow = SynopticFlow(region(), 1)
    ground = one_system()
    still = (torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64))
    pressure, low, _ = flow._analysis(ground, ground, still, 0.0)
    east, north, coriolis = plane(region())
    dy = float(north[1, 0] - north[0, 0])
    dx = float(east[0, 1] - east[0, 0])
    p_north, p_east = torch.gradient(pressure, spacing=(dy, dx))
    inner = (slice(2, -2), slice(2, -2))
    u, v = -p_north / (DENSITY * coriolis), p_east / (DENSITY * coriolis)
    assert torch.allclose(low[0][inner], u[inner], atol=1.0)
    assert torch.allclose(low[1][inner], v[inner], atol=1.5)


def test_a_system_blows_hardest_at_its_radius_and_as_hard_as_said():
    system = one_system(amplitude=12.0, size=4e5)
    _, dx, dy = system.stream(metres(0.0, 2e5, 4e5, 6e5), metres(0.0, 0.0, 0.0, 0.0), 0.0)
    assert torch.equal(dy.abs(), torch.zeros_like(dy))
    assert float(dx[0, 0]) == 0.0
    assert float(dx.abs().argmax()) == 2
    assert float(dx.abs().max()) == pytest.approx(12.0)


def test_a_wave_blows_as_hard_as_said_across_its_crests():
    empty = torch.zeros(0, dtype=torch.float64)
    wave = Disturbances(
        torch.tensor([8.0], dtype=torch.float64),
        torch.tensor([[2 * math.pi / 4e6, 0.0]], dtype=torch.float64),
        torch.zeros(1, dtype=torch.float64), empty.reshape(0, 2), empty, torch.zeros(2, dtype=torch.float64),
    )  # fmt: skip
    value, dx, dy = wave.stream(metres(0.0, 1e6, 2e6), metres(0.0, 0.0, 0.0), 0.0)
    assert dx.flatten().tolist() == pytest.approx([0.0, -8.0, 0.0], abs=1e-9)
    assert not bool(dy.any())
    assert float(value[0, 0]) == pytest.approx(8.0 * 4e6 / (2 * math.pi))


def test_disturbances_travel_at_their_speed():
    moving = one_system(speed=(10.0, -5.0))
    later = moving.stream(metres(36_000.0), metres(-18_000.0), 3600.0)
    now = moving.stream(metres(0.0), metres(0.0), 0.0)
    assert [float(part) for part in later] == pytest.approx([float(part) for part in now])


def test_aloft_a_system_lies_to_the_west():
    aloft = one_system().leaning(0.0, 3e5, torch.tensor([0.5], dtype=torch.float64))
    value, _, _ = aloft.stream(metres(-3e5, 0.0), metres(0.0, 0.0), 0.0)
    assert float(value[0, 0]) > float(value[0, 1])
    assert float(aloft.amplitude) == 5.0


def test_friction_slows_the_wind_and_turns_it_to_the_left():
    low = torch.tensor([[[10.0]], [[0.0]]], dtype=torch.float64)
    quarter, none = torch.tensor(math.pi / 2), torch.tensor(0.0)
    levels = by_level(low, 3.0 * low, torch.tensor(0.5), quarter, none)
    assert levels.shape == (2, 4, 1, 1)
    assert levels[:, 0].flatten().tolist() == pytest.approx([0.0, 5.0], abs=1e-6)
    assert levels[:, 3].flatten().tolist() == [30.0, 0.0]


def test_between_the_levels_winds_change_with_the_logarithm_of_pressure():
    low = torch.zeros(2, 1, 1, dtype=torch.float64)
    levels = by_level(low, low + 1.0, torch.tensor(1.0), torch.tensor(0.0), torch.tensor(0.0))
    shares = [math.log(1e5 / p) / math.log(2.0) for p in LEVELS]
    assert levels[0, :, 0, 0].tolist() == pytest.approx(shares, abs=5e-3)


def test_turning_keeps_the_speed():
    wind = torch.randn(2, 3, 4, dtype=torch.float64)
    after = turned(wind, torch.tensor(0.7, dtype=torch.float64))
    assert torch.allclose(after.square().sum(0), wind.square().sum(0))


def test_a_gale_is_slowed_as_a_whole_and_a_breeze_is_left_alone():
    breeze = torch.full((1, 2, 1, 1, 2), 3.0, dtype=torch.float64)
    assert torch.equal(slowed(breeze)[0], breeze[:, 0])
    gale = breeze.clone()
    gale[0, 0, 0, 0, 0], gale[0, 1, 0, 0, 0] = 60.0, 80.0
    u, v = slowed(gale)
    assert torch.hypot(u, v).max() == pytest.approx(FASTEST)
    assert float(u[0, 0, 0, 1]) == pytest.approx(1.5)


def test_the_plane_is_metres_from_the_middle():
    east, north, coriolis = plane(region())
    assert float(north[-1, 0]) == pytest.approx(math.radians(20.0) * EARTH_RADIUS)
    assert float(east[0, -1]) == pytest.approx(
        math.radians(26.0) * EARTH_RADIUS * math.cos(math.radians(40.0))
    )
    assert coriolis == pytest.approx(2 * 7.292e-5 * math.sin(math.radians(40.0)))


def test_low_pressure_turns_the_other_way_south_of_the_equator():
    assert plane(region(-60.0, -20.0))[2] == -plane(region())[2]


@pytest.mark.parametrize(("south", "sign"), [(20.0, 1.0), (-60.0, -1.0)])
def test_near_the_ground_air_flows_towards_low_pressure_in_either_hemisphere(south, sign):
    """Wind near the ground times the gradient of pressure: downhill on average, over many situations."""
    flow = SynopticFlow(region(south, south + 40.0), 1)
    downhill = 0.0
    for seed in range(12):
        drawn = flow.draw(seed)
        north, east = torch.gradient(drawn.pressure[0], dim=(0, 1))
        downhill -= float((drawn.u[0, 0] * east / 2.48 + drawn.v[0, 0] * north / 1.25).sum())
    assert downhill > 0
    assert plane(region(south, south + 40.0))[2] * sign > 0


def test_at_the_equator_the_winds_are_those_of_fifteen_degrees():
    assert plane(region(-20.0, 20.0))[2] == pytest.approx(2 * 7.292e-5 * math.sin(math.radians(15.0)))


def test_draws_lie_between_their_bounds():
    drawn = Draws.seeded(3)(-2.0, 5.0, 1000)
    assert float(drawn.min()) >= -2.0
    assert float(drawn.max()) < 5.0
    assert float(drawn.mean()) == pytest.approx(1.5, abs=0.3)
