"""The posterior of a linear model with normal errors, in its two equivalent forms.

Symbols (Rodgers, 2000, Inverse Methods for Atmospheric Sounding, chapters 2 and 4): K Jacobian, R error
covariance of the observations, Sa of the prior, d = y - F(xA), g weight of the observations, S posterior
covariance, A averaging kernel, J_A prior term of the cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.optimize import brentq
from torch import Tensor

from tradewind.couplers.assimilation.covariance import Covariance


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
        A = I - S Sa⁻¹, shape ``(n, n)``.
    prior_cost
        J_A = (xhat - xA)ᵀ Sa⁻¹ (xhat - xA).
    """

    increment: Tensor
    covariance: Tensor
    averaging_kernel: Tensor
    prior_cost: float


def information_form(
    hessian: Tensor, gradient: Tensor, prior: Covariance, gamma: float = 1.0
) -> NormalPosterior:
    """Solve in the space of the control: S = (g KᵀR⁻¹K + Sa⁻¹)⁻¹, xhat - xA = S g KᵀR⁻¹d.

    With Sa = L Lᵀ this is S = L M⁻¹ Lᵀ, M = I + g Lᵀ KᵀR⁻¹K L, whose eigenvalues are at least one: it
    never needs Sa⁻¹, and A = g S KᵀR⁻¹K loses no digits where A is small.

    Parameters
    ----------
    hessian, gradient
        KᵀR⁻¹K, shape ``(n, n)``, and KᵀR⁻¹d, shape ``(n,)``.
    prior
        Sa.
    gamma
        g.
    """
    root, hessian = _root(prior), _symmetric(hessian)
    identity = torch.eye(len(hessian), dtype=torch.float64)
    factor = torch.linalg.cholesky(identity + gamma * _symmetric(root.T @ hessian @ root))
    half = torch.linalg.solve_triangular(factor, root.T, upper=False)
    covariance = _symmetric(half.T @ half)
    scaled = torch.cholesky_solve((gamma * root.T @ gradient)[:, None], factor)[:, 0]
    kernel = gamma * covariance @ hessian
    return NormalPosterior(root @ scaled, covariance, kernel, float(scaled @ scaled))


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
    factor = torch.linalg.cholesky(_symmetric(spread @ jacobian.T + noisy))
    gain = torch.cholesky_solve(spread, factor).T
    increment = gain @ residual
    covariance = prior.apply(torch.eye(n, dtype=torch.float64)) - gain @ spread
    cost = float(increment @ prior.solve(increment))
    return NormalPosterior(increment, _symmetric(covariance), gain @ jacobian, cost)


def regularisation(hessian: Tensor, gradient: Tensor, prior: Covariance) -> float:
    """Return the largest g up to 1 for which J_A/n is at most 1.

    J_A(g) = Σ (g c_i / (1 + g λ_i))², with λ the eigenvalues of Lᵀ KᵀR⁻¹K L and c = Vᵀ Lᵀ KᵀR⁻¹d, grows
    with g. A value above 1 would trust observations more than their stated errors, so it is not sought
    (after Lu et al., 2021, Atmos. Chem. Phys. 21, 4637).
    """
    root = _root(prior)
    eigenvalues, vectors = torch.linalg.eigh(_symmetric(root.T @ _symmetric(hessian) @ root))
    along = vectors.T @ (root.T @ gradient)

    def excess(gamma: float) -> float:
        return float((gamma * along / (1.0 + gamma * eigenvalues.clamp(min=0.0))).square().mean()) - 1.0

    return 1.0 if excess(1.0) <= 0 else float(brentq(excess, 0.0, 1.0, xtol=1e-14))


def _root(prior: Covariance) -> Tensor:
    return prior.sqrt(torch.eye(prior.size, dtype=torch.float64)).T


def _symmetric(matrix: Tensor) -> Tensor:
    return 0.5 * (matrix + matrix.T)
