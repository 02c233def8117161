"""Tangent and adjoint of the model: dot products, Taylor tests, and torch's own check."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import torch

from tradewind.coupled.derivatives.replay import gradients, tangents
from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Participant
from tradewind.couplers.coupling.component import Interval, Step
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.ranks.layout import Layout
from tradewind.plugins.transport.model import COLUMN, FLUX, TRACER

START = datetime(1996, 1, 15, 18)
END = START + timedelta(hours=12)
CELLS = 12 * 14
PUT, SEEN = (f"transport.{FLUX}", START), (f"transport.{COLUMN}", END)
STARTED = (f"transport.{TRACER}", START)


class Recorded:
    """Half a day of the model, with its tape."""

    def __init__(self, transport, x, tracer) -> None:
        spec = transport.describe()
        layout = Layout(spec.imports[0].grid)

        def answer(call):
            return Step(*transport.step(call.state, call.imports, call.parameters, call.interval))

        layouts = dict.fromkeys((FLUX, COLUMN, TRACER), layout)
        part = Participant("transport", transport, spec, answer, layouts)
        self.run = CoupledRun(Clock(START, END, timedelta(hours=6)), [part], [])
        start = self.run.moment
        with self.run.recording() as self.tape:
            self.y = self.at(x, tracer)
        self.start = start

    def at(self, x, tracer):
        self.run.put(PUT[0], x)
        self.run.put(STARTED[0], tracer)
        self.run.advance(END)
        return self.run.get(SEEN[0])

    def again(self, x, tracer):
        self.run.rewind(self.start)
        return self.at(x, tracer)


@pytest.fixture
def point(draw):
    """Return a flux and a start that differ from cell to cell."""
    return draw(1, CELLS, seed=1) * 1e-9, draw(1, 6, CELLS, seed=2) * 1e4


@pytest.fixture
def recorded(transport, point):
    return Recorded(transport, *point)


def directions(draw, k=3):
    dx, dy, ds = (
        draw(k, *shape, seed=s) - 0.5 for s, shape in ((3, (1, CELLS)), (4, (1, CELLS)), (5, (1, 6, CELLS)))
    )
    return dx * 1e-9, dy, ds * 1e4


def test_the_adjoint_is_that_of_the_tangent(recorded, draw):
    dx, dy, ds = directions(draw)
    forward = tangents(recorded.run, recorded.tape, {PUT: dx, STARTED: ds}, [SEEN])[SEEN]
    back = gradients(recorded.run, recorded.tape, {SEEN: dy})
    left = (forward * dy).flatten(1).sum(1)
    right = (dx * back[PUT]).flatten(1).sum(1) + (ds * back[STARTED]).flatten(1).sum(1)
    size = forward.flatten(1).norm(dim=1) * dy.flatten(1).norm(dim=1)
    assert float(((left - right).abs() / size).max()) <= 1e-12


def test_the_linear_scheme_is_its_own_tangent(make_transport, point, draw):
    recorded = Recorded(make_transport(scheme="upwind"), *point)
    dx, _, ds = directions(draw, 1)
    forward = tangents(recorded.run, recorded.tape, {PUT: dx, STARTED: ds}, [SEEN])[SEEN][0]
    difference = recorded.again(point[0] + dx[0], point[1] + ds[0]) - recorded.y
    assert float((difference - forward).norm() / forward.norm()) < 1e-12


def test_the_remainder_of_the_curved_scheme_falls_with_the_square_of_the_step(make_transport, point, draw):
    recorded = Recorded(make_transport(scheme="van_leer"), *point)
    dx, _, ds = directions(draw, 1)
    forward = tangents(recorded.run, recorded.tape, {PUT: dx, STARTED: ds}, [SEEN])[SEEN][0]
    remainder = []
    # small enough that no slope changes its sign on the way, where the scheme has a kink
    for h in (4e-6, 2e-6, 1e-6):
        y = recorded.again(point[0] + h * dx[0], point[1] + h * ds[0])
        remainder.append(float((y - recorded.y - h * forward).norm()))
    ratios = torch.tensor(remainder[:-1]) / torch.tensor(remainder[1:])
    assert ratios.log2().tolist() == pytest.approx([2.0, 2.0], abs=0.3)


def test_a_column_feels_only_what_is_emitted_upwind_of_it_and_never_less_than_nothing(make_transport, point):
    recorded = Recorded(make_transport(scheme="upwind"), *point)
    dy = torch.zeros(1, 1, CELLS, dtype=torch.float64)
    dy[0, 0, 6 * 14 + 7] = 1.0
    felt = gradients(recorded.run, recorded.tape, {SEEN: dy})[PUT]
    assert float(felt.min()) >= 0.0
    assert 0 < int((felt > 0.01 * felt.max()).sum()) < CELLS // 2


def test_torch_checks_a_step_on_a_tiny_domain(make_transport, draw):
    for scheme in ("upwind", "van_leer"):
        region = {"west": -104, "east": -100, "south": 30, "north": 33}
        tiny = make_transport(region=region, layers=(1.0, 0.9, 0.5, 0.0), scheme=scheme, substep=1200.0)
        interval = Interval(START, START + timedelta(hours=1))
        flow = tiny.flows.at(START)

        def advance(tracer, emission, tiny=tiny, flow=flow, interval=interval):
            return tiny.solver.advance(tracer, emission, flow, interval)

        tracer, emission = draw(2, 3, 3, 4, seed=1), draw(2, 3, 4, seed=2) * 1e-3
        assert torch.autograd.gradcheck(advance, (tracer.requires_grad_(), emission.requires_grad_()))
