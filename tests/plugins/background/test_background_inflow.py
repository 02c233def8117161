"""Tracers of the air's origin and of its time inside: those of the transport's own solver, and by hand."""

from __future__ import annotations

import math
from datetime import timedelta
from itertools import pairwise

import pytest
import torch

from tradewind.couplers.coupling.component import Interval
from tradewind.plugins.background.inflow import (
    RESERVOIR,
    Inflow,
    hemisphere_shares,
    surrounded,
    ticks,
)
from tradewind.plugins.transport.domain import Domain
from tradewind.plugins.transport.massflux import Flow
from tradewind.plugins.transport.mixing import Mixing
from tradewind.plugins.transport.solver import Solver

HOUR = timedelta(hours=1)


class Steady:
    """A wind from the west that carries `share` of a cell's air to the next in an hour, in every layer."""

    def __init__(self, domain: Domain, start, share: float) -> None:
        self.weather, self.domain, self.share = self, domain, share
        self.times = tuple(start + k * 24 * HOUR for k in range(30))

    def bracket(self, time):
        i = min((time - self.times[0]) // (24 * HOUR), len(self.times) - 2)
        return i, 0.0

    def at(self, time) -> Flow:
        return self.between(self.bracket(time)[0])

    def between(self, i: int) -> Flow:
        layers, (ny, nx) = self.domain.layers, self.domain.shape
        air = (self.domain.thickness * 1e13)[:, None, None].expand(layers, ny, nx)
        east = air[..., :1].expand(layers, ny, nx + 1) * self.share / 3600
        zero = torch.zeros(layers, ny + 1, nx, dtype=torch.float64)
        up = torch.zeros(layers + 1, ny, nx, dtype=torch.float64)
        parts = (torch.stack([part, part]) for part in (east, zero, up, air))
        return Flow(Interval(self.times[i], self.times[i + 1]), *parts)


@pytest.fixture
def box() -> Domain:
    return Domain(-4.0, 0.0, 10.0, 12.0, 1.0, (1.0, 0.5, 0.0))


@pytest.fixture
def inflow(box, upwind, noon):
    def make(share: float, hemispheres=(), domain=box) -> Inflow:
        solver = Solver(domain, upwind, Mixing(), 3600.0)
        return Inflow(Steady(domain, noon, share), solver, noon, hemispheres)

    return make


def test_without_wind_nothing_comes_in(inflow, noon):
    ((_, found),) = inflow(0.0).until([noon + 24 * HOUR])
    assert torch.equal(found, torch.zeros_like(found))


def test_what_is_carried_in_is_a_binomial_front(inflow, noon):
    # donor cells at Courant number 1/2: after n hours P(at least k + 1 heads in n throws) in cell k
    ((_, found),) = inflow(0.5).until([noon + 3 * HOUR])
    expected = [7 / 8, 4 / 8, 1 / 8, 0.0]
    for layer, row in ((0, 0), (1, 1)):
        torch.testing.assert_close(found[3, layer, row].tolist(), expected, rtol=1e-14, atol=1e-14)
    assert not found[:3].any()


def test_time_inside_is_that_since_the_beginning_where_nothing_moves(inflow, noon):
    ((_, found),) = inflow(0.0, (0, 1)).until([noon + 7 * HOUR])
    torch.testing.assert_close(found[4], torch.full_like(found[4], 7 * 3600.0), rtol=1e-15, atol=0)
    assert not found[5].any()  # the box lies in the north


def test_time_inside_settles_at_that_since_entry(inflow, noon):
    # a cell is left at rate 1/2 an hour: the steady T_k of dT/dt = 1 + (T_(k-1) - T_k) / 2h is 2 h (k + 1),
    # here in steps of an hour, half of it added before the move and half after: T = T/2 + T_left/2 + ¾ h at
    # the first cell, whose left has none, and so 1.5 h + 2 h k
    *_, (_, found) = inflow(0.5, (0,)).until([noon + 200 * HOUR])
    first = 2 * 0.75
    expected = [3600 * (first + 2 * k) for k in range(4)]
    torch.testing.assert_close(found[4, 0, 0].tolist(), expected, rtol=1e-12, atol=0)


def test_the_answer_at_a_time_does_not_depend_on_later_ones(inflow, noon):
    times = [noon, noon + 2 * HOUR, noon + 5 * HOUR]
    one, two = ([r for _, r in inflow(0.3, (0,)).until(asked)] for asked in (times, times[:2]))
    assert torch.equal(one[1], two[1])


def test_a_box_across_the_equator_is_shared_by_the_area_on_either_side():
    domain = Domain(0.0, 5.0, -3.0, 2.0, 2.5, (1.0, 0.0))
    north = math.sin(math.radians(2.0)) / (math.sin(math.radians(2.0)) + math.sin(math.radians(0.5)))
    shares = hemisphere_shares(domain)
    torch.testing.assert_close(shares[0].tolist(), [0.0, north], rtol=1e-12, atol=0)
    assert torch.equal(shares.sum(0), torch.ones(2, dtype=torch.float64))


def test_the_ring_moves_no_air_and_leaves_the_box_alone(box, noon):
    flow = Steady(box, noon, 0.5).between(0)
    ringed = surrounded(flow, box.thickness)
    assert torch.equal(ringed.air[..., 1:-1, 1:-1], flow.air)
    assert torch.equal(ringed.eastward[..., 1:-1, 1:-1], flow.eastward)
    assert not ringed.eastward[..., 0].any()
    assert not ringed.eastward[..., [0, -1], :].any()
    torch.testing.assert_close(ringed.air[0, :, 0, 0].sum().item(), RESERVOIR, rtol=1e-15, atol=0)


def test_ticks_reach_from_start_to_stop(noon):
    assert [b - a for a, b in pairwise(ticks(noon, noon + 6 * HOUR, 2 * HOUR))] == [2 * HOUR] * 3
