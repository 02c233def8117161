"""A Fortran program is a component like any other: it conforms, couples, rewinds and differentiates."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
import torch

from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Participant
from tradewind.couplers.coupling.component import Step
from tradewind.couplers.coupling.exchange import End, Exchange
from tradewind.couplers.coupling.fields import Kind, Spec, State, Variable
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.errors import NotDifferentiableError
from tradewind.plugins.external.derivatives import external
from tradewind.plugins.external.options import ExternalOptions
from tradewind.testing import ComponentConformance

START, HOUR = datetime(2000, 1, 1), timedelta(hours=1)
COARSE = Grid.latlon(np.array([10.0, 30.0]), np.array([2.5, 12.5]))
CAPACITY = 2.0
"""Of the box, kg."""


def at(hours):
    return START + hours * HOUR


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class TestBox(ComponentConformance):
    members = 2
    difference = 1e-8  # of the rate, which is 1e-5, a thousandth at most

    @pytest.fixture(autouse=True)
    def _box(self, box):
        self.settings = box

    def component(self):
        return external(ExternalOptions(**self.settings))


# ---------------------------------------------------------------------- the same models in torch
class Source:
    """Exports its parameter on a coarser grid."""

    def describe(self):
        flux = Variable("flux", "kg s-1", COARSE, Kind.FLUX_EXTENSIVE)
        return Spec(exports=(flux,), parameters=(flux,), linear=True)

    def initialize(self, spec, layouts, members):
        return State()

    def step(self, state, imports, parameters, interval):
        return {"flux": parameters["flux"]}, state

    def finalize(self):
        """Nothing is held."""


class TorchBox:
    """The box of fortran/box.f90, written from its equations, in kg, m and s."""

    def __init__(self, spec, first):
        self.spec, self.first = replace(spec, differentiable=True, opaque=()), first

    def describe(self):
        return self.spec

    def initialize(self, spec, layouts, members):
        return State({"amount": self.first.expand(members, -1)}, {"elapsed": 0.0})

    def step(self, state, imports, parameters, interval):
        amount, dt, rate = state.fields["amount"], interval.seconds / 4, parameters["rate"][:, None]
        for _ in range(4):
            amount = (amount + dt * imports["inflow"]) / (1 + dt * rate * (1 + amount / CAPACITY))
        # 1 cm for every g at full capacity
        level = amount.square() / CAPACITY * 1000 / 100
        elapsed = state.extras["elapsed"] + interval.seconds
        exports = {"level": level, "elapsed": torch.full((len(amount),), elapsed, dtype=torch.float64)}
        return exports, State({"amount": amount}, {"elapsed": elapsed})

    def finalize(self):
        """Nothing is held."""


def participant(name, component, parameters):
    spec = component.describe()
    variables = (*spec.imports, *spec.exports, *spec.state, *spec.parameters)
    layouts = {v.name: Layout(v.grid) for v in variables if v.grid is not None}

    def answer(call):
        return Step(*component.step(call.state, call.imports, call.parameters, call.interval))

    return Participant(name, component, spec, answer, layouts, parameters)


def coupled(box, members=2, hours=4):
    """Return a run in which a source on a coarse grid fills the box."""
    flux = torch.full((1, COARSE.size), 2e-5, dtype=torch.float64)
    source = participant("source", Source(), {"flux": flux})
    filled = participant("box", box, {"rate": torch.tensor([1e-5], dtype=torch.float64)})
    ends = [
        End(p.name, p.spec.variable(role, name), p.layouts[name])
        for p, role, name in ((source, "exports", "flux"), (filled, "imports", "inflow"))
    ]
    operator = Regridder.build(ends[0].layout, ends[1].layout, "nearest_s2d")
    return CoupledRun(Clock(START, at(hours), HOUR), [source, filled], [Exchange(*ends, operator)], members)


@pytest.fixture
def fortran(box):
    return external(ExternalOptions(**box | {"at_once": 2}))


@pytest.fixture
def in_torch(fortran, tools):
    return TorchBox(fortran.describe(), torch.from_numpy(tools.AMOUNT.ravel() / 1000))


def given(members=2):
    """Return what is put at the start: an inflow for every member, a rate, and the first amounts."""
    return {
        "source.flux": 2e-5 + 1e-6 * draw(members, COARSE.size, seed=1),
        "box.rate": 1e-5 + 1e-6 * draw(members, seed=2),
        "box.amount": 1.0 + 0.1 * draw(members, 12, seed=3),
    }


def recorded(run, hours=4):
    """Advance with everything put at the start; return the events of the puts."""
    with run.recording():
        for port, value in given(run.members).items():
            run.put(port, value)
        events = [(port, run.time) for port in given()]
        run.advance(at(hours))
    return events


# ---------------------------------------------------------------------- forward
def test_a_coupled_run_is_that_of_the_same_model_in_torch(fortran, in_torch):
    runs = [coupled(box) for box in (fortran, in_torch)]
    for hours in (1, 2, 4):
        for run in runs:
            if hours == 1:
                for port, value in given().items():
                    run.put(port, value)
            run.advance(at(hours))
        for port in ("box.amount", "box.level", "box.elapsed"):
            torch.testing.assert_close(runs[0].get(port), runs[1].get(port), rtol=1e-13, atol=0)


def test_it_begins_with_the_restart_file_of_the_template(fortran, in_torch):
    runs = [coupled(box) for box in (fortran, in_torch)]
    for run in runs:
        run.advance(at(1))
    torch.testing.assert_close(runs[0].get("box.level"), runs[1].get("box.level"), rtol=1e-13, atol=0)


def test_a_run_that_was_rewound_goes_the_same_way_again(fortran):
    run = coupled(fortran)
    run.advance(at(1))
    kept = run.moment
    run.advance(at(3))
    first = {port: run.get(port) for port in ("box.level", "box.elapsed", "box.amount")}
    run.rewind(kept)
    run.advance(at(3))
    for port, value in first.items():
        assert torch.equal(run.get(port), value)
    # the clock is in the opaque restart file
    assert run.get("box.elapsed").tolist() == [3 * 3600.0] * 2


def test_an_amount_that_is_put_is_what_the_model_reads(fortran, in_torch):
    runs = [coupled(box) for box in (fortran, in_torch)]
    for run in runs:
        run.advance(at(1))
        run.put("box.amount", torch.full((2, 12), 0.25, dtype=torch.float64))
        run.advance(at(2))
    torch.testing.assert_close(runs[0].get("box.level"), runs[1].get("box.level"), rtol=1e-13, atol=0)


def test_nothing_stays_after_a_run(fortran, scratch):
    import gc

    run = coupled(fortran)
    run.advance(at(2))
    assert len(list(scratch.iterdir())) == 2  # the restart files of two members
    del run
    gc.collect()
    assert list(scratch.iterdir()) == []


# ---------------------------------------------------------------------- derivatives
def test_gradients_through_a_coupled_run_are_those_of_the_same_model_in_torch(fortran, in_torch):
    runs = [coupled(box) for box in (fortran, in_torch)]
    events, _ = (recorded(run) for run in runs)
    cotangents = {
        ("box.level", at(4)): draw(1, 2, 12, seed=4),
        ("box.level", at(2)): draw(1, 2, 12, seed=5),
        ("box.amount", at(4)): draw(1, 2, 12, seed=6),
    }
    found, expected = (run.vjp(cotangents) for run in runs)
    for event in events:
        assert expected[event].abs().max() > 0
        torch.testing.assert_close(found[event], expected[event], rtol=1e-12, atol=0)


def test_tangents_through_a_coupled_run_are_those_of_the_same_model_in_torch(fortran, in_torch):
    runs = [coupled(box) for box in (fortran, in_torch)]
    events, _ = (recorded(run) for run in runs)
    moved = {event: draw(1, *given()[event[0]].shape, seed=k) * 1e-5 for k, event in enumerate(events)}
    wanted = [("box.level", at(2)), ("box.level", at(4)), ("box.amount", at(4))]
    found, expected = (run.jvp(moved, wanted) for run in runs)
    for event in wanted:
        torch.testing.assert_close(found[event], expected[event], rtol=1e-12, atol=0)


def test_gradient_and_tangent_pass_the_dot_test_together(fortran):
    run = coupled(fortran)
    events = recorded(run)
    u = {event: draw(1, *given()[event[0]].shape, seed=k) * 1e-5 for k, event in enumerate(events)}
    v = {("box.level", at(4)): draw(1, 2, 12, seed=7), ("box.level", at(1)): draw(1, 2, 12, seed=8)}
    ju, jtv = run.jvp(u, list(v)), run.vjp(v)
    left = sum(float((ju[event] * v[event]).sum()) for event in v)
    right = sum(float((u[event] * jtv[event]).sum()) for event in u)
    assert abs(left - right) <= 1e-12 * abs(left)


def test_zero_cotangents_run_no_program(fortran, box, tmp_path):
    run = coupled(fortran, members=2)
    events = recorded(run)
    broken = external(ExternalOptions(**box | {"adjoint": {"command": ["false"]}}))
    fortran.runner = broken.runner
    zero = run.vjp({("box.level", at(4)): torch.zeros(3, 2, 12, dtype=torch.float64)})
    assert all(not zero[event].any() for event in events)
    assert zero["box.amount", START].shape == (3, 2, 12)


def test_several_derivatives_are_carried_together(fortran):
    run = coupled(fortran, members=1, hours=2)
    recorded(run, hours=2)
    each = draw(2, 1, 12, seed=9)
    together = run.vjp({("box.level", at(2)): each})
    for k in range(2):
        alone = run.vjp({("box.level", at(2)): each[k : k + 1]})
        for event, value in alone.items():
            assert torch.equal(together[event][k : k + 1], value)


def test_a_model_without_adjoint_says_so(box):
    run = coupled(external(ExternalOptions(**box | {"adjoint": None, "tangent": None})))
    recorded(run)
    with pytest.raises(NotDifferentiableError, match="component 'box': has no adjoint"):
        run.vjp({("box.level", at(4)): draw(1, 2, 12)})


def test_an_adjoint_without_tangent_gives_no_tangents(box):
    run = coupled(external(ExternalOptions(**box | {"tangent": None})))
    events = recorded(run)
    with pytest.raises(NotDifferentiableError, match="brings its own derivatives, but no jvp"):
        run.jvp({events[0]: draw(1, 2, 4)}, [("box.level", at(4))])
