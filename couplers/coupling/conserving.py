"""Global conservation: what an operator loses or makes is spread over all active cells of the target.

With the integrals I_s(x) = Σ_j a_j x_j and I_t(y) = Σ_i a_i y_i over active cells, and A_t = Σ_i a_i,

    y' = y + (I_s(x) - I_t(y)) / A_t,        y = A x

on active cells, so that I_t(y') = I_s(x). This is ``CONSERV GLOBAL`` of OASIS3-MCT (Craig, Valcke and Coquart
2017, doi 10.5194/gmd-10-3297-2017). Its ``GLBPOS`` multiplies instead, y' = y I_s(x) / I_t(y), which keeps
signs, but is not linear in x and has no value where I_t(y) is 0: exchanges are linear, and carry exact
adjoints, so it is not offered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tradewind.couplers.operators import Distributed, LinearOperator
from tradewind.errors import GridError

if TYPE_CHECKING:
    from tradewind.couplers.coupling.exchange import End


class GloballyConserving(LinearOperator):
    """``y = A x + u (a_s · x - a_t · A x)``, u being 1 / A_t on active cells of the target.

    Members and levels are conserved one by one. The adjoint is ``Aᵀ(y - a_t s) + a_s s`` with s = u · y. Both
    are collective, and integrals have the same bits for any number of ranks.

    Parameters
    ----------
    operator
        A.
    source, target
        The ends, which know what each cell counts for in an integral.

    Raises
    ------
    GridError
        Grids without areas, or a target without active cells.
    """

    def __init__(self, operator: LinearOperator, source: End, target: End) -> None:
        self.operator = operator
        self.domain, self.range, self.device = operator.domain, operator.range, operator.device
        self._source, self._target = source, target
        for end in (source, target):
            _refuse_no_areas(end)
        active = torch.from_numpy(target.layout.grid.mask[target.layout.owned]).double()
        self._spread = active / Distributed(target.layout).dot(active, target.measure)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``A x`` with the residual of its integral spread, shape ``(..., target cell)``."""
        y = self.operator.forward(x)
        residual = _integrals(self._source, x) - _integrals(self._target, y)
        return y + residual * self._spread

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``Aᵀ(y - a_t s) + a_s s``, shape ``(..., source cell)``."""
        s = _sums(self._target, self._spread * y)
        return self.operator.adjoint(y - s * self._target.measure) + s * self._source.measure


def _integrals(end: End, field: Tensor) -> Tensor:
    """Return the integral of each row, shape ``(..., 1)``; masked cells may hold anything."""
    return _sums(end, torch.where(end.measure == 0.0, 0.0, field) * end.measure)


def _sums(end: End, values: Tensor) -> Tensor:
    """Return the sum of each row over all ranks, shape ``(..., 1)``; collective."""
    space, one = Distributed(end.layout), torch.ones(end.layout.n_local, dtype=torch.float64)
    # a rank without cells sums as many rows as the others
    rows = values.reshape(values.shape[:-1].numel(), end.layout.n_local)
    found = torch.tensor([space.dot(row, one) for row in rows], dtype=torch.float64)
    return found.reshape(*values.shape[:-1], 1)


def _refuse_no_areas(end: End) -> None:
    grid = end.layout.grid
    # of the whole grid: a rank without cells must raise with the others
    points = grid.given_area is None and not grid.has_corners
    if points and not end.variable.kind.is_extensive:
        raise GridError(
            "has no areas, so that there is no integral to conserve", where=end.port,
            hint="give the grid corners or areas",
        )  # fmt: skip
    if not Distributed(end.layout).dot(end.measure, end.measure):
        raise GridError("has no active cell with an area", where=end.port)
