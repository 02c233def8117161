"""How the Jacobian of a window becomes numbers: rows by the adjoint, columns by runs, together or alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import cached_property

import torch
from torch import Tensor

from tradewind.couplers.assimilation import ForwardModel
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.operators import LinearOperator, Replicated

BATCH = 64
"""Columns or rows of K that are made together; fixed, so that bits do not depend on the ranks."""


class Way(StrEnum):
    """How K is made of an operator.

    ``adjoint`` makes rows by the adjoint, ``runs`` columns by the forward operator, `BATCH` at a time,
    ``one-by-one`` the same, each alone, as with a model that takes no batches; ``auto`` takes the adjoint
    where there are fewer rows than columns, and runs elsewhere. ``model-runs`` asks for no derivative: the
    model itself is run once more for every element, see `Perturbed`. All give the same matrix of a linear
    model but for rounding.
    """

    AUTO = "auto"
    ADJOINT = "adjoint"
    RUNS = "runs"
    ONE_BY_ONE = "one-by-one"
    MODEL_RUNS = "model-runs"


class Perturbed(LinearOperator):
    """Differences of a model's runs: ``K v = F(x + v) - F(x)``, exact where the model is linear.

    Parameters
    ----------
    x
        About which the model is run, shape ``(n,)``.
    simulated
        F(x), shape ``(m,)``.
    """

    def __init__(self, model: ForwardModel, x: Tensor, window: Interval, simulated: Tensor) -> None:
        self.model, self.x, self.window, self.simulated = model, x, window, simulated
        self.domain, self.range = Replicated(len(x)), Replicated(len(simulated))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``F(x0 + x) - F(x0)``, shape ``(..., m)``: one member of the model for each row."""
        self.check(x, self.domain)
        return self.model(self.x + x, self.window).detach() - self.simulated

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``y K``: K is made once, by a run for every element."""
        self.check(y, self.range)
        return y @ self._matrix

    @cached_property
    def _matrix(self) -> Tensor:
        return dense(self, Way.RUNS)


def rows(operator: LinearOperator, way: Way = Way.AUTO, batch: int = BATCH) -> Iterator[Tensor]:
    """Yield the matrix ``(m, n)`` of an operator, `batch` rows at a time, in order.

    By the adjoint no more than `batch` rows are held; runs give whole columns, so that all of the matrix is.

    Parameters
    ----------
    way
        How the matrix is made.
    batch
        Rows in a piece; the last has what is left. None comes of an operator without rows.
    """
    if chosen(operator, way) is Way.ADJOINT:
        yield from _by_adjoint(operator, batch)
    else:
        yield from (part for part in torch.split(dense(operator, way), batch) if len(part))


def dense(operator: LinearOperator, way: Way = Way.AUTO) -> Tensor:
    """Return the whole matrix ``(m, n)`` of an operator."""
    m, n = operator.range.size, operator.domain.size
    way = chosen(operator, way)
    if way is Way.ADJOINT:
        return _joined(_images(operator.adjoint, m, BATCH), n)
    together = 1 if way is Way.ONE_BY_ONE else BATCH
    return _joined(_images(operator.forward, n, together), m).T.contiguous()


def chosen(operator: LinearOperator, way: Way) -> Way:
    """Return what the matrix is made of: the adjoint, runs together, or runs one by one."""
    if way is Way.MODEL_RUNS:
        return Way.RUNS
    if way is not Way.AUTO:
        return way
    return Way.ADJOINT if operator.range.size < operator.domain.size else Way.RUNS


def _by_adjoint(operator: LinearOperator, batch: int) -> Iterator[Tensor]:
    """Yield rows in pieces of `batch`, made `BATCH` at a time: any multiple of that gives the same bits."""
    m, n = operator.range.size, operator.domain.size
    for start in range(0, m, batch):
        parts = _images(operator.adjoint, m, BATCH, slice(start, min(start + batch, m)))
        yield _joined(parts, n)


def _images(
    apply: Callable[[Tensor], Tensor], size: int, together: int, part: slice | None = None
) -> Iterator[Tensor]:
    """Yield what becomes of the unit vectors of `part`, at most `together` at a time."""
    first, last = (0, size) if part is None else (part.start, part.stop)
    for start in range(first, last, together):
        stop = min(start + together, last)
        units = torch.zeros(stop - start, size, dtype=torch.float64)
        units[torch.arange(stop - start), torch.arange(start, stop)] = 1.0
        yield apply(units).detach()


def _joined(parts: Iterator[Tensor], length: int) -> Tensor:
    found = list(parts)
    return torch.cat(found) if found else torch.zeros(0, length, dtype=torch.float64)
