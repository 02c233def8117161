"""One component of a session that is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from tradewind.couplers.coupling.units import conversion
from tradewind.hosting.journal import ROLE_WORDS, WHATS, bits, digest, extents, place
from tradewind.hosting.slots import KINDS, Manner

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.hosting.component import Callback, Declared, HostedComponent
    from tradewind.hosting.network import NetworkPart
    from tradewind.hosting.recorder import RecordedSession

    Array: TypeAlias = NDArray[Any]

MOST = 8
"""Other shapes and units of one field that are remembered; the replay engine has room for as many."""
DTYPES: dict[int, Any] = {number: dtype for dtype, number in KINDS.items()}
INPUTS, OUTPUTS = ("import", "parameter", "state"), ("export", "state")
ALL = ("export", "state", "import", "parameter")


class Binding(NamedTuple):
    """Memory of the host that is used at every run."""

    field: Declared
    array: Array
    manner: Manner


def roles(what: int, puts: bool, inside: bool) -> tuple[str, ...]:
    """Return the roles among which a name is looked for.

    Parameters
    ----------
    puts
        Whether it is put; else it is got.
    inside
        Whether a step of the host asks, which stands on the other side.
    """
    if what == 0 and not puts and not inside:
        return ALL
    return INPUTS if (puts == (what != WHATS.index("adjoint"))) != inside else OUTPUTS


class RecordedComponent:
    """A component whose calls are written down.

    Parameters
    ----------
    session
        That writes.
    part
        That does the work.
    """

    def __init__(self, session: RecordedSession, part: HostedComponent | NetworkPart, name: str) -> None:
        self.session, self.part, self.name = session, part, name
        self._fields: dict[tuple[str, str], Declared] = {}
        self._others: dict[str, set[object]] = {}
        self._bound: dict[str, Binding] = {}

    # ------------------------------------------------------------------ what is declared
    def set_grid(self, index: Any, lon: Any, lat: Any, mask: Any | None = None) -> None:
        """As `HostedComponent.set_grid`."""
        self.part.set_grid(index, lon, lat, mask)
        numbers = np.asarray(index, dtype=np.int64)
        self.session.journal.line("grid", self.name, numbers.size, f"{digest(numbers, 1, numbers.size):016x}")

    def describe(self) -> None:
        """As `HostedComponent.describe`."""
        self.part.describe()
        self._declare()

    def fields(self) -> list[Declared]:
        """As `HostedComponent.fields`."""
        return self.part.fields()

    def _declare(self) -> None:
        if not self._fields:
            for field in self.part.fields():
                self._fields[ROLE_WORDS[field[2]], field[0]] = field
                self.session.journal.field(self.name, field)

    def _find(self, name: str, among: tuple[str, ...]) -> Declared:
        self._declare()
        return next(self._fields[role, name] for role in among if (role, name) in self._fields)

    def _accept(self, field: Declared, array: Array, manner: Manner) -> None:
        """Write shapes and units that were taken besides the declared ones."""
        others = self._others.setdefault(place(field), set())
        if not manner.first and array.shape[::-1] != field[4] and self._other(others, array.shape):
            self.session.journal.line("also", self.name, place(field), extents(array.shape[::-1]))
        units = manner.units
        if units is not None and units != field[1] and self._other(others, units):
            converted = "same" if _same(units, field[1]) else "converted"
            self.session.journal.line("accepts", self.name, place(field), units, converted)

    @staticmethod
    def _other(others: set[object], item: object) -> bool:
        kind = type(item)
        new = item not in others and sum(isinstance(other, kind) for other in others) < MOST
        others.add(item)
        return new

    # ------------------------------------------------------------------ values
    def put(self, what: int, name: str, view: Any, *how: Any) -> None:
        """As `HostedComponent.put`; `how` is units, first, cast, convert."""
        self.part.put(what, name, view, *how)
        field, manner = (
            self._find(name, roles(what, True, self.session.inside)),
            Manner(*how),
        )
        self._accept(field, np.asarray(view), manner)
        self._note(what, field, np.asarray(view), manner)
        if what == 0:
            self._bound.pop(place(field), None)

    def _note(self, what: int, field: Declared, array: Array, manner: Manner) -> None:
        values = array.astype(DTYPES[field[3]], copy=False)
        columns = field[4][0] if field[4] else 1
        if not manner.first:
            found = digest(values.reshape(-1), 1, values.size)
        else:
            found = digest(values, manner.first, columns)
        self.session.note_put((self.name, what, place(field)), array.size, found)

    def get(self, what: int, name: str, view: Any, *how: Any) -> None:
        """As `HostedComponent.get`; the whole field is kept, so that it may be replayed in other blocks."""
        self.part.get(what, name, view, *how)
        field, manner = (
            self._find(name, roles(what, False, self.session.inside)),
            Manner(*how),
        )
        self._accept(field, np.asarray(view), manner)
        self._keep(what, field, manner.units)

    def _keep(self, what: int, field: Declared, units: str | None) -> None:
        given = field[1] if units is None or _same(units, field[1]) else units
        known = self.session.was_put((self.name, what, place(field))) and given == field[1]
        if known and not self.session.inside:
            return
        if self.session.is_new((self.name, what, place(field), given)):
            whole = np.empty(field[4][::-1], dtype=DTYPES[field[3]])
            self.part.get(what, field[0], whole, given, 0, False, True)
            self.session.journal.value(self.name, what, field, given, whole)

    def bind(self, name: str, view: Any, *how: Any) -> None:
        """As `HostedComponent.bind`."""
        self.part.bind(name, view, *how)
        field, manner = self._find(name, (*INPUTS, "export")), Manner(*how)
        self._accept(field, np.asarray(view), manner)
        self._bound[place(field)] = Binding(field, np.asarray(view), manner)

    def read_bound(self) -> None:
        """Take note of what a run is about to read."""
        for bound in self._bound.values():
            if ROLE_WORDS[bound.field[2]] in INPUTS:
                self._note(0, bound.field, bound.array, bound.manner)

    def written_bound(self) -> None:
        """Keep what a run has written."""
        for bound in self._bound.values():
            if ROLE_WORDS[bound.field[2]] in OUTPUTS:
                self._keep(0, bound.field, bound.manner.units)

    # ------------------------------------------------------------------ what comes in order
    def run(self, time: float, dt: float) -> None:
        """As `HostedComponent.run`."""
        self.read_bound()
        with self.session.event("run", self.name, time, dt):
            self.part.run(time, dt)
            self._declare()
        self.written_bound()

    def tangent(self) -> None:
        """As `HostedComponent.tangent`."""
        with self.session.event("tangent", self.name):
            self.part.tangent()

    def adjoint(self) -> None:
        """As `HostedComponent.adjoint`."""
        with self.session.event("adjoint", self.name):
            self.part.adjoint()

    def dot_test(self) -> float:
        """As `HostedComponent.dot_test`."""
        with self.session.event("dot_test", self.name) as answer:
            answer.append(self.part.dot_test())
        return answer[0]

    def enroll(self, step: Callback, tangent: Callback | None, adjoint: Callback | None) -> None:
        """As `HostedComponent.enroll`; every call of the host's step is written down."""
        calls = (
            self._called("step", step),
            self._called("tangent", tangent),
            self._called("adjoint", adjoint),
        )
        self.part.enroll(*calls)

    def _called(self, call: str, step: Callback | None) -> Any:
        if step is None:
            return None

        def back(time: float, dt: float) -> int:
            self.session.write_puts()
            self.session.journal.line("back", call, self.name, bits(time), bits(dt))
            self.session.inside = True
            try:
                return step(time, dt)
            finally:
                self.session.inside = False

        return back


def _same(units: str, declared: str) -> bool:
    return units == declared or conversion(units, declared) == conversion(declared, declared)
