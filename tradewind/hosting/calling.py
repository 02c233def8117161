"""A component's model call, with everything that can be looked up once looked up before."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from tradewind.coupled.stepping.stepper import Answer, Wiring
from tradewind.coupled.tape import Taken
from tradewind.couplers.coupling.component import Interval, StepCall
from tradewind.couplers.coupling.fields import State
from tradewind.couplers.ranks.parallel import Serial, agree
from tradewind.hosting.failing import CallError, Code

if TYPE_CHECKING:
    from tradewind.coupled.tape import Participant
    from tradewind.couplers.coupling.component import Key
    from tradewind.couplers.ranks.parallel import Communicator
    from tradewind.hosting.component import HostedComponent
    from tradewind.hosting.places import Places
    from tradewind.hosting.slots import Slot

NOTHING: Mapping[str, Tensor] = {}
NO_STATE = State()


class Kept(NamedTuple):
    """A model call that was made.

    Attributes
    ----------
    exports, state
        What was answered.
    branch
        Members for which the model had to answer in place of the surrogate.
    by
        Name of the plugin that answered.
    stands
        Whether all that it was given still is what it was: bound memory may have been changed since.
    put
        What the host has put, or bound, since the call before.
    """

    participant: Participant
    call: StepCall
    exports: Mapping[str, Tensor]
    state: State
    branch: Tensor | None
    by: str
    stands: bool
    put: set[Key]

    @property
    def taken(self) -> Taken:
        """The call as derivatives want it."""
        call = self.call
        return Taken(
            self.participant, call.interval, call.state, call.imports, call.parameters, self.branch, self.by
        )


class Caller:
    """Makes the model calls of one component.

    Parameters
    ----------
    part
        The component, whose state it moves on.
    participant
        What answers.
    places
        Where its fields are put.
    """

    def __init__(self, part: HostedComponent, participant: Participant, places: Places) -> None:
        self.part, self.participant, self.places = part, participant, places
        self._name = part.name
        self.wiring = Wiring(participant, part.members)
        slots = places.values.items()
        self._imports = tuple((key, slot) for key, slot in slots if key[0] == "import")
        self._parameters = tuple((key, slot) for key, slot in slots if key[0] == "parameter")
        self._tuned = tuple((key, key[1]) for key, _ in self._parameters)
        self._states = tuple((key, slot) for key, slot in slots if key[0] == "state")
        self._remembered = tuple((key, key[1]) for key, _ in self._states)
        self._start, self._inner = part.session.clock.start, participant.spec.step_seconds
        self._seconds, self._length = math.nan, timedelta(0)
        self._ranks, self._bridge = part.comm, part.bridge
        self._defaults = {name: part.of_members(v) for name, v in participant.parameters.items()}
        comms = [layout.comm for layout in participant.layouts.values()]
        self._comm = max(comms, key=_size, default=Serial())

    # ------------------------------------------------------------------ one call
    def run(self, time: float, dt: float) -> None:
        """Step over ``[time, time + dt)``; collective.

        Raises
        ------
        CallError
            When something has not been put, or the times cannot be used.
        """
        interval = self._interval(time, dt)
        if self._ranks.size > 1 or self._bridge.moves:
            self._run_together(interval)
        else:
            with torch.no_grad():
                call = self._here(interval)
                self._commit(call, self.wiring.answer(call))

    def _here(self, interval: Interval) -> StepCall:
        """Return the call of one rank alone; without parameters and states there is little to look up."""
        if self._parameters or self._states:
            return self._call(interval, self._given())
        imports = {key[1]: slot.trusted() for key, slot in self._imports}
        return StepCall(self._name, self.part.state or NO_STATE, imports, NOTHING, interval, comm=self._comm)

    def _run_together(self, interval: Interval) -> None:
        comm, doing = self._ranks, f"component {self.part.name!r}"
        with agree(comm, doing):
            given = self._given()
        gathered = self._bridge.gathered(given, comm)
        with agree(comm, f"{doing}, step {interval}"), torch.no_grad():
            call = self._call(interval, gathered)
            if self.participant.halos:
                call = self.wiring.with_halos(call)
            answer = self.wiring.answer(call)
        self._commit(call, answer)

    def _given(self) -> dict[Key, Tensor]:
        """Return what this rank gives, in the host's cells; what stands by itself is left out."""
        given = {key: slot.trusted() for key, slot in self._imports}
        for key, slot in self._parameters:
            if slot.bound is not None or slot.value is not None or key[1] not in self._defaults:
                given[key] = slot.trusted()
        for key, slot in self._states:
            if slot.bound is not None or slot.fresh:
                given[key] = slot.trusted()
        return given

    def _call(self, interval: Interval, given: Mapping[Key, Tensor]) -> StepCall:
        state = self.part.state or NO_STATE
        if self._states:
            fields = {name: given.get(key, state.fields[name]) for key, name in self._remembered}
            state = State(fields, state.extras)
        imports = {key[1]: given[key] for key, _ in self._imports}
        parameters = {name: given[key] if key in given else self._defaults[name] for key, name in self._tuned}
        return StepCall(self._name, state, imports, parameters, interval, comm=self._comm)

    def _interval(self, time: float, dt: float) -> Interval:
        try:
            start = self._start + timedelta(seconds=time)
            # hosts step by the same length again and again
            length = self._length if dt == self._seconds else self._measured(dt)
            return Interval(start, start + length)
        except (ValueError, OverflowError) as error:
            what, hint = f"a step of {dt:g} s from {time:g} s", "give seconds since the start of the run"
            raise CallError(Code.DATA, what, component=self.part.name, hint=hint) from error

    def _measured(self, dt: float) -> timedelta:
        length = timedelta(seconds=dt)
        if length <= timedelta(0):
            hint = "give a length above zero, in seconds"
            raise CallError(Code.DATA, f"a step of {dt:g} s", component=self.part.name, hint=hint)
        if self._inner is not None and length % timedelta(seconds=self._inner):
            what = f"its internal step of {self._inner:g} s does not divide {dt:g} s"
            raise CallError(Code.CONFIG, what, component=self.part.name)
        self._seconds, self._length = dt, length
        return length

    def _commit(self, call: StepCall, answer: Answer) -> None:
        part = self.part
        part.exports, part.state, part.delivered = answer.exports, answer.state, NOTHING
        self._keep(call, answer)
        self.settle()

    def _keep(self, call: StepCall, answer: Answer) -> None:
        part, bound, keeps = self.part, self.places.bound_inputs, self.part.session.keeps
        put, part.put_since = part.put_since, set()
        put.update(bound)
        call = copied(call) if keeps and bound else call
        kept = Kept(
            self.participant, call, answer.exports, answer.state, answer.branch, answer.by,
            keeps or not bound, put,
        )  # fmt: skip
        if keeps:
            part.kept.append(kept)
        else:
            part.kept = [kept]

    def settle(self) -> None:
        """Forget states that were put, which have been taken; fill what is bound."""
        for _, slot in self._states:
            slot.fresh, slot.value, slot.missing = False, None, None
        for slot in self.places.bound:
            value = self.part.known(slot.key) if slot.key[0] in {"export", "state"} else None
            if value is not None:
                slot.show(value)

    # ------------------------------------------------------------------ within the coupled run
    def pending(self, everything: bool) -> Iterator[tuple[Key, Tensor]]:
        """Yield what was put since the coupled run took it, in the component's own cells; collective."""
        slots = [slot for _, slot in (*self._imports, *self._parameters, *self._states)]
        with agree(self._ranks, f"component {self.part.name!r}"):
            given = {slot.key: slot.taken() for slot in slots if _pending(slot, everything)}
            given = {key: value.clone() for key, value in given.items()} if self.places.bound else given
        yield from self._bridge.gathered(given, self._ranks).items()
        for slot in slots:
            slot.fresh = False


def copied(call: StepCall) -> StepCall:
    """Return a call that shares no memory with the host."""
    state = State({name: v.clone() for name, v in call.state.fields.items()}, call.state.extras)
    imports = {name: v.clone() for name, v in call.imports.items()}
    parameters = {name: v.clone() for name, v in call.parameters.items()}
    return replace(call, state=state, imports=imports, parameters=parameters)


def _pending(slot: Slot, everything: bool) -> bool:
    again = everything and slot.value is not None and slot.key[0] != "state"
    return slot.bound is not None or slot.fresh or again


def _size(comm: Communicator) -> int:
    return comm.size
