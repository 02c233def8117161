"""Vertical mixing: strong in the boundary layer, weak above, implicit and exactly conserving."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tradewind.plugins.transport.domain import SCALE_HEIGHT, Domain


@dataclass(frozen=True)
class Mixing:
    """Eddy diffusion of the mixing ratio between layers.

    Attributes
    ----------
    depth
        Depth of the boundary layer, m.
    inside, above
        Eddy diffusivity within the boundary layer and above it, m2 s-1.
    """

    depth: float = 1000.0
    inside: float = 50.0
    above: float = 1.0

    def matrix(self, domain: Domain, seconds: float) -> Tensor:
        """Return the matrix that takes tracer masses over `seconds`, shape ``(layer, layer)``.

        Backward Euler on dm_k/dt = sum of exchanges, with mixing ratio m_k / thickness_k. Its columns
        sum to one (mass) and its entries are non-negative (the inverse of an M-matrix), for any step.
        """
        difference = torch.eye(domain.layers, dtype=torch.float64).diff(dim=0)
        laplacian = difference.T @ (self._exchange(domain)[:, None] * difference)
        implicit = torch.eye(domain.layers, dtype=torch.float64) + seconds * laplacian / domain.thickness
        inverse = torch.linalg.inv(implicit)
        matrix: Tensor = inverse / inverse.sum(0)
        return matrix

    def _exchange(self, domain: Domain) -> Tensor:
        """Return the fraction of a column's air exchanged between neighbours, s-1, ``(layer - 1,)``."""
        height = domain.height
        interface = torch.tensor(domain.sigma[1:-1], dtype=torch.float64)
        between = 0.5 * (height[1:] + height[:-1])
        diffusivity = torch.where(between < self.depth, self.inside, self.above)
        # density times K over distance, as a share of the column: rho = sigma p / (g H)
        return diffusivity * interface / (SCALE_HEIGHT * height.diff())


def mix(matrix: Tensor, tracer: Tensor) -> Tensor:
    """Apply the mixing matrix, shape ``(layer, layer)``, to tracer masses of shape ``(..., layer, cell)``."""
    return torch.matmul(matrix, tracer)
