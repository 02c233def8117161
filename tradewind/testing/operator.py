"""Conformance of a linear operator: what composition, autograd and the dot test rely on."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch

from tradewind.couplers.operators import LinearOperator, dot_test
from tradewind.errors import SpecError
from tradewind.testing.checks import Refused, Unchanged, require, require_close, require_same


class OperatorConformance(ABC):
    """Tests of a linear operator; subclass with `operator`.

    Attributes
    ----------
    tolerance
        Of the dot test and of linearity, relative.
    """

    tolerance = 1e-12

    @abstractmethod
    def operator(self) -> LinearOperator:
        """Return the operator."""

    def test_adjoint_is_exact(self) -> None:
        """``|<A x, y> - <x, Aᵀ y>| <= tolerance ‖A x‖ ‖y‖``, alone and in a batch."""
        for batch in ((), (3,), (2, 2)):
            gap = dot_test(self.operator(), seed=7, batch=batch)
            require(gap <= self.tolerance, f"dot test {gap:.3g} with batch {batch}")

    def test_is_linear(self) -> None:
        """A (x + 2 z) = A x + 2 A z."""
        op = self.operator()
        x, z = op.domain.random(1), op.domain.random(2)
        sides = op.forward(x + 2 * z), op.forward(x) + 2 * op.forward(z)
        require_close({"": sides[0]}, {"": sides[1]}, 10 * self.tolerance, "superposition")

    def test_nothing_gives_nothing(self) -> None:
        """A 0 = 0 and Aᵀ 0 = 0: an affine map is no linear operator."""
        op = self.operator()
        require(not op.forward(op.domain.zeros()).any(), "A 0 is not 0")
        require(not op.adjoint(op.range.zeros()).any(), "Aᵀ 0 is not 0")

    def test_a_batch_is_its_members(self) -> None:
        """Leading axes are a batch, kept in shape, also when it is empty."""
        op = self.operator()
        x = op.domain.random(3, (2, 2))
        one_by_one = torch.stack([torch.stack([op.forward(v) for v in row]) for row in x])
        require_close({"": op.forward(x)}, {"": one_by_one}, self.tolerance, "batch")
        require(
            op.forward(op.domain.zeros((0,))).shape == (0, op.range.size), "an empty batch lost its shape"
        )

    def test_same_bits_twice(self) -> None:
        """Applying it changes neither operator nor argument."""
        op = self.operator()
        x, y = op.domain.random(4), op.range.random(5)
        with Unchanged("operator", x, y):
            first = op.forward(x), op.adjoint(y)
        require_same((op.forward(x), op.adjoint(y)), first, "applied again")

    def test_refuses_what_is_not_of_its_spaces(self) -> None:
        """A wrong length or single precision is a `SpecError`, forward and adjoint."""
        op = self.operator()
        for apply, space in ((op.forward, op.domain), (op.adjoint, op.range)):
            with Refused("a vector one too long", SpecError):
                apply(torch.zeros(space.size + 1, dtype=torch.float64))
            with Refused("single precision", SpecError):
                apply(space.zeros().float())

    def test_autograd_uses_the_adjoint(self) -> None:
        """The gradient of <A x, y> by x is Aᵀ y."""
        op = self.operator()
        x, y = op.domain.random(8).requires_grad_(), op.range.random(9)
        (found,) = torch.autograd.grad(op(x), x, y)
        require_same(found, op.adjoint(y), "gradient")

    def test_a_nan_shows(self) -> None:
        """Where A x is not zero, A NaN is NaN: nothing is filled in silence."""
        op = self.operator()
        reached = op.forward(op.domain.random(6)) != 0
        found = op.forward(torch.full_like(op.domain.zeros(), torch.nan))
        require(found[reached].isnan().all(), "NaN has vanished")
