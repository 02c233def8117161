"""Tangents and adjoints through what a session has advanced, one recorded advance after the other.

As for single runs of a component, one call goes through one advance: tangents from the first to the last,
adjoints back. What the host puts between two calls enters at the advance that is gone through next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import Tensor

from tradewind.coupled.derivatives.checkpoints import Tape, sparing
from tradewind.coupled.derivatives.paths import reached
from tradewind.coupled.derivatives.replay import Forward, Reverse
from tradewind.coupled.tape import Port, Put, Taken, TapeEvent
from tradewind.hosting.derivatives import What
from tradewind.hosting.failing import CallError, Code

if TYPE_CHECKING:
    from tradewind.coupled.run import CoupledRun


@dataclass
class Advances:
    """The recorded advances of a session's run, and where ways through them stand.

    Attributes
    ----------
    run
        The run; it may be replaced while nothing is recorded.
    """

    run: CoupledRun
    _stack: ExitStack = field(default_factory=ExitStack)
    _tape: Tape | None = None
    _ends: list[int] = field(default_factory=list)
    _forward: _Onward | None = None
    _reverse: _Back | None = None

    # ------------------------------------------------------------------ recording
    def record(self, keeps: bool) -> None:
        """Begin anew: keep all that is put and advanced from here on, or no longer."""
        self._stack.close()
        self._tape = None
        if keeps:
            self._tape = self._stack.enter_context(self.run.recording(sparing(self.run, self.run.clock.stop)))
        self.restarted()

    def restarted(self) -> None:
        """Forget what was recorded: the run was brought to another moment."""
        self._ends.clear()
        self._forward = self._reverse = None

    def advanced(self) -> None:
        """Take note that an advance is over."""
        if self._tape is not None and len(self._tape) > (self._ends[-1] if self._ends else 0):
            self._ends.append(len(self._tape))
            self._forward = self._reverse = None

    # ------------------------------------------------------------------ the calls
    def tangent(self, put: Mapping[Port, Tensor]) -> None:
        """Go forward through the next advance; collective.

        Parameters
        ----------
        put
            Tangents of imports, parameters and states, from that advance on, the same ports on all ranks;
            shape ``(member, *extra, cell)``.

        Raises
        ------
        CallError
            When nothing was recorded, or the way begins with nothing put.
        NotDifferentiableError
            When a component on the way has no tangent.
        """
        tape = self._need(put, self._forward, What.TANGENT)
        self._reverse = self._reverse and self._reverse.ended()
        # a way that fails half through an advance has ended
        way, self._forward = self._forward, None
        if way is None or way.left == 0:
            way = _Onward(self.run, tape, self._ends)
        way.go(put)
        self._forward = way

    def adjoint(self, put: Mapping[Port, Tensor]) -> None:
        """Go back through the advance before; collective.

        Parameters
        ----------
        put
            Derivatives of the cost by exports and states, as they stood at that advance's end; shape
            ``(member, *extra, cell)``, the same ports on all ranks.

        Raises
        ------
        CallError
            When nothing was recorded, or the way begins with nothing put.
        NotDifferentiableError
            When a component on the way has no adjoint.
        """
        tape = self._need(put, self._reverse, What.ADJOINT)
        self._forward = self._forward and self._forward.ended()
        way, self._reverse = self._reverse, None
        if way is None or way.left == 0:
            way = _Back(self.run, tape, self._ends)
        way.go(put)
        self._reverse = way

    def came(self, what: What, port: Port) -> Tensor | None:
        """Return a derivative of the last call, shape ``(member, *extra, cell)``; None where it is zero.

        Tangents are those of exports and states at the end of the advance, adjoints those of what is held and
        of states as it began: of what was put before it, what has come together so far.

        Raises
        ------
        CallError
            When no call has made any.
        """
        sweep = self._forward if what is What.TANGENT else self._reverse
        if sweep is None:
            call, (component, _, name) = what.name.lower(), port.partition(".")
            raise CallError(
                Code.ORDER, f"no {call} was made yet", component=component, field=name,
                hint=f"call {call} of the session first",
            )  # fmt: skip
        return sweep.came.get(port)

    def _need(self, put: Mapping[Port, Tensor], sweep: _Onward | _Back | None, what: What) -> Tape:
        if self._tape is None or not self._ends:
            what_for = "nothing was recorded that could be differentiated"
            raise CallError(Code.ORDER, what_for, hint="call record, and then advance")
        if not put and (sweep is None or sweep.left == 0):
            call = what.name.lower()
            through = "" if sweep is None else f"all {len(self._ends)} advances were gone through, and "
            hint = f"call put_{call} of a component before {call}"
            raise CallError(Code.ORDER, f"{through}nothing was put to begin with", hint=hint)
        return self._tape


class _Keeping(Forward):
    """Tangents on their way forward, of which the last ones can be looked at."""

    def __init__(self, run: CoupledRun) -> None:
        super().__init__(run, {}, {})
        self.last: dict[Port, Tensor | None] = {}

    def find(self, taken: Taken, moving: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Keep the tangents of what the step was given by exchanges, and has exported."""
        p = taken.participant
        for role, variables in (("import", p.spec.imports), ("export", p.spec.exports)):
            for v in variables:
                self.last[p.port(v.name)] = moving[role].get(v.name)


class _Onward:
    """A way forward through the advances."""

    def __init__(self, run: CoupledRun, tape: Tape, ends: list[int]) -> None:
        self.run, self.sweep, self.events = run, _Keeping(run), iter(tape)
        self.sizes = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
        self.left = len(ends)
        self.came: dict[Port, Tensor] = {}

    def ended(self) -> _Onward:
        """Return this way, as one that was gone to its end."""
        self.left = 0
        return self

    def go(self, put: Mapping[Port, Tensor]) -> None:
        """Go through one advance."""
        entered = False
        for _ in range(self.sizes[-self.left]):
            event = next(self.events)
            if not entered and isinstance(event, Taken):
                self._enter(put)
                entered = True
            self.sweep.take(event)
        self.left -= 1
        last = {port: value for port, value in self.sweep.last.items() if value is not None}
        # an export comes before a state of its name
        states = {port: v for port, v in self.sweep.states.items() if port not in self.sweep.last}
        self.came = {port: value[0] for port, value in (last | states).items()}

    def _enter(self, put: Mapping[Port, Tensor]) -> None:
        for port, tangent in put.items():
            role, value = self.run.ports.input(port).role, tangent[None]
            states = self.sweep.states
            if role != "state":
                self.sweep.held[port] = value
            else:
                states[port] = states[port] + value if port in states else value


class _Back:
    """A way back through the advances."""

    def __init__(self, run: CoupledRun, tape: Tape, ends: list[int]) -> None:
        self.run, self.left = run, len(ends)
        self.sizes = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
        self.events: Iterator[TapeEvent] = reversed(tape)
        for _ in range(len(tape) - ends[-1]):
            next(self.events)
        self.sweep = Reverse(run, {}, {}, reached(run.exchanges, _beginning(run, tape)))
        self.pending: dict[Port, Tensor] = {}
        self.came: dict[Port, Tensor] = {}

    def ended(self) -> _Back:
        """Return this way, as one that was gone to its end."""
        self.left = 0
        return self

    def go(self, put: Mapping[Port, Tensor]) -> None:
        """Go back through one advance."""
        for port, cotangent in put.items():
            of = self.sweep.states if self.run.ports.output(port).role == "state" else self.pending
            of[port] = of[port] + cotangent[None] if port in of else cotangent[None]
        found: dict[Port, Tensor] = {}
        for _ in range(self.sizes[self.left - 1]):
            event = next(self.events)
            if isinstance(event, Put):
                self._note(event, found)
            else:
                self._inject(event)
            self.sweep.take(event)
        self.left -= 1
        whole = {**self.sweep.held, **self.sweep.states, **found}
        self.came = {port: value[0] for port, value in whole.items()}

    def _note(self, put: Put, found: dict[Port, Tensor]) -> None:
        """Keep the cotangent of a put; of several in one advance, that of the last."""
        of = self.sweep.states if put.role == "state" else self.sweep.held
        if put.port in of:
            found.setdefault(put.port, of[put.port])

    def _inject(self, taken: Taken) -> None:
        """Let what was put for a component's exports enter at its last step before."""
        name, stop = taken.participant.name, taken.interval.stop
        own = {port: v for port, v in self.pending.items() if port.partition(".")[0] == name}
        self.sweep.cotangents = {(port, stop): self.pending.pop(port) for port in own}
        self.sweep.asked = {(name, stop): list(self.sweep.cotangents)}


def _beginning(run: CoupledRun, tape: Tape) -> set[str]:
    """Return the components at which gradients are looked for: with what was put, and with states."""
    put = {run.ports.input(port).component for port, _ in tape.puts}
    return put | {p.name for p in run.participants if p.spec.state and p.spec.differentiable}
