"""Vertical mixing: strong in the boundary layer, weak above, implicit and exactly conserving."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tradewind.plugins.transport.domain import Domain


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
        exchange = self._exchange(domain)
        laplacian = torch.diag_embed(torch.zeros(domain.layers, dtype=torch.float64))
        for k, rate in enumerate(exchange):
            laplacian[k, k] += rate
            laplacian[k + 1, k + 1] += rate
            laplacian[k, k + 1] -= rate
            laplacian[k + 1, k] -= rate
        implicit = torch.eye(domain.layers, dtype=torch.float64) + seconds * laplacian / domain.thickness
        inverse = torch.linalg.inv(implicit)
        return inverse / inverse.sum(0)

    def _exchange(self, domain: Domain) -> Tensor:
        """Return the fraction of a column's air exchanged between neighbours, s-1, ``(layer - 1,)``."""
        interface = domain.sigma[1:-1]
        heights = domain.height
        gap = heights.diff()
        scale = torch.tensor(interface, dtype=torch.float64)
        z = 0.5 * (heights[1:] + heights[:-1])
        diffusivity = torch.where(z < self.depth, self.inside, self.above)
        # density times K over distance, as a share of the column: rho = sigma p / (g H)
        return diffusivity * scale / (7_500.0 * gap)


def mix(matrix: Tensor, tracer: Tensor) -> Tensor:
    """Apply the mixing matrix to tracer masses of shape ``(..., layer, lat, lon)``."""
    return torch.einsum("kl,...lyx->...kyx", matrix, tracer)
