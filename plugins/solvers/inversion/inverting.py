"""One analysis from products: normal, lognormal or bounded, in any form, at a given or sought weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from tradewind.couplers.assimilation import Control
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.errors import ConfigError
from tradewind.plugins.solvers.inversion.amplitudes import amplitudes, boundable
from tradewind.plugins.solvers.inversion.bounded import Bounds, least_between
from tradewind.plugins.solvers.inversion.lognormal import Damping, Descent, Place, descend
from tradewind.plugins.solvers.inversion.normal import (
    NormalPosterior,
    gain_form,
    information_form,
    kernels,
    largest_weight,
    low_rank_form,
)
from tradewind.plugins.solvers.inversion.roots import symmetric
from tradewind.plugins.solvers.inversion.spectrum import Sketch, spectrum
from tradewind.plugins.solvers.jacobians import Way
from tradewind.plugins.solvers.options import AnalyticalOptions, Form
from tradewind.plugins.solvers.products.sums import Guess, Products, unit

WEIGHT_DIGITS = 1e-6
"""To which the weight is sought where each try is an inversion of its own."""


@dataclass(frozen=True)
class Rows:
    """K and d of all windows, divided by the root of R: ``(m, n)`` and ``(m,)``."""

    jacobian: Tensor
    residual: Tensor


@dataclass(frozen=True)
class Analysis:
    """What the observations made of a guess.

    Attributes
    ----------
    mean
        xhat, shape ``(n,)``.
    gamma
        The weight of the observations.
    prior_cost
        J_A.
    posterior
        S, A and its diagonal.
    details
        What else there is to say.
    """

    mean: Tensor
    gamma: float
    prior_cost: float
    posterior: NormalPosterior
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dofs(self) -> float:
        """Degrees of freedom for signal, tr A."""
        return float(self.posterior.sensitivity.sum())


class Inversion:
    """Analyses of one control, from products about its prior.

    Parameters
    ----------
    control
        What is estimated.
    options
        Settings.

    Raises
    ------
    ConfigError
        Bounds without elements that they are for, or beside lognormal ones.
    """

    def __init__(self, control: Control, options: AnalyticalOptions) -> None:
        self.options, self.amplitudes = options, amplitudes(control)
        self.reference = self.amplitudes.of(control.prior)
        self.slope = self._slope(control.prior)
        self.bounds = None if options.bounds is None else self._bounds(control, options.bounds)

    def _slope(self, x: Tensor) -> Tensor:
        """Return what divides columns of K to make them those of amplitudes: ds/dx, or what a run adds."""
        if Way(self.options.jacobian) is Way.MODEL_RUNS:
            return self.amplitudes.change(self.amplitudes.of(x), torch.ones_like(x))
        return self.amplitudes.slope(x)

    def _bounds(self, control: Control, ends: tuple[float | None, float | None]) -> Bounds:
        bounded = boundable(control)
        if not self.amplitudes.linear or not bool(bounded.any()):
            hint = "lognormal elements are positive as they are; bounds are for `change: scale`"
            raise ConfigError("there are bounds, but no factors alone", where="solve, options", hint=hint)
        infinite = torch.full_like(control.prior, torch.inf)
        low, high = ends
        least = -infinite if low is None else torch.where(bounded, low, -infinite)
        return Bounds(least, infinite if high is None else torch.where(bounded, high, infinite))

    # ------------------------------------------------------------------ an analysis
    def analyse(
        self, products: Products, guess: Guess, gamma: float | Literal["auto"], rows: Rows | None = None
    ) -> Analysis:
        """Return the analysis.

        Parameters
        ----------
        products
            About the amplitudes of the control's prior.
        gamma
            Weight of the observations; ``auto``: the largest up to 1 with J_A/n at most 1.
        rows
            What `products` were made from; the gain form needs it.

        Raises
        ------
        DataError
            Where a minimum is not found.
        """
        weight = self._weight(products, guess) if gamma == "auto" else gamma
        if self.bounds is not None:
            return self._bounded(products, guess, weight, self.bounds)
        if self.amplitudes.linear:
            posterior, told = self._formed(products, guess, weight, rows, guess.mean)
            mean = guess.mean + posterior.increment
            return Analysis(mean, weight, posterior.prior_cost, posterior, told)
        places = list(self._descent(products, guess, weight))
        end = places[-1]
        posterior, told = self._formed(products, guess, weight, rows, end.x)
        told |= {"iterations": [_told(number, place) for number, place in enumerate(places)]}
        return Analysis(end.x, weight, end.prior, posterior, told)

    def _formed(
        self, products: Products, guess: Guess, weight: float, rows: Rows | None, x: Tensor
    ) -> tuple[NormalPosterior, dict[str, Any]]:
        """Return the normal posterior of the model linearized at x, and what a form tells of itself."""
        local = self._local(products, guess, weight)
        hessian, gradient = local.linearized(x)
        moved = x - guess.mean
        if self.options.form is Form.GAIN and rows is not None:
            slope, change = self.amplitudes.slope(x), self.amplitudes.of(x) - self.reference
            residual = rows.residual - rows.jacobian @ (change - slope * moved)
            noise = DiagonalCovariance(unit(len(residual)))
            return gain_form(rows.jacobian * slope, noise, residual, guess.covariance, weight), {}
        if bool(moved.any()):
            gradient = gradient + hessian @ moved
        if self.options.form is Form.LOW_RANK:
            posterior, found = low_rank_form(hessian, gradient, guess.covariance, weight, self.sketch)
            return posterior, {"least_eigenvalue": weight * float(found.values[0])}
        return information_form(hessian, gradient, guess.covariance, weight), {}

    @property
    def sketch(self) -> Sketch:
        """How an approximation of low rank is made."""
        return Sketch(self.options.rank, self.options.oversampling, self.options.seed)

    def _local(self, products: Products, guess: Guess, weight: float) -> Descent:
        return Descent(products, self.reference, self.amplitudes, guess, weight)

    def _descent(self, products: Products, guess: Guess, weight: float) -> list[Place]:
        damping = Damping(self.options.damping, self.options.convergence)
        return list(descend(self._local(products, guess, weight), damping))

    # ------------------------------------------------------------------ between bounds
    def _bounded(self, products: Products, guess: Guess, weight: float, bounds: Bounds) -> Analysis:
        x, active, precision = self._least(products, guess, weight, bounds)
        free = ~active
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(precision[free][:, free]))
        covariance = torch.zeros_like(precision)
        index = free.nonzero()[:, 0]
        covariance[index[:, None], index] = symmetric(inverse)
        kernel, diagonal = kernels(covariance, products.hessian, weight)
        moved = x - guess.mean
        cost = float(moved @ guess.covariance.solve(moved))
        posterior = NormalPosterior(moved, covariance, kernel, cost, diagonal)
        return Analysis(x, weight, cost, posterior, {"active": active})

    def _least(
        self, products: Products, guess: Guess, weight: float, bounds: Bounds
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return where the cost is least, the elements at a bound, and half the cost's Hessian."""
        identity = torch.eye(products.size, dtype=torch.float64)
        precision = symmetric(guess.covariance.solve(identity)) + weight * products.hessian
        gradient = weight * products.gradient_at(guess.mean - self.reference)
        shifted = Bounds(bounds.least - guess.mean, bounds.greatest - guess.mean)
        moved, active = least_between(precision, gradient, shifted, torch.zeros_like(guess.mean))
        return bounds.project(guess.mean + moved), active, precision

    # ------------------------------------------------------------------ the weight
    def _weight(self, products: Products, guess: Guess) -> float:
        n = products.size
        if self.bounds is None and self.amplitudes.linear:
            gradient = products.gradient_at(guess.mean - self.reference)
            sketch = self.sketch if self.options.form is Form.LOW_RANK else None
            found = spectrum(products.hessian, gradient, guess.covariance, sketch)
            return largest_weight(lambda gamma: found.prior_cost(gamma) / n)
        return largest_weight(lambda gamma: self._cost(products, guess, gamma) / n, WEIGHT_DIGITS)

    def _cost(self, products: Products, guess: Guess, gamma: float) -> float:
        """Return J_A where the cost is least."""
        if self.bounds is None:
            return self._descent(products, guess, gamma)[-1].prior
        moved = self._least(products, guess, gamma, self.bounds)[0] - guess.mean
        return float(moved @ guess.covariance.solve(moved))


def _told(number: int, place: Place) -> dict[str, float]:
    return {"iteration": number, "prior": place.prior, "observations": place.observations}
