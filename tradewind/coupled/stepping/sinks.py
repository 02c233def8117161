"""Open ends: components that only receive, so that what would reach them can be read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from math import gcd

from tradewind.coupled.tape import Participant
from tradewind.couplers.coupling.component import Interval, Step, StepCall
from tradewind.couplers.coupling.exchange import Exchange
from tradewind.couplers.coupling.fields import Fields, Layouts, Spec, State
from tradewind.couplers.coupling.time.timing import MICROSECOND


class Sink:
    """Takes its imports and does nothing.

    Parameters
    ----------
    spec
        Its imports.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    def describe(self) -> Spec:
        """Return the spec."""
        return self.spec

    def initialize(self, spec: Spec, layouts: Layouts, members: int) -> State:
        """Return an empty state."""
        return State()

    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Return nothing."""
        return {}, state

    def finalize(self) -> None:
        """Nothing is held."""


def _nothing(call: StepCall) -> Step:
    return Step({}, call.state)


def _sink(name: str, exchanges: Sequence[Exchange], step: timedelta | None) -> Participant:
    ends = {e.target.variable.name: e.target for e in exchanges}
    spec = Spec(imports=tuple(end.variable for end in ends.values()), linear=True)
    layouts = {variable: end.layout for variable, end in ends.items()}
    return Participant(name, Sink(spec), spec, _nothing, layouts, step=step)


def sink_of(participant: Participant, fed_by: Sequence[Exchange]) -> Participant:
    """Return a component that receives what `participant` does, at the same steps, and does nothing."""
    return _sink(participant.name, fed_by, participant.step)


def with_sinks(
    participants: Sequence[Participant], exchanges: Sequence[Exchange], cycle: timedelta
) -> tuple[Participant, ...]:
    """Return the participants, and one more for every target that is none of them.

    It steps whenever one of what feeds it has something to give: in the greatest common measure of their
    periods, or of their sources' steps where an exchange names no period.
    """
    steps = {p.name: p.step or cycle for p in participants}
    missing = dict.fromkeys(e.target.component for e in exchanges if e.target.component not in steps)
    sinks = []
    for name in missing:
        fed_by = [e for e in exchanges if e.target.component == name]
        rates = [e.timing.every or steps[e.source.component] for e in fed_by]
        sinks.append(_sink(name, fed_by, gcd(*(rate // MICROSECOND for rate in rates)) * MICROSECOND))
    return (*participants, *sinks)
