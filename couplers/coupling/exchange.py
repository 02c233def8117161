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

NAN = float("nan")


@dataclass(frozen=True)
class LedgerEntry:
    """What one exchange moved in one interval, both sides in the import's units.

    Intensive fields (kg m-2 s-1) are integrated over the areas that the models use, so there the units are
    times steradian; amounts (kg, kg s-1) are added up. NaN where a grid of points has no areas.

    Attributes
    ----------
    exchange
        Its name, ``source -> target``.
    left, arrived
        Integrals on either side, all members added.
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
    def measure(self) -> Tensor:
        """What each of this rank's cells counts for in an integral, shape ``(cell,)``.

        Its area in steradian, the model's own where it is given; 1 for amounts; NaN on a grid without areas.
        Masked cells count for nothing: nothing leaves them, and nothing arrives there.
        """
        grid = self.layout.grid
        whole = torch.ones(grid.size, dtype=torch.float64)
        if not self.variable.kind.is_extensive:
            has_area = grid.given_area is not None or grid.lon_corners is not None
            whole = torch.from_numpy(grid.area) if has_area else NAN * whole
        return self.layout.scatter(torch.where(torch.from_numpy(grid.mask), whole, 0.0))

    def integral(self, field: Tensor) -> float:
        """Return the integral of `field`, shape ``(..., cell)``, members and levels added.

        Over all ranks, collective; in units times steradian, or in units for amounts.
        """
        counted = torch.where(self.measure == 0.0, 0.0, field)
        return Distributed(self.layout).dot(counted, self.measure.expand_as(field))


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
