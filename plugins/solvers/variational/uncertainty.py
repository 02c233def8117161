"""The posterior covariance at the minimum: exact from the Hessian, or of low rank from Lanczos vectors.

With W = Σ GᵀR⁻¹G, G = K L:   S = L (I + W)⁻¹ Lᵀ,   A = I - S B⁻¹,   DOFS = tr W(I + W)⁻¹.

With Ritz pairs (λ, u) of W:   S ≈ L (I - Σ λ/(1+λ) u uᵀ) Lᵀ,   DOFS ≈ Σ λ/(1+λ)
(Fisher and Courtier, 1995, ECMWF Tech. Memo. 220; Bousserez and Henze, 2018, QJRMS 144, 365).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from tradewind.couplers.operators import LinearOperator
from tradewind.plugins.solvers.variational.krylov import Krylov
from tradewind.plugins.solvers.variational.minimising import Minimum
from tradewind.plugins.solvers.variational.options import Uncertainty, VariationalOptions

BATCH = 64
"""Columns that L is applied to together."""
SINGULAR = 1e-7
"""Ratio of pivots of a Cholesky factor below which rounding decides."""


@dataclass(frozen=True)
class Spread:
    """What is left of the prior's uncertainty.

    Attributes
    ----------
    covariance, averaging_kernel
        S and A, shape ``(n, n)``; None where there is none.
    dofs
        None where it is not known.
    details
        How they were made.
    """

    covariance: Tensor | None = None
    averaging_kernel: Tensor | None = None
    dofs: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def spread(found: Minimum, options: VariationalOptions) -> Spread:
    """Return S, A and DOFS as the options ask for them."""
    root = found.end.problem.root
    way = options.way(root.domain.size)
    if way is Uncertainty.EXACT:
        return _exact(found)
    if way is Uncertainty.LANCZOS and found.krylov is not None:
        return _low_rank(root, found.krylov, options.limit)
    return Spread(details={"covariance": "none"})


def _exact(found: Minimum) -> Spread:
    information, root = found.end.information(), found.end.problem.root
    identity = torch.eye(len(information), dtype=torch.float64)
    factor = torch.linalg.cholesky(identity + information)
    half = torch.linalg.solve_triangular(factor, _rows(root), upper=False)
    covariance = half.T @ half
    # K is known in v: A B = L (I + W)⁻¹ W Lᵀ loses no digits where A is small
    gained = torch.cholesky_solve(information @ _rows(root), factor)
    kernel = _kernel(_rows(root).T @ gained, root)
    dofs = float(torch.cholesky_solve(information, factor).trace())
    return Spread(_symmetric(covariance), kernel, dofs, {"covariance": "exact"})


def _kernel(signal: Tensor, root: LinearOperator) -> Tensor | None:
    """Return A = (A B) B⁻¹; None where B is singular, as members may make it."""
    rows = _rows(root)
    factor, fault = torch.linalg.cholesky_ex(rows.T @ rows)
    pivots = factor.diagonal()
    singular = int(fault) or float(pivots.min()) <= SINGULAR * float(pivots.max())
    return None if singular else torch.cholesky_solve(signal.T, factor).T


def _low_rank(root: LinearOperator, krylov: Krylov, limit: int) -> Spread:
    values, vectors = krylov.eigenpairs()
    share = values / (1.0 + values)
    taken = root.forward(vectors)
    n = root.range.size
    details = {"covariance": f"low rank: {len(values)} Lanczos vectors", "eigenvalues": values.tolist()}
    if n > limit:
        return Spread(dofs=float(share.sum()), details=details)
    rows = _rows(root)
    prior = rows.T @ rows
    covariance = _symmetric(prior - taken.T @ (share[:, None] * taken))
    kernel = _kernel(prior - covariance, root)
    return Spread(covariance, kernel, float(share.sum()), details)


def _rows(root: LinearOperator) -> Tensor:
    """Return Lᵀ, shape ``(p, n)``."""
    identity = torch.eye(root.domain.size, dtype=torch.float64)
    return torch.cat([root.forward(part) for part in torch.split(identity, BATCH)])


def _symmetric(matrix: Tensor) -> Tensor:
    return 0.5 * (matrix + matrix.T)
