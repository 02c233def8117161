"""The covariance of the network's errors as the observations see them: C = sum_q Psi_qᵀ M Psi_q + diag(v).

Psi_q holds, for every source, what is seen of the q-th shape of its error; M_ss' = E[x_s x_s'] rho(s, s')
times what a unit flux emits. Schur products of positive semi-definite matrices are positive semi-definite,
and so are the terms of C.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tradewind.couplers.assimilation.linearization import Moments, squared
from tradewind.couplers.operators import LinearOperator
from tradewind.plugins.jacobian_emulator.samples import HALF
from tradewind.surrogates.calibration.places import distances
from tradewind.surrogates.calibration.structure import error_maps, likeness
from tradewind.surrogates.checkpoint import ErrorStructure

if TYPE_CHECKING:
    from tradewind.plugins.jacobian_emulator.surrogate import JacobianEmulator

BLOCK = 32
"""Sources whose shapes are held on the whole domain at a time."""


def seen_errors(
    emulator: JacobianEmulator, structure: ErrorStructure, x: Moments, end: datetime, seen: LinearOperator
) -> Tensor:
    """Return the covariance, 1e-18, shape ``(m, m)``, of the errors in what is seen of the columns at `end`.

    Parameters
    ----------
    x
        Flux, kg m-2 s-1, and what is known of it.
    seen
        H, from columns to observations.
    """
    cells = x.touched().nonzero()[:, 0]
    if not len(cells):
        return torch.zeros(seen.range.size, seen.range.size, dtype=torch.float64)
    rows, columns = _places(emulator, cells)
    emitted = emulator.transport.domain.area[rows, 0] * emulator.length.total_seconds()
    moments = x.of(cells) * emitted[:, None] * emitted
    shapes, rest = _Seen(emulator, structure, end, seen).of(rows, columns, moments.diagonal())
    # H carries the variances of what is left over with the squares of its entries
    alike = moments * likeness(distances(rows, columns), structure)
    return superposed(shapes, alike) + torch.diag(squared(seen, rest))


def superposed(shapes: Tensor, alike: Tensor) -> Tensor:
    """Return sum_q Psi_qᵀ M Psi_q, exactly symmetric, shape ``(m, m)``.

    Parameters
    ----------
    shapes
        Psi, shape ``(shape, source, m)``.
    alike
        M, shape ``(source, source)``.
    """
    together = torch.stack([one.T @ alike @ one for one in shapes]).sum(0)
    return 0.5 * (together + together.T)


def _places(emulator: JacobianEmulator, cells: Tensor) -> tuple[Tensor, Tensor]:
    width = emulator.transport.domain.shape[1]
    return cells // width, cells % width


class _Seen:
    """What is seen of the errors of one window's sources."""

    def __init__(
        self, emulator: JacobianEmulator, structure: ErrorStructure, end: datetime, seen: LinearOperator
    ) -> None:
        self.emulator, self.structure, self.end, self.seen = emulator, structure, end, seen
        self.factor = emulator.transport.column_factor(end)

    def of(self, rows: Tensor, columns: Tensor, squares: Tensor) -> tuple[Tensor, Tensor]:
        """Return shapes, ``(shape, source, m)``, and the variance of the rest, ``(cell,)``."""
        rest, shapes = torch.zeros(self.seen.domain.size, dtype=torch.float64), []
        for part in torch.split(torch.arange(len(rows)), BLOCK):
            where = list(zip(rows[part].tolist(), columns[part].tolist(), strict=True))
            maps = error_maps(self.emulator.shares(tuple(where), self.end), self.structure)
            rest += torch.einsum("s,sij->ij", squares[part], self._placed(maps.rest, where, 2)).flatten()
            every = [
                self.seen.forward(self._placed(one, where, 1).flatten(1)) for one in maps.shapes.unbind(1)
            ]
            shapes.append(torch.stack(every))
        return torch.cat(shapes, dim=1), rest

    def _placed(self, maps: Tensor, where: list[tuple[int, int]], power: int) -> Tensor:
        """Return maps in their places, as mole fractions for a unit mass, ``(source, lat, lon)``."""
        whole = torch.zeros(len(where), *self.emulator.transport.domain.shape, dtype=torch.float64)
        for number, (row, column) in enumerate(where):
            whole[number, row - HALF : row + HALF + 1, column - HALF : column + HALF + 1] = maps[number]
        return whole * self.factor**power
