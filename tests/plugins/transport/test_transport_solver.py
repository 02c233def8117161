"""One interval of transport: against the slow model, mass to the last digit, and refusals."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest
import torch

from tradewind.couplers.coupling.component import Interval
from tradewind.errors import DataError
from tradewind.plugins.transport import solver as module
from tradewind.plugins.transport.massflux import Flow


@pytest.fixture(scope="module")
def hour(transport):
    """Return the first hour after an analysis, and its air."""
    start = transport.flows.weather.times[30]
    return Interval(start, start + timedelta(hours=1)), transport.flows.at(start)


def shapes(transport, members=1):
    return (members, transport.domain.layers, *transport.domain.shape), (members, *transport.domain.shape)


def test_it_agrees_with_the_slow_model(transport, hour, draw, slow_model):
    interval, flow = hour
    tracer, emission = (draw(*shape, seed=n) for n, shape in enumerate(shapes(transport)))
    fast = transport.solver.advance(tracer, emission, flow, interval)[0]
    slow = slow_model(transport.solver, transport.options.scheme)
    expected = torch.from_numpy(slow.advance(tracer[0].numpy(), emission[0].numpy(), flow, interval))
    assert torch.allclose(fast, expected, rtol=1e-13, atol=0)


def test_what_was_there_and_emitted_is_held_or_has_left_through_the_sides(transport, hour, draw, slow_model):
    interval, flow = hour
    tracer, emission = (draw(*shape, seed=n) for n, shape in enumerate(shapes(transport)))
    held = float(transport.solver.advance(tracer, emission, flow, interval).sum())
    slow = slow_model(transport.solver, transport.options.scheme)
    slow.advance(tracer[0].numpy(), emission[0].numpy(), flow, interval)
    came = float(tracer.sum()) + 3600.0 * float(emission.sum())
    assert slow.left > 0.0
    assert held + slow.left == pytest.approx(came, rel=1e-13)


def test_nothing_is_lost_before_it_reaches_a_side(transport, hour):
    interval, flow = hour
    shape, map_shape = shapes(transport)
    emission = torch.zeros(map_shape, dtype=torch.float64)
    emission[0, 6, 7] = 2.0
    tracer = transport.solver.advance(torch.zeros(shape, dtype=torch.float64), emission, flow, interval)
    assert float(tracer.sum()) == pytest.approx(7200.0, rel=1e-13)


def test_nothing_becomes_negative(transport, hour, draw):
    interval, flow = hour
    shape, map_shape = shapes(transport)
    spikes = (draw(*shape, seed=5) > 0.9).double()
    after = transport.solver.advance(spikes, torch.zeros(map_shape, dtype=torch.float64), flow, interval)
    assert float(after.min()) >= 0.0


def test_a_constant_mixing_ratio_stays_constant_where_clean_air_has_not_come(transport, hour):
    # clean air comes in at the sides and moves inwards by at most two cells in each of four substeps;
    # with van Leer's slopes a cell is reached from two cells away
    _, flow = hour
    start = flow.interval.start
    interval = Interval(start, start + timedelta(seconds=1800))
    reach = 2 * 2
    tracer = 3e-9 * flow.air_at(start)[None]
    nothing = torch.zeros(shapes(transport)[1], dtype=torch.float64)
    after = transport.solver.advance(tracer, nothing, flow, interval)[0] / flow.air_at(interval.stop)
    inner = after[:, reach:-reach, reach:-reach]
    assert torch.allclose(inner, torch.full_like(inner, 3e-9), rtol=1e-12, atol=0)


def test_clean_air_does_come_in(transport, hour):
    interval, flow = hour
    nothing = torch.zeros(shapes(transport)[1], dtype=torch.float64)
    tracer = flow.air_at(interval.start)[None]
    after = transport.solver.advance(tracer, nothing, flow, interval)[0] / flow.air_at(interval.stop)
    assert float(after.min()) < 0.9


def test_members_do_not_mind_each_other(transport, hour, draw):
    interval, flow = hour
    tracer, emission = (draw(*shape, seed=n) for n, shape in enumerate(shapes(transport, 3)))
    together = transport.solver.advance(tracer, emission, flow, interval)
    alone = transport.solver.advance(tracer[1:2], emission[1:2], flow, interval)
    assert torch.equal(together[1:2], alone)


def test_answers_do_not_depend_on_how_members_are_cut_into_blocks(transport, hour, draw, monkeypatch):
    interval, flow = hour
    tracer, emission = (draw(*shape, seed=n) for n, shape in enumerate(shapes(transport, 5)))
    whole = transport.solver.advance(tracer, emission, flow, interval)
    monkeypatch.setattr(module, "BLOCK_BYTES", 2 * flow.air[0].nbytes)
    assert torch.equal(transport.solver.advance(tracer, emission, flow, interval), whole)


def test_answers_do_not_depend_on_what_is_kept(transport, hour, draw, monkeypatch):
    interval, flow = hour
    tracer, emission = (draw(*shape, seed=n) for n, shape in enumerate(shapes(transport)))
    kept = [transport.solver.advance(tracer, emission, flow, interval) for _ in range(2)]
    monkeypatch.setattr(module, "KEPT_BYTES", 0)
    fresh = replace(transport.solver).advance(tracer, emission, flow, interval)
    assert torch.equal(kept[0], fresh)
    assert torch.equal(kept[1], fresh)


def test_no_more_is_kept_than_there_is_room_for(transport, draw, monkeypatch):
    solver, times = replace(transport.solver), transport.flows.weather.times
    tracer, emission = (draw(*shape) for shape in shapes(transport))
    flows = [transport.flows.between(i) for i in range(3)]
    size = 3 * solver.scheme.arrays * 24 * flows[0].air[0].nbytes
    monkeypatch.setattr(module, "KEPT_BYTES", 2 * size)
    for flow in flows:
        solver.advance(tracer, emission, flow, flow.interval)
    assert [interval.start for _, interval in solver._kept] == list(times[1:3])


def test_its_input_is_left_as_it_was(transport, hour, draw):
    interval, flow = hour
    tracer, emission = (draw(*shape) for shape in shapes(transport))
    before = tracer.clone()
    transport.solver.advance(tracer, emission, flow, interval)
    assert torch.equal(tracer, before)


def test_members_may_be_in_air_of_their_own(transport, draw):
    times = transport.flows.weather.times
    flows = [transport.flows.between(i) for i in (30, 31)]
    interval = Interval(times[30], times[30] + timedelta(hours=1))
    names = ("eastward", "northward", "upward", "air")
    both = Flow(flows[0].interval, *(torch.stack([getattr(f, n) for f in flows], dim=1) for n in names))
    tracer, emission = (draw(*shape, seed=n) for n, shape in enumerate(shapes(transport, 2)))
    together = transport.solver.advance(tracer, emission, both, interval)
    for member, flow in enumerate(flows):
        one = slice(member, member + 1)
        moved = replace(flow, interval=flows[0].interval)
        alone = transport.solver.advance(tracer[one], emission[one], moved, interval)
        assert torch.allclose(together[one], alone, rtol=1e-14, atol=0)


def test_a_substep_too_long_for_the_winds_is_refused_with_one_that_would_do(transport, hour):
    _, flow = hour
    solver = replace(transport.solver, substep=20_000.0)
    best = math.floor(0.95 / flow.courant())
    with pytest.raises(DataError, match=rf"substep 20000 s is too long .* \(use at most {best} s\)"):
        solver.check_courant(flow)


def test_the_substep_that_it_proposes_will_do(transport, hour):
    _, flow = hour
    replace(transport.solver, substep=float(math.floor(0.95 / flow.courant()))).check_courant(flow)


def test_single_precision_is_single_throughout(transport, hour, draw):
    interval, flow = hour
    single = Flow(
        flow.interval, *(part.float() for part in (flow.eastward, flow.northward, flow.upward, flow.air))
    )
    tracer, emission = (draw(*shape, seed=n) for n, shape in enumerate(shapes(transport)))
    after = transport.solver.advance(tracer.float(), emission.float(), single, interval)
    exact = transport.solver.advance(tracer, emission, flow, interval)
    assert after.dtype == torch.float32
    assert torch.allclose(after.double(), exact, rtol=1e-4)
