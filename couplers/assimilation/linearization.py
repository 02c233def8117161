"""What a surrogate, a guard or a shadow is asked for when a window is linearized."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Spec
from tradewind.couplers.operators import LinearOperator
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import Communicator, Serial

BLOCK = 16
"""Rows of an observation operator that are made together."""


@dataclass(frozen=True)
class WindowModel:
    """One component over one window, from one of its imports to one of its exports.

    Attributes
    ----------
    given
        Import that is constant over the window (its mean).
    wanted
        Export that is looked at when the window ends.
    layouts
        Of the import and of the export, by name.
    reference
        Makes the reference model's own operator: runs its tangent and adjoint when applied.
    """

    component: str
    spec: Spec
    given: str
    wanted: str
    layouts: Mapping[str, Layout]
    reference: Callable[[], LinearOperator]


class PartialOperator(Protocol):
    """A surrogate's operator, which may stand outside its domain for some columns.

    Attributes
    ----------
    valid
        Per cell of the import, True where the surrogate answers.
    """

    valid: Tensor


@runtime_checkable
class Uncertain(Protocol):
    """An operator that knows how far its answers may be off."""

    def variance(self, x: Tensor) -> Tensor | None:
        """Return the variance of the error of ``A x``, shape ``(cell,)``; None where it is not to be counted.

        Parameters
        ----------
        x
            One input, shape ``(cell,)``.
        """


@dataclass(frozen=True)
class Moments:
    """What is known of an input that is itself uncertain: E[x xᵀ] = mean meanᵀ + spreadᵀ spread.

    Attributes
    ----------
    mean
        Shape ``(cell,)``.
    spread
        Square root of its covariance, shape ``(k, cell)``.
    """

    mean: Tensor
    spread: Tensor

    def touched(self) -> Tensor:
        """Return which cells are not always zero, bool, shape ``(cell,)``."""
        return self.mean.ne(0.0) | self.spread.ne(0.0).any(0)

    def of(self, cells: Tensor) -> Tensor:
        """Return E[x xᵀ] of some cells (indices), shape ``(some, some)``."""
        mean, spread = self.mean[cells], self.spread[:, cells]
        return mean[:, None] * mean + spread.T @ spread

    def only(self, cells: Tensor) -> Moments:
        """Return the same with other cells than those of a mask set to zero."""
        return Moments(self.mean * cells, self.spread * cells)


@runtime_checkable
class Correlated(Protocol):
    """An operator that knows how the errors of its answers hang together."""

    def covariance(self, x: Moments, seen: LinearOperator) -> Tensor | None:
        """Return the covariance of the error of ``H A x``, H = `seen`; None where it is not to be counted.

        Parameters
        ----------
        x
            An input that is independent of the error.
        seen
            From what the operator gives to what is observed, shape ``(m, cell)``.

        Returns
        -------
        Tensor or None
            Symmetric and positive semi-definite, shape ``(m, m)``.
        """


@runtime_checkable
class Anchored(Protocol):
    """An operator that may stand in for changes only: what one input gives is the reference's answer.

    Attributes
    ----------
    anchored
        Whether it does.
    """

    @property
    def anchored(self) -> bool:
        """Whether `correction` is to be added to all answers."""

    def correction(self, x: Tensor) -> Tensor:
        """Return ``R x - A x``, shape ``(cell,)``."""


@dataclass
class Count:
    """How often an operator was applied, to how many columns, and how long that took."""

    calls: int = 0
    columns: int = 0
    seconds: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)

    def add(self, columns: int, seconds: float) -> None:
        """Count one application."""
        self.calls += 1
        self.columns += columns
        self.seconds += seconds


class CountedOperator(LinearOperator):
    """An operator that keeps count of its applications.

    Parameters
    ----------
    operator
        What is applied.
    count
        Where it is counted.
    """

    def __init__(self, operator: LinearOperator, count: Count) -> None:
        self.operator, self.count = operator, count
        self.domain, self.range, self.device = operator.domain, operator.range, operator.device

    def forward(self, x: Tensor) -> Tensor:
        """Return ``A x``."""
        return self._timed(self.operator.forward, x)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``Aᵀ y``."""
        return self._timed(self.operator.adjoint, y)

    def _timed(self, apply: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        begin = perf_counter()
        result = apply(x)
        self.count.add(x.shape[:-1].numel(), perf_counter() - begin)
        return result


class GuardedOperator(LinearOperator):
    """The surrogate's columns where it is valid, the reference model's elsewhere.

    A = S D + R (1 - D), with D the diagonal of valid columns; the reference is not run where nothing
    is asked of its columns.

    Parameters
    ----------
    surrogate, reference
        S and R.
    valid
        Diagonal of D, bool, shape ``(cell,)``.
    comm
        Ranks that enter the reference together.
    """

    def __init__(
        self,
        surrogate: LinearOperator,
        reference: LinearOperator,
        valid: Tensor,
        comm: Communicator | None = None,
    ) -> None:
        self.surrogate, self.reference, self.valid = surrogate, reference, valid
        self.domain, self.range = surrogate.domain, surrogate.range
        self._comm = comm or Serial()

    def forward(self, x: Tensor) -> Tensor:
        """Return ``S D x + R (1 - D) x``."""
        inside, outside = x * self.valid, x * ~self.valid
        answer = self.surrogate.forward(inside)
        # every rank enters the reference when one needs it
        asked = any(self._comm.allgather(bool(outside.any())))
        return answer + self.reference.forward(outside) if asked else answer

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``D Sᵀ y + (1 - D) Rᵀ y``."""
        answer = self.surrogate.adjoint(y) * self.valid
        if all(self._comm.allgather(bool(self.valid.all()))):
            return answer
        return answer + self.reference.adjoint(y) * ~self.valid

    def variance(self, x: Tensor) -> Tensor | None:
        """Return the variance of the surrogate's error; the reference model's columns have none."""
        return self.surrogate.variance(x * self.valid) if isinstance(self.surrogate, Uncertain) else None

    def covariance(self, x: Moments, seen: LinearOperator) -> Tensor | None:
        """Return the covariance of the surrogate's errors; the reference model's columns have none."""
        if not isinstance(self.surrogate, Correlated):
            return None
        return self.surrogate.covariance(x.only(self.valid), seen)

    @property
    def anchored(self) -> bool:
        """Whether the surrogate stands in for changes only."""
        return isinstance(self.surrogate, Anchored) and self.surrogate.anchored

    def correction(self, x: Tensor) -> Tensor:
        """Return ``(R - S) D x``."""
        inside = x * self.valid
        return self.reference.forward(inside) - self.surrogate.forward(inside)


class ShadowedOperator(LinearOperator):
    """The reference model's answer, with the surrogate's beside it for comparison.

    Parameters
    ----------
    reference, surrogate
        R, which answers, and S, which is compared.
    count
        Takes the sums of squares of R x and of S x - R x in its notes.
    """

    def __init__(self, reference: LinearOperator, surrogate: LinearOperator, count: Count) -> None:
        self.reference, self.surrogate, self.count = reference, surrogate, count
        self.domain, self.range = reference.domain, reference.range

    def forward(self, x: Tensor) -> Tensor:
        """Return ``R x``."""
        answer = self.reference.forward(x)
        self._compare(answer, self.surrogate.forward(x))
        return answer

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``Rᵀ y``."""
        return self.reference.adjoint(y)

    def _compare(self, answer: Tensor, shadow: Tensor) -> None:
        for name, value in (("reference", answer), ("difference", shadow - answer)):
            squares = float(torch.sum(value.detach() ** 2))
            self.count.notes[name] = self.count.notes.get(name, 0.0) + squares


def squared(operator: LinearOperator, variance: Tensor) -> Tensor:
    """Return Σ_j H_ij² v_j, shape ``(m,)``; H is made row by row, in blocks."""
    rows = torch.eye(operator.range.size, dtype=torch.float64)
    parts = [operator.adjoint(part).square() @ variance for part in torch.split(rows, BLOCK) if len(part)]
    return torch.cat(parts) if parts else variance.new_zeros(0)


def spans(interval: Interval, parts: tuple[Interval, ...]) -> tuple[float, ...]:
    """Return the fraction of `interval` that each of its `parts` takes."""
    return tuple(part.seconds / interval.seconds for part in parts)
