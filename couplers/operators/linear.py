"""Linear operators with their exact adjoints, and how they combine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import reduce

import torch

from tradewind.couplers.operators import grad
from tradewind.couplers.operators.spaces import Replicated, Space
from tradewind.couplers.ranks.parallel import Communicator, agree
from tradewind.errors import SpecError

CPU = torch.device("cpu")


class LinearOperator(ABC):
    """A linear map A with its exact adjoint Aᵀ: ``<A x, y> = <x, Aᵀ y>``.

    Subclasses set `domain` and `range` and give `forward` and `adjoint`, on tensors of shape
    ``(*batch, size)``. Calling the operator does the same as `forward`, recorded by torch.
    """

    domain: Space
    range: Space
    device: torch.device = CPU
    columnwise: bool = False
    """Whether `forward` gives each vector of a batch the bits that it has alone."""

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
    def where(self) -> str:
        """What an error names: the operator, and whatever else tells it from others."""
        return self.name

    def advice(self, x: torch.Tensor, space: Space) -> str:
        """Return what to do about a tensor whose shape does not belong to `space`."""
        return f"{space!r}"

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
        comm = space.comm
        if comm.size == 1:
            belongs(x, space, self)
            return
        with agree(comm, self.name):
            belongs(x, space, self)
        _same_batch(x, comm, self)

    def __repr__(self) -> str:
        return f"{self.name}({self.domain!r} -> {self.range!r})"


def belongs(x: object, space: Space, op: LinearOperator) -> None:
    """Refuse `x` unless it is a float64 tensor of `space` on the operator's device."""
    if isinstance(x, torch.Tensor) and _is_of(x, space.size, op.device):
        return
    expected = f"float64 of shape (..., {space.size}) on {op.device}"
    if not isinstance(x, torch.Tensor):
        raise SpecError(
            f"expected a torch tensor, got {type(x).__name__}",
            where=op.where,
            hint=f"torch.as_tensor(x, dtype=torch.float64) makes one; {expected}",
        )
    if x.dtype != torch.float64:
        raise SpecError(f"expected {expected}, got {x.dtype}", where=op.where, hint="convert with .double()")
    if x.layout != torch.strided:
        raise SpecError(f"expected {expected}, got a tensor of layout {x.layout}", where=op.where)
    if x.ndim == 0 or x.shape[-1] != space.size:
        raise SpecError(
            f"expected {expected}, got shape {tuple(x.shape)}", where=op.where, hint=op.advice(x, space)
        )
    if x.device.type != op.device.type:
        raise SpecError(
            f"expected {expected}, got it on {x.device}", where=op.where, hint="move it with .to()"
        )


def _is_of(x: torch.Tensor, size: int, device: torch.device) -> bool:
    # asked at every call: the reasons are found out only when it is not
    return (
        x.dtype is torch.float64
        and x.ndim > 0
        and x.shape[-1] == size
        and x.device.type == device.type
        and x.layout is torch.strided
    )


def _same_batch(x: torch.Tensor, comm: Communicator, op: LinearOperator) -> None:
    found = comm.allgather(tuple(x.shape[:-1]))
    if len(set(found)) > 1:
        raise SpecError(f"leading dimensions differ between ranks: {found}", where=op.where)


class AdjointOperator(LinearOperator):
    """Aᵀ: forward and adjoint with roles swapped."""

    def __init__(self, op: LinearOperator) -> None:
        self.op, self.domain, self.range, self.device = op, op.range, op.domain, op.device

    @property
    def name(self) -> str:
        """Name of A with a T."""
        return f"{self.op.name}.T"

    @property
    def where(self) -> str:
        """What A names, with a T."""
        return self.op.where.replace(self.op.name, self.name, 1)

    def advice(self, x: torch.Tensor, space: Space) -> str:
        """Return A's advice."""
        return self.op.advice(x, space)

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
                where=f"{a.where} @ {b.where}",
                hint="swapped grids? the range of the right one has to be the domain of the left one",
            )
        if a.device.type != b.device.type:
            raise SpecError(
                f"{b.name} is on {b.device}, {a.name} on {a.device}",
                where=f"{a.where} @ {b.where}",
                hint="move one of them with .to()",
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
