"""Toy components whose answers can be worked out by hand: a source, tanks that fill, and grids for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Participant
from tradewind.couplers.assimilation import LinearLook
from tradewind.couplers.coupling.component import Step
from tradewind.couplers.coupling.exchange import End, Exchange
from tradewind.couplers.coupling.fields import Kind, Spec, State, Variable
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import Distributed, IdentityOperator, MatrixOperator, Replicated
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.regridder import Regridder

START = datetime(2000, 1, 1)
HOUR = timedelta(hours=1)
COARSE = Grid.latlon(np.array([10.0, 20.0]), np.array([0.0, 10.0]))
FINE = Grid.latlon(np.array([9.0, 13.0, 17.0, 21.0]), np.array([-2.0, 4.0, 10.0]))

WIDE = Grid.latlon(np.array([5.0, 25.0]), np.array([-10.0, 15.0]))


def at(hours: int) -> datetime:
    return START + hours * HOUR


class Source:
    """Exports its parameter."""

    def __init__(self, grid: Grid = COARSE) -> None:
        self.grid = grid

    def describe(self) -> Spec:
        flux = Variable("flux", "kg s-1", self.grid, Kind.FLUX_INTENSIVE)
        return Spec(exports=(flux,), parameters=(flux,), linear=True)

    def initialize(self, spec, layouts, members):
        return State()

    def step(self, state, imports, parameters, interval):
        return {"flux": parameters["flux"]}, state

    def finalize(self) -> None: ...


class Tank:
    """``amount += hours * inflow``; ``level = rate * amount``: linear in all but the rate."""

    linear, differentiable = True, True

    def __init__(self, grid: Grid = COARSE) -> None:
        self.grid = grid

    def describe(self) -> Spec:
        return Spec(
            imports=(Variable("inflow", "kg s-1", self.grid, Kind.FLUX_INTENSIVE),),
            exports=(Variable("level", "m", self.grid),),
            state=(Variable("amount", "kg", self.grid),),
            parameters=(Variable("rate", "m kg-1"),),
            linear=self.linear,
            differentiable=self.differentiable,
        )

    def initialize(self, spec, layouts, members):
        return State({"amount": torch.zeros(members, layouts["amount"].n_local, dtype=torch.float64)})

    def step(self, state, imports, parameters, interval):
        amount = state.fields["amount"] + imports["inflow"] * interval.seconds / 3600
        return {"level": parameters["rate"][:, None] * amount}, State({"amount": amount})

    def finalize(self) -> None: ...


class Leaky(Tank):
    """A tank that is linear in nothing: see its step."""

    linear = False

    def step(self, state, imports, parameters, interval):
        amount, inflow, rate = state.fields["amount"], imports["inflow"], parameters["rate"][:, None]
        new = amount + inflow - torch.sin(amount) / 4 + rate.square() * amount * inflow / 8
        return {"level": new.square()}, State({"amount": new})


def participant(name, component, parameters=None, answer=None, layouts=None, plugin=""):
    spec = component.describe()
    variables = (*spec.imports, *spec.exports, *spec.state, *spec.parameters)
    layouts = layouts or {v.name: Layout(v.grid) for v in variables if v.grid is not None}

    def plain(call):
        return Step(
            *component.step(call.state, call.imports, call.parameters, call.interval), answered_by=plugin
        )

    return Participant(name, component, spec, answer or plain, layouts, parameters or {}, plugin)


def end(p, role, name):
    return End(p.name, p.spec.variable(role, name), p.layouts[name])


def connect(source, export, target, imported, factor=1.0):
    """Return an exchange: conservative between grids, the identity on one."""
    left, right = end(source, "exports", export), end(target, "imports", imported)
    if left.layout == right.layout:
        return Exchange(left, right, IdentityOperator(Distributed(left.layout)), factor)
    return Exchange(left, right, Regridder.build(left.layout, right.layout, "conservative"), factor)


def scalar(*values):
    return torch.tensor(values, dtype=torch.float64)


def chain(tank=Tank, grid=COARSE, members=1, hours=6, **keywords):
    """Return a run of a source that fills a tank, and its exchange; rate 1/2, flux 2 unless put."""
    source = participant("source", Source(), {"flux": torch.full((1, COARSE.size), 2.0, dtype=torch.float64)})
    filled = participant("tank", tank(grid), {"rate": scalar(0.5)}, **keywords)
    exchange = connect(source, "flux", filled, "inflow")
    # declared in the wrong order, on purpose
    return CoupledRun(Clock(START, at(hours), HOUR), [filled, source], [exchange], members)


class Scaled:
    """Control: x times 1, 2, 3, 4 in the cells of one target."""

    prior = torch.ones(COARSE.size, dtype=torch.float64)
    field = torch.arange(1.0, 1.0 + COARSE.size, dtype=torch.float64)

    def __init__(self, layout, target="source.flux"):
        self.targets = (target,)
        self.operator = MatrixOperator(torch.diag(self.field), Replicated(COARSE.size), Distributed(layout))

    def at(self, window):
        return self

    def to_fields(self, x):
        return {self.targets[0]: self.field * x}

    def linearize(self, x):
        return self.operator


class Looks:
    """Observation operator: what a matrix makes of one field at the end of each window, and an offset."""

    def __init__(self, layout, matrix=None, offset=None, port="tank.level"):
        self.layout, self.observes = layout, (port,)
        self.matrix = torch.eye(layout.n_local, dtype=torch.float64) if matrix is None else matrix
        self.background = self.matrix.new_zeros(len(self.matrix)) if offset is None else offset

    def looks(self, window):
        space = Distributed(self.layout)
        return {(self.observes[0], window.stop): LinearLook(MatrixOperator(self.matrix, space))}

    def offset(self, window):
        return self.background


@pytest.fixture
def make_chain() -> Callable[..., CoupledRun]:
    return chain


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def toys() -> SimpleNamespace:
    """Return this module's names: components, grids, and what connects them."""
    return SimpleNamespace(**{name: value for name, value in globals().items() if not name.startswith("_")})
