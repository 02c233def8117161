"""The derivative of a recorded run as a linear operator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, reduce

import torch
from torch import Tensor

from tradewind.coupled.derivatives.checkpoints import Tape
from tradewind.coupled.derivatives.replay import gradients, tangents
from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Event
from tradewind.couplers.operators import LinearOperator, Space, joined
from tradewind.errors import SpecError

BLOCK = 16
"""Columns that are carried through the model together; fixed, so that bits do not depend on the ranks."""
LARGE = 2**27
"""Bytes of cotangents beyond which each is made when it is its turn, and once more to be checked."""


class RunTangent(LinearOperator):
    """The derivative of a recorded run: from what was put at its start to a sum over what stood later.

    ``y = Σ_e A_e δ_e`` over the events e of `wanted`, added in their order. A wanted event that was itself
    put (a state variable as the window begins) takes its δ from x at once.

    Parameters
    ----------
    tape
        The recorded run, with one member.
    given
        Port and time of each put, and the space of its fields; x is one after the other.
    wanted
        A_e by port and time of what is read, all to one space.
    """

    def __init__(
        self,
        run: CoupledRun,
        tape: Tape,
        given: Mapping[Event, Space],
        wanted: Mapping[Event, LinearOperator],
    ) -> None:
        self.run, self.tape, self.given, self.wanted = run, tape, dict(given), dict(wanted)
        self.domain, self.range = joined(list(given.values())), _common_range(wanted)
        starts = {time for _, time in given}
        self._later = [event for event in wanted if event[1] not in starts]

    def forward(self, x: Tensor) -> Tensor:
        """Return the tangents, shape ``(..., range)``; replays the schedule forward in blocks."""
        self.check(x, self.domain)
        return in_blocks(self._tangents, x, self.range.size)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return the gradients, shape ``(..., domain)``; replays the schedule in reverse in blocks."""
        self.check(y, self.range)
        return in_blocks(self._gradients, y, self.domain.size)

    def _tangents(self, x: Tensor) -> Tensor:
        parts = torch.split(x, [space.size for space in self.given.values()], dim=-1)
        given = {event: self._shaped(part, event) for event, part in zip(self.given, parts, strict=True)}
        later = tangents(self.run, self.tape, given, self._later) if self._later else {}
        found = given | later
        # added in order: torch's own sum depends on the number of cells
        terms = [op.forward(found[e].reshape(len(x), -1)) for e, op in self.wanted.items() if e in found]
        return reduce(torch.add, terms) if terms else x.new_zeros(len(x), self.range.size)

    def _gradients(self, y: Tensor) -> Tensor:
        asked = _Cotangents(self.run, {event: self.wanted[event] for event in self._later}, y)
        whole = 8 * len(y) * sum(self.wanted[event].domain.size for event in self._later)
        found = gradients(self.run, self.tape, asked if whole > LARGE else dict(asked)) if asked else {}
        return torch.cat([self._gradient(event, y, found.get(event)) for event in self.given], dim=-1)

    def _gradient(self, event: Event, y: Tensor, later: Tensor | None) -> Tensor:
        """Return the gradient of one put: of what stood later, and of itself where it is wanted."""
        terms = [] if later is None else [later.reshape(len(y), -1)]
        if event in self.wanted:
            terms.append(self.wanted[event].adjoint(y))
        return reduce(torch.add, terms) if terms else y.new_zeros(len(y), self.given[event].size)

    def _shaped(self, part: Tensor, event: Event) -> Tensor:
        return part.reshape(len(part), 1, *self.run.ports.input(event[0]).inner)


class _Cotangents(Mapping[Event, Tensor]):
    """``A_eᵀ y`` by event, shape ``(k, 1, *extra, cell)``: made when it is asked for."""

    def __init__(self, run: CoupledRun, wanted: Mapping[Event, LinearOperator], y: Tensor) -> None:
        self.run, self.wanted, self.y = run, wanted, y

    def __getitem__(self, event: Event) -> Tensor:
        inner = self.run.ports.output(event[0]).inner
        return self.wanted[event].adjoint(self.y).reshape(len(self.y), 1, *inner)

    def __contains__(self, event: object) -> bool:
        return event in self.wanted

    def __iter__(self) -> Iterator[Event]:
        return iter(self.wanted)

    def __len__(self) -> int:
        return len(self.wanted)


def _common_range(wanted: Mapping[Event, LinearOperator]) -> Space:
    ranges = list(dict.fromkeys(operator.range for operator in wanted.values()))
    if len(ranges) != 1:
        raise SpecError(f"what is wanted ends in {ranges}", where="RunTangent", hint="in one space")
    return ranges[0]


class Weighted(LinearOperator):
    """A number times the identity of a space."""

    def __init__(self, weight: float, space: Space) -> None:
        self.weight, self.domain, self.range = weight, space, space

    def forward(self, x: Tensor) -> Tensor:
        """Return ``w x``."""
        self.check(x, self.domain)
        return self.weight * x

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``w y``."""
        return self.forward(y)


class PartsOperator(LinearOperator):
    """``y = Σ_k A_k x_part(k)``: operators that each see one part of a joined vector, added in order.

    Parameters
    ----------
    spaces
        Of the parts, in order; the domain is all of them, one after the other.
    terms
        Which part, and what becomes of it.
    range
        Where all terms end.
    """

    def __init__(
        self, spaces: Sequence[Space], terms: Sequence[tuple[int, LinearOperator]], range: Space
    ) -> None:
        self.domain, self.range, self.terms = joined(spaces), range, tuple(terms)
        self._sizes = [space.size for space in spaces]

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum, shape ``(..., range)``."""
        self.check(x, self.domain)
        parts = torch.split(x, self._sizes, dim=-1)
        found = [operator.forward(parts[k].contiguous()) for k, operator in self.terms]
        return reduce(torch.add, found) if found else x.new_zeros(*x.shape[:-1], self.range.size)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return each part's sum, one after the other, shape ``(..., domain)``."""
        self.check(y, self.range)
        parts: list[list[Tensor]] = [[] for _ in self._sizes]
        for k, operator in self.terms:
            parts[k].append(operator.adjoint(y))
        return torch.cat([self._summed(k, found, y) for k, found in enumerate(parts)], dim=-1)

    def _summed(self, k: int, found: Sequence[Tensor], y: Tensor) -> Tensor:
        return reduce(torch.add, found) if found else y.new_zeros(*y.shape[:-1], self._sizes[k])


class Taken(LinearOperator):
    """Some parts of a joined vector, in their order; of its adjoint, the others are zero.

    Parameters
    ----------
    spaces
        Of all parts.
    which
        Numbers of those that are taken, ascending, at least one.
    """

    def __init__(self, spaces: Sequence[Space], which: Sequence[int]) -> None:
        self.domain, self.range = joined(spaces), joined([spaces[k] for k in which])
        self._sizes, self._which = [space.size for space in spaces], frozenset(which)

    def forward(self, x: Tensor) -> Tensor:
        """Return the parts, shape ``(..., range)``."""
        self.check(x, self.domain)
        parts = torch.split(x, self._sizes, dim=-1)
        return torch.cat([part for k, part in enumerate(parts) if k in self._which], dim=-1)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return the parts between zeros, shape ``(..., domain)``."""
        self.check(y, self.range)
        own = iter(torch.split(y, [size for k, size in enumerate(self._sizes) if k in self._which], dim=-1))
        empty = (y.new_zeros(*y.shape[:-1], size) for size in self._sizes)
        return torch.cat([next(own) if k in self._which else e for k, e in enumerate(empty)], dim=-1)


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
