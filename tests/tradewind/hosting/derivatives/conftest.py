"""A pond whose derivatives can be worked out by hand, and handles of it that have run."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Participant, Taken
from tradewind.couplers.coupling.component import Interval, Mode, Step, StepCall
from tradewind.couplers.coupling.exchange import End, Exchange
from tradewind.couplers.coupling.fields import Spec, State, Variable
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import Distributed, IdentityOperator
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import Serial
from tradewind.hosting.derivatives import Derivatives, What

START = datetime(2000, 1, 1)
HOUR = timedelta(hours=1)
GRID = Grid.latlon(np.array([10.0, 20.0]), np.array([0.0, 10.0]))


class Pond:
    """``amount <- amount + inflow - rate amount²``, ``level = amount²`` of the new amount."""

    differentiable = True

    def __init__(self, grid: Grid = GRID) -> None:
        self.grid = grid

    def describe(self) -> Spec:
        return Spec(
            imports=(Variable("inflow", "kg", self.grid),),
            exports=(Variable("level", "kg2", self.grid),),
            state=(Variable("amount", "kg", self.grid),),
            parameters=(Variable("rate", "kg-1"),),
            differentiable=self.differentiable,
        )

    def initialize(self, spec, layouts, members):
        cells = layouts["amount"].n_local
        return State({"amount": torch.ones(members, cells, dtype=torch.float64)})

    def step(self, state, imports, parameters, interval):
        old = state.fields["amount"]
        amount = old + imports["inflow"] - parameters["rate"][:, None] * old**2
        return {"level": amount**2}, State({"amount": amount})

    def finalize(self) -> None: ...


def participant_of(component, comm=None, owned=None, name="pond") -> Participant:
    spec = component.describe()
    layout = Layout(component.grid, comm, owned)
    variables = (*spec.imports, *spec.exports, *spec.state, *spec.parameters)
    layouts = {v.name: layout for v in variables if v.grid is not None}

    def answer(call: StepCall) -> Step:
        return Step(*component.step(call.state, call.imports, call.parameters, call.interval), None, name)

    return Participant(name, component, spec, answer, layouts, {}, name)


class Handle:
    """Runs a pond as a host's handle does, and keeps its runs."""

    def __init__(self, component=None, members=1, comm=None, owned=None, keeps=False) -> None:
        self.comm, self.keeps = comm or Serial(), keeps
        self.participant = participant_of(component or Pond(), comm, owned)
        self.derivatives = Derivatives(self.participant, self.comm)
        p = self.participant
        self.state = p.component.initialize(p.spec, p.layouts, members)
        self.kept, self.found = [], {}

    def run(self, inflow, rate, put=(("import", "inflow"), ("parameter", "rate")), stands=True):
        hours = len(self.kept)
        interval = Interval(START + hours * HOUR, START + (hours + 1) * HOUR)
        taken = Taken(
            self.participant, interval, self.state, {"inflow": inflow}, {"rate": rate}, None, "pond"
        )
        step = self.participant.answer(taken.call(taken.given(), Mode.FORWARD))
        run = SimpleNamespace(
            taken=taken, exports=step.exports, state=step.state, stands=stands, put=frozenset(put)
        )
        self.kept = [*self.kept, run] if self.keeps else [run]
        self.state = step.state
        return step.exports["level"]

    def tangent(self, put):
        self.found[What.TANGENT] = self.derivatives.tangent(self.kept, put)

    def adjoint(self, put):
        self.found[What.ADJOINT] = self.derivatives.adjoint(self.kept, put)

    def dot_test(self):
        return self.derivatives.dot_test(self.kept)


class Source:
    """Exports its parameter."""

    def __init__(self, grid: Grid = GRID) -> None:
        self.grid = grid

    def describe(self) -> Spec:
        flux = Variable("flux", "kg", self.grid)
        return Spec(exports=(flux,), parameters=(flux,), linear=True)

    def initialize(self, spec, layouts, members):
        return State()

    def step(self, state, imports, parameters, interval):
        return {"flux": parameters["flux"]}, state

    def finalize(self) -> None: ...


def fed(hours: int = 4) -> CoupledRun:
    """Return the run of a source that feeds a pond."""
    source, pond = participant_of(Source(), name="source"), participant_of(Pond())
    pond = replace(pond, parameters={"rate": number(0.1)})
    source = replace(source, parameters={"flux": field(1.0, 1.0, 1.0, 1.0)})
    left = End("source", source.spec.exports[0], source.layouts["flux"])
    right = End("pond", pond.spec.imports[0], pond.layouts["inflow"])
    exchange = Exchange(left, right, IdentityOperator(Distributed(left.layout)))
    return CoupledRun(Clock(START, START + hours * HOUR, HOUR), [source, pond], [exchange])


@pytest.fixture
def ponds():
    """The pond, its handle, and how numbers become fields."""
    return SimpleNamespace(
        Pond=Pond, Handle=Handle, fed=fed, field=field, number=number, START=START, HOUR=HOUR
    )


def field(*values: float) -> torch.Tensor:
    return torch.tensor([values], dtype=torch.float64)


def number(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)
