"""What an observation operator is told of the variable that it observes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from tradewind.couplers.assimilation.contracts import Port
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.operators import Distributed
from tradewind.couplers.ranks.layout import Layout


@dataclass(frozen=True)
class Observed:
    """A variable of a component, as an observation operator meets it.

    Attributes
    ----------
    port
        The ``component.variable``.
    variable
        Its units, grid and levels.
    layout
        Owner of its cells.
    step
        Of the component: a new value stands there at the end of each.
    initial
        Whether there is a value as a window begins: a state variable has one, an export has none before
        the first step ends.
    """

    port: Port
    variable: Variable
    layout: Layout
    step: timedelta
    initial: bool = False

    @property
    def extra(self) -> tuple[int, ...]:
        """Lengths of the axes before the cells."""
        return tuple(length for _, length in self.variable.extra)

    @property
    def space(self) -> Distributed:
        """The field's space, extra axes and cells flattened."""
        return Distributed(self.layout, self.extra)
