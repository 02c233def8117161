"""Smoothers and ensemble filters beside the Kalman filter, which is written out here.

A state of a few numbers moves linearly through windows and is seen at the end of each. The Kalman filter
goes from window to window. Solvers estimate the state at the beginning from all windows at once; their
posterior, moved to the end, must be the filter's. Ensemble filters go from window to window as well,
with members whose mean and covariance are exactly the prior's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from tradewind.bench.assimilation.equivalences import (
    LinearGaussian,
    apart,
    exact_errors,
    linear_gaussian,
)
from tradewind.couplers.assimilation import Ensemble, Filter, Observations, Solver
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.coupling.component import Interval
from tradewind.plugins.filters.transform.etkf import ESTKF, ETKF
from tradewind.plugins.solvers.analytical import Analytical
from tradewind.plugins.solvers.smoothers.drawing import prior_members
from tradewind.plugins.solvers.smoothers.esmda import ESMDA
from tradewind.plugins.solvers.smoothers.ies import IES
from tradewind.plugins.solvers.smoothers.options import Draws, ESMDAOptions, IESOptions
from tradewind.plugins.solvers.variational.incremental import FourDVar
from tradewind.plugins.solvers.variational.options import FourDVarOptions
from tradewind.testing import LinearModel

MEMBERS = 40
"""Of exact draws: 1 + 12 elements + 17 observations are needed."""
DRAWN = 400
"""Members of the sampled comparison."""
SAMPLED_MEAN, SAMPLED_SIGMA = 12.0 / DRAWN**0.5, 5.0 / DRAWN**0.5
"""How far drawn members may be off, in posterior standard deviations.

Errors of sampled covariances go as 1/sqrt(N), and those of the gain act on increments of up to five
standard deviations: over seeds, the largest of twelve means was off by 3 to 10, of standard deviations by
1 to 2.2, divided by sqrt(N), for N = 250 as for N = 1000.
"""
SEED = 1960


@dataclass(frozen=True)
class Moving:
    """A state that moves by `step`, M (n, n), through each window, and is then seen by H (m, n).

    Attributes
    ----------
    problem
        The same for solvers: x is the state at the beginning, ``K_w = H_w M^(w + 1)``.
    """

    step: Tensor
    looks: Mapping[Interval, Tensor]
    problem: LinearGaussian

    def seen(self, window: Interval) -> Observations:
        """Return what was seen, without the offset, with the model's own error."""
        found, model = self.problem.observations[window], self.problem.model
        if found.covariance is None:
            return found
        noise = DiagonalCovariance(found.covariance.diagonal() + model.errors[window])
        return Observations(found.y - model.offsets[window], noise)

    def at_the_end(self, mean: Tensor, covariance: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and covariance of the state at the beginning as those at the end."""
        whole = torch.linalg.matrix_power(self.step, len(self.looks))
        return whole @ mean, whole @ covariance @ whole.T


def moving() -> Moving:
    """Return the problem of `linear_gaussian`, with its Jacobians as what is seen of a turning state."""
    base = linear_gaussian()
    generator = torch.Generator().manual_seed(SEED)
    n = len(base.control.prior)
    step = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64)).Q
    step = step @ torch.diag(torch.linspace(0.8, 1.1, n, dtype=torch.float64))
    looks, whole, jacobians = base.model.jacobians, torch.eye(n, dtype=torch.float64), {}
    for window in base.model.windows:
        whole = step @ whole
        jacobians[window] = looks[window] @ whole
    model = LinearModel(jacobians, base.model.offsets, base.model.errors)
    return Moving(step, looks, LinearGaussian(model, base.control, base.observations))


def kalman(case: Moving) -> tuple[Tensor, Tensor]:
    """Return mean and covariance at the end by the Kalman filter, its update in Joseph's form."""
    control = case.problem.control
    identity = torch.eye(len(control.prior), dtype=torch.float64)
    x, p = control.prior, control.covariance.apply(identity)
    for window in case.problem.model.windows:
        x, p = case.step @ x, case.step @ p @ case.step.T
        seen, h = case.seen(window), case.looks[window]
        if seen.covariance is None:
            continue
        r = torch.diag(seen.covariance.diagonal())
        gain = p @ h.T @ torch.linalg.inv(h @ p @ h.T + r)
        x = x + gain @ (seen.y - h @ x)
        left = identity - gain @ h
        p = left @ p @ left.T + gain @ r @ gain.T
    return x, p


def solved(case: Moving, solver: Solver) -> tuple[Tensor, Tensor]:
    """Return mean and covariance at the end by a solver."""
    problem = case.problem
    found = solver.solve(problem.model, problem.control, problem.observations)
    if found.covariance is None:
        raise ValueError(f"{type(solver).__name__} gives no covariance")
    return case.at_the_end(found.mean, found.covariance)


def filtered(case: Moving, method: Filter) -> tuple[Tensor, Tensor]:
    """Return mean and covariance at the end of members whose prior is exact."""
    x = prior_members(case.problem.control, MEMBERS, Draws.EXACT, SEED)
    for number, window in enumerate(case.problem.model.windows):
        x = x @ case.step.T
        ensemble = Ensemble({"x": x}, x @ case.looks[window].T, number=number)
        x = method.analyse(ensemble, case.seen(window)).fields["x"]
    return x.mean(0), x.T.cov()


def kalman_errors() -> dict[str, float]:
    """Return how far methods that are exact for such problems are from the Kalman filter."""
    case = moving()
    expected = kalman(case)
    solvers: dict[str, Solver] = {
        "kalman_analytical": Analytical(),
        "kalman_4dvar": FourDVar(FourDVarOptions(reduction=1e-12)),
        "kalman_es_mda": ESMDA(ESMDAOptions(members=MEMBERS, draws=Draws.EXACT, steps=4)),
        "kalman_ies": IES(IESOptions(members=MEMBERS, draws=Draws.EXACT)),
    }
    filters: dict[str, Filter] = {"kalman_etkf": ETKF(), "kalman_estkf": ESTKF()}
    found = {name: solved(case, solver) for name, solver in solvers.items()}
    found |= {name: filtered(case, method) for name, method in filters.items()}
    return {name: apart(some, expected) for name, some in found.items()}


def errors() -> dict[str, float]:
    """Return all differences that are rounding: methods beside the normal equations and the Kalman filter."""
    return exact_errors() | kalman_errors()


def sampled_errors() -> dict[str, float]:
    """Return how far ES-MDA with `DRAWN` members is off; `SAMPLED_MEAN` and `SAMPLED_SIGMA` are allowed.

    Differences of means and of standard deviations, in standard deviations of the posterior.
    """
    case = moving()
    mean, covariance = kalman(case)
    sigma = covariance.diagonal().sqrt()
    found, spread = solved(case, ESMDA(ESMDAOptions(members=DRAWN, seed=SEED)))
    return {
        "es_mda_sampled_mean": float(((found - mean).abs() / sigma).max()),
        "es_mda_sampled_sigma": float((spread.diagonal().sqrt() / sigma - 1).abs().max()),
    }
