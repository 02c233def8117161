"""The forward model of an assimilation: from control through a coupled run to simulated observations.

Every window starts from the components' initial state, so windows are independent of each other given x;
what was in the air before is the observations' background.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tradewind.coupled.derivatives.checkpoints import Tape, sparing
from tradewind.coupled.derivatives.operators import BLOCK, ByAdjoint, RunTangent
from tradewind.coupled.derivatives.paths import between, leads, reached
from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Participant, Port
from tradewind.couplers.assimilation import Control, ObservationOperator
from tradewind.couplers.assimilation.linearization import (
    Count,
    CountedOperator,
    Uncertain,
    WindowModel,
    spans,
)
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.operators import Distributed, LinearOperator
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import Communicator, Serial
from tradewind.errors import SpecError

if TYPE_CHECKING:
    from tradewind.plugins.caller import StepCaller


def _squared(operator: LinearOperator, variance: Tensor) -> Tensor:
    """Return Σ_j H_ij² v_j, shape ``(m,)``; H is made row by row, in blocks."""
    rows = torch.eye(operator.range.size, dtype=torch.float64)
    parts = [operator.adjoint(part).square() @ variance for part in torch.split(rows, BLOCK) if len(part)]
    return torch.cat(parts) if parts else variance.new_zeros(0)


@dataclass
class Calls:
    """Who was asked to linearize, and how much."""

    counts: dict[tuple[str, str], Count] = field(default_factory=dict)

    def of(self, component: str, plugin: str) -> Count:
        """Return the count of `plugin` for `component`."""
        return self.counts.setdefault((component, plugin), Count())


@dataclass(frozen=True)
class StandIn:
    """A surrogate's linearization of one component over one window, and what feeds that component.

    Attributes
    ----------
    operator
        From the mean import to the observed export.
    upstream
        The derivative of the mean import by the controlled field.
    mean
        The mean import itself, of all sources, shape ``(cell,)``.
    silent
        What is exported where nothing is imported, because of what the component begins with; shape
        ``(cell,)``. None: nothing.
    """

    operator: LinearOperator
    upstream: LinearOperator
    mean: Tensor
    silent: Tensor | None = None

    @property
    def chain(self) -> LinearOperator:
        """From a change of the controlled field to that of the observed export."""
        return self.operator @ self.upstream

    @property
    def exported(self) -> Tensor:
        """The observed export, shape ``(cell,)``."""
        answer = self.operator.forward(self.mean)
        return answer if self.silent is None else answer + self.silent

    @property
    def variance(self) -> Tensor | None:
        """The variance of the surrogate's own error in the export, shape ``(cell,)``; None: not known."""
        return self.operator.variance(self.mean) if isinstance(self.operator, Uncertain) else None


@dataclass
class _Last:
    """What was asked for last: a window is asked several times in a row, for values, Jacobian and error."""

    window: Interval | None = None
    operator: LinearOperator | None = None
    silent: Tensor | None = None
    field: Tensor | None = None
    stand_in: StandIn | None = None


@dataclass
class CoupledModel:
    """A coupled run seen from the control on one side and the observations on the other.

    Attributes
    ----------
    run
        The run, with one member.
    control
        What x stands for.
    observe
        The observation operator.
    windows
        Equal, consecutive, independent.
    callers
        Hook callers by component; only components that are not linearized from the tape need one.
    comm
        Ranks among which windows are dealt; every rank holds whole windows.
    """

    run: CoupledRun
    control: Control
    observe: ObservationOperator
    windows: Sequence[Interval]
    callers: Mapping[str, StepCaller] = field(default_factory=dict)
    comm: Communicator = field(default_factory=Serial)
    calls: Calls = field(default_factory=Calls)
    _last: _Last = field(default_factory=_Last)

    def __call__(self, x: Tensor, window: Interval) -> Tensor:
        """Return the simulated observations of `window`, shape ``(m,)``.

        Where a surrogate stands in for the linearization of a linear component, all that feeds it is stepped
        and the answer is the superposition of its sensitivities to the mean of what it imports; otherwise
        the whole run is stepped.
        """
        stand_in = self.stand_in(window, x)
        exported = self._stepped(x, window) if stand_in is None else stand_in.exported
        return self.observe.operator(window).forward(exported) + self.observe.offset(window)

    def linearize(self, x: Tensor, window: Interval) -> LinearOperator:
        """Return K of `window`: observation operator, components, exchanges and control composed."""
        stand_in = self.stand_in(window, x)
        chain = self._from_tape(x, window) if stand_in is None else stand_in.chain
        whole = self.observe.operator(window) @ chain @ self.control.linearize(x)
        return ByAdjoint(whole) if self._only_adjoint else whole

    def error(self, x: Tensor, window: Interval) -> Tensor | None:
        """Return the variance of the surrogate's own error in y, shape ``(m,)``; None: not known.

        The surrogate says how far each cell of its export may be off; H carries variances with the squares
        of its entries, as if errors in different cells were independent.
        """
        stand_in = self.stand_in(window, x)
        variance = None if stand_in is None else stand_in.variance
        return None if variance is None else _squared(self.observe.operator(window), variance)

    # ------------------------------------------------------------------ the run's own derivative
    def record(self, x: Tensor, window: Interval) -> tuple[Tape, Tensor]:
        """Step the run through `window` at x; return its tape and the observed export, ``(1, cell)``.

        How it is recorded follows `tradewind.coupled.derivatives.checkpoints.sparing`.
        """
        self.run.rewind(self.run.start(window.start))
        with self.run.recording(sparing(self.run, window.stop)) as tape:
            self._advance(self.run, self._field(x), window)
        return tape, self.run.get(self.observe.observes)

    def _stepped(self, x: Tensor, window: Interval) -> Tensor:
        """Return the observed export at x, shape ``(cell,)``."""
        self.run.rewind(self.run.start(window.start))
        self._advance(self.run, self._field(x), window)
        return self.run.get(self.observe.observes)[0]

    def _advance(self, run: CoupledRun, controlled: Tensor, window: Interval) -> None:
        run.put(self.control.target, controlled[None])
        run.advance(window.stop)

    def _field(self, x: Tensor) -> Tensor:
        return self.control.to_fields(x)[self.control.target]

    def _from_tape(self, x: Tensor, window: Interval) -> LinearOperator:
        tape, _ = self.record(x, window)
        given = (self.control.target, window.start)
        spaces = (self._space(self.control.target), self._space(self.observe.observes))
        chain = RunTangent(self.run, tape, given, {(self.observe.observes, window.stop): 1.0}, spaces)
        observed = self._participant(self.observe.observes)
        return CountedOperator(chain, self.calls.of(observed.name, "reference"))

    # ------------------------------------------------------------------ a surrogate's
    def stand_in(self, window: Interval, x: Tensor | None = None) -> StandIn | None:
        """Return what a surrogate puts in place of the observed component at x, None where there is none.

        Parameters
        ----------
        x
            The control vector, at which all that feeds the component is stepped; None: the prior.
        """
        last = self._last
        if last.window != window:
            observed = self._participant(self.observe.observes)
            operator = self._operator(observed, window)
            silent = None if operator is None else self._silent(observed, window)
            last = self._last = _Last(window, operator, silent)
        if last.operator is None:
            return None
        controlled = self._field(self.control.prior if x is None else x)
        if last.field is None or not torch.equal(last.field, controlled):
            upstream, mean = self._upstream(controlled, window)
            last.field = controlled.clone()
            last.stand_in = StandIn(last.operator, upstream, mean, last.silent)
        return last.stand_in

    def _operator(self, observed: Participant, window: Interval) -> LinearOperator | None:
        """Return the surrogate's operator; None where there is none, or where it could not serve.

        It knows one window's mean import, and what is exported at its end: the component must be linear, and
        neither hold the control nor feed itself through others.
        """
        caller, controlled = self.callers.get(observed.name), self.control.target.partition(".")[0]
        if caller is None or not observed.spec.linear or controlled == observed.name:
            return None
        fed = {target for source, target in leads(self.run.exchanges) if source == observed.name}
        feeds_itself = observed.name in reached(self.run.exchanges, fed)
        if feeds_itself or not between(self.run.exchanges, controlled, observed.name):
            return None
        return caller.linearize(self.window_model(observed, window), None, window)

    def _silent(self, observed: Participant, window: Interval) -> Tensor | None:
        """Return what the reference model exports when it is given nothing, None where it begins empty."""
        initial = self._alone(observed).start(window.start).states[observed.name]
        if not any(bool(value.any()) for value in initial.fields.values()):
            return None
        return self._recorded_alone(observed, window)[0].get(self.observe.observes)[0]

    def window_model(self, observed: Participant, window: Interval) -> WindowModel:
        """Return what a surrogate of `observed` is asked about `window`."""
        given, wanted = self._single_import(observed), self.observe.observes.partition(".")[2]
        return WindowModel(
            observed.name, observed.spec, given, wanted, observed.layouts,
            reference=lambda: self._component_tangent(observed, window),
        )  # fmt: skip

    def _component_tangent(self, observed: Participant, window: Interval) -> LinearOperator:
        """Return the reference model's own operator: one component alone, with a constant import."""
        alone, tape = self._recorded_alone(observed, window)
        port = observed.port(self._single_import(observed))
        spaces = (self._space(port), self._space(self.observe.observes))
        wanted = {(self.observe.observes, window.stop): 1.0}
        operator = RunTangent(alone, tape, (port, window.start), wanted, spaces)
        return CountedOperator(operator, self.calls.of(observed.name, "reference"))

    def _alone(self, observed: Participant) -> CoupledRun:
        return CoupledRun(self.run.clock, [observed], [], members=1)

    def _recorded_alone(self, observed: Participant, window: Interval) -> tuple[CoupledRun, Tape]:
        """Return the run of one component through `window`, given nothing, and its tape."""
        alone, port = self._alone(observed), observed.port(self._single_import(observed))
        alone.rewind(alone.start(window.start))
        with alone.recording(sparing(alone, window.stop)) as tape:
            alone.put(port, torch.zeros(1, self._layout(port).n_local, dtype=torch.float64))
            alone.advance(window.stop)
        return alone, tape

    @cached_property
    def _above(self) -> CoupledRun:
        """The run of all that feeds the observed component."""
        return self.run.upstream(self.observe.observes.partition(".")[0])

    def _upstream(self, controlled: Tensor, window: Interval) -> tuple[LinearOperator, Tensor]:
        """Return the derivative of what the observed component imports on average, and that, ``(cell,)``.

        Both at the `controlled` field: what feeds the component need not be linear.
        """
        observed, above = self._participant(self.observe.observes), self._above
        port = observed.port(self._single_import(observed))
        parts = tuple(above.steps_of(observed.name, window))
        wanted = {(port, p.stop): share for p, share in zip(parts, spans(window, parts), strict=True)}
        above.rewind(above.start(window.start))
        with above.recording(sparing(above, window.stop)) as tape:
            for event in wanted:
                tape.watch(observed.name, event)
            self._advance(above, controlled, window)
        mean = reduce(torch.add, [share * tape.seen[event][0] for event, share in wanted.items()])
        spaces = (self._space(self.control.target), self._space(port))
        return RunTangent(above, tape, (self.control.target, window.start), wanted, spaces), mean

    # ------------------------------------------------------------------ names
    @cached_property
    def _only_adjoint(self) -> bool:
        """Whether a component on the way brings an adjoint of its own, but no tangent."""
        ends = (port.partition(".")[0] for port in (self.control.target, self.observe.observes))
        on_the_way = between(self.run.exchanges, *ends)
        own = [p.component for p in self.run.participants if p.name in on_the_way]
        return any(hasattr(c, "vjp") and not hasattr(c, "jvp") for c in own)

    def _participant(self, port: Port) -> Participant:
        name = port.partition(".")[0]
        return next(p for p in self.run.participants if p.name == name)

    def _single_import(self, participant: Participant) -> str:
        fed = {e.target.variable.name for e in self.run.into[participant.name]}
        if len(fed) != 1:
            raise SpecError(
                f"a surrogate of the linearization needs one import that is fed, found {len(fed)}",
                where=f"component {participant.name!r}",
            )
        return fed.pop()

    def _layout(self, port: Port) -> Layout:
        return self._participant(port).layouts[port.partition(".")[2]]

    def _space(self, port: Port) -> Distributed:
        return Distributed(self._layout(port))
