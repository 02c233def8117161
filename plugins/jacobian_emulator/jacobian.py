"""The transport's Jacobian over one window as an operator made of the network's maps."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tradewind.couplers.assimilation.linearization import WindowModel
from tradewind.couplers.operators import Distributed, LinearOperator
from tradewind.errors import DomainError
from tradewind.plugins.jacobian_emulator.options import OwnError
from tradewind.plugins.transport.windows import Cell

if TYPE_CHECKING:
    from tradewind.plugins.jacobian_emulator.surrogate import JacobianEmulator

BLOCK = 256
"""Sources whose maps are held on the whole domain at a time."""


class EmulatedJacobian(LinearOperator):
    """The transport's Jacobian over one window, made of the network's maps.

    Attributes
    ----------
    valid
        Where the emulator may be asked, bool, shape ``(cell,)``.
    """

    def __init__(self, emulator: JacobianEmulator, model: WindowModel, end: datetime) -> None:
        self.emulator, self.end = emulator, end
        self.domain = Distributed(model.layouts[model.given])
        self.range = Distributed(model.layouts[model.wanted])

    @property
    def valid(self) -> Tensor:
        """Cells that the emulator answers for."""
        return self.emulator.valid(self.end)

    def forward(self, x: Tensor) -> Tensor:
        """Return the columns, 1e-9, shape ``(..., cell)``, of a mean flux, kg m-2 s-1.

        Raises
        ------
        DomainError
            When a cell emits that the emulator cannot answer for.
        """
        self.check(x, self.domain)
        cells = x.reshape(-1, x.shape[-1]).ne(0.0).any(0)
        self._refuse(cells & ~self.valid)
        columns = x.new_zeros(*x.shape[:-1], self.range.size)
        for part in _in_blocks(cells):
            columns += x[..., part] @ self.rows(part)
        return columns

    def adjoint(self, y: Tensor) -> Tensor:
        """Return the gradient with respect to the flux; zero where the emulator cannot answer."""
        self.check(y, self.range)
        out = y.new_zeros(*y.shape[:-1], self.domain.size)
        for part in _in_blocks(self.valid):
            out[..., part] = y @ self.rows(part).T
        return out

    def variance(self, x: Tensor) -> Tensor | None:
        """Return the variance of the network's error in the columns of a flux; None where it is ignored.

        The sum over emitting cells of (standard deviation of the fraction times what was emitted)²: the
        errors of different sources are taken to be independent.

        Parameters
        ----------
        x
            Mean flux, kg m-2 s-1, shape ``(cell,)``.

        Returns
        -------
        Tensor or None
            1e-18, shape ``(cell,)``.

        Raises
        ------
        DomainError
            When a cell emits that the emulator cannot answer for.
        """
        if self.emulator.options.error is OwnError.IGNORED:
            return None
        self._refuse(x.ne(0.0) & ~self.valid)
        return torch.stack([self._variance(x, part) for part in _in_blocks(x.ne(0.0))]).sum(0)

    def _variance(self, x: Tensor, cells: Tensor) -> Tensor:
        where, emitted = self._sources(cells)
        spread = self.emulator.fraction_variance(where, self.end)
        factor = self.emulator.transport.column_factor(self.end)
        return (emitted * x[cells]).square() @ (spread * factor.square()).flatten(1)

    def rows(self, cells: Tensor) -> Tensor:
        """Return the columns that a unit flux in each of `cells` (indices) gives, ``(source, cell)``."""
        where, emitted = self._sources(cells)
        shares = self.emulator.fractions(where, self.end)
        shares *= self.emulator.transport.column_factor(self.end)
        shares *= emitted[:, None, None]
        return shares.flatten(1)

    def _sources(self, cells: Tensor) -> tuple[tuple[Cell, ...], Tensor]:
        """Return rows and columns of `cells` (indices), and what a unit flux emits in each, m2 s."""
        rows, columns = self._indices(cells)
        emitted = self.emulator.transport.domain.area[rows, 0] * self.emulator.length.total_seconds()
        return tuple(zip(rows, columns, strict=True)), emitted

    def _indices(self, cells: Tensor) -> tuple[list[int], list[int]]:
        width = self.emulator.transport.domain.shape[1]
        return (cells // width).tolist(), (cells % width).tolist()

    def _refuse(self, outside: Tensor) -> None:
        if bool(outside.any()):
            row, column = (part[0] for part in self._indices(outside.nonzero().flatten()))
            domain = self.emulator.transport.domain
            place = f"{float(domain.lat[row]):g} N {float(domain.lon[column]):g} E"
            raise DomainError(
                f"{int(outside.sum())} emitting cells lie outside the emulator's domain at {self.end}, "
                f"the first at {place}",
                where="jacobian-emulator", hint="run_as: guarded sends them to the reference model",
            )  # fmt: skip


def _in_blocks(cells: Tensor) -> tuple[Tensor, ...]:
    """Return the indices of the chosen cells, at most `BLOCK` at a time: their maps fill the domain each."""
    return torch.split(cells.nonzero().flatten(), BLOCK)
