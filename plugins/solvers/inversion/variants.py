"""The ensemble over hyper-parameters: all their combinations, from the products of one run of the model.

Factors p on the prior's errors and o on the observations' leave the cost
``J_A / p² + g J_O / o²``, whose minimum is that of the weight ``g p² / o²``: only a factor on some of the
prior's errors, such as those of a boundary, needs another decomposition.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import torch
from torch import Tensor

from tradewind.couplers.assimilation import Control
from tradewind.couplers.assimilation.covariance import Covariance
from tradewind.errors import ConfigError
from tradewind.plugins.solvers.inversion.amplitudes import named
from tradewind.plugins.solvers.inversion.inverting import Inversion
from tradewind.plugins.solvers.inversion.rolling import Period, roll
from tradewind.plugins.solvers.inversion.spectrum import Spectrum, spectrum
from tradewind.plugins.solvers.options import AnalyticalOptions, EnsembleOptions, Form
from tradewind.plugins.solvers.products.sums import Guess

BOUNDARY = "boundary"
"""Variable of the targets whose prior errors have a factor of their own."""
LEAST, MOST = 0.5, 2.0
"""Between which J_A/n lies in members that are kept."""


class ScaledCovariance:
    """``D C D``: a covariance whose standard deviations are multiplied.

    Parameters
    ----------
    covariance
        C, of size n.
    factors
        Diagonal of D, positive, shape ``(n,)``.
    """

    def __init__(self, covariance: Covariance, factors: Tensor) -> None:
        self.covariance, self.factors = covariance, factors

    @property
    def size(self) -> int:
        """Length n."""
        return self.covariance.size

    def apply(self, x: Tensor) -> Tensor:
        """Return ``D C D x``."""
        return self.factors * self.covariance.apply(self.factors * x)

    def solve(self, x: Tensor) -> Tensor:
        """Return ``D⁻¹ C⁻¹ D⁻¹ x``."""
        return self.covariance.solve(x / self.factors) / self.factors

    def sqrt(self, x: Tensor) -> Tensor:
        """Return ``D L x``."""
        return self.factors * self.covariance.sqrt(x)

    def diagonal(self) -> Tensor:
        """Return the variances."""
        return self.factors.square() * self.covariance.diagonal()

    def take(self, index: Tensor) -> ScaledCovariance:
        """Return the covariance of some elements."""
        return ScaledCovariance(self.covariance.take(index), self.factors[index])


@dataclass(frozen=True)
class Variant:
    """One combination of hyper-parameters."""

    prior_error: float
    observation_error: float
    gamma: float
    boundary_error: float

    @property
    def weight(self) -> float:
        """Weight of the observations beside a prior whose errors are not multiplied."""
        return self.gamma * (self.prior_error / self.observation_error) ** 2

    @property
    def ratio(self) -> float:
        """Factor of a boundary's prior errors over that of the others."""
        return self.boundary_error / self.prior_error


@dataclass(frozen=True)
class Solved:
    """What a combination gives: xhat, J_A (of errors not multiplied, by period) and DOFS."""

    mean: Tensor
    prior_cost: float
    dofs: float


class Variants:
    """Analyses of the same products under other hyper-parameters.

    Parameters
    ----------
    inversion
        What is analysed, and how.
    periods
        With their products.
    control
        Its prior, and which of its elements are of a boundary.

    Raises
    ------
    ConfigError
        Factors for a boundary that the control has not.
    """

    def __init__(self, inversion: Inversion, periods: Sequence[Period], control: Control) -> None:
        # rows are for the gain form, which has no use for many small changes
        self.periods = [replace(period, rows=None) for period in periods]
        self.inversion, self.control = inversion, control
        self.boundary = named(control, BOUNDARY)
        self._spectra: dict[float, Spectrum] = {}

    def told(self, options: EnsembleOptions, gamma: float) -> Iterator[dict[str, Any]]:
        """Yield what the posterior's details say of each combination.

        Parameters
        ----------
        gamma
            Weight of the observations where none are given.
        """
        if not bool(self.boundary.any()) and options.boundary_error != (1.0,):
            raise ConfigError(
                "boundary_error is given, but no element belongs to a boundary",
                where="solve, options, ensemble", hint="control `….boundary`, or leave it out",
            )  # fmt: skip
        gammas = options.gamma or (gamma,)
        for p, o, g, b in product(
            options.prior_error, options.observation_error, gammas, options.boundary_error
        ):
            variant = Variant(p, o, g, b)
            yield _told(variant, self.solve(variant))

    def solve(self, variant: Variant) -> Solved:
        """Return what one combination gives."""
        guess = Guess(self.control.prior, self.covariance(variant))
        n = len(guess.mean)
        if self._by_spectrum:
            found = self._spectrum(variant, guess)
            weight, scale = variant.weight, variant.prior_error**2
            mean = guess.mean + found.increment(weight)
            return Solved(mean, found.prior_cost(weight) / scale / n, found.dofs(weight))
        rolled = list(roll(self.inversion, self.periods, guess, variant.weight))
        costs = [one.analysis.prior_cost / variant.prior_error**2 / n for one in rolled]
        return Solved(rolled[-1].analysis.mean, sum(costs) / len(costs), rolled[-1].analysis.dofs)

    @property
    def _by_spectrum(self) -> bool:
        normal = self.inversion.amplitudes.linear and self.inversion.bounds is None
        return normal and len(self.periods) == 1

    def covariance(self, variant: Variant) -> Covariance:
        """Return the prior's covariance but for the factor that all its elements share."""
        ratio = self._ratio(variant)
        if ratio == 1.0:
            return self.control.covariance
        factors = torch.where(self.boundary, ratio, torch.ones_like(self.control.prior))
        return ScaledCovariance(self.control.covariance, factors)

    def _ratio(self, variant: Variant) -> float:
        return variant.ratio if bool(self.boundary.any()) else 1.0

    def _spectrum(self, variant: Variant, guess: Guess) -> Spectrum:
        ratio = self._ratio(variant)
        if ratio not in self._spectra:
            self._spectra[ratio] = self._decomposed(guess)
        return self._spectra[ratio]

    def _decomposed(self, guess: Guess) -> Spectrum:
        products, options = self.periods[0].products, self.inversion.options
        sketch = self.inversion.sketch if options.form is Form.LOW_RANK else None
        return spectrum(products.hessian, products.gradient, guess.covariance, sketch)


def ensemble(
    inversion: Inversion, periods: Sequence[Period], control: Control, gamma: float
) -> list[dict[str, Any]]:
    """Return what all combinations of the settings give; none where no ensemble is asked for."""
    options: AnalyticalOptions = inversion.options
    if options.ensemble is None:
        return []
    return list(Variants(inversion, periods, control).told(options.ensemble, gamma))


def _told(variant: Variant, solved: Solved) -> dict[str, Any]:
    return {
        "prior_error": variant.prior_error,
        "observation_error": variant.observation_error,
        "gamma": variant.gamma,
        "boundary_error": variant.boundary_error,
        "prior_cost_per_element": solved.prior_cost,
        "dofs": solved.dofs,
        "kept": LEAST <= solved.prior_cost <= MOST,
        "mean": solved.mean,
    }
