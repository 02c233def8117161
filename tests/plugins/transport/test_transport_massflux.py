"""Air: every column's budget closes, no air passes the ground or the top, and good winds are left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import torch

from tradewind.couplers.coupling.component import Interval
from tradewind.errors import DataError
from tradewind.plugins.transport.domain import GRAVITY
from tradewind.plugins.transport.massflux import (
    FlowSource,
    PressureFixer,
    divergence,
    substeps,
    vertical_flux,
)


@pytest.fixture(scope="module")
def domain(make_transport):
    return make_transport().domain


@pytest.fixture(scope="module")
def flow(make_transport):
    source = make_transport().flows
    return source.at(source.weather.times[20])


def gain(flow):
    """Return what each column gains, kg s-1."""
    return (flow.air[1] - flow.air[0]).sum(0) / flow.interval.seconds


def random_faces(domain, draw):
    ny, nx = domain.shape
    return draw(domain.layers, ny, nx + 1, seed=1) - 0.5, draw(domain.layers, ny + 1, nx, seed=2) - 0.5


def test_the_fixer_closes_the_budget_of_every_column(domain, draw):
    faces, wanted = random_faces(domain, draw), draw(*domain.shape, seed=3)
    fixed = PressureFixer(domain)(faces, wanted)
    assert float((divergence(fixed).sum(0) + wanted).abs().max()) < 1e-12


def test_the_fixer_spreads_its_correction_by_the_air_in_each_layer(domain, draw):
    faces = random_faces(domain, draw)
    fixed = PressureFixer(domain)(faces, draw(*domain.shape))
    change = (fixed[0] - faces[0]) / domain.thickness[:, None, None]
    assert torch.allclose(change, change[:1].expand_as(change), rtol=0, atol=1e-12)


def test_the_fixer_leaves_a_closed_flow_alone(domain, draw):
    ny, nx = domain.shape
    psi = draw(domain.layers, ny + 1, nx + 1)
    faces = (psi.diff(dim=-2), -psi.diff(dim=-1))
    fixed = PressureFixer(domain)(faces, torch.zeros(domain.shape, dtype=torch.float64))
    assert torch.allclose(fixed[0], faces[0], rtol=0, atol=1e-13)
    assert torch.allclose(fixed[1], faces[1], rtol=0, atol=1e-13)


def test_fixing_twice_changes_nothing_more(domain, draw):
    fixer, wanted = PressureFixer(domain), draw(*domain.shape)
    once = fixer(random_faces(domain, draw), wanted)
    twice = fixer(once, wanted)
    assert torch.allclose(once[0], twice[0], rtol=0, atol=1e-12)


def test_vertical_fluxes_by_hand():
    # one column of two equal layers: 3 leave the lower one, 1 the upper one, and the column loses 4:
    # each layer must lose 2, so that 1 rises from the upper into the lower one: -1 upwards
    east = torch.tensor([[[0.0, 3.0]], [[0.0, 1.0]]], dtype=torch.float64)
    north = torch.zeros(2, 2, 1, dtype=torch.float64)
    lost = torch.full((1, 1), -4.0, dtype=torch.float64)
    upward = vertical_flux((east, north), lost, torch.tensor([0.5, 0.5], dtype=torch.float64))
    assert upward.flatten().tolist() == [0.0, -1.0, 0.0]


def test_no_air_passes_the_ground_or_the_top(flow):
    assert float(flow.upward[:, 0].abs().max()) == 0.0
    assert float(flow.upward[:, -1].abs().max()) == 0.0


@pytest.mark.parametrize("end", [0, 1])
def test_every_cell_gains_what_flows_in(flow, end, domain):
    sides = divergence((flow.eastward[end], flow.northward[end]))
    inflow = -(sides + flow.upward[end].diff(dim=-3))
    tendency = domain.thickness[:, None, None] * gain(flow)
    assert float((inflow - tendency).abs().max()) < 1e-12 * float(flow.eastward.abs().max())


def test_the_air_weighs_what_the_pressure_says(flow, make_transport):
    weather = make_transport().flows.weather
    column = flow.air[0].sum(0) * GRAVITY / make_transport().domain.area
    low, high = float(weather.pressure[20].min()), float(weather.pressure[20].max())
    assert low <= float(column.min())
    assert float(column.max()) <= high


def test_winds_of_the_same_speed_give_fluxes_by_hand(make_transport):
    transport = make_transport()
    real, domain = transport.flows.weather, transport.domain
    calm = torch.full_like(real.pressure, 1e5)
    steady = replace(real, u=torch.full_like(real.u, 10.0), v=torch.zeros_like(real.v), pressure=calm)
    flow = FlowSource(steady, domain).at(real.times[0])
    # an eastward wind of 10 m/s at 1e5 Pa: 10 * 1e5 / g kg s-1 through each metre of a meridian
    expected = 1e6 / GRAVITY * domain.face_height * domain.thickness[:, None, None]
    assert torch.allclose(flow.eastward[0], expected.expand_as(flow.eastward[0]), rtol=1e-12)
    assert float(flow.upward.abs().max()) < 1e-6


def test_flows_change_linearly_between_analyses(flow):
    middle = flow.interval.start + timedelta(hours=3)
    east, _, _ = flow.at(middle)
    assert torch.allclose(east, 0.5 * (flow.eastward[0] + flow.eastward[1]), rtol=1e-12, atol=1e-3)
    assert torch.equal(flow.air_at(flow.interval.stop), flow.air[1])


def test_neighbouring_intervals_hold_the_same_air_where_they_meet(make_transport):
    source = make_transport().flows
    assert torch.equal(source.between(3).air[1], source.between(4).air[0])


def test_the_courant_number_is_the_largest_share_that_leaves_a_cell(domain, flow):
    # only one face carries air: 3 kg/s out of a cell that holds 12 kg, or 6 kg at the end
    zero = {name: torch.zeros_like(getattr(flow, name)) for name in ("eastward", "northward", "upward")}
    lone = replace(flow, **zero, air=torch.full_like(flow.air, 12.0))
    lone.northward[1, 2, 3, 4] = -3.0
    lone.air[1] = 6.0
    assert lone.courant() == 0.5


def test_a_box_larger_than_the_weather_is_refused(make_transport):
    too_large = make_transport(region={"west": -130, "east": -96, "south": 26, "north": 38})
    with pytest.raises(DataError, match=r"covers -122\.5 to -70 degrees, the model needs -1"):
        too_large.flows.at(too_large.flows.weather.times[0])


def test_substeps_are_equal_and_no_longer_than_asked(six_hours):
    parts = substeps(six_hours, 1000.0)
    assert len(parts) == 22
    assert parts[0].start == six_hours.start
    assert parts[-1].stop == six_hours.stop
    assert all(part.seconds == pytest.approx(21600 / 22) for part in parts)


def test_a_short_interval_is_one_substep(six_hours):
    minute = Interval(six_hours.start, six_hours.start + timedelta(minutes=1))
    assert substeps(minute, 540.0) == [minute]
