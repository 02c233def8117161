"""What methods have to agree on: a linear model with normal errors has one posterior.

One small problem with correlated prior errors, three windows (one of them empty) and a model error of its
own; every method's mean and covariance beside the normal equations, solved here by dense inverses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.assimilation import Observations, ObservationsByWindow, Posterior
from tradewind.couplers.assimilation.covariance import DenseCovariance, DiagonalCovariance
from tradewind.plugins.solvers.analytical import Analytical
from tradewind.plugins.solvers.inversion.normal import gain_form, information_form
from tradewind.plugins.solvers.variational.envar import EnVar
from tradewind.plugins.solvers.variational.incremental import FourDVar
from tradewind.plugins.solvers.variational.options import (
    EnVarOptions,
    FourDVarOptions,
    Minimiser,
    Uncertainty,
)
from tradewind.testing import LinearModel, VectorControl
from tradewind.testing.model import days

ELEMENTS = 12
OBSERVATIONS = (9, 0, 8)
SEED = 1960
REDUCTION = {Minimiser.CG: 1e-12, Minimiser.GAUSS_NEWTON: 1e-12, Minimiser.LBFGS: 1e-11}


@dataclass(frozen=True)
class LinearGaussian:
    """A linear model, a prior, and what was seen."""

    model: LinearModel
    control: VectorControl
    observations: ObservationsByWindow

    @property
    def stacked(self) -> tuple[Tensor, Tensor, Tensor]:
        """K of all windows, shape ``(m, n)``, d = y - F(xA), and the diagonal of R."""
        windows = self.model.windows
        k = torch.cat([self.model.jacobians[w] for w in windows])
        d = torch.cat([self.observations[w].y - self.model(self.control.prior, w) for w in windows])
        r = [_variance(self.observations[w]) + self.model.errors[w] for w in windows]
        return k, d, torch.cat(r)

    @property
    def exact(self) -> tuple[Tensor, Tensor]:
        """Mean and covariance from the normal equations."""
        k, d, r = self.stacked
        prior = torch.linalg.inv(self.control.covariance.apply(torch.eye(k.shape[1], dtype=torch.float64)))
        covariance = torch.linalg.inv(prior + k.T @ (k / r[:, None]))
        return self.control.prior + covariance @ (k.T @ (d / r)), covariance


def linear_gaussian() -> LinearGaussian:
    """Return the problem."""
    windows = dict(zip(days(len(OBSERVATIONS)), OBSERVATIONS, strict=True))
    g = torch.Generator().manual_seed(SEED)
    jacobians = {w: torch.randn(m, ELEMENTS, generator=g, dtype=torch.float64) for w, m in windows.items()}
    offsets = {w: torch.randn(m, generator=g, dtype=torch.float64) for w, m in windows.items()}
    errors = {w: torch.full((m,), 0.05, dtype=torch.float64) for w, m in windows.items()}
    gap = abs(np.arange(ELEMENTS)[:, None] - np.arange(ELEMENTS))
    prior = torch.randn(ELEMENTS, generator=g, dtype=torch.float64)
    control = VectorControl(prior, DenseCovariance(torch.from_numpy(0.8 * np.exp(-gap / 3.0))))
    seen = {w: _seen(m, g) for w, m in windows.items()}
    return LinearGaussian(LinearModel(jacobians, offsets, errors), control, seen)


def _seen(m: int, g: torch.Generator) -> Observations:
    y = torch.randn(m, generator=g, dtype=torch.float64)
    variance = 0.1 + torch.rand(m, generator=g, dtype=torch.float64)
    return Observations(y, DiagonalCovariance(variance) if m else None)


def _variance(seen: Observations) -> Tensor:
    return seen.y if seen.covariance is None else seen.covariance.diagonal()


def apart(found: tuple[Tensor, Tensor | None], expected: tuple[Tensor, Tensor]) -> float:
    """Return the largest difference of means and of covariances, each relative to the largest expected."""
    pairs = [(a, b) for a, b in zip(found, expected, strict=True) if a is not None]
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


def exact_errors() -> dict[str, float]:
    """Return how far the methods that are exact for such problems are from the normal equations."""
    problem = linear_gaussian()
    expected = problem.exact
    found = {"analytical": _solved(Analytical(), problem)}
    for minimiser, reduction in REDUCTION.items():
        options = FourDVarOptions(minimiser=minimiser, reduction=reduction)
        found[f"4dvar_{minimiser.name.lower()}"] = _solved(FourDVar(options), problem)
    found["4dvar_lanczos"] = _solved(
        FourDVar(FourDVarOptions(reduction=1e-14, covariance=Uncertainty.LANCZOS)), problem
    )
    found["envar"] = _solved(EnVar(EnVarOptions(static=1.0, ensemble=0.0, reduction=1e-12)), problem)
    errors = {name: apart((p.mean, p.covariance), expected) for name, p in found.items()}
    return errors | {"forms": forms_error(problem)}


def _solved(solver: Analytical | FourDVar | EnVar, problem: LinearGaussian) -> Posterior:
    return solver.solve(problem.model, problem.control, problem.observations)


def forms_error(problem: LinearGaussian) -> float:
    """Return how far the information form is from the gain form: mean and covariance."""
    k, d, r = problem.stacked
    noise = DiagonalCovariance(r)
    weighted = noise.solve(k.T.contiguous())
    by_information = information_form(weighted @ k, weighted @ d, problem.control.covariance)
    by_gain = gain_form(k, noise, d, problem.control.covariance)
    return apart(
        (by_information.increment, by_information.covariance), (by_gain.increment, by_gain.covariance)
    )
