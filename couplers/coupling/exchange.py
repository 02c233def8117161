"""One declared connection from an export to an import, with a ledger of what crossed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.operators import Distributed, LinearOperator
from tradewind.couplers.ranks.layout import Layout


@dataclass(frozen=True)
class LedgerEntry:
    """What one exchange moved in one interval, both sides in the import's units times steradians.

    Attributes
    ----------
    exchange
        Its name, ``source -> target``.
    left, arrived
        Integrals over the sphere on either side, all members added.
    """

    exchange: str
    interval: Interval
    left: float
    arrived: float

    @property
    def residual(self) -> float:
        """Return (arrived - left) / left, or the plain difference when nothing left."""
        return (self.arrived - self.left) / (abs(self.left) or 1.0)


@dataclass(frozen=True)
class End:
    """One end of an exchange: a component's variable, and who owns its cells."""

    component: str
    variable: Variable
    layout: Layout

    @property
    def port(self) -> str:
        """The end as ``component.variable``."""
        return f"{self.component}.{self.variable.name}"

    @cached_property
    def area(self) -> Tensor:
        """Area of this rank's cells, steradian, shape ``(cell,)``."""
        return self.layout.scatter(torch.from_numpy(self.layout.grid.area))

    def integral(self, field: Tensor) -> float:
        """Return the integral of `field`, shape ``(..., cell)``, over the sphere, members and levels added.

        In units times steradian, over all ranks; collective.
        """
        return Distributed(self.layout).dot(field, self.area.expand_as(field))


@dataclass(frozen=True)
class Exchange:
    """Carries a field from an export to an import: units, then grid.

    Attributes
    ----------
    operator
        From the export's cells to the import's.
    factor
        From the export's units to the import's.
    """

    source: End
    target: End
    operator: LinearOperator
    factor: float = 1.0

    @property
    def name(self) -> str:
        """The exchange as ``source -> target``."""
        return f"{self.source.port} -> {self.target.port}"

    def forward(self, field: Tensor) -> Tensor:
        """Return the import of shape ``(..., target cell)``; linear, so it carries tangents too."""
        return self.operator.forward(self.factor * field)

    def adjoint(self, cotangent: Tensor) -> Tensor:
        """Return the export's cotangent of shape ``(..., source cell)``."""
        return self.factor * self.operator.adjoint(cotangent)

    def account(self, field: Tensor, delivered: Tensor, interval: Interval) -> LedgerEntry:
        """Return the ledger's entry for one delivery."""
        left = self.factor * self.source.integral(field)
        return LedgerEntry(self.name, interval, left, self.target.integral(delivered))
