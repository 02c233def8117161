"""Two small components, and what joins them: cases whose answers can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import torch
from torch import Tensor

from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Participant
from tradewind.couplers.coupling.component import Component, Interval, Step, StepCall
from tradewind.couplers.coupling.exchange import End, Exchange
from tradewind.couplers.coupling.fields import Fields, Kind, Layouts, Spec, State, Variable
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.coupling.time.timing import Timing
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import Distributed, IdentityOperator, LinearOperator
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.scheme import Norm

START = datetime(2000, 1, 1)
UNITS = "kg m-2 s-1"


@dataclass(frozen=True)
class Series:
    """Exports ``x``, a known function of time.

    Attributes
    ----------
    value
        From a step's interval to the field, shape ``(cell,)``.
    """

    grid: Grid
    value: Callable[[Interval], Tensor]

    def describe(self) -> Spec:
        """Return the spec: one flux."""
        return Spec(exports=(Variable("x", UNITS, self.grid, Kind.FLUX_INTENSIVE),), linear=True)

    def initialize(self, spec: Spec, layouts: Layouts, members: int) -> State:
        """Return an empty state."""
        return State()

    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Export the value of the interval."""
        return {"x": self.value(interval)[None]}, state

    def finalize(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True)
class Gauge:
    """Adds up what it is given, ``total += seconds * x``; exports ``total``, and ``x`` as ``given``."""

    grid: Grid

    def describe(self) -> Spec:
        """Return the spec: a flux in, what has come together out."""
        given, x = (Variable(name, UNITS, self.grid, Kind.FLUX_INTENSIVE) for name in ("given", "x"))
        total = Variable("total", "kg m-2", self.grid)
        return Spec(imports=(x,), exports=(given, total), state=(total,), linear=True)

    def initialize(self, spec: Spec, layouts: Layouts, members: int) -> State:
        """Return an empty gauge."""
        return State({"total": torch.zeros(members, layouts["total"].n_local, dtype=torch.float64)})

    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Add what came in."""
        total = state.fields["total"] + interval.seconds * imports["x"]
        return {"given": imports["x"], "total": total}, State({"total": total})

    def finalize(self) -> None:
        """Nothing is held."""


def participant(name: str, component: Component, step: timedelta | None = None) -> Participant:
    """Return a component as it takes part in a run, on one rank."""
    spec = component.describe()
    variables = (*spec.imports, *spec.exports, *spec.state, *spec.parameters)
    layouts = {v.name: Layout(v.grid) for v in variables if v.grid is not None}

    def answer(call: StepCall) -> Step:
        return Step(*component.step(call.state, call.imports, call.parameters, call.interval))

    return Participant(name, component, spec, answer, layouts, step=step)


def end(of: Participant, variable: str) -> End:
    """Return an end of an exchange: an export, or else an import."""
    declared = {v.name: v for v in (*of.spec.imports, *of.spec.exports)}
    return End(of.name, declared[variable], of.layouts[variable])


def joined(
    source: End, target: End, timing: Timing | None = None, fraction: Tensor | None = None
) -> Exchange:
    """Return an exchange: conservative between grids, the identity on one."""
    operator: LinearOperator
    if source.layout == target.layout:
        operator = IdentityOperator(Distributed(source.layout))
    else:
        operator = Regridder.build(
            source.layout, target.layout, "conservative", norm=Norm.DSTAREA, backend="native"
        )
    return Exchange(source, target, operator, timing=timing or Timing(), fraction=fraction)


def coupled(
    participants: Mapping[str, Participant], exchanges: list[Exchange], step: timedelta, count: int
) -> CoupledRun:
    """Return a run of `count` coupling intervals."""
    return CoupledRun(Clock(START, START + count * step, step), list(participants.values()), exchanges)
