"""The ledger of a whole run: what each exchange moved in all, in units that can be weighed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from tradewind.errors import UnitsError

if TYPE_CHECKING:
    from tradewind.couplers.coupling.exchange import Exchange
    from tradewind.couplers.coupling.ledger import LedgerEntry

EARTH_RADIUS = 6_371_000.0
"""Metres; a sphere, as everywhere in the project."""


class Counted(StrEnum):
    """How the entries of an exchange add up to what it moved over the run."""

    FLUX = "flux"
    """Entries are rates: each counts for the length of its period."""
    AMOUNT = "amount"
    """Entries are amounts of their periods (reduced by sum or integral): they are added."""
    STATE = "state"
    """Nothing moves: the mean over time is shown."""


@dataclass(frozen=True)
class Weight:
    """What one unit of an entry stands for in the units that are shown.

    Attributes
    ----------
    factor
        Shown = factor x entry (x seconds, for rates).
    """

    factor: float
    units: str


@dataclass(frozen=True)
class Budget:
    """All entries of one exchange, in the order of time.

    Attributes
    ----------
    units
        Of the import.
    per_area
        Whether entries are integrals over areas in steradian.
    """

    exchange: str
    units: str
    counted: Counted
    per_area: bool
    entries: tuple[LedgerEntry, ...] = ()

    @classmethod
    def of(cls, exchange: Exchange, ledger: Iterable[LedgerEntry]) -> Budget:
        """Return the budget of `exchange` from the ledger of a run."""
        variable = exchange.target.variable
        own = tuple(entry for entry in ledger if entry.exchange == exchange.name)
        per_area = not variable.kind.is_extensive
        return cls(exchange.name, variable.units, _counted(exchange), per_area, own)

    @cached_property
    def weight(self) -> Weight:
        """Masses are in kg, on a sphere of the earth's size; all else is in units times steradian."""
        rate = self.counted is Counted.FLUX
        per_second, per_square_metre = " s-1" if rate else "", " m-2" if self.per_area else ""
        if self.counted is not Counted.STATE:
            kilograms = _factor(self.units, f"kg{per_square_metre}{per_second}")
            if kilograms is not None:
                return Weight(kilograms * (EARTH_RADIUS**2 if self.per_area else 1.0), "kg")
        plain = "" if self.units == "1" else self.units
        return Weight(1.0, " ".join(p for p in (plain, "sr" * self.per_area, "s" * rate) if p) or "1")

    def total(self, part: str) -> float:
        """Return ``left``, ``arrived``, ``unmapped``, ``withheld`` or ``difference`` over the run.

        In the units of `weight`; 0 without entries.
        """
        values: Iterator[float] = (getattr(entry, part) * self._share(entry) for entry in self.entries)
        return self.weight.factor * sum(values)

    def _share(self, entry: LedgerEntry) -> float:
        if self.counted is Counted.FLUX:
            return entry.interval.seconds
        if self.counted is Counted.AMOUNT:
            return 1.0
        return entry.interval.seconds / self._seconds

    @cached_property
    def _seconds(self) -> float:
        return sum(entry.interval.seconds for entry in self.entries)

    @property
    def residual(self) -> float:
        """The difference over the run, relative to what left; plain when nothing left."""
        return self.total("difference") / (abs(self.total("left")) or 1.0)

    @property
    def worst(self) -> LedgerEntry | None:
        """The entry with the largest residual; one that is not known counts most. None without entries."""
        return max(self.entries, key=_size, default=None)


def _size(entry: LedgerEntry) -> float:
    return math.inf if math.isnan(entry.residual) else abs(entry.residual)


def _counted(exchange: Exchange) -> Counted:
    if exchange.timing.reduction.is_amount:
        return Counted.AMOUNT
    either = (exchange.source.variable.kind, exchange.target.variable.kind)
    return Counted.FLUX if any(kind.is_flux for kind in either) else Counted.STATE


def _factor(units: str, wanted: str) -> float | None:
    from tradewind.couplers.coupling.units import factor

    try:
        return factor(units, wanted)
    except UnitsError:
        return None
