"""The Jacobian of an inversion's observed component as a file, that ``stored-jacobian`` answers from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from scipy import sparse
from torch import Tensor

from tradewind.couplers.ranks.parallel import agree, owned_blocks
from tradewind.errors import SpecError
from tradewind.output import files
from tradewind.output.files import check_writable
from tradewind.output.netcdf.coordinates import periods
from tradewind.plugins.stored_jacobian.layout import Ends, Piece, dataset
from tradewind.plugins.stored_jacobian.surrogate import ends_of

if TYPE_CHECKING:
    from tradewind.coupled.model import CoupledModel
    from tradewind.couplers.coupling.component import Interval
    from tradewind.couplers.operators import LinearOperator

BATCH = 64
"""Columns that are made together."""


def write_jacobian(model: CoupledModel, path: Path) -> None:
    """Write the Jacobian of every window, of the cells that x reaches; every rank enters, the first writes.

    Whoever answers for the component's linearization in this run answers here: a surrogate or the model.

    Raises
    ------
    DataError
        When the file cannot be written; nothing is then left behind.
    SpecError
        When there is no window.
    """
    with agree(model.comm, "making the Jacobian"):
        mine = owned_blocks(len(model.windows), 1, model.comm)
        made = [window_jacobian(model, model.windows[number]) for number in mine]
    everything = [part for parts in model.comm.allgather(made) for part in parts]
    with agree(model.comm, "writing the Jacobian"):
        if not everything:
            raise SpecError("there is no window", where=str(path))
        if model.comm.rank == 0:
            _write(tuple(piece for _, piece in everything), everything[0][0], path)


def window_jacobian(model: CoupledModel, window: Interval) -> tuple[Ends, Piece]:
    """Return the observed component's Jacobian over one window, of the cells of its import that x reaches."""
    parts = model.parts(window)
    reached = _reached(parts.upstream)
    matrix = _columns(parts.operator, reached)
    return ends_of(parts.model), Piece(window, matrix, reached.numpy())


def _reached(upstream: LinearOperator) -> Tensor:
    """Return which cells some element of the control changes, bool, shape ``(cell,)``."""
    reached = torch.zeros(upstream.range.size, dtype=torch.bool)
    for some in torch.split(torch.arange(upstream.domain.size), BATCH):
        reached |= upstream.forward(_units(some, upstream.domain.size)).ne(0.0).any(0)
    return reached


def _columns(operator: LinearOperator, wanted: Tensor) -> sparse.csr_array:
    """Return the wanted columns of an operator as a matrix of all of its cells."""
    shape = operator.domain.size, operator.range.size
    parts = [sparse.csr_array((0, shape[1]))]
    for some in torch.split(wanted.nonzero().flatten(), BATCH):
        parts.append(sparse.csr_array(operator.forward(_units(some, shape[0])).detach().numpy()))
    found = sparse.coo_array(sparse.vstack(parts))
    columns = wanted.nonzero().flatten().numpy()[found.row]
    return sparse.csr_array((found.data, (found.col, columns)), shape=shape[::-1])


def _units(cells: Tensor, size: int) -> Tensor:
    units = torch.zeros(len(cells), size, dtype=torch.float64)
    units[torch.arange(len(cells)), cells] = 1.0
    return units


def _write(pieces: tuple[Piece, ...], ends: Ends, path: Path) -> None:
    check_writable(path)
    found = dataset(pieces, ends)
    clock = periods("time", "window", [piece.interval for piece in pieces], "end of the window")
    files.write_netcdf(found.assign(clock), path)
