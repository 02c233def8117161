"""The posterior of a linear model with normal errors, in its equivalent forms.

Symbols (Rodgers, 2000, Inverse Methods for Atmospheric Sounding, chapters 2 and 4): K Jacobian, R error
covariance of the observations, Sa of the prior, d = y - F(xA), g weight of the observations, S posterior
covariance, A averaging kernel, J_A prior term of the cost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from scipy.optimize import brentq
from torch import Tensor

from tradewind.couplers.assimilation.covariance import Covariance
from tradewind.couplers.ranks.parallel import block_ranges
from tradewind.plugins.solvers.inversion.roots import Root
from tradewind.plugins.solvers.inversion.spectrum import Sketch, Spectrum, spectrum

WRITTEN = 4096
"""Elements up to which the averaging kernel is written out; beyond, its diagonal is."""
ROWS = 512


@dataclass(frozen=True)
class NormalPosterior:
    """What the observations made of the prior.

    Attributes
    ----------
    increment
        xhat - xA, shape ``(n,)``.
    covariance
        S, shape ``(n, n)``.
    averaging_kernel
        A = I - S Sa⁻¹, shape ``(n, n)``; None where n is above `WRITTEN`.
    prior_cost
        J_A = (xhat - xA)ᵀ Sa⁻¹ (xhat - xA).
    sensitivity
        Diagonal of A, shape ``(n,)``.
    """

    increment: Tensor
    covariance: Tensor
    averaging_kernel: Tensor | None
    prior_cost: float
    sensitivity: Tensor


def information_form(
    hessian: Tensor, gradient: Tensor, prior: Covariance, gamma: float = 1.0
) -> NormalPosterior:
    """Solve in the space of the control: S = (g KᵀR⁻¹K + Sa⁻¹)⁻¹, xhat - xA = S g KᵀR⁻¹d.

    With Sa = L Lᵀ this is S = L M⁻¹ Lᵀ, M = I + g Lᵀ KᵀR⁻¹K L, whose eigenvalues are at least one: it
    never needs Sa⁻¹, and A = g S KᵀR⁻¹K loses no digits where A is small.

    Parameters
    ----------
    hessian, gradient
        KᵀR⁻¹K, shape ``(n, n)``, of which what is below the diagonal counts, and KᵀR⁻¹d, shape ``(n,)``.
    prior
        Sa.
    gamma
        g.
    """
    root = Root(prior)
    matrix = root.inward(hessian).mul_(gamma)
    matrix.diagonal().add_(1.0)
    factor = torch.linalg.cholesky(matrix)
    del matrix
    inner = torch.cholesky_solve((gamma * root.adjoint(gradient))[:, None], factor)[:, 0]
    inverse = torch.cholesky_inverse(factor)
    del factor
    covariance = root.outward(inverse)
    kernel, diagonal = kernels(covariance, hessian, gamma)
    return NormalPosterior(root.forward(inner), covariance, kernel, float(inner @ inner), diagonal)


def low_rank_form(
    hessian: Tensor, gradient: Tensor, prior: Covariance, gamma: float, sketch: Sketch
) -> tuple[NormalPosterior, Spectrum]:
    """Solve along the directions of which observations say most; exact when all are asked for.

    Returns
    -------
    The posterior: what is left out counts as unseen, so that S is never too small; and the spectrum, about
    weight one.
    """
    found = spectrum(hessian, gradient, prior, sketch)
    factors = found.kernel_factors(gamma)
    kernel = factors[0] @ factors[1].T if len(gradient) <= WRITTEN else None
    posterior = NormalPosterior(
        increment=found.increment(gamma),
        covariance=found.covariance(gamma),
        averaging_kernel=kernel,
        prior_cost=found.prior_cost(gamma),
        sensitivity=(factors[0] * factors[1]).sum(1),
    )
    return posterior, found


def gain_form(
    jacobian: Tensor, noise: Covariance, residual: Tensor, prior: Covariance, gamma: float = 1.0
) -> NormalPosterior:
    """Solve in the space of the observations: G = Sa Kᵀ (K Sa Kᵀ + R/g)⁻¹, xhat - xA = G d, A = G K.

    Parameters
    ----------
    jacobian, residual
        K, shape ``(m, n)``, and d, shape ``(m,)``.
    noise, prior
        R and Sa.
    gamma
        g.
    """
    m, n = jacobian.shape
    spread = prior.apply(jacobian)
    noisy = noise.apply(torch.eye(m, dtype=torch.float64)) / gamma
    factor = torch.linalg.cholesky(_halves(spread @ jacobian.T + noisy))
    gain = torch.cholesky_solve(spread, factor).T
    increment, kernel = gain @ residual, gain @ jacobian
    covariance = prior.apply(torch.eye(n, dtype=torch.float64)) - gain @ spread
    cost = float(increment @ prior.solve(increment))
    return NormalPosterior(increment, _halves(covariance), kernel, cost, kernel.diagonal())


def regularisation(hessian: Tensor, gradient: Tensor, prior: Covariance) -> float:
    """Return the largest g up to 1 for which J_A/n is at most 1.

    J_A(g) = Σ (g c_i / (1 + g λ_i))², with λ the eigenvalues of Lᵀ KᵀR⁻¹K L and c = Vᵀ Lᵀ KᵀR⁻¹d, grows
    with g. A value above 1 would trust observations more than their stated errors, so it is not sought
    (after Lu et al., 2021, Atmos. Chem. Phys. 21, 4637).
    """
    found = spectrum(hessian, gradient, prior)
    return largest_weight(lambda gamma: found.prior_cost(gamma) / len(gradient))


def largest_weight(cost: Callable[[float], float], digits: float = 1e-14) -> float:
    """Return the largest g up to 1 for which ``cost(g)``, which grows with g from 0, is at most 1."""
    if cost(1.0) <= 1.0:
        return 1.0
    return float(brentq(lambda g: (cost(g) if g > 0.0 else 0.0) - 1.0, 0.0, 1.0, xtol=digits))


def kernels(covariance: Tensor, hessian: Tensor, gamma: float) -> tuple[Tensor | None, Tensor]:
    """Return A = g S KᵀR⁻¹K, None where it is too large, and its diagonal."""
    n = len(covariance)
    if n <= WRITTEN:
        kernel = gamma * covariance @ hessian
        return kernel, kernel.diagonal()
    parts = [
        (covariance[rows.start : rows.stop] * hessian[rows.start : rows.stop]).sum(1)
        for rows in block_ranges(n, ROWS)
    ]
    return None, gamma * torch.cat(parts)


def _halves(matrix: Tensor) -> Tensor:
    return 0.5 * (matrix + matrix.T)
