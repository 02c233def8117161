"""Records what a session is asked and what it answers, so that a library without Python can replay it.

A recorded session stands in front of the real one: the C library calls it in the same way. Nothing is
recorded, and nothing is slower, where it was not asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tradewind.couplers.ranks.parallel import agree
from tradewind.errors import TradewindError
from tradewind.hosting.failing import Told, told
from tradewind.hosting.journal import WHATS, Journal, bits
from tradewind.hosting.recorded_component import RecordedComponent

if TYPE_CHECKING:
    from tradewind.hosting.network import NetworkSession
    from tradewind.hosting.session import Session

FINE: Told = (0, "", "", "", "")

Put: TypeAlias = tuple[str, int, str]
"""Component, what it is (value, tangent, adjoint), and ``role/name``."""


def recorded(session: Session | NetworkSession, folder: Path) -> RecordedSession:
    """Return a session that does what `session` does and writes it to `folder`; collective.

    Raises
    ------
    OSError
        When the folder cannot be written.
    """
    comm = session.comm
    with agree(comm, "opening the recording"):
        journal = Journal(folder, comm.rank, comm.size)
    return RecordedSession(session, journal)


class RecordedSession:
    """A session whose calls are written down.

    Parameters
    ----------
    session
        That does the work.
    journal
        Where to.

    Attributes
    ----------
    inside
        Whether a step of the host is being called.
    """

    def __init__(self, session: Session | NetworkSession, journal: Journal) -> None:
        self.session, self.journal, self.inside = session, journal, False
        self._parts: dict[str, RecordedComponent] = {}
        self._puts: dict[Put, list[int]] = {}
        self._values: set[tuple[object, ...]] = set()
        journal.line("policy", "abort" if session.abort_on_error else "return")
        with suppress(TradewindError):
            journal.line("clock", *map(bits, session.times()))

    @property
    def abort_on_error(self) -> bool:
        """What follows when nobody looks at a status."""
        return self.session.abort_on_error

    def component(self, name: str) -> RecordedComponent:
        """Return a component whose calls are written down."""
        part = self.session.component(name)
        if name not in self._parts:
            self.journal.line("component", name)
            self._parts[name] = RecordedComponent(self, part, name)
        return self._parts[name]

    # ------------------------------------------------------------------ what comes in order
    @contextmanager
    def event(self, call: str, component: str = "-", a: float = 0.0, b: float = 0.0) -> Iterator[list[float]]:
        """Write a collective call when it is over, whatever becomes of it; yields a list for its answer."""
        answer: list[float] = []
        outcome = FINE
        try:
            yield answer
        except BaseException as error:
            outcome = told(error)
            raise
        finally:
            self.write_puts()
            self.journal.call(call, component, (a, b, self._now(), *(answer or [0.0])), outcome)

    def write_puts(self) -> None:
        """Write what was put since the event before; what is got from here on is another value."""
        for (component, what, field), (count, found) in self._puts.items():
            self.journal.line("put", component, WHATS[what], field, count, f"{found % 2**64:016x}")
        self._puts.clear()
        self._values.clear()

    def _now(self) -> float:
        with suppress(TradewindError):
            return self.session.times()[0]
        return 0.0

    def note_put(self, key: Put, count: int, found: int) -> None:
        """Add what was put, or a block of it."""
        sums = self._puts.setdefault(key, [0, 0])
        sums[0] += count
        sums[1] += found

    def was_put(self, key: Put) -> bool:
        """Return whether a field was put since the event before."""
        return key in self._puts

    def is_new(self, key: tuple[object, ...]) -> bool:
        """Return whether a value has not been written since the event before, and remember that it is."""
        new = key not in self._values
        self._values.add(key)
        return new

    def in_order(self, call: str, act: Callable[[], None], a: float = 0.0) -> None:
        """Make a call of the whole session; what is bound is read before, and written after."""
        for part in self._parts.values():
            part.read_bound()
        with self.event(call, a=a):
            act()
        for part in self._parts.values():
            part.written_bound()

    def advance(self, until: float) -> None:
        """As `Session.advance`."""
        self.in_order("advance", lambda: self.session.advance(until), until)

    def advance_tangent(self) -> None:
        """As `Session.advance_tangent`."""
        self.in_order("advance_tangent", self.session.advance_tangent)

    def advance_adjoint(self) -> None:
        """As `Session.advance_adjoint`."""
        self.in_order("advance_adjoint", self.session.advance_adjoint)

    def analyse(self) -> None:
        """As `Session.analyse`."""
        self.in_order("analyse", self.session.analyse)

    def solve(self) -> None:
        """As `Session.solve`."""
        self.in_order("solve", self.session.solve)

    def restore(self, path: str) -> None:
        """As `Session.restore`."""
        self.in_order("restore", lambda: self.session.restore(path))

    # ------------------------------------------------------------------ what may come at any time
    def times(self) -> tuple[float, float, float]:
        """As `Session.times`."""
        return self.session.times()

    def seconds(self, date: str) -> float:
        """As `Session.seconds`."""
        found = self.session.seconds(date)
        self.journal.line("date", date, bits(found))
        return found

    def record(self, on: bool) -> None:
        """As `Session.record`."""
        self.session.record(on)

    def checkpoint(self, path: str) -> None:
        """As `Session.checkpoint`."""
        self.session.checkpoint(path)

    def report(self, path: str) -> None:
        """As `Session.report`."""
        self.session.report(path)

    def close(self) -> None:
        """As `Session.close`; the recording is whole."""
        try:
            self.session.close()
        finally:
            self.journal.close()
