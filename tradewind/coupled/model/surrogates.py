"""A surrogate's linearization in place of the observed component, and what feeds that component."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from tradewind.coupled.derivatives.checkpoints import Watch, sparing
from tradewind.coupled.derivatives.operators import PartsOperator, RunTangent, Taken, Weighted
from tradewind.coupled.derivatives.paths import leads, on_the_way, reached
from tradewind.coupled.model.looking import fields_of, looks_of
from tradewind.coupled.model.names import Names
from tradewind.coupled.model.stand_in import StandIn, exported
from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Event, Participant, Port
from tradewind.couplers.assimilation import Look, ObservationOperator
from tradewind.couplers.assimilation.linearization import Anchored, CountedOperator, WindowModel, spans
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.exchange import Exchange
from tradewind.couplers.operators import LinearOperator, Space
from tradewind.errors import SpecError

if TYPE_CHECKING:
    from tradewind.coupled.derivatives.checkpoints import Tape
    from tradewind.coupled.model.forward import CoupledModel


UNKNOWN_LOOKS = "its surrogate knows one export at a window's end, and something else is looked at"
OTHER_LOOKS = "observe one export of it at the ends of windows, or set run_as to guarded or reference"


@dataclass
class _Last:
    """What was asked for last: a window is asked several times in a row, for values, Jacobian and error."""

    window: Interval | None = None
    observed: Participant | None = None
    operator: LinearOperator | None = None
    silent: Tensor | None = None
    fields: Mapping[Port, Tensor] | None = None
    stand_in: StandIn | None = None


class Parts(NamedTuple):
    """The linearization of one component over a window.

    Attributes
    ----------
    model
        Which component, from what to what.
    operator
        From its mean import to its export at the window's end.
    upstream
        From the controlled fields to that import.
    """

    model: WindowModel
    operator: LinearOperator
    upstream: LinearOperator


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
        self._parts: dict[str, tuple[CoupledRun, CoupledRun]] = {}

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
            self._last = self._answering(window)
        return self._last

    def _answering(self, window: Interval) -> _Last:
        """Return the first observed component of which a surrogate answers, and its operator.

        Raises
        ------
        SpecError
            When a surrogate that can only linearize has to answer, and cannot: something else is looked at,
            or another surrogate answers already.
        """
        possible = [*self._possible(window)]
        answers = ((one, self._operator(one, window)) for one in possible)
        observed, operator = next(((o, a) for o, a in answers if a is not None), (None, None))
        served = {one.name for one in ([observed] if observed else possible)}
        if stuck := sorted((components(self.model.observe) & set(self.model.insisting)) - served):
            raise SpecError(UNKNOWN_LOOKS, where=f"component {stuck[0]!r}", hint=OTHER_LOOKS)
        if observed is None or operator is None:
            return _Last(window)
        # what is asked next needs to know whom it is asked of
        self._last = _Last(window, observed, operator, self._silent(observed, window))
        self._last.silent = self._anchored(self._last, window)
        return self._last

    def _anchored(self, last: _Last, window: Interval) -> Tensor | None:
        """Return what is exported anyhow, with what puts the answer at the prior right."""
        if not isinstance(last.operator, Anchored) or not last.operator.anchored:
            return last.silent
        fields = fields_of(self.model.control.at(window), self.model.control.prior[None])
        added = last.operator.correction(self._upstream(fields, window)[1])
        return added if last.silent is None else last.silent + added

    def _possible(self, window: Interval) -> Iterator[Participant]:
        """Yield components of which one export is looked at, at the end, and that feed nothing else seen."""
        observe, exchanges = self.model.observe, self.model.run.exchanges
        several = len(components(observe)) > 1
        for port in observe.observes:
            observed = self.names.participant(port)
            exported = port.partition(".")[2] in {v.name for v in observed.spec.exports}
            fed = {e.target.variable.name for e in self.model.run.into[observed.name]}
            if (
                exported
                and (len(fed) == 1 or not several)
                and alone(observe, window, observed.name, exchanges)
            ):
                yield observed

    def _operator(self, observed: Participant, window: Interval) -> LinearOperator | None:
        """Return the surrogate's operator; None where there is none, or where it could not serve.

        It knows one window's mean import, and what is exported at its end: the component must be linear, and
        neither hold a control nor feed itself through others. What is controlled must lead to it, or to what
        is looked at beside it.
        """
        run, caller = self.model.run, self.model.callers.get(observed.name)
        controlled = {target.partition(".")[0] for target in self.model.control.targets}
        if caller is None or not observed.spec.linear or observed.name in controlled:
            return None
        fed = {target for source, target in leads(run.exchanges) if source == observed.name}
        feeds_itself = observed.name in reached(run.exchanges, fed)
        leading = on_the_way(run.exchanges, self.model.control.targets, self.model.observe.observes)
        if feeds_itself or not controlled <= leading:
            return None
        return caller.linearize(self.window_model(observed, window), None, window)

    def window_model(self, observed: Participant, window: Interval) -> WindowModel:
        """Return what a surrogate of `observed` is asked about `window`."""
        given, wanted = self._single_import(observed), self._port_of(observed).partition(".")[2]
        return WindowModel(
            observed.name, observed.spec, given, wanted, observed.layouts,
            reference=lambda: self._component_tangent(observed, window),
        )  # fmt: skip

    def parts(self, x: Tensor, window: Interval) -> Parts:
        """Return the linearization of the observed component, whoever answers for it, and what feeds it."""
        operator = self._asked(window).operator
        observed = self.names.participant(self.export)
        model = self.window_model(observed, window)
        fields = fields_of(self.model.control.at(window), x[None])
        return Parts(model, operator or model.reference(), self._upstream(fields, window)[0])

    # ------------------------------------------------------------------ the component alone
    def _silent(self, observed: Participant, window: Interval) -> Tensor | None:
        """Return what the reference model exports when it is given nothing, None where it begins empty."""
        initial = self._alone(observed).start(window.start).states[observed.name]
        if not any(bool(value.any()) for value in initial.fields.values()):
            return None
        return self._recorded_alone(observed, window)[0].get(self._port_of(observed))[0]

    def _component_tangent(self, observed: Participant, window: Interval) -> LinearOperator:
        """Return the reference model's own operator: one component alone, with a constant import."""
        alone, tape = self._recorded_alone(observed, window)
        port = observed.port(self._single_import(observed))
        given = Names(alone).given([port], window)
        export = self._port_of(observed)
        wanted = {(export, window.stop): Weighted(1.0, self.names.space(export))}
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
        made = from_part(self.names.given(fields, window), above, tape, wanted)
        return made, _mean(seen, shares)[0]

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
            if target in above.ports.inputs:
                above.put(target, value)
        above.advance(window.stop)
        return tape.seen

    def _shares(self, window: Interval) -> dict[Event, float]:
        """Return the observed component's import at each of its steps, with the step's share of `window`."""
        observed = self.names.participant(self.export)
        port = observed.port(self._single_import(observed))
        parts = tuple(self.above.steps_of(observed.name, window))
        return {(port, p.stop): share for p, share in zip(parts, spans(window, parts), strict=True)}

    @property
    def above(self) -> CoupledRun:
        """The run of all that feeds the observed component."""
        name = self.export.partition(".")[0]
        return self._part(f"above {name}", lambda run: run.upstream(name))

    # ------------------------------------------------------------------ what is looked at beside it
    @property
    def beside(self) -> CoupledRun:
        """The run of all else that is looked at, and of what feeds that."""
        name = self.export.partition(".")[0]
        others = components(self.model.observe) - {name}
        return self._part(f"beside {name}", lambda run: run.only(others))

    def others(self, looks: Mapping[Event, Look]) -> dict[Event, Look]:
        """Return the looks at anything but what a surrogate answers for."""
        return {event: look for event, look in looks.items() if event[0] != self.export}

    def _part(self, name: str, make: Callable[[CoupledRun], CoupledRun]) -> CoupledRun:
        """Return a part of the model's run, made once."""
        run = self.model.run
        if name not in self._parts or self._parts[name][0] is not run:
            self._parts[name] = run, make(run)
        return self._parts[name][1]

    # ------------------------------------------------------------------ names
    @property
    def names(self) -> Names:
        """Spaces and participants of the run."""
        return Names(self.model.run)

    @property
    def export(self) -> Port:
        """What a surrogate answered for last, else what is looked at first."""
        observed = self._last.observed
        return self.model.observe.observes[0] if observed is None else self._port_of(observed)

    @property
    def component(self) -> str:
        """Whose surrogate answered last; empty: nobody's."""
        return "" if self._last.observed is None else self._last.observed.name

    def _port_of(self, observed: Participant) -> Port:
        """Return what is looked at of a component."""
        return next(p for p in self.model.observe.observes if p.partition(".")[0] == observed.name)

    def _single_import(self, participant: Participant) -> str:
        fed = {e.target.variable.name for e in self.model.run.into[participant.name]}
        if len(fed) != 1:
            raise SpecError(
                f"a surrogate of the linearization needs one import that is fed, found {len(fed)}",
                where=f"component {participant.name!r}",
            )
        return fed.pop()


def components(observe: ObservationOperator) -> set[str]:
    """Return the components that are looked at."""
    return {port.partition(".")[0] for port in observe.observes}


def alone(
    observe: ObservationOperator, window: Interval, component: str, exchanges: Sequence[Exchange]
) -> bool:
    """Return whether a component shows one port, at the window's end, and nothing that others show of it."""
    ports = [port for port in observe.observes if port.partition(".")[0] == component]
    times = {time for port, time in looks_of(observe, window) if port in ports}
    hidden = not reached(exchanges, [component]) & (components(observe) - {component})
    return len(ports) == 1 and times <= {window.stop} and hidden


def from_part(
    given: Mapping[Event, Space], run: CoupledRun, tape: Tape, wanted: Mapping[Event, LinearOperator]
) -> LinearOperator:
    """Return the derivative of a recorded run by all that is put, of which this run need not know all."""
    known = {event: space for event, space in given.items() if event[0] in run.ports.inputs}
    if not known:
        return PartsOperator([*given.values()], [], next(iter(wanted.values())).range)
    tangent = RunTangent(run, tape, known, wanted)
    if len(known) == len(given):
        return tangent
    which = [k for k, event in enumerate(given) if event in known]
    return tangent @ Taken([*given.values()], which)


def _mean(seen: Mapping[Event, Tensor], shares: Mapping[Event, float]) -> Tensor:
    return reduce(torch.add, [share * seen[event] for event, share in shares.items()])


def _equal(one: Mapping[Port, Tensor], other: Mapping[Port, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
