"""Linear operators with their exact adjoints, and the spaces that they map between."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import torch

from tradewind.couplers import grad
from tradewind.couplers.parallel import Communicator, Serial, agree, tree_sum
from tradewind.errors import SpecError

if TYPE_CHECKING:
    from tradewind.couplers.layout import Layout

CPU = torch.device("cpu")
BLOCK = 256
"""Cells in a block of a reduction; a power of two, so that block sums can be summed by neighbours."""


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

    @property
    def size(self) -> int:
        """Number of extra elements times number of cells owned by this rank."""
        return self._per_cell * self.layout.n_local

    @property
    def _per_cell(self) -> int:
        return int(np.prod(self.extra, dtype=np.int64))

    @property
    def comm(self) -> Communicator:
        """The communicator of the layout."""
        return self.layout.comm

    def dot(self, a: torch.Tensor, b: torch.Tensor) -> float:
        """Return <a, b>: per cell first, then in fixed blocks of cells by global index.

        Cells that several ranks own (halos) count once for each.
        """
        return float(tree_sum(self.layout.block_sums(_products(a, b, self.layout.n_local), BLOCK)))

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


def _products(a: torch.Tensor, b: torch.Tensor, n: int) -> torch.Tensor:
    """Return the products a·b summed over everything but the last axis, shape ``(n,)``."""
    products = a.detach() * b.detach()
    return tree_sum(products.reshape(-1, n)) if n else products.new_zeros(0)


def _normal(seed: int, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class LinearOperator(ABC):
    """A linear map A with its exact adjoint Aᵀ: ``<A x, y> = <x, Aᵀ y>``.

    Subclasses set `domain` and `range` and give `forward` and `adjoint`, on tensors of shape
    ``(*batch, size)``. Calling the operator does the same as `forward`, recorded by torch.
    """

    domain: Space
    range: Space
    device: torch.device = CPU

    @abstractmethod
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``A x`` of shape ``(*batch, range.size)``."""

    @abstractmethod
    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return ``Aᵀ y`` of shape ``(*batch, domain.size)``."""

    @property
    def name(self) -> str:
        """Name for messages."""
        return type(self).__name__

    @property
    def T(self) -> LinearOperator:
        """The adjoint as an operator."""
        return AdjointOperator(self)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``A x``, recorded by torch."""
        self.check(x, self.domain)
        return grad.apply(self, x)

    def __matmul__(self, other: LinearOperator) -> LinearOperator:
        return ComposedOperator(self, other)

    def __add__(self, other: LinearOperator) -> LinearOperator:
        return SumOperator([self, other])

    def check(self, x: torch.Tensor, space: Space) -> None:
        """Refuse `x` unless it belongs to `space`; where ranks share a vector, they refuse together.

        Raises
        ------
        SpecError
            Wrong type, last axis, dtype or device; names the operator, what is expected and what came.
        """
        with agree(space.comm, self.name):
            _belongs(x, space, self)
        if space.comm.size > 1:
            _same_batch(x, space.comm, self)

    def __repr__(self) -> str:
        return f"{self.name}({self.domain!r} -> {self.range!r})"


def _belongs(x: object, space: Space, op: LinearOperator) -> None:
    if not isinstance(x, torch.Tensor):
        raise SpecError(f"expected a torch tensor, got {type(x).__name__}", where=op.name)
    expected = f"float64 of shape (..., {space.size}) on {op.device}"
    if x.dtype != torch.float64:
        raise SpecError(f"expected {expected}, got {x.dtype}", where=op.name, hint="convert with .double()")
    if x.ndim == 0 or x.shape[-1] != space.size:
        raise SpecError(f"expected {expected}, got shape {tuple(x.shape)}", where=op.name, hint=f"{space!r}")
    if x.device.type != op.device.type:
        raise SpecError(
            f"expected {expected}, got it on {x.device}", where=op.name, hint="move it with .to()"
        )


def _same_batch(x: torch.Tensor, comm: Communicator, op: LinearOperator) -> None:
    found = comm.allgather(tuple(x.shape[:-1]))
    if len(set(found)) > 1:
        raise SpecError(f"leading dimensions differ between ranks: {found}", where=op.name)


class AdjointOperator(LinearOperator):
    """Aᵀ: forward and adjoint with roles swapped."""

    def __init__(self, op: LinearOperator) -> None:
        self.op, self.domain, self.range, self.device = op, op.range, op.domain, op.device

    @property
    def name(self) -> str:
        """Name of A with a T."""
        return f"{self.op.name}.T"

    @property
    def T(self) -> LinearOperator:
        """A itself."""
        return self.op

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``Aᵀ x``."""
        return self.op.adjoint(x)

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return ``A y``."""
        return self.op.forward(y)


class ComposedOperator(LinearOperator):
    """A B, first B then A; the adjoint is Bᵀ Aᵀ.

    Raises
    ------
    SpecError
        When B does not end where A begins.
    """

    def __init__(self, a: LinearOperator, b: LinearOperator) -> None:
        if a.domain != b.range:
            raise SpecError(
                f"{b.name} ends in {b.range!r}, but {a.name} begins in {a.domain!r}",
                where=f"{a.name} @ {b.name}",
            )
        self.a, self.b = a, b
        self.domain, self.range, self.device = b.domain, a.range, b.device

    @property
    def name(self) -> str:
        """Names of both."""
        return f"{self.a.name} @ {self.b.name}"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``A (B x)``."""
        return self.a.forward(self.b.forward(x))

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return ``Bᵀ (Aᵀ y)``."""
        return self.b.adjoint(self.a.adjoint(y))


class MatrixOperator(LinearOperator):
    """A dense matrix of shape ``(m, n)``; between replicated spaces unless told otherwise."""

    def __init__(self, matrix: torch.Tensor, domain: Space | None = None, range: Space | None = None) -> None:
        if matrix.ndim != 2 or matrix.dtype != torch.float64:
            raise SpecError(f"expected a float64 matrix, got {matrix.dtype} of shape {tuple(matrix.shape)}")
        self.matrix, self.device = matrix, matrix.device
        self.domain = domain or Replicated(matrix.shape[1])
        self.range = range or Replicated(matrix.shape[0])
        if (self.range.size, self.domain.size) != tuple(matrix.shape):
            raise SpecError(f"matrix {tuple(matrix.shape)} does not map {self.domain!r} to {self.range!r}")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``x Aᵀ``, that is, A applied to the last axis."""
        self.check(x, self.domain)
        return x @ self.matrix.T

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return ``y A``."""
        self.check(y, self.range)
        return y @ self.matrix


class DiagonalOperator(LinearOperator):
    """Multiplication by a vector of shape ``(size,)``; its own adjoint."""

    def __init__(self, diagonal: torch.Tensor, space: Space | None = None) -> None:
        self.diagonal, self.device = diagonal, diagonal.device
        self.domain = self.range = space or Replicated(len(diagonal))
        _belongs(diagonal, self.domain, self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``d x``."""
        self.check(x, self.domain)
        return self.diagonal * x

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return ``d y``."""
        return self.forward(y)


class IdentityOperator(LinearOperator):
    """The identity of a space."""

    def __init__(self, space: Space) -> None:
        self.domain = self.range = space

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a copy of `x`."""
        self.check(x, self.domain)
        return x.clone()

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return a copy of `y`."""
        return self.forward(y)


class SumOperator(LinearOperator):
    """A₁ + A₂ + …, added from left to right."""

    def __init__(self, terms: Sequence[LinearOperator]) -> None:
        self.terms = _alike(terms, "sum")
        self.domain, self.range, self.device = terms[0].domain, terms[0].range, terms[0].device
        if any(t.range != self.range for t in terms):
            raise SpecError(f"terms end in {[t.range for t in terms]}", where="sum of operators")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum of ``Aᵢ x``."""
        return reduce(torch.add, [t.forward(x) for t in self.terms])

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return the sum of ``Aᵢᵀ y``."""
        return reduce(torch.add, [t.adjoint(y) for t in self.terms])


class StackOperator(LinearOperator):
    """Operators stacked by rows between replicated ranges: ``y = (A₁ x, A₂ x, …)``."""

    def __init__(self, rows: Sequence[LinearOperator]) -> None:
        self.rows = _alike(rows, "stack")
        if not all(isinstance(r.range, Replicated) for r in rows):
            raise SpecError(
                "only operators with replicated ranges can be stacked", where="stack of operators"
            )
        self.domain, self.device = rows[0].domain, rows[0].device
        self.sizes = [r.range.size for r in rows]
        self.range = Replicated(sum(self.sizes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return all ``Aᵢ x`` one behind the other."""
        return torch.cat([r.forward(x) for r in self.rows], dim=-1)

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return the sum of ``Aᵢᵀ yᵢ``."""
        self.check(y, self.range)
        parts = torch.split(y, self.sizes, dim=-1)
        return reduce(torch.add, [r.adjoint(p) for r, p in zip(self.rows, parts, strict=True)])


def _alike(ops: Sequence[LinearOperator], what: str) -> Sequence[LinearOperator]:
    if not ops:
        raise SpecError("no operators given", where=f"{what} of operators")
    if any(op.domain != ops[0].domain for op in ops):
        raise SpecError(f"they begin in {[op.domain for op in ops]}", where=f"{what} of operators")
    return ops


def dot_test(op: LinearOperator, seed: int = 0, batch: tuple[int, ...] = ()) -> float:
    """Return ``|<A x, y> - <x, Aᵀ y>| / (‖A x‖ ‖y‖)`` for random x and y; zero for an exact adjoint.

    Collective where the operator is; the same number on every rank.
    """
    x, y = op.domain.random(seed, batch), op.range.random(seed + 1, batch)
    x, y = x.to(op.device), y.to(op.device)
    ax, aty = op.forward(x), op.adjoint(y)
    scale = op.range.norm(ax) * op.range.norm(y)
    gap = abs(op.range.dot(ax, y) - op.domain.dot(x, aty))
    return gap / scale if scale else gap
