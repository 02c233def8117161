"""Looks of a window: in which order, at what, and how they add up to observations and to H'."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from tradewind.coupled.tape import Event, Moment
from tradewind.couplers.assimilation import Control, Look, Looks, ObservationOperator
from tradewind.couplers.coupling.component import Interval
from tradewind.errors import SpecError

if TYPE_CHECKING:
    from tradewind.coupled.derivatives.checkpoints import Tape
    from tradewind.coupled.run import CoupledRun


def in_order(looks: Looks) -> dict[Event, Look]:
    """Return the looks by time, then by port: the order in which they are added."""
    return {event: looks[event] for event in sorted(looks, key=lambda event: (event[1], event[0]))}


def looks_of(observe: ObservationOperator, window: Interval) -> dict[Event, Look]:
    """Return the looks of a window, in order.

    Raises
    ------
    SpecError
        A look before the window or after it.
    """
    looks = in_order(observe.looks(window))
    for port, time in looks:
        if not window.start <= time <= window.stop:
            raise SpecError(f"is looked at at {time}, which is not in the window {window}", where=port)
    return looks


def watch(run: CoupledRun, tape: Tape, looks: Mapping[Event, Look], window: Interval) -> None:
    """Keep what is looked at after the window's start, while `tape` is open; see `looked_at`.

    Raises
    ------
    SpecError
        When there is nothing of that name.
    """
    for port, time in looks:
        if time > window.start:
            tape.watch(run.ports.output(port).component, (port, time))


def begun(run: CoupledRun, looks: Mapping[Event, Look], window: Interval) -> dict[Event, Tensor]:
    """Return what is looked at as a window begins, where the run stands: ``(member, *extra, cell)`` each.

    Raises
    ------
    SpecError
        A look at what is no state variable.
    """
    return {event: _as_begun(run.moment, event[0]) for event in looks if event[1] == window.start}


def looked_at(looks: Mapping[Event, Look], seen: Mapping[Event, Tensor]) -> dict[Event, Tensor]:
    """Return the field of every look, shape ``(member, *extra, cell)``, from all that was seen.

    Raises
    ------
    SpecError
        A look at a time at which no step of its component ends.
    """
    for port, time in looks:
        if (port, time) not in seen:
            raise SpecError(f"no step of {port.partition('.')[0]!r} ends at {time}", where=port)
    return {event: seen[event] for event in looks}


def _as_begun(moment: Moment, port: str) -> Tensor:
    component, _, variable = port.partition(".")
    fields = moment.states[component].fields if component in moment.states else {}
    if variable not in fields:
        hint = "look at a state variable, or at the end of a step"
        raise SpecError(f"is no state variable to be looked at at {moment.time}", where=port, hint=hint)
    return fields[variable]


def simulated(
    looks: Mapping[Event, Look], fields: Mapping[Event, Tensor], offset: Tensor, members: int
) -> Tensor:
    """Return ``y = Σ look(field) + offset`` of every member, shape ``(member, m)``.

    Parameters
    ----------
    fields
        By look, shape ``(member, *extra, cell)``.

    Raises
    ------
    SpecError
        A look that does not give as many observations as the offset has.
    """
    total: Tensor | None = None
    for (port, time), look in looks.items() if members else ():
        part = look(fields[port, time])
        if part.shape != (members, len(offset)):
            what = f"the look at {time} gives {tuple(part.shape[1:])}, the offset has {tuple(offset.shape)}"
            raise SpecError(what, where=port)
        total = part if total is None else total + part
    return offset.expand(members, len(offset)) if total is None else total + offset


def fields_of(control: Control, rows: Tensor) -> dict[str, Tensor]:
    """Return the fields of every row of ``(member, n)``: by target, shape ``(member, *extra, cell)``."""
    found = control.to_fields(rows)
    return {target: found[target] for target in control.targets}
