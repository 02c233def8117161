"""Observations of a sum: what an operator sees of one variable, it sees of several added up."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from tradewind.couplers.assimilation.contracts import Looks, ObservationOperator, ObservationsByWindow, Port
from tradewind.couplers.assimilation.looks import LinearLook, Look
from tradewind.couplers.assimilation.observing.stacked import StackedLook
from tradewind.couplers.coupling.component import Interval
from tradewind.errors import ConfigError


class SummedOperator:
    """An observation operator that sees the sum of several variables: ``y = Σ_p H c_p + offset``.

    A linear look at a sum is the sum of the looks at its parts, so each part is looked at by itself, and
    whoever answers for one of them need not know of the others.

    Parameters
    ----------
    operator
        Of the first of them.
    ports
        All of them, each ``component.variable``: on one grid, in one unit, with the same levels.
    """

    def __init__(self, operator: ObservationOperator, ports: Sequence[Port]) -> None:
        self.operator, self.observes = operator, tuple(ports)

    @property
    def units(self) -> str:
        """Units of the observations; empty where the operator does not say."""
        return str(getattr(self.operator, "units", ""))

    @property
    def notes(self) -> list[str]:
        """What the operator has to say."""
        return list(getattr(self.operator, "notes", ()))

    def windows(self, windows: Sequence[Interval]) -> ObservationsByWindow:
        """Return the operator's observations."""
        return self.operator.windows(windows)

    def looks(self, window: Interval) -> Looks:
        """Return each of the operator's looks at every part.

        Raises
        ------
        ConfigError
            When a look is not linear: it would see something else in each part than in their sum.
        """
        found = self.operator.looks(window)
        for look in found.values():
            if not _linear(look):
                what = f"{type(self.operator).__name__} is not linear, so it cannot see a sum part by part"
                raise ConfigError(what, hint="observe one variable, or add them up in a component")
        return {(port, time): look for (_, time), look in found.items() for port in self.observes}

    def offset(self, window: Interval) -> Tensor:
        """Return what the operator adds, once."""
        return self.operator.offset(window)


def _linear(look: Look) -> bool:
    if isinstance(look, StackedLook):
        return all(_linear(part) for _, part in look.parts)
    return isinstance(look, LinearLook)
