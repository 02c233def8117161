"""The transport's Jacobian over one window as an operator made of the network's maps."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from tradewind.couplers.assimilation.linearization import Moments, WindowModel
from tradewind.couplers.operators import Distributed, LinearOperator
from tradewind.errors import DomainError
from tradewind.plugins.jacobian_emulator.errors import seen_errors
from tradewind.plugins.jacobian_emulator.options import Base, OwnError
from tradewind.plugins.jacobian_emulator.samples import HALF
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
        self.emulator, self.model, self.end = emulator, model, end
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
        rows = x.reshape(-1, x.shape[-1])
        cells = rows.any(0)
        self._refuse(cells & ~self.valid)
        columns = x.new_zeros(len(rows), *self.emulator.transport.domain.shape)
        for part in _in_blocks(cells):
            where, emitted = self._sources(part)
            self._superpose(where, rows[:, part] * emitted, columns)
        columns *= self.emulator.transport.column_factor(self.end)
        return columns.reshape(*x.shape[:-1], self.range.size)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return the gradient with respect to the flux; zero where the emulator cannot answer."""
        self.check(y, self.range)
        rows = y.reshape(-1, *self.emulator.transport.domain.shape)
        seen = rows * self.emulator.transport.column_factor(self.end)
        out = y.new_zeros(len(rows), self.domain.size)
        for part in _in_blocks(self.valid & _near(seen)):
            out[:, part] = self._correlate(part, seen)
        return out.reshape(*y.shape[:-1], self.domain.size)

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

    def covariance(self, x: Moments, seen: LinearOperator) -> Tensor | None:
        """Return the covariance of the network's error in what is seen of the columns, 1e-18, ``(m, m)``.

        Sum over sources s, s' of E[x_s x_s'] rho(s, s') times the errors' shapes at their cells, as
        `tradewind.surrogates.calibration` describes them; what is left over by the shapes is taken to
        differ from source to source. Where the reference answers for the mean, E[x xᵀ] is that of changes.

        Parameters
        ----------
        x
            Mean flux and what is known of it, kg m-2 s-1.
        seen
            H.

        Returns
        -------
        Tensor or None
            None where errors are ignored or the checkpoint knows variances only.

        Raises
        ------
        DomainError
            When a cell emits that the emulator cannot answer for.
        """
        emulator = self.emulator
        calibration = emulator.network.calibration
        if emulator.options.error is OwnError.IGNORED or calibration is None:
            return None
        x = Moments(torch.zeros_like(x.mean), x.spread) if self.anchored else x
        self._refuse(x.touched() & ~self.valid)
        return seen_errors(emulator, calibration.structure, x, self.end, seen)

    @property
    def anchored(self) -> bool:
        """Whether the reference model answers for the prior, and the network for changes only."""
        return self.emulator.options.base is Base.REFERENCE

    def correction(self, x: Tensor) -> Tensor:
        """Return what the reference model gives for a flux, less what the network gives, ``(cell,)``."""
        return self.model.reference().forward(x) - self.forward(x)

    def _superpose(self, where: tuple[Cell, ...], weights: Tensor, columns: Tensor) -> None:
        """Add the maps of sources times what each emits, shape ``(k, source)``, to ``(k, lat, lon)``."""
        from tradewind.plugins.jacobian_emulator.superposition import superpose

        maps, cells = self.emulator.maps(where, self.end), torch.tensor(where, dtype=torch.int64)
        superpose(*(part.contiguous().numpy() for part in (maps, cells.reshape(-1, 2), weights, columns)))

    def _correlate(self, part: Tensor, seen: Tensor) -> Tensor:
        """Return what the maps of `part` (indices) hold of ``(k, lat, lon)``, shape ``(k, source)``."""
        from tradewind.plugins.jacobian_emulator.superposition import correlate

        where, emitted = self._sources(part)
        maps = self.emulator.maps(where, self.end)
        sources = torch.full((seen[0].numel(),), -1, dtype=torch.int64)
        sources[part] = torch.arange(len(part))
        out = seen.new_zeros(len(seen), len(part))
        places = sources.view(seen.shape[1:]).numpy()
        correlate(maps.contiguous().numpy(), places, seen.contiguous().numpy(), out.numpy())
        return out * emitted

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


def _near(seen: Tensor) -> Tensor:
    """Return which cells lie within a window of one where something is seen, bool, shape ``(cell,)``."""
    some = seen.ne(0.0).any(0).to(seen.dtype)[None, None]
    return functional.max_pool2d(some, 2 * HALF + 1, stride=1, padding=HALF).ne(0.0).flatten()


def _in_blocks(cells: Tensor) -> tuple[Tensor, ...]:
    """Return the indices of the chosen cells, at most `BLOCK` at a time: their maps fill the domain each."""
    return torch.split(cells.nonzero().flatten(), BLOCK)
