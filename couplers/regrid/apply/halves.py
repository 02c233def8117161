"""The two directions of a sparse operator: fetch what this rank's rows need, then multiply in fixed order."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from scipy import sparse

from tradewind.couplers.operators import CPU
from tradewind.couplers.ranks.halo import Halo
from tradewind.couplers.ranks.layout import Layout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.regrid.apply.product import Product

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]


class TorchProduct:
    """A sparse matrix applied by torch on a device, for GPUs: equal to `Product` up to rounding."""

    def __init__(self, matrix: sparse.csr_array, device: torch.device) -> None:
        parts = (matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64), matrix.data)
        starts, columns, values = (torch.from_numpy(part).to(device) for part in parts)
        with warnings.catch_warnings():
            # torch says, once, that its compressed sparse rows are in beta
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
            self.matrix = torch.sparse_csr_tensor(
                starts, columns, values, size=matrix.shape, check_invariants=True
            )

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``A x`` for every member, shape ``(members, rows)``, from ``(members, columns)``."""
        # the sparse product wants members last
        return (self.matrix @ x.T.contiguous()).T.contiguous()


@dataclass(frozen=True)
class Half:
    """One direction: fetch the inputs that this rank's rows need, then multiply in fixed order.

    Attributes
    ----------
    halo
        Own and remote inputs.
    matrix
        Rows of this rank; columns number own, then remote inputs, and stand in the order of their global
        indices, which is the order of summation.
    device
        Where fields live; remote inputs travel through the host.
    """

    halo: Halo
    matrix: sparse.csr_array
    device: torch.device = CPU

    @classmethod
    def of(cls, inputs: Layout, starts: Index, col: Index, value: Array) -> Half:
        """Build from rows that begin at `starts`, with global columns ascending; collective."""
        halo = Halo(inputs, col)
        matrix: Any = sparse.csr_array((len(starts) - 1, halo.size), dtype=np.float64)
        # set afterwards: the constructor would look through all entries again
        matrix.data, matrix.indices, matrix.indptr = value, halo.places(col), _narrow(starts)
        return cls(halo, matrix)

    @cached_property
    def product(self) -> Product:
        """The product in memory."""
        from tradewind.couplers.regrid.apply.product import Product

        return Product(self.matrix)

    @cached_property
    def on_device(self) -> TorchProduct:
        """The product on the device."""
        return TorchProduct(self.matrix, self.device)

    def to(self, device: torch.device) -> Half:
        """Return the same direction for fields on `device`."""
        return self if device == self.device else Half(self.halo, self.matrix, device)

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Return the rows, shape ``(*batch, rows)``, for inputs ``(*batch, n_local)``."""
        members = values.detach().reshape(int(np.prod(values.shape[:-1])), values.shape[-1])
        return self._rows(members).reshape(*values.shape[:-1], self.matrix.shape[0])

    def _rows(self, members: torch.Tensor) -> torch.Tensor:
        if self.device.type == "cpu":
            return torch.from_numpy(self.product(self.halo(members.numpy())))
        if self.halo.layout.is_serial:
            return self.on_device(members)
        return self.on_device(torch.from_numpy(self.halo(members.cpu().numpy())).to(self.device))

    def columns(self) -> Index:
        """Return the entries' global columns, shape ``(entries,)``."""
        return self.halo.cells[self.matrix.indices]

    def rows(self, target: Layout) -> Index:
        """Return the entries' global rows, shape ``(entries,)``; `target` owns the rows."""
        return np.repeat(target.owned, np.diff(self.matrix.indptr))


def _narrow(starts: Index) -> NDArray[np.int32] | Index:
    return starts.astype(np.int32) if starts[-1] < np.iinfo(np.int32).max else starts


def starts_of(row: Index, target: Layout) -> Index:
    """Return where each row of this rank begins among entries sorted by row, shape ``(n_local + 1,)``."""
    count = np.bincount(row, minlength=target.n_global)
    return np.concatenate([[0], np.cumsum(count if target.is_serial else count[target.owned])])


def transposed(forward: Half, target: Layout) -> Half:
    """Send every entry to the owner of its column, and store the transpose's rows there; collective."""
    source, matrix = forward.halo.layout, forward.matrix
    if source.is_serial:
        turned = matrix.T.tocsr()
    else:
        row, col, value = _to_owners(source, forward.rows(target), forward.columns(), matrix.data)
        turned = sparse.csr_array((value, (col, row)), shape=(source.n_local, target.n_global))
    starts, col = (part.astype(np.int64) for part in (turned.indptr, turned.indices))
    return Half.of(target, starts, col, turned.data).to(forward.device)


def _to_owners(source: Layout, row: Index, col: Index, value: Array) -> tuple[Index, Index, Array]:
    """Return the entries whose columns this rank serves: global rows, local columns, values."""
    owner, place = source.server
    to = owner[col]
    index = np.stack([row, place[col]], axis=1)
    parts = [np.flatnonzero(to == r) for r in range(source.comm.size)]
    arrived = np.concatenate(source.comm.exchange([index[p] for p in parts]))
    values = np.concatenate(source.comm.exchange([value[p] for p in parts]))
    return arrived[:, 0], arrived[:, 1], values
