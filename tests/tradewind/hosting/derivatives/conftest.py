"""A pond whose derivatives can be worked out by hand, and handles of it that have run."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tradewind.coupled.tape import Participant
from tradewind.couplers.coupling.component import Interval, Step, StepCall
from tradewind.couplers.coupling.fields import Spec, State, Variable
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import Serial
from tradewind.hosting.derivatives import AsTheyAre, Derivatives
from tradewind.hosting.recording import Recording

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


def participant_of(component, comm=None, owned=None) -> Participant:
    spec = component.describe()
    layout = Layout(component.grid, comm, owned)
    layouts = {v.name: layout for v in (*spec.imports, *spec.exports, *spec.state) if v.grid is not None}

    def answer(call: StepCall) -> Step:
        return Step(*component.step(call.state, call.imports, call.parameters, call.interval), None, "pond")

    return Participant("pond", component, spec, answer, layouts, {}, "pond")


class Handle:
    """Runs a pond as a host's handle does."""

    def __init__(self, component=None, members=1, comm=None, owned=None) -> None:
        self.comm, self.members = comm or Serial(), members
        self.participant = participant_of(component or Pond(), comm, owned)
        self.recording = Recording()
        self.derivatives = Derivatives(
            self.participant, members, self.recording, AsTheyAre(self.participant), self.comm
        )
        self.state = self.participant.component.initialize(
            self.participant.spec, self.participant.layouts, members
        )
        self.hour = 0

    def run(self, inflow, rate, put=(("import", "inflow"), ("parameter", "rate")), bound=()):
        interval = Interval(START + self.hour * HOUR, START + (self.hour + 1) * HOUR)
        call = StepCall("pond", self.state, {"inflow": inflow}, {"rate": rate}, interval)
        step = self.participant.answer(call)
        self.recording.add(call, step, put, bound)
        self.state, self.hour = step.state, self.hour + 1
        return step.exports["level"]


@pytest.fixture
def ponds():
    """The pond, its handle, and how numbers become fields."""
    return SimpleNamespace(Pond=Pond, Handle=Handle, GRID=GRID, field=field, number=number)


def field(*values: float) -> torch.Tensor:
    return torch.tensor([values], dtype=torch.float64)


def number(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)
