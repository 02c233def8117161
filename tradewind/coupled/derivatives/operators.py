"""The derivative of a recorded run as a linear operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, reduce

import torch
from torch import Tensor

from tradewind.coupled.derivatives.checkpoints import Tape
from tradewind.coupled.derivatives.replay import gradients, tangents
from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Event
from tradewind.couplers.operators import Distributed, LinearOperator

BLOCK = 16
"""Columns that are carried through the model together; fixed, so that bits do not depend on the ranks."""


class RunTangent(LinearOperator):
    """The derivative of a recorded run: from what was put at its start to a weighted sum of later exports.

    Parameters
    ----------
    tape
        The recorded run, with one member.
    given
        Port and time of the put.
    wanted
        Weights by port and time of what is read; they share one layout.
    spaces
        Domain and range.
    """

    def __init__(
        self, run: CoupledRun, tape: Tape, given: Event, wanted: Mapping[Event, float],
        spaces: tuple[Distributed, Distributed],
    ) -> None:  # fmt: skip
        self.run, self.tape, self.given, self.wanted = run, tape, given, wanted
        self.domain, self.range = spaces

    def forward(self, x: Tensor) -> Tensor:
        """Return the tangents, shape ``(..., range)``; replays the schedule forward in blocks."""
        return in_blocks(self._tangents, x, self.range.size)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return the gradients, shape ``(..., domain)``; replays the schedule in reverse in blocks."""
        return in_blocks(self._gradients, y, self.domain.size)

    def _tangents(self, x: Tensor) -> Tensor:
        found = tangents(self.run, self.tape, {self.given: x[:, None]}, list(self.wanted))
        # added in order: torch's own sum depends on the number of cells
        return reduce(torch.add, [weight * found[event][:, 0] for event, weight in self.wanted.items()])

    def _gradients(self, y: Tensor) -> Tensor:
        cotangents = {event: weight * y[:, None] for event, weight in self.wanted.items()}
        found = gradients(self.run, self.tape, cotangents).get(self.given)
        return y.new_zeros(len(y), self.domain.size) if found is None else found[:, 0]


class ByAdjoint(LinearOperator):
    """An operator of which only the adjoint can be applied: its matrix is made row by row, once.

    Parameters
    ----------
    operator
        With few rows: an observation operator stands at its end.
    """

    def __init__(self, operator: LinearOperator) -> None:
        self.operator = operator
        self.domain, self.range, self.device = operator.domain, operator.range, operator.device

    @cached_property
    def _matrix(self) -> Tensor:
        rows = torch.eye(self.range.size, dtype=torch.float64)
        return in_blocks(self.operator.adjoint, rows, self.domain.size)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``A x``, shape ``(..., range)``."""
        return x @ self._matrix.T

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``Aᵀ y``, shape ``(..., domain)``."""
        return self.operator.adjoint(y)


def in_blocks(apply: Callable[[Tensor], Tensor], x: Tensor, size: int) -> Tensor:
    """Apply to at most `BLOCK` columns at a time, whatever the leading axes; return shape ``(..., size)``."""
    columns = x.reshape(-1, x.shape[-1])
    answers = [apply(part) for part in torch.split(columns, BLOCK) if len(part)]
    whole = torch.cat(answers) if answers else x.new_zeros(0, size)
    return whole.reshape(*x.shape[:-1], size)
