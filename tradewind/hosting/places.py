"""All places of a component: by what is put or got, and name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tradewind.couplers.coupling.component import Key
from tradewind.errors import did_you_mean
from tradewind.hosting.failing import CallError, Code
from tradewind.hosting.slots import Slot

if TYPE_CHECKING:
    from torch import Tensor

    from tradewind.coupled.tape import Participant
    from tradewind.couplers.coupling.fields import Variable
    from tradewind.hosting.bridge import Bridge
    from tradewind.hosting.component import HostedComponent

VALUE, TANGENT, ADJOINT = 0, 1, 2
INPUTS, OUTPUTS = ("import", "parameter", "state"), ("export", "state")
PUT = {VALUE: INPUTS, TANGENT: INPUTS, ADJOINT: OUTPUTS}
GOT = {VALUE: ("export", "state", "import", "parameter"), TANGENT: OUTPUTS, ADJOINT: INPUTS}
"""Roles among which a name is looked for, in this order."""
WORDS = {VALUE: "", TANGENT: "tangent of a ", ADJOINT: "adjoint of a "}
DECLARED = {"import": "imports", "export": "exports", "state": "state", "parameter": "parameters"}


class Places:
    """Where fields are put and got.

    Parameters
    ----------
    participant
        The component.
    members
        Length of the first axis.
    bridge
        Between the host's cells and the component's.

    Attributes
    ----------
    declared
        Imports, exports, state and parameters, in this order.
    bound, bound_inputs
        Places with memory of the host, and the keys of those that are read.
    """

    def __init__(self, participant: Participant, members: int, bridge: Bridge) -> None:
        self.name, self.members, self.bridge = participant.name, members, bridge
        self._participant = participant
        self._dtypes: Mapping[str, Any] = getattr(participant.component, "dtypes", {})
        self.bound: tuple[Slot, ...] = ()
        self.bound_inputs: tuple[Key, ...] = ()
        self._results: dict[int, Mapping[Key, Tensor]] = {}
        values = {key: self.slot(key, v) for key, v in self._variables().items()}
        self.declared = tuple(values.values())
        self.values = values
        self._put = {VALUE: by_name(values, INPUTS)}
        self._got = {VALUE: by_name(values, GOT[VALUE])}
        self._derivatives()

    def _variables(self) -> dict[Key, Variable]:
        spec = self._participant.spec
        return {(role, v.name): v for role, of in DECLARED.items() for v in getattr(spec, of)}

    def slot(self, key: Key, variable: Variable, what: int = VALUE) -> Slot:
        """Return a new, empty place."""
        layout = self._participant.layouts.get(variable.name)
        own = None if layout is None else layout.n_local
        columns = self.bridge.columns(variable, own)
        whole = layout is not None and columns == layout.n_global and len(layout.grid.shape) == 2
        rectangle = layout.grid.shape if layout is not None and whole else ()
        dtype = _numpy(self._dtypes.get(variable.name))
        return Slot(self.name, key, variable, dtype, self.members, columns, rectangle, what=what)

    def _derivatives(self) -> None:
        for what in (TANGENT, ADJOINT):
            for table, roles in ((self._put, PUT[what]), (self._got, GOT[what])):
                of = [(key, slot.variable) for key, slot in self.values.items() if key[0] in roles]
                table[what] = by_name({key: self.slot(key, variable, what) for key, variable in of}, roles)

    # ------------------------------------------------------------------ by name
    def to_put(self, what: int, name: str) -> Slot:
        """Return where a field is put.

        Raises
        ------
        CallError
            When there is no such field.
        """
        slot = self._put[what].get(name)
        if slot is None:
            raise self._unknown(name, self._put[what], PUT[what], what)
        return slot

    def to_get(self, what: int, name: str) -> Slot:
        """Return where a field is got.

        Raises
        ------
        CallError
            When there is no such field.
        """
        slot = self._got[what].get(name)
        if slot is None:
            raise self._unknown(name, self._got[what], GOT[what], what)
        return slot

    def to_bind(self, name: str) -> Slot:
        """Return where a field is bound: an import, a parameter or a state, or else an export.

        Raises
        ------
        CallError
            When there is no such field.
        """
        found = self._put[VALUE].get(name)
        return self.to_get(VALUE, name) if found is None else found

    def _unknown(self, name: str, known: Mapping[str, Slot], roles: tuple[str, ...], what: int) -> CallError:
        kinds = f"{', '.join(roles[:-1])} or {roles[-1]}"
        text = f"no {WORDS[what]}{kinds} of this name is declared"
        return CallError(Code.FIELD, text, component=self.name, field=name, hint=did_you_mean(name, known))

    def gettable(self, what: int) -> tuple[Slot, ...]:
        """Return all that can be got."""
        return tuple(self._got[what].values())

    # ------------------------------------------------------------------ what stands there
    def put_there(self, what: int) -> dict[Key, Tensor]:
        """Return what was put as tangents or adjoints since the last time, in the host's cells."""
        slots = [slot for slot in self._put[what].values() if slot.value is not None]
        found = {slot.key: slot.taken() for slot in slots}
        for slot in slots:
            slot.value, slot.missing = None, None
        return found

    def found(self, what: int, slot: Slot, part: HostedComponent) -> Tensor:
        """Return what is got.

        Raises
        ------
        CallError
            When there is nothing yet.
        """
        if what != VALUE:
            return self._result(what, slot)
        # what an exchange has delivered is newer than what was put
        value = slot.value if slot.fresh else part.known(slot.key)
        value = slot.value if value is None else value
        if value is None:
            role = slot.key[0]
            hint = "put it, or advance" if role in {"import", "parameter"} else "run or advance first"
            raise slot.fault(Code.FIELD, "there is nothing to get yet", hint)
        return value

    def _result(self, what: int, slot: Slot) -> Tensor:
        if what not in self._results:
            raise slot.fault(Code.ORDER, "there is nothing to get yet", "call tangent or adjoint first")
        found = self._results[what].get(slot.key)
        return slot.zeros() if found is None else found

    def hand_out(self, what: int, found: Mapping[Key, Tensor]) -> None:
        """Let tangents or adjoints be got, in the host's cells; what is absent is zero."""
        self._results[what] = found

    def bind(self, slot: Slot) -> None:
        """Take note that memory was bound, or is no longer."""
        others = tuple(other for other in self.bound if other is not slot)
        self.bound = others if slot.bound is None else (*others, slot)
        self.bound_inputs = tuple(other.key for other in self.bound if other.key[0] != "export")


def by_name(slots: Mapping[Key, Slot], roles: tuple[str, ...]) -> dict[str, Slot]:
    """Return slots of these roles by name; where names meet, in this order."""
    found: dict[str, Slot] = {}
    for role in roles:
        for (of, name), slot in slots.items():
            if of == role:
                found.setdefault(name, slot)
    return found


def _numpy(dtype: Any) -> np.dtype[Any]:
    return np.dtype(np.float64) if dtype is None else np.dtype(str(dtype).removeprefix("torch."))
