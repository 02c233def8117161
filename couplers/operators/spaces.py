"""The spaces between which operators map: replicated vectors, and fields on the cells of a layout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import torch

from tradewind.couplers.ranks.parallel import Communicator, Serial, tree_sum, tree_sum_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.operators.adding import WeightedSum
    from tradewind.couplers.ranks.layout import Layout

BLOCK = 256
"""Cells in a block of a reduction; a power of two, so that block sums can be summed by neighbours."""
STRIDE = 1_000_003
"""Between the seeds of joined spaces, so that seeds that follow one another draw nothing twice."""


class Space(ABC):
    """A vector space of float64 tensors of shape ``(*batch, size)`` with its inner product."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Length of the last axis on this rank."""

    @property
    def comm(self) -> Communicator:
        """The ranks that share a vector of this space."""
        return Serial()

    @abstractmethod
    def dot(self, a: torch.Tensor, b: torch.Tensor) -> float:
        """Return <a, b>, summed over batch and all ranks, with the same bits for any number of ranks."""

    @abstractmethod
    def random(self, seed: int, batch: tuple[int, ...] = ()) -> torch.Tensor:
        """Return standard normal numbers: the same global vector for any number of ranks."""

    def zeros(self, batch: tuple[int, ...] = ()) -> torch.Tensor:
        """Return the zero vector of shape ``(*batch, size)``."""
        return torch.zeros(*batch, self.size, dtype=torch.float64)

    def norm(self, a: torch.Tensor) -> float:
        """Return the square root of <a, a>."""
        return float(np.sqrt(self.dot(a, a)))


class Replicated(Space):
    """Vectors of length `n` of which every rank holds the same copy."""

    def __init__(self, n: int) -> None:
        self.n = int(n)

    @property
    def size(self) -> int:
        """Length n."""
        return self.n

    def dot(self, a: torch.Tensor, b: torch.Tensor) -> float:
        """Return <a, b>; no communication."""
        return float(tree_sum(_products(a, b, self.n)))

    def random(self, seed: int, batch: tuple[int, ...] = ()) -> torch.Tensor:
        """Return standard normal numbers of shape ``(*batch, n)``."""
        return _normal(seed, (*batch, self.n))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Replicated) and other.n == self.n

    def __hash__(self) -> int:
        return hash(("replicated", self.n))

    def __repr__(self) -> str:
        return f"Replicated({self.n})"


class Distributed(Space):
    """Fields on the cells of a layout: each rank holds the cells that it owns.

    Parameters
    ----------
    layout
        Who owns which cells.
    extra
        Lengths of axes before the cell axis; they are flattened with it, in C order.
    """

    def __init__(self, layout: Layout, extra: tuple[int, ...] = ()) -> None:
        self.layout, self.extra = layout, tuple(extra)
        self._size = prod(self.extra) * layout.n_local

    @property
    def size(self) -> int:
        """Number of extra elements times number of cells owned by this rank."""
        return self._size

    @property
    def comm(self) -> Communicator:
        """The communicator of the layout."""
        return self.layout.comm

    def dot(self, a: torch.Tensor, b: torch.Tensor) -> float:
        """Return <a, b>: per cell first, then in fixed blocks of cells by global index.

        Cells that several ranks own (halos) count once for each. One of the two may lack leading axes.
        """
        if self.layout.is_serial:
            # neighbours in blocks, then neighbouring blocks, are neighbours all along: the same bits
            return _sum_of_rows(_array(a) * _array(b), self.layout.n_local)
        sums = self.layout.block_sums(_products(a, b, self.layout.n_local), BLOCK)
        # where all are -0, padding decides the sign: + 0 makes it the same everywhere
        return float(tree_sum(sums)) + 0.0

    def random(self, seed: int, batch: tuple[int, ...] = ()) -> torch.Tensor:
        """Return this rank's part of standard normal numbers drawn for the whole grid."""
        whole = _normal(seed, (*batch, *self.extra, self.layout.n_global))
        return self.layout.scatter(whole).reshape(*batch, self.size)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Distributed) and other.layout == self.layout and other.extra == self.extra

    def __hash__(self) -> int:
        return hash((self.layout, self.extra))

    def __repr__(self) -> str:
        extra = f", extra={self.extra}" if self.extra else ""
        return f"Distributed({self.layout!r}{extra})"


class Joined(Space):
    """Vectors of several spaces, one after the other: what several fields together are.

    Parameters
    ----------
    spaces
        In their order, possibly of different layouts; at least one.
    """

    def __init__(self, spaces: Sequence[Space]) -> None:
        self.spaces = tuple(spaces)
        self.sizes = [space.size for space in self.spaces]
        self._size = sum(self.sizes)

    @property
    def size(self) -> int:
        """Sum of the sizes on this rank."""
        return self._size

    @property
    def comm(self) -> Communicator:
        """The largest communicator of any of them."""
        return max((space.comm for space in self.spaces), key=lambda comm: comm.size)

    def split(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the part of each space, shapes ``(*batch, its size)``, of a vector ``(*batch, size)``."""
        return torch.split(x, self.sizes, dim=-1)

    def dot(self, a: torch.Tensor, b: torch.Tensor) -> float:
        """Return the sum of the inner products, added in order."""
        parts = zip(self.spaces, self.split(a), self.split(b), strict=True)
        return float(sum(space.dot(x.contiguous(), y.contiguous()) for space, x, y in parts))

    def random(self, seed: int, batch: tuple[int, ...] = ()) -> torch.Tensor:
        """Return each space's random vector, one after the other; each has a seed of its own."""
        draws = [space.random(seed + STRIDE * k, batch) for k, space in enumerate(self.spaces)]
        return torch.cat(draws, dim=-1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Joined) and other.spaces == self.spaces

    def __hash__(self) -> int:
        return hash(("joined", self.spaces))

    def __repr__(self) -> str:
        return f"Joined({', '.join(map(repr, self.spaces))})"


def joined(spaces: Sequence[Space]) -> Space:
    """Return the one space itself, or several joined."""
    return spaces[0] if len(spaces) == 1 else Joined(spaces)


def _products(a: torch.Tensor, b: torch.Tensor, n: int) -> torch.Tensor:
    """Return the products a·b summed over everything but the last axis, shape ``(n,)``."""
    products = a.detach() * b.detach()
    return tree_sum(products.reshape(-1, n)) if n else products.new_zeros(0)


class Integral:
    """The functional x -> <x, w> with fixed weights, over all ranks: as `Distributed.dot`, to the bit.

    Cells of weight 0 count for nothing, whatever they hold.

    Parameters
    ----------
    weights
        w, shape ``(cell,)``, this rank's cells.
    """

    def __init__(self, space: Distributed, weights: torch.Tensor) -> None:
        self.space, self.weights = space, weights
        idle = weights == 0.0
        self._idle = idle if bool(idle.any()) else None
        self._array, self._sum = np.ascontiguousarray(_array(weights)), _compiled_sum()
        self._address, self._n = self._array.ctypes.data, len(weights)
        self._row = (1, self._n) if space.layout.is_serial and self._n else None

    def __call__(self, x: torch.Tensor) -> float:
        """Return <x, w> of a field of shape ``(..., cell)``; collective."""
        if x.shape == self._row and x.dtype == torch.float64 and x.is_cpu and x.is_contiguous():
            return self._sum(x.data_ptr(), self._address, self._n)
        if self._idle is not None:
            x = torch.where(self._idle, 0.0, x)
        if self.space.layout.is_serial:
            return _sum_of_rows(_array(x) * self._array, self.space.layout.n_local)
        return self.space.dot(x, self.weights)


@cache
def _compiled_sum() -> WeightedSum:
    # late: what compiles it is heavy
    from tradewind.couplers.operators.adding import weighted_sum

    return weighted_sum()


def _array(x: torch.Tensor) -> NDArray[np.float64]:
    array: NDArray[np.float64] = x.numpy(force=True)
    return array


def _sum_of_rows(products: NDArray[np.float64], n: int) -> float:
    """Return the sum of products of shape ``(..., n)``: per cell first, then neighbours; never -0."""
    if products.ndim > 1:
        rows = products.reshape(products.size // n if n else 0, n)
        products = rows[0] if len(rows) == 1 else tree_sum_array(rows)
    return float(tree_sum_array(products)) + 0.0


def _normal(seed: int, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
