"""Directions of x by what observations say of them: eigenvectors of ``Lᵀ KᵀR⁻¹K L``, with Sa = L Lᵀ.

Along each, the posterior at any weight w of the observations is in closed form, so that many analyses take
one decomposition. The leading ones alone give an approximation of low rank (Spantini and others, 2015, doi
10.1137/140977308), found by random projections (Halko, Martinsson and Tropp, 2011, doi 10.1137/090771806,
algorithms 4.4 and 5.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tradewind.couplers.assimilation.covariance import Covariance
from tradewind.plugins.solvers.inversion.roots import Root, symmetric

PASSES = 3
"""Times that the random subspace is multiplied by the matrix before it is used."""
ROUNDING = 1e-13


@dataclass(frozen=True)
class Sketch:
    """How many directions are found, and how.

    Attributes
    ----------
    rank
        Directions that are kept.
    oversampling
        Further directions that are looked for, to find those well.
    seed
        Of the random projections.
    """

    rank: int
    oversampling: int = 10
    seed: int = 0


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues and eigenvectors of ``Lᵀ KᵀR⁻¹K L``, and ``Lᵀ KᵀR⁻¹d`` among them.

    Attributes
    ----------
    root
        L.
    values
        Ascending, none negative, shape ``(r,)``; those that are left out count as zero.
    vectors
        Shape ``(n, r)``.
    along
        ``Vᵀ Lᵀ KᵀR⁻¹d``, shape ``(r,)``.
    rest
        What of ``Lᵀ KᵀR⁻¹d`` no vector takes up, shape ``(n,)``.
    """

    root: Root
    values: Tensor
    vectors: Tensor
    along: Tensor
    rest: Tensor

    def increment(self, weight: float) -> Tensor:
        """Return xhat - xA, shape ``(n,)``."""
        return self.root.forward(self.vectors @ self._scaled(weight) + weight * self.rest)

    def prior_cost(self, weight: float) -> float:
        """Return ``(xhat - xA)ᵀSa⁻¹(xhat - xA)``."""
        return float(self._scaled(weight).square().sum() + (weight * self.rest).square().sum())

    def dofs(self, weight: float) -> float:
        """Return tr A."""
        return float(self._gained(weight).sum())

    def covariance(self, weight: float) -> Tensor:
        """Return S, shape ``(n, n)``."""
        identity = torch.eye(len(self.vectors), dtype=torch.float64)
        identity -= (self.vectors * self._gained(weight)) @ self.vectors.T
        return self.root.outward(identity)

    def kernel_factors(self, weight: float) -> tuple[Tensor, Tensor]:
        """Return B and C, shape ``(n, r)`` each, with the averaging kernel ``A = I - S Sa⁻¹ = B Cᵀ``."""
        spread = self.root.forward(self.vectors.T.contiguous())
        return spread.T * self._gained(weight), self.root.prior.solve(spread).T

    def _scaled(self, weight: float) -> Tensor:
        return weight * self.along / (1.0 + weight * self.values)

    def _gained(self, weight: float) -> Tensor:
        return weight * self.values / (1.0 + weight * self.values)


def spectrum(hessian: Tensor, gradient: Tensor, prior: Covariance, sketch: Sketch | None = None) -> Spectrum:
    """Return the spectrum of KᵀR⁻¹K ``(n, n)`` and KᵀR⁻¹d ``(n,)``; all of it without a sketch."""
    root = Root(prior)
    if sketch is None:
        values, vectors = torch.linalg.eigh(root.inward(hessian))
    else:
        values, vectors = _leading(hessian, root, sketch)
    inner = root.adjoint(gradient)
    along = vectors.T @ inner
    rest = inner - vectors @ along if vectors.shape[1] < len(vectors) else torch.zeros_like(inner)
    return Spectrum(root, values.clamp(min=0.0), vectors, along, rest)


def _leading(hessian: Tensor, root: Root, sketch: Sketch) -> tuple[Tensor, Tensor]:
    """Return the largest eigenvalues, ascending, and their vectors, of an approximation from below.

    With Q a random subspace that was multiplied by N a few times, that is ``N Q (Qᵀ N Q)⁺ (N Q)ᵀ``, which
    never exceeds N (Nyström's; Halko and others, algorithm 5.5): no more is gained than there is.
    """
    n = len(hessian)
    rank, wide = min(sketch.rank, n), sketch.rank + sketch.oversampling
    if wide >= n:
        values, vectors = torch.linalg.eigh(root.inward(hessian))
        return values[-rank:], vectors[:, -rank:]
    generator = torch.Generator().manual_seed(sketch.seed)
    basis = torch.randn(n, wide, generator=generator, dtype=torch.float64)
    for _ in range(PASSES):
        basis = torch.linalg.qr(_times(hessian, root, basis))[0]
    image = _times(hessian, root, basis)
    within, turned = torch.linalg.eigh(symmetric(basis.T @ image))
    known = within > ROUNDING * within[-1]
    half = (image @ turned[:, known]) / within[known].sqrt()
    vectors, lengths, _ = torch.linalg.svd(half, full_matrices=False)
    return lengths[:rank].square().flip(0), vectors[:, :rank].flip(1)


def _times(hessian: Tensor, root: Root, columns: Tensor) -> Tensor:
    """Return ``Lᵀ H L`` times columns, shape ``(n, k)``."""
    return root.adjoint(root.forward(columns.T.contiguous()) @ hessian).T
