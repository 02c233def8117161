"""The ensemble transform Kalman filter, deterministic, with a symmetric square root."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tradewind.couplers.assimilation import Ensemble, Observations
from tradewind.couplers.assimilation.covariance import Covariance
from tradewind.couplers.ranks.parallel import tree_sum
from tradewind.errors import DataError, SpecError
from tradewind.plugins.filters.options import ETKFOptions


class ETKF:
    """Filter ``etkf``: Bishop et al. (2001), as in Hunt et al. (2007, doi 10.1016/j.physd.2006.11.008).

    With N members, perturbations X' and Y' = (H x)', d = y - mean(H x), and inflation f:

        P = ((N - 1)/f² I + Y'ᵀR⁻¹Y')⁻¹,  w = P Y'ᵀR⁻¹d,  W = ((N - 1) P)^½,  xa = mean(x) + X'(w + W)

    The filter is global: every observation touches every cell, there is no localisation yet, so an
    ensemble should have more members than the observations have degrees of freedom. The weights come from
    `Ensemble.simulated` and observations that all ranks hold, and are applied cell by cell: fields may be
    distributed, and bits do not depend on the ranks.
    """

    def __init__(self, options: ETKFOptions | None = None) -> None:
        self.options = options or ETKFOptions()

    def analyse(self, ensemble: Ensemble, observations: Observations) -> Ensemble:
        """Return the analysed ensemble; without observations, the ensemble as it is.

        Fields have shape ``(member, *extra, cell)`` and may have no cell on this rank. `simulated` is
        analysed with the same weights.

        Raises
        ------
        SpecError
            Fewer than two members, or members or observations that do not match.
        DataError
            Observations or simulations that are not finite, or without errors.
        """
        if not len(observations):
            return ensemble
        covariance = _checked(ensemble, observations)
        weights = self._weights(ensemble.simulated, observations.y, covariance)
        analysed = {name: transform(field, weights) for name, field in ensemble.fields.items()}
        return replace(ensemble, fields=analysed, simulated=transform(ensemble.simulated, weights))

    def _weights(self, simulated: Tensor, y: Tensor, covariance: Covariance) -> Tensor:
        """Return w + W, shape ``(N, N)``: column j holds the weights of analysed member j."""
        members, mean = len(simulated), _mean(simulated)
        perturbations = simulated - mean
        weighted = covariance.solve(perturbations)
        prior = (members - 1) / self.options.inflation**2 * torch.eye(members, dtype=torch.float64)
        values, vectors = torch.linalg.eigh(prior + weighted @ perturbations.T)
        w: Tensor = (vectors / values) @ vectors.T @ (weighted @ (y - mean))
        root: Tensor = (vectors * ((members - 1) / values).sqrt()) @ vectors.T
        return w[:, None] + root


def transform(field: Tensor, weights: Tensor) -> Tensor:
    """Return ``mean + Σ_i (x_i - mean) weights_ij`` for each member j, shape as `field`.

    Only elementwise operations: a matrix product's bits would depend on how many cells this rank holds.
    """
    mean = _mean(field)
    shape = (-1, *[1] * (field.ndim - 1))
    out = mean.expand_as(field)
    for perturbation, row in zip(field - mean, weights, strict=True):
        out = out + row.reshape(shape) * perturbation
    return out


def _mean(field: Tensor) -> Tensor:
    return tree_sum(field) / len(field)


def _checked(ensemble: Ensemble, observations: Observations) -> Covariance:
    """Return the observations' covariance, once everything fits together."""
    members, m = len(ensemble.simulated), len(observations)
    if members < 2:
        raise SpecError(f"{members} member(s) have no spread", where="etkf", hint="run two or more")
    if ensemble.simulated.shape != (members, m):
        what = f"simulated has shape {tuple(ensemble.simulated.shape)} for {m} observations"
        raise SpecError(what, where="etkf", hint="give (member, m)")
    for name, field in ensemble.fields.items():
        if len(field) != members:
            raise SpecError(f"{len(field)} members, simulated has {members}", where=f"etkf, field {name!r}")
    for name, values in (("observation", observations.y), ("simulation", ensemble.simulated)):
        _refuse_nan(values, name)
    if observations.covariance is None or observations.covariance.size != m:
        raise DataError(f"{m} observations lack their errors", where="etkf")
    return observations.covariance


def _refuse_nan(values: Tensor, what: str) -> None:
    bad = ~torch.isfinite(values)
    if bool(bad.any()):
        index = ", ".join(str(int(i)) for i in bad.nonzero()[0])
        raise DataError(
            f"{what} [{index}] is {float(values[bad][0])}", where="etkf", hint="remove or mend it"
        )
