"""One component of a session, as the host holds it: fields put and got, and single model calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from torch import Tensor

from tradewind.couplers.ranks.parallel import agree
from tradewind.hosting import geometry
from tradewind.hosting.bridge import Awaited, NoBridge, refuse_other_names
from tradewind.hosting.calling import Caller, Kept
from tradewind.hosting.derivatives import Derivatives
from tradewind.hosting.failing import CallError, Code
from tradewind.hosting.frames import Frame, serve
from tradewind.hosting.geometry import SIGN
from tradewind.hosting.places import ADJOINT, TANGENT, VALUE, Places
from tradewind.hosting.slots import KINDS, PLAIN, ROLES, Manner, Slot

if TYPE_CHECKING:
    from tradewind.coupled.run import CoupledRun
    from tradewind.coupled.tape import Participant
    from tradewind.couplers.coupling.component import Key
    from tradewind.couplers.coupling.fields import State
    from tradewind.couplers.ranks.parallel import Communicator
    from tradewind.hosting.bridge import Bridge
    from tradewind.hosting.session import Session

Declared: TypeAlias = tuple[str, str, int, int, tuple[int, ...]]
"""Name, units, role, kind, and extents as Fortran sees them."""
Callback: TypeAlias = Callable[[float, float], int]
"""A step of the host: from a time over a length, in seconds; returns 0, or a code of its own."""
PLAINLY = ((), PLAIN)
Given: TypeAlias = "Mapping[int, Mapping[Key, Tensor]]"


class HostedComponent:
    """A component, called by the host.

    Shapes are those of `tradewind.hosting.slots`: an array comes as Fortran's extents reversed, that is as
    ``(member, *extra, cell)`` in C order.

    Parameters
    ----------
    session
        That it belongs to.
    name
        Its name in the run config.

    Attributes
    ----------
    state
        What it remembers, as the last run or advance has left it.
    exports
        What it has answered last, by name.
    delivered
        What exchanges have brought to its imports last, by name.
    kept
        Its model calls since the session records, else the last one.
    put_since
        What was put since the last run.
    """

    def __init__(self, session: Session, name: str) -> None:
        self.session, self.name = session, name
        self.bridge: Bridge = NoBridge()
        self.kept: list[Kept] = []
        self.put_since: set[Key] = set()
        self.exports: Mapping[str, Tensor] = {}
        self.delivered: Mapping[str, Tensor] = {}
        self.state: State | None = None
        self.frame: Places | None = None
        self._places: Places | None = None
        self._frame: Frame | None = None
        self._caller: Caller | None = None

    # ------------------------------------------------------------------ what it is
    @property
    def comm(self) -> Communicator:
        """The ranks of the session."""
        return self.session.comm

    @property
    def members(self) -> int:
        """Length of the first axis of every field."""
        return self.session.members

    @property
    def participant(self) -> Participant:
        """The component as it takes part in runs."""
        return self.session.participant(self.name)

    @property
    def places(self) -> Places:
        """Where fields are put and got; settles what is declared."""
        if self._places is None:
            self.describe()
        return self._described()

    @property
    def preview(self) -> Places:
        """What is declared, settled or not: without the host's cells where these are still to come."""
        if self._places is not None:
            return self._places
        component = self.session.assembly.members[self.name].component
        awaits = getattr(component, "gridless", False)
        return Places(self.participant, self.members, Awaited() if awaits else self.bridge)

    def _described(self) -> Places:
        if self._places is None:
            raise CallError(Code.ORDER, "has not been described", component=self.name)
        return self._places

    @property
    def described(self) -> bool:
        """Whether its shapes are settled."""
        return self._caller is not None

    def describe(self) -> None:
        """Settle what is declared: from here on, shapes are fixed; collective.

        Raises
        ------
        CallError
            When the component takes its grid from the host, and none was set.
        """
        if self._places is not None:
            return
        self.session.refuse_gridless(self.name)
        participant = self.participant
        places = Places(participant, self.members, self.bridge)
        self.derivatives = Derivatives(participant, self.comm)
        if self.state is None:
            self.state = self.session.initial(self.name)
        self._places, self._caller = places, Caller(self, participant, places)
        if self.session.started:
            self.take_over(self.session.coupled)

    def set_grid(self, index: Any, lon: Any, lat: Any, mask: Any | None = None) -> None:
        """Take the host's cells: their numbers in the global grid, from 1, and places in degrees; collective.

        Raises
        ------
        CallError
            When it comes too late.
        GridError
            When numbers or places are not those of a grid, or not those of the component's.
        """
        from tradewind.hosting.placing import place

        if self._places is not None:
            what, hint = "has been described already", "set the grid before the first put, describe or run"
            raise CallError(Code.ORDER, what, component=self.name, hint=hint)
        place(self, index, lon, lat, mask)

    def fields(self) -> list[Declared]:
        """Return imports, exports, state and parameters as the host sees them."""
        return [
            (slot.name, slot.variable.units, ROLES[slot.key[0]], KINDS[slot.dtype], slot.extents)
            for slot in self.preview.declared
        ]

    # ------------------------------------------------------------------ values
    def put(self, what: int, name: str, view: Any, *how: Any) -> None:
        """Copy a field from the host.

        Parameters
        ----------
        what
            0 a value, 1 a tangent, 2 an adjoint (a cotangent).
        name
            Of an import, a state variable or a parameter; adjoints are of exports and state.
        view
            The array, shape ``(member, *extra, cell)``; without its first axis where there is one member.
        *how
            Units, first column, whether to cast and to convert: see `tradewind.hosting.slots.Manner`.

        Raises
        ------
        CallError
            No such field, or another shape, kind or units than declared.
        """
        places = self.frame or self._places or self.places
        slot = places.to_put(what, name)
        manner = PLAIN if how in PLAINLY else Manner(*how)
        array = np.asarray(view)
        if manner.first and slot.value is None:
            self._begin_blocks(what, slot)
        slot.put(array, manner)
        slot.fresh = True
        if what == VALUE:
            self.put_since.add(slot.key)
        if slot.bound is not None:
            slot.bound = None
            places.bind(slot)

    def _begin_blocks(self, what: int, slot: Slot) -> None:
        """Let blocks of a state, or of a parameter with a default, change what there is."""
        there = self.known(slot.key) if what == VALUE and slot.key[0] in {"state", "parameter"} else None
        if there is not None:
            slot.value, slot.lent = there, True

    def bind(self, name: str, view: Any, *how: Any) -> None:
        """Use the host's memory itself at every run: imports are read, exports are written, states are both.

        Arguments are those of `put`.

        Raises
        ------
        CallError
            As `put` does; blocks cannot be bound.
        """
        places = self.places
        slot = places.to_bind(name)
        slot.bind(np.asarray(view), Manner(*how))
        places.bind(slot)

    def get(self, what: int, name: str, view: Any, *how: Any) -> None:
        """Copy a field to the host; arguments are those of `put`.

        Values are of exports, state, imports and parameters, tangents of exports and new state, adjoints of
        imports, parameters and the state before.

        Raises
        ------
        CallError
            No such field, nothing there yet, or another shape, kind or units than declared.
        """
        if SIGN in name:
            field, _, part = name.partition(SIGN)
            slot = self.preview.to_get(what, field)
            geometry.read(slot, part, np.asarray(view), Manner(*how), self.comm)
            return
        places = self.frame or self._places or self.places
        slot = places.to_get(what, name)
        manner = PLAIN if how in PLAINLY else Manner(*how)
        value = places.found(what, slot, self)
        array = np.asarray(view)
        slot.read(array, value, manner)

    def known(self, key: Key) -> Tensor | None:
        """Return what stands at a place, in the host's cells; None where nothing does."""
        role, name = key
        if role == "export":
            # as a run begins nothing was exported yet, but a state of that name is there
            value = self.exports.get(name, self._remembered(name))
        elif role == "state":
            value = self._remembered(name)
        else:
            value = self.delivered.get(name) if role == "import" else None
            value = self._parameter(name) if role == "parameter" else value
        return None if value is None else self.bridge.pick(key, self.of_members(value))

    def _remembered(self, name: str) -> Tensor | None:
        return None if self.state is None else self.state.fields.get(name)

    def _parameter(self, name: str) -> Tensor | None:
        held = self.session.held(f"{self.name}.{name}")
        return self.participant.parameters.get(name) if held is None else held

    def forget(self, name: str) -> None:
        """Forget what was put as a value under a name."""
        for (_, known), slot in self.places.values.items() if self.described else ():
            if known == name:
                slot.value, slot.missing, slot.fresh = None, None, False

    def of_members(self, value: Tensor) -> Tensor:
        """Return a value of shape ``(member or 1, ...)`` for all members."""
        same = value.shape[0] == self.members
        return value if same else value.expand(self.members, *value.shape[1:])

    # ------------------------------------------------------------------ one model call
    def run(self, time: float, dt: float) -> None:
        """Call the model once, over ``[time, time + dt)``, seconds since the run's start; collective.

        When it fails, the state is what it was before, and what was put is still there.

        Raises
        ------
        CallError
            When something that it needs has not been put.
        """
        if self._caller is None:
            self.describe()
            self.run(time, dt)
            return
        self._caller.run(time, dt)

    # ------------------------------------------------------------------ within the coupled run
    def hand_over(self, run: CoupledRun, everything: bool) -> None:
        """Put into the coupled run what was put here since; collective.

        Parameters
        ----------
        everything
            Also what was put before: the run begins anew.
        """
        if self._caller is not None:
            for key, value in self._caller.pending(everything):
                run.put(f"{self.name}.{key[1]}", value)

    def take_over(self, run: CoupledRun) -> None:
        """Take state and exports of the coupled run."""
        exports, spec = run.moment.exports, self.participant.spec
        self.state = run.moment.states[self.name]
        self.exports = self._of(exports, [v.name for v in spec.exports])
        self.delivered = self._of(exports, [v.name for v in spec.imports])
        if self._caller is not None:
            self._caller.settle()

    def _of(self, exports: Mapping[str, Tensor], names: Sequence[str]) -> dict[str, Tensor]:
        ports = {name: f"{self.name}.{name}" for name in names}
        return {name: exports[port] for name, port in ports.items() if port in exports}

    # ------------------------------------------------------------------ derivatives
    def tangent(self) -> None:
        """Propagate what was put as tangents through the next run that is kept; collective."""
        self._need_run()
        self.hand_out(TANGENT, self.derivatives.tangent(self.kept, self.taken_in(TANGENT)))

    def adjoint(self) -> None:
        """Propagate what was put as adjoints back through the run before; collective."""
        self._need_run()
        self.hand_out(ADJOINT, self.derivatives.adjoint(self.kept, self.taken_in(ADJOINT)))

    def dot_test(self) -> float:
        """Return how far tangent and adjoint of the last run are from each other's adjoint; collective."""
        self._need_run()
        return self.derivatives.dot_test(self.kept)

    def _need_run(self) -> None:
        if self._caller is None:
            what, hint = "there is no run to be differentiated", "call run first"
            raise CallError(Code.ORDER, what, component=self.name, hint=hint)

    def taken_in(self, what: int) -> dict[Key, Tensor]:
        """Return tangents (1) or adjoints (2) that were put, in the component's own cells; collective.

        They are forgotten here: the next call begins with what is put next.

        Returns
        -------
        dict
            By role and name, shape ``(member, *extra, cell)``.
        """
        places = self.places
        with agree(self.comm, f"component {self.name!r}"):
            given = places.put_there(what)
        refuse_other_names(given, self.comm)
        return dict(self.bridge.gathered(given, self.comm))

    def hand_out(self, what: int, found: Mapping[Key, Tensor]) -> None:
        """Let the host get tangents (1) or adjoints (2).

        Parameters
        ----------
        found
            By role and name, in the component's own cells; what is absent is zero.
        """
        picked = {key: self.bridge.pick(key, value) for key, value in found.items()}
        self.places.hand_out(what, picked)

    # ------------------------------------------------------------------ the host's own step
    def enroll(self, step: Callback, tangent: Callback | None, adjoint: Callback | None) -> None:
        """Let the host's own step answer for this component (plugin ``host``)."""
        from tradewind.hosting.enrolling import enroll

        enroll(self, step, tangent, adjoint)

    def frame_of_one(self) -> Frame:
        """Return the places of one member, for a step of the host."""
        if self._frame is None:
            self._frame = Frame(self)
        return self._frame

    def serve(
        self, callback: Callback, when: tuple[float, float], given: Given, wanted: Sequence[tuple[int, Key]]
    ) -> dict[int, dict[Key, Tensor]]:
        """Call a step of the host for one member; what it gets is given, what it puts is returned.

        Parameters
        ----------
        when
            Time and length, in seconds.
        given
            Values (0), tangents (1) and adjoints (2) by role and name, shape ``(1, *extra, cell)``.
        wanted
            What the host must put.

        Raises
        ------
        CallError
            When the host's step returns another code than 0, or does not put all that is wanted.
        """
        return serve(self, callback, when, given, wanted)
