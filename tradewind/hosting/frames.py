"""Steps of the host, called from within: what its put and get then reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tradewind.couplers.ranks.parallel import agree
from tradewind.hosting.failing import CallError, Code
from tradewind.hosting.places import INPUTS, OUTPUTS, Places, by_name

if TYPE_CHECKING:
    from torch import Tensor

    from tradewind.couplers.coupling.component import Key
    from tradewind.hosting.component import Callback, Given, HostedComponent
    from tradewind.hosting.slots import Slot


class Frame(Places):
    """Places of one member while a step of the host is called.

    The host gets what it was given, and what it has put itself; it puts values of exports and the new state,
    their tangents, and adjoints of what it was given.
    """

    def __init__(self, part: HostedComponent) -> None:
        super().__init__(part.participant, 1, part.bridge)
        self._given: Given = {}
        self._turn_round()

    def _turn_round(self) -> None:
        """Let answers be put, their tangents, and adjoints of what is given; and the others be got."""
        roles = {0: OUTPUTS, 1: OUTPUTS, 2: INPUTS}
        self._by_key = {what: self._slots(of, what) for what, of in roles.items()}
        self._put = {what: by_name(slots, roles[what]) for what, slots in self._by_key.items()}
        turned = {0: (*INPUTS, "export"), 1: INPUTS, 2: OUTPUTS}
        self._got = {what: by_name(self._slots(of, what), of) for what, of in turned.items()}

    def _slots(self, roles: tuple[str, ...], what: int) -> dict[Key, Slot]:
        return {key: self.slot(key, s.variable, what) for key, s in self.values.items() if key[0] in roles}

    def give(self, given: Given) -> None:
        """Let these be got, in the host's cells; what was put before is forgotten."""
        self._given = given
        for slots in self._put.values():
            for slot in slots.values():
                slot.value, slot.missing, slot.lent = None, None, False

    def found(self, what: int, slot: Slot, part: HostedComponent) -> Tensor:
        """Return what is got.

        Raises
        ------
        CallError
            When there is no such thing in this step.
        """
        value = self._given.get(what, {}).get(slot.key)
        if value is None and what == 0 and slot.key[0] == "export":
            value = slot.value
        if value is None and what:
            return slot.zeros()
        if value is None:
            raise slot.fault(Code.FIELD, "is not given to this step", "put it before it is got")
        return value

    def made(self, wanted: Sequence[tuple[int, Key]]) -> dict[int, dict[Key, Tensor]]:
        """Return what the host has put, in its cells.

        Raises
        ------
        CallError
            When some of it is missing.
        """
        found: dict[int, dict[Key, Tensor]] = {}
        for what, key in wanted:
            found.setdefault(what, {})[key] = self._by_key[what][key].taken()
        return found


def serve(
    part: HostedComponent,
    callback: Callback,
    when: tuple[float, float],
    given: Given,
    wanted: Sequence[tuple[int, Key]],
) -> dict[int, dict[Key, Tensor]]:
    """See `HostedComponent.serve`."""
    frame = part.frame_of_one()
    picked = {what: _picked(part, values) for what, values in given.items()}
    with agree(part.comm, f"the host's step of {part.name!r}"):
        made = _called(part, frame, callback, when, picked, wanted)
    return {what: dict(part.bridge.gathered(values, part.comm)) for what, values in made.items()}


def _picked(part: HostedComponent, values: Mapping[Key, Tensor]) -> dict[Key, Tensor]:
    return {key: part.bridge.pick(key, value) for key, value in values.items()}


def _called(
    part: HostedComponent,
    frame: Frame,
    callback: Callback,
    when: tuple[float, float],
    given: Given,
    wanted: Sequence[tuple[int, Key]],
) -> dict[int, dict[Key, Tensor]]:
    frame.give(given)
    before, part.frame = part.frame, frame
    try:
        code = callback(*when)
    finally:
        part.frame = before
    if code:
        what = f"the host's step returned {code}"
        raise CallError(Code.MODEL, what, component=part.name)
    return frame.made(wanted)
