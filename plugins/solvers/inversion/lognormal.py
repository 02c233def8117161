"""Levenberg-Marquardt on logarithms, from products that were made once.

The model is linear in the amplitude s, so that at any x its Jacobian is K' = K diag(ds/dx), and H' and b' of
a step follow from H and b. A step dx solves

    ((1 + k) Sa⁻¹ + w K'ᵀR⁻¹K') dx = w K'ᵀR⁻¹(y - F) - Sa⁻¹ (x - xA),

with k = 10 at first, a tenth of it after each step that lowers the cost, and ten times after one that does
not (Marquardt, 1963; as Chen and others, 2022, doi 10.5194/acp-22-10809-2022, do with a constant k). Added
elements have a slope of one: they stay normal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from tradewind.errors import DataError
from tradewind.plugins.solvers.inversion.amplitudes import Amplitudes
from tradewind.plugins.solvers.inversion.roots import Root
from tradewind.plugins.solvers.products.sums import Guess, Products, scaled

STEPS = 200
STRONGEST = 1e12
"""Damping at which a step is lost in rounding."""


@dataclass(frozen=True)
class Damping:
    """When to stop, and how to begin.

    Attributes
    ----------
    begin
        k of the first step.
    convergence
        Largest relative change of an amplitude (of an added element: in standard errors of its prior).
    """

    begin: float = 10.0
    convergence: float = 1e-6


@dataclass(frozen=True)
class Place:
    """Where the method stands: z with x = xA + L z, and both terms of the cost there."""

    inner: Tensor
    x: Tensor
    prior: float
    observations: float

    @property
    def cost(self) -> float:
        """J."""
        return self.prior + self.observations


class Descent:
    """The cost of a lognormal problem, and steps down it.

    Parameters
    ----------
    products, reference
        H and b, about the amplitudes `reference`, shape ``(n,)``.
    amplitudes
        Which elements are logarithms.
    mean, prior
        xA and Sa.
    weight
        w.
    """

    def __init__(
        self,
        products: Products,
        reference: Tensor,
        amplitudes: Amplitudes,
        guess: Guess,
        weight: float,
    ) -> None:
        self.products, self.reference, self.amplitudes = products, reference, amplitudes
        self.mean, self.weight, self.root = guess.mean, weight, Root(guess.covariance)
        self.sigma = guess.covariance.diagonal().sqrt()

    def at(self, inner: Tensor) -> Place:
        """Return the place of z."""
        x = self.mean + self.root.forward(inner)
        observed = self.weight * self.products.cost(self.amplitudes.of(x) - self.reference)
        return Place(inner, x, float(inner @ inner), observed)

    def step(self, here: Place, damping: float) -> Place:
        """Return the place after one step."""
        hessian, gradient = self.linearized(here.x)
        matrix = self.root.inward(hessian).mul_(self.weight)
        matrix.diagonal().add_(1.0 + damping)
        right = self.weight * self.root.adjoint(gradient) - here.inner
        factor = torch.linalg.cholesky(matrix)
        return self.at(here.inner + torch.cholesky_solve(right[:, None], factor)[:, 0])

    def linearized(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return K'ᵀR⁻¹K' and K'ᵀR⁻¹(y - F) at x."""
        hessian, _ = scaled(self.products, slope := self.amplitudes.slope(x))
        return hessian, slope * self.products.gradient_at(self.amplitudes.of(x) - self.reference)

    def rise(self, here: Place, there: Place) -> float:
        """Return J there less J here, without the digits that both share."""
        before, inner = self.amplitudes.of(here.x), there.inner - here.inner
        moved = self.amplitudes.change(before, self.root.forward(inner))
        pull = self.products.gradient_at(before - self.reference)
        observed = moved @ (self.products.hessian @ moved) - 2.0 * (pull @ moved)
        return float(inner @ (there.inner + here.inner) + self.weight * observed)

    def change(self, here: Place, there: Place) -> float:
        """Return the largest relative change of an amplitude; of added elements in standard errors."""
        before, after = self.amplitudes.of(here.x), self.amplitudes.of(there.x)
        unit = torch.where(self.amplitudes.lognormal, before, self.sigma)
        return float(((after - before) / unit).abs().max())


def descend(descent: Descent, damping: Damping) -> Iterator[Place]:
    """Yield the places on the way to the minimum, the begin first; the last is the minimum.

    It is reached when a step, had it not been damped, would change no amplitude by more than `convergence`,
    or when not even the shortest step lowers the cost.

    Raises
    ------
    DataError
        Where it is not reached.
    """
    here, strength = descent.at(torch.zeros_like(descent.mean)), damping.begin
    yield here
    for _ in range(STEPS):
        there = descent.step(here, strength)
        change = descent.change(here, there) * (1.0 + strength)
        lower = descent.rise(here, there) <= 0.0
        if lower:
            yield there
        if change < damping.convergence or strength > STRONGEST:
            return
        here, strength = (there, strength / 10.0) if lower else (here, strength * 10.0)
    raise DataError(
        f"no minimum after {STEPS} steps, the last would change an amplitude by {change:.1g}",
        where="lognormal inversion", hint="a smaller prior_error, or check errors of observations",
    )  # fmt: skip
