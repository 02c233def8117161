"""Participants, spaces and companies of a run: what the forward model looks up in it."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from tradewind.coupled.ports import Place
from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Event, Participant, Port
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.operators import Distributed, Replicated, Space

SIZES = 4
"""Runs of so many different numbers of members are kept."""


class Names:
    """What stands behind the ports of a run."""

    def __init__(self, run: CoupledRun) -> None:
        self.run = run

    def participant(self, port: Port) -> Participant:
        """Return the component of a port."""
        name = self.run.ports.output(port).component
        return next(p for p in self.run.participants if p.name == name)

    def space(self, port: Port) -> Space:
        """Return the space of what is read at a port, of one member: extra axes and cells, flattened."""
        return _space(self.run.ports.output(port))

    def given(self, targets: Iterable[Port], window: Interval) -> dict[Event, Space]:
        """Return the events at which `targets` are put in a window, with their spaces."""
        return {(target, window.start): _space(self.run.ports.input(target)) for target in targets}


def _space(place: Place) -> Space:
    if place.layout is None:
        return Replicated(prod(place.inner))
    return Distributed(place.layout, tuple(length for _, length in place.variable.extra))


class Companies:
    """Runs for other numbers of members, made when they are first asked for."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], tuple[CoupledRun, CoupledRun]] = {}

    def of(self, run: CoupledRun, members: int) -> CoupledRun:
        """Return `run` for so many members: itself where it has them."""
        if members == run.members:
            return run
        key = id(run), members
        # with the run itself, so that its id stays its own
        if key not in self._known:
            while len(self._known) >= SIZES:
                del self._known[next(iter(self._known))]
            self._known[key] = run, run.with_members(members)
        return self._known[key][1]
