"""A stored Jacobian as a surrogate: it answers with what a file holds of a window."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from tradewind.couplers.assimilation.linearization import WindowModel
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Spec
from tradewind.couplers.operators import Distributed, LinearOperator
from tradewind.errors import DataError, DomainError
from tradewind.plugins.stored_jacobian.layout import HINT, Ends, Piece, read
from tradewind.plugins.stored_jacobian.options import StoredOptions


def ends_of(model: WindowModel) -> Ends:
    """Return where a component's linearization leads from and to."""
    units = _units(model.spec, model.given), _units(model.spec, model.wanted)
    return Ends(model.layouts[model.given].grid, model.layouts[model.wanted].grid, *units)


def _units(spec: Spec, name: str) -> str:
    return next(v.units for v in (*spec.imports, *spec.exports) if v.name == name)


class StoredJacobian:
    """Answers ``tradewind_linearize`` for any linear component, from a file.

    Parameters
    ----------
    options
        Names the file, which is read when it is first asked for.
    component
        The model that it stands in for; it is not run.
    """

    def __init__(self, options: StoredOptions, component: Any) -> None:
        self.options, self.component = options, component
        self._pieces: dict[Interval, Piece] | None = None

    def tradewind_linearize(self, model: WindowModel, x: Any, window: Interval) -> StoredOperator:
        """Return the Jacobian of `window`.

        Raises
        ------
        DataError
            A file that cannot be read, is of other grids or units, or lacks the window.
        """
        if self._pieces is None:
            self._pieces = {piece.interval: piece for piece in read(self.options.file, ends_of(model))}
        piece = self._pieces.get(window)
        if piece is None:
            first = next(iter(self._pieces), None)
            what = f"holds nothing of window {window}; its {len(self._pieces)} windows begin with {first}"
            raise DataError(what, where=str(self.options.file), hint=HINT)
        return StoredOperator(piece, model, str(self.options.file))


class StoredOperator(LinearOperator):
    """A sparse Jacobian over one window.

    Parameters
    ----------
    file
        For messages.
    """

    columnwise = True

    def __init__(self, piece: Piece, model: WindowModel, file: str) -> None:
        self.piece, self.file = piece, file
        self.domain = Distributed(model.layouts[model.given])
        self.range = Distributed(model.layouts[model.wanted])

    @cached_property
    def valid(self) -> Tensor:
        """Columns that the file knows."""
        return torch.from_numpy(self.piece.known)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``A x``, shape ``(..., cell)``.

        Raises
        ------
        DomainError
            When a column is asked for that the file does not know.
        """
        self.check(x, self.domain)
        rows = x.reshape(-1, x.shape[-1])
        outside = rows.ne(0.0).any(0) & ~self.valid
        if bool(outside.any()):
            what = f"knows {int(self.valid.sum())} columns, {int(outside.sum())} more are asked for"
            raise DomainError(
                f"{what}, the first of cell {int(outside.nonzero()[0])}", where=self.file, hint=HINT
            )
        return _applied(self.piece.matrix, rows).reshape(*x.shape[:-1], -1)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``Aᵀ y``; zero where the file knows nothing."""
        self.check(y, self.range)
        rows = y.reshape(-1, y.shape[-1])
        return _applied(sparse.csr_array(self.piece.matrix.T), rows).reshape(*y.shape[:-1], -1)


def _applied(matrix: sparse.csr_array, rows: Tensor) -> Tensor:
    """Return the matrix applied to each row, shape ``(k, cell)``."""
    return torch.from_numpy(np.ascontiguousarray((matrix @ rows.numpy().T).T))
