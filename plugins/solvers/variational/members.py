"""A background covariance made of members: drawn or read, localised, and its root.

    B = beta_s² Sa + beta_e² C ∘ (X' X'ᵀ),   L (v, α) = beta_s L_s v + beta_e Σ_k x'_k ∘ (C^{1/2} α_k)

with x'_k the deviation of member k over √(N - 1) and C the localisation (Lorenc, 2003, QJRMS 129, 3183;
Wang et al., 2007, Mon. Wea. Rev. 135, 1055).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from tradewind.couplers.assimilation import Control
from tradewind.couplers.assimilation.control.draws import perturbations
from tradewind.couplers.assimilation.places import from_straight, positions
from tradewind.couplers.operators import LinearOperator, Replicated
from tradewind.errors import DataError, SpecError
from tradewind.plugins.solvers.smoothers.localisation import gaspari_cohn
from tradewind.plugins.solvers.smoothers.options import LocalisationOptions
from tradewind.plugins.solvers.variational.options import EnVarOptions

NEGLIGIBLE = 1e-12
"""Eigenvalues of C below this part of the largest are left out: on a sphere some are negative."""


class MembersRoot(LinearOperator):
    """``Σ_k a_k ∘ (T α_k)``: from weights of members to what they span.

    Parameters
    ----------
    anomalies
        a, shape ``(member, k)``.
    taper
        T, shape ``(k, q)``; ones of shape ``(k, 1)`` where nothing is localised.
    """

    def __init__(self, anomalies: Tensor, taper: Tensor) -> None:
        self.anomalies, self.taper = anomalies, taper
        self.domain = Replicated(len(anomalies) * taper.shape[1])
        self.range = Replicated(anomalies.shape[1])

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum over members, shape ``(..., k)``."""
        self.check(x, self.domain)
        alpha = x.reshape(*x.shape[:-1], len(self.anomalies), self.taper.shape[1])
        return ((alpha @ self.taper.T) * self.anomalies).sum(-2)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``Tᵀ (a_k ∘ y)`` of every member, shape ``(..., member * q)``."""
        self.check(y, self.range)
        return ((y[..., None, :] * self.anomalies) @ self.taper).flatten(-2)


class BesideOperator(LinearOperator):
    """``A x₁ + B x₂``: two operators side by side, on one vector after the other."""

    def __init__(self, left: LinearOperator, right: LinearOperator) -> None:
        self.left, self.right = left, right
        self.domain = Replicated(left.domain.size + right.domain.size)
        self.range = left.range

    def forward(self, x: Tensor) -> Tensor:
        """Return ``A x₁ + B x₂``."""
        self.check(x, self.domain)
        n = self.left.domain.size
        return self.left.forward(x[..., :n]) + self.right.forward(x[..., n:])

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``(Aᵀ y, Bᵀ y)``."""
        return torch.cat([self.left.adjoint(y), self.right.adjoint(y)], dim=-1)


class ScaledOperator(LinearOperator):
    """``f A``, with f a number."""

    def __init__(self, factor: float, operator: LinearOperator) -> None:
        self.factor, self.operator = factor, operator
        self.domain, self.range = operator.domain, operator.range

    def forward(self, x: Tensor) -> Tensor:
        """Return ``f A x``."""
        return self.factor * self.operator.forward(x)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``f Aᵀ y``."""
        return self.factor * self.operator.adjoint(y)


def deviations(control: Control, options: EnVarOptions) -> Tensor:
    """Return the members about their mean, shape ``(member, n)``.

    Raises
    ------
    DataError
        A file that does not fit the control.
    """
    if options.file is None:
        drawn = perturbations(control, range(options.members), options.seed)
    else:
        drawn = _read(options.file, len(control.prior))
    return drawn - drawn.mean(0)


def _read(path: Path, n: int) -> Tensor:
    import xarray as xr

    try:
        with xr.open_dataset(path) as ds:
            values = np.asarray(ds["x"].values, dtype=np.float64)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"no members can be read: {error}", where=str(path)) from error
    if values.ndim != 2 or values.shape[1] != n or len(values) < 2:
        what = f"x has shape {values.shape}, the control {n} elements"
        raise DataError(what, where=str(path), hint="x (member, element), two members or more")
    if not np.isfinite(values).all():
        raise DataError(f"member {int(np.argmin(np.isfinite(values).all(1)))} is not finite", where=str(path))
    return torch.from_numpy(values)


def localisation_root(control: Control, options: LocalisationOptions | None) -> Tensor:
    """Return T with ``T Tᵀ = C`` between the control's elements, shape ``(n, q)``.

    Raises
    ------
    SpecError
        Elements without a place.
    """
    if options is None:
        return torch.ones(len(control.prior), 1, dtype=torch.float64)
    longitude, latitude = control.places
    if not (np.isfinite(longitude) & np.isfinite(latitude)).all():
        raise SpecError(
            "some elements of the control have no place", where="envar, localisation", hint="leave it out"
        )
    points = positions(longitude, latitude, options.distance)
    near = from_straight(cdist(points, points), options.distance) / options.radius
    values, vectors = torch.linalg.eigh(torch.from_numpy(gaspari_cohn(near)))
    kept = values > NEGLIGIBLE * values[-1]
    root = vectors[:, kept] * values[kept].sqrt()
    # what was left out is given back to the variances, which localisation does not change
    out: Tensor = root / torch.linalg.vector_norm(root, dim=1, keepdim=True)
    return out


def nearest(control: Control, places: tuple[np.ndarray, np.ndarray], options: LocalisationOptions) -> Tensor:
    """Return the element nearest to each of m places, shape ``(m,)``.

    Parameters
    ----------
    places
        Longitude and latitude, degrees, shape ``(m,)``.
    """
    elements = positions(control.places[0], control.places[1], options.distance)
    points = positions(places[0], places[1], options.distance)
    return torch.from_numpy(cdist(points, elements).argmin(axis=1))
