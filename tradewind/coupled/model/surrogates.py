"""A surrogate's linearization in place of the observed component, and what feeds that component."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tradewind.coupled.derivatives.checkpoints import Watch, sparing
from tradewind.coupled.derivatives.operators import RunTangent, Weighted
from tradewind.coupled.derivatives.paths import between, leads, reached
from tradewind.coupled.model.looking import fields_of, looks_of
from tradewind.coupled.model.names import Names
from tradewind.coupled.model.stand_in import StandIn, exported
from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Event, Participant, Port
from tradewind.couplers.assimilation import ObservationOperator
from tradewind.couplers.assimilation.linearization import CountedOperator, WindowModel, spans
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.operators import LinearOperator
from tradewind.errors import SpecError

if TYPE_CHECKING:
    from tradewind.coupled.derivatives.checkpoints import Tape
    from tradewind.coupled.model.forward import CoupledModel


UNKNOWN_LOOKS = "its surrogate knows one export at a window's end, and something else is looked at"
OTHER_LOOKS = "observe one export at the ends of windows, or set run_as to guarded or reference"


@dataclass
class _Last:
    """What was asked for last: a window is asked several times in a row, for values, Jacobian and error."""

    window: Interval | None = None
    operator: LinearOperator | None = None
    silent: Tensor | None = None
    fields: Mapping[Port, Tensor] | None = None
    stand_in: StandIn | None = None


class StandIns:
    """Asks surrogates what they put in place of the observed component, window by window.

    Parameters
    ----------
    model
        Whose component is observed.
    """

    def __init__(self, model: CoupledModel) -> None:
        self.model = model
        self._last = _Last()
        self._above: tuple[CoupledRun, CoupledRun] | None = None

    def at(self, x: Tensor, window: Interval) -> StandIn | None:
        """Return what stands in at x, shape ``(n,)``; None where the run is stepped."""
        last = self._asked(window)
        if last.operator is None:
            return None
        control = self.model.control.at(window)
        fields = fields_of(control, x[None])
        if last.fields is None or not _equal(last.fields, fields):
            upstream, mean = self._upstream(fields, window)
            last.fields = {target: field.clone() for target, field in fields.items()}
            last.stand_in = StandIn(last.operator, upstream, mean, last.silent)
        return last.stand_in

    def exported(self, rows: Tensor, window: Interval) -> Tensor | None:
        """Return the observed export of every row of ``(member, n)``: by superposition, ``(member, cell)``.

        None where nothing stands in. What feeds the component is stepped for all members at once.
        """
        if len(rows) == 1:
            stand_in = self.at(rows[0], window)
            return None if stand_in is None else stand_in.exported[None]
        last = self._asked(window)
        if last.operator is None:
            return None
        return exported(last.operator, self._means(rows, window), last.silent)

    # ------------------------------------------------------------------ the surrogate
    def _asked(self, window: Interval) -> _Last:
        if self._last.window != window:
            observed = self._observed(window)
            operator = None if observed is None else self._operator(observed, window)
            silent = None if observed is None or operator is None else self._silent(observed, window)
            self._last = _Last(window, operator, silent)
        return self._last

    def _observed(self, window: Interval) -> Participant | None:
        """Return the one component of which one export is looked at, at the window's end and no other time.

        Raises
        ------
        SpecError
            When a surrogate that can only linearize has to answer, and something else is looked at.
        """
        model = self.model
        ports = model.observe.observes
        if at_the_end(model.observe, window):
            observed = self.names.participant(ports[0])
            if ports[0].partition(".")[2] in {v.name for v in observed.spec.exports}:
                return observed
        if stuck := sorted({port.partition(".")[0] for port in ports} & set(model.insisting)):
            raise SpecError(UNKNOWN_LOOKS, where=f"component {stuck[0]!r}", hint=OTHER_LOOKS)
        return None

    def _operator(self, observed: Participant, window: Interval) -> LinearOperator | None:
        """Return the surrogate's operator; None where there is none, or where it could not serve.

        It knows one window's mean import, and what is exported at its end: the component must be linear, and
        neither hold a control nor feed itself through others.
        """
        run, caller = self.model.run, self.model.callers.get(observed.name)
        controlled = {target.partition(".")[0] for target in self.model.control.targets}
        if caller is None or not observed.spec.linear or observed.name in controlled:
            return None
        fed = {target for source, target in leads(run.exchanges) if source == observed.name}
        feeds_itself = observed.name in reached(run.exchanges, fed)
        if feeds_itself or not all(between(run.exchanges, name, observed.name) for name in controlled):
            return None
        return caller.linearize(self.window_model(observed, window), None, window)

    def window_model(self, observed: Participant, window: Interval) -> WindowModel:
        """Return what a surrogate of `observed` is asked about `window`."""
        given, wanted = self._single_import(observed), self._export.partition(".")[2]
        return WindowModel(
            observed.name, observed.spec, given, wanted, observed.layouts,
            reference=lambda: self._component_tangent(observed, window),
        )  # fmt: skip

    # ------------------------------------------------------------------ the component alone
    def _silent(self, observed: Participant, window: Interval) -> Tensor | None:
        """Return what the reference model exports when it is given nothing, None where it begins empty."""
        initial = self._alone(observed).start(window.start).states[observed.name]
        if not any(bool(value.any()) for value in initial.fields.values()):
            return None
        return self._recorded_alone(observed, window)[0].get(self._export)[0]

    def _component_tangent(self, observed: Participant, window: Interval) -> LinearOperator:
        """Return the reference model's own operator: one component alone, with a constant import."""
        alone, tape = self._recorded_alone(observed, window)
        port = observed.port(self._single_import(observed))
        given = Names(alone).given([port], window)
        wanted = {(self._export, window.stop): Weighted(1.0, self.names.space(self._export))}
        count = self.model.calls.of(observed.name, "reference")
        return CountedOperator(RunTangent(alone, tape, given, wanted), count)

    def _alone(self, observed: Participant) -> CoupledRun:
        return CoupledRun(self.model.run.clock, [observed], [], members=1)

    def _recorded_alone(self, observed: Participant, window: Interval) -> tuple[CoupledRun, Tape]:
        """Return the run of one component through `window`, given nothing, and its tape."""
        alone, port = self._alone(observed), observed.port(self._single_import(observed))
        alone.rewind(alone.start(window.start))
        with alone.recording(sparing(alone, window.stop)) as tape:
            alone.put(port, torch.zeros(1, *alone.ports.input(port).inner, dtype=torch.float64))
            alone.advance(window.stop)
        return alone, tape

    # ------------------------------------------------------------------ what feeds it
    def _upstream(self, fields: Mapping[Port, Tensor], window: Interval) -> tuple[LinearOperator, Tensor]:
        """Return the derivative of what the observed component imports on average, and that, ``(cell,)``.

        Both at the controlled `fields`: what feeds the component need not be linear.
        """
        above, shares = self.above, self._shares(window)
        above.rewind(above.start(window.start))
        with above.recording(sparing(above, window.stop)) as tape:
            seen = self._advanced(above, tape, fields, window)
        names = Names(above)
        wanted = {event: Weighted(share, names.space(event[0])) for event, share in shares.items()}
        return RunTangent(above, tape, names.given(fields, window), wanted), _mean(seen, shares)[0]

    def _means(self, rows: Tensor, window: Interval) -> Tensor:
        """Return what the observed component imports on average, of every row, shape ``(member, cell)``."""
        above = self.model.companies.of(self.above, len(rows))
        fields = fields_of(self.model.control.at(window), rows)
        above.rewind(above.start(window.start))
        with above.recording(Watch) as tape:
            return _mean(self._advanced(above, tape, fields, window), self._shares(window))

    def _advanced(
        self, above: CoupledRun, tape: Tape, fields: Mapping[Port, Tensor], window: Interval
    ) -> Mapping[Event, Tensor]:
        """Return what is delivered to the observed component, step by step."""
        for event in self._shares(window):
            tape.watch(event[0].partition(".")[0], event)
        for target, value in fields.items():
            above.put(target, value)
        above.advance(window.stop)
        return tape.seen

    def _shares(self, window: Interval) -> dict[Event, float]:
        """Return the observed component's import at each of its steps, with the step's share of `window`."""
        observed = self.names.participant(self._export)
        port = observed.port(self._single_import(observed))
        parts = tuple(self.above.steps_of(observed.name, window))
        return {(port, p.stop): share for p, share in zip(parts, spans(window, parts), strict=True)}

    @property
    def above(self) -> CoupledRun:
        """The run of all that feeds the observed component."""
        run = self.model.run
        if self._above is None or self._above[0] is not run:
            self._above = run, run.upstream(self._export.partition(".")[0])
        return self._above[1]

    # ------------------------------------------------------------------ names
    @property
    def names(self) -> Names:
        """Spaces and participants of the run."""
        return Names(self.model.run)

    @property
    def _export(self) -> Port:
        return self.model.observe.observes[0]

    def _single_import(self, participant: Participant) -> str:
        fed = {e.target.variable.name for e in self.model.run.into[participant.name]}
        if len(fed) != 1:
            raise SpecError(
                f"a surrogate of the linearization needs one import that is fed, found {len(fed)}",
                where=f"component {participant.name!r}",
            )
        return fed.pop()


def at_the_end(observe: ObservationOperator, window: Interval) -> bool:
    """Return whether one port is looked at, at the window's end and no other time."""
    ports = observe.observes
    return len(ports) == 1 and set(looks_of(observe, window)) <= {(ports[0], window.stop)}


def _mean(seen: Mapping[Event, Tensor], shares: Mapping[Event, float]) -> Tensor:
    return reduce(torch.add, [share * seen[event] for event, share in shares.items()])


def _equal(one: Mapping[Port, Tensor], other: Mapping[Port, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
