"""What observations say of a linear model, added up: from it every analysis follows without another run.

With K in the space of amplitudes (see `amplitudes`), d = y - F(xA) and R the errors' covariance, these are

    H = KᵀR⁻¹K,   b = KᵀR⁻¹d,   c = dᵀR⁻¹d,   m,

so that (y - F)ᵀR⁻¹(y - F) = c - 2 bᵀ(s - sA) + (s - sA)ᵀH(s - sA) at any amplitude s. K itself is gone
after each batch of rows: memory is O(n² + batch).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tradewind.couplers.assimilation.covariance import Covariance


@dataclass(frozen=True)
class Guess:
    """What is known before: xA, shape ``(n,)``, and Sa."""

    mean: Tensor
    covariance: Covariance


@dataclass(frozen=True)
class Products:
    """Sums over observations, about a reference sA.

    Attributes
    ----------
    hessian
        H, shape ``(n, n)``, symmetric.
    gradient
        b, shape ``(n,)``.
    misfit
        c.
    observations
        m.
    """

    hessian: Tensor
    gradient: Tensor
    misfit: float
    observations: int

    @property
    def size(self) -> int:
        """Number of elements n."""
        return len(self.gradient)

    def cost(self, change: Tensor) -> float:
        """Return ``(y - F)ᵀR⁻¹(y - F)`` at ``sA + change``, of the linear model."""
        return self.misfit + float(change @ (self.hessian @ change) - 2.0 * (self.gradient @ change))

    def gradient_at(self, change: Tensor) -> Tensor:
        """Return b about ``sA + change``: ``b - H change``, shape ``(n,)``."""
        return self.gradient - self.hessian @ change

    def divided(self, slope: Tensor) -> Products:
        """Return what they are for K divided by `slope`, column by column; changes H where it lies."""
        if bool((slope == 1.0).all()):
            return self
        self.hessian.div_(slope[:, None]).div_(slope)
        return Products(self.hessian, self.gradient / slope, self.misfit, self.observations)


def scaled(products: Products, slope: Tensor) -> tuple[Tensor, Tensor]:
    """Return H and b for K times `slope`, column by column: copies, unless all of them are one."""
    if bool((slope == 1.0).all()):
        return products.hessian, products.gradient
    return products.hessian * slope[:, None] * slope, products.gradient * slope


def unit(n: int) -> Tensor:
    """Return n ones."""
    return torch.ones(n, dtype=torch.float64)
