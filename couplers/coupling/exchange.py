"""One declared connection from an export to an import: when, in which units, onto which cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.coupling.how import Merge
from tradewind.couplers.coupling.ledger import LedgerEntry
from tradewind.couplers.coupling.levels import LevelMap
from tradewind.couplers.coupling.time.timing import Timing
from tradewind.couplers.operators import Distributed, IdentityOperator, LinearOperator
from tradewind.couplers.operators.spaces import Integral
from tradewind.couplers.ranks.layout import Layout

NAN = float("nan")


@dataclass(frozen=True)
class End:
    """One end of an exchange: a component's variable, and who owns its cells."""

    component: str
    variable: Variable
    layout: Layout

    @cached_property
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

    @cached_property
    def integral(self) -> Integral:
        """From a field of shape ``(..., cell)`` to its integral, members and levels added.

        Over all ranks, collective; in units times steradian, or in units for amounts.
        """
        return Integral(Distributed(self.layout), self.measure)


@dataclass(frozen=True)
class Exchange:
    """Carries a field from an export to an import: y = f A(L(a x + b)).

    Attributes
    ----------
    operator
        A: from the export's cells to the import's.
    factor
        a: from the export's units to the import's, and scaling; a number, or a fraction of the source's
        cells too, shape ``(source cell,)``.
    offset
        b, in the import's units, times a fraction of the source's cells where there is one; derivatives do
        not see it.
    timing
        What is made of the source's exports in time, and when it is given.
    levels
        L: from the export's levels to the import's; None: they are the same.
    fraction
        f: a fixed fraction of the target's cells, shape ``(target cell,)``; 1 where absent.
    moving
        f as an export of a component, which another exchange brings onto the target's cells.
    merge
        How it goes together with other exchanges into the same import; matters where there are fractions.
    share
        The fixed part of each target cell that this exchange answers for when its fraction is applied on
        the source's cells, shape ``(target cell,)``. Only checks use it.
    covered
        The part of each target cell that A covers, shape ``(target cell,)``, where A gives means over that
        part and a fraction says how much of them counts; None: what A gives counts for whole cells.
    unmapped
        Share of each source cell that the target's grid does not reach, shape ``(source cell,)``.
    tolerance
        Largest residual of the ledger, relative; None: any.
    """

    source: End
    target: End
    operator: LinearOperator
    factor: float | Tensor = 1.0
    offset: float | Tensor = 0.0
    timing: Timing = field(default_factory=Timing)
    levels: LevelMap | None = None
    fraction: Tensor | None = None
    moving: Exchange | None = None
    merge: Merge = Merge.FRACTIONS
    share: Tensor | None = None
    covered: Tensor | None = None
    unmapped: Tensor | None = None
    tolerance: float | None = None

    @property
    def part(self) -> Tensor | None:
        """The fixed part of each target cell that it answers for; None where it is moving, or all."""
        return self.share if self.fraction is None else self.fraction

    @cached_property
    def name(self) -> str:
        """The exchange as ``source -> target``."""
        return f"{self.source.port} -> {self.target.port}"

    def prepared(self, field: Tensor) -> Tensor:
        """Return a x + b: the field in the import's units, on the export's cells and levels."""
        scaled = self.linear(field)
        return scaled + self.offset if self.has_offset else scaled

    @cached_property
    def has_offset(self) -> bool:
        """Whether b is there."""
        return isinstance(self.offset, Tensor) or self.offset != 0.0

    @cached_property
    def offset_integral(self) -> float:
        """The integral of L(b) over the source, for one member; collective at first use."""
        if not self.has_offset:
            return 0.0
        shape = (*(length for _, length in self.source.variable.extra), self.source.layout.n_local)
        return self.source.integral(self.levelled(torch.zeros(shape, dtype=torch.float64) + self.offset))

    def leaving(self, field: Tensor) -> float:
        """Return the integral of L(a x) over the source: what the ledger says has left; collective."""
        if isinstance(self.factor, float):
            return self.factor * self.source.integral(self.levelled(field))
        return self.source.integral(self.levelled(self.linear(field)))

    def linear(self, field: Tensor) -> Tensor:
        """Return a x, shape ``(..., source cell)``."""
        # most factors are 1: the same bits without the copy
        return field if isinstance(self.factor, float) and self.factor == 1.0 else self.factor * field

    def levelled(self, prepared: Tensor) -> Tensor:
        """Return L(x): a field of the export's cells and levels, on the import's levels."""
        return prepared if self.levels is None else self.levels.forward(prepared)

    def carried(self, prepared: Tensor) -> Tensor:
        """Return A(L(x)) of a field in the import's units, before any fraction."""
        levelled = self.levelled(prepared)
        # fields are values, which nobody changes: the identity needs no copy
        return levelled if self._is_identity else self.operator.forward(levelled)

    @cached_property
    def _is_identity(self) -> bool:
        return isinstance(self.operator, IdentityOperator)

    def weighted(self, carried: Tensor) -> Tensor:
        """Return the field times its fixed fraction, shape ``(..., target cell)``."""
        return carried if self.fraction is None else self.fraction * carried

    def forward(self, field: Tensor) -> Tensor:
        """Return the import of shape ``(..., target cell)``, but for a moving fraction."""
        return self.weighted(self.carried(self.prepared(field)))

    def tangent(self, field: Tensor) -> Tensor:
        """Return the tangent of `forward`: without the offset."""
        return self.weighted(self.carried(self.linear(field)))

    def adjoint(self, cotangent: Tensor) -> Tensor:
        """Return the export's cotangent of shape ``(..., source cell)``."""
        back = self.operator.adjoint(self.weighted(cotangent))
        return self.linear(back if self.levels is None else self.levels.adjoint(back))

    def account(self, field: Tensor, delivered: Tensor, interval: Interval) -> LedgerEntry:
        """Return the ledger's entry for one delivery of a field; collective."""
        left = self.source.integral(self.levelled(self.prepared(field)))
        return LedgerEntry(self.name, interval, left, self.target.integral(delivered))
