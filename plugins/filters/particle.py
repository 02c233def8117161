"""The particle filter: members are weighed by their likelihood, and resampled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from tradewind.couplers.assimilation import Ensemble, Observations
from tradewind.couplers.ranks.parallel import ordered_sum
from tradewind.plugins.filters.checks import Seen, seen, total
from tradewind.plugins.filters.particle_options import Jitter, ParticleOptions
from tradewind.plugins.filters.transform.applying import transform
from tradewind.plugins.filters.transform.products import blocks, inverse_applied

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Index: TypeAlias = NDArray[np.int64]

MEMORY = "log_weights"
"""Under which weights travel to the next analysis where members were not resampled."""
STREAM = 7
"""Sets these random numbers apart from those of other things with the same seed."""
COLLAPSED = 1.5
"""Effective size up to which one member holds nearly everything."""


class ParticleFilter:
    """Filter ``particle``: sequential importance resampling, global, for small problems.

    Weights ``w_i ∝ w_i exp(-(y - h_i)ᵀR⁻¹(y - h_i)/2)`` follow from what members show; where the effective
    size ``1/Σ w²`` is below `threshold` times N, members are resampled (systematically: Kitagawa, 1996) and
    have equal weights again. Otherwise they stay as they are, and the logarithms of their weights travel in
    the ensemble's memory: means of the members are then not those of the posterior, which is why the
    default is to resample at every analysis. `jitter` adds normal noise of h² times the weighted
    covariance (the regularised filter of Musso et al., 2001). Sums are taken of logarithms, so no weights
    are lost to underflow; weights that are all zero nonetheless change nothing, and are noted.

    Every rank draws and chooses the same; fields and observations may be distributed.
    """

    def __init__(self, options: ParticleOptions | None = None) -> None:
        self.options = options or ParticleOptions()

    def analyse(self, ensemble: Ensemble, observations: Observations) -> Ensemble:
        """Return the analysed ensemble; without any observation, the ensemble as it is.

        The `details` hold ``weights`` (before resampling), ``effective_size``, ``resampled`` and ``notes``.

        Raises
        ------
        SpecError
            Fewer than two members, or members or observations that do not match.
        DataError
            Members, observations or simulations that are not finite, or observations without errors.
        """
        if not total(observations):
            return ensemble
        found = seen(ensemble, observations, "particle")
        weights = _weighed(ensemble, -0.5 * _misfits(found, observations))
        resampled = weights.size < self.options.threshold * ensemble.members
        details = {
            "weights": weights.values, "effective_size": weights.size, "resampled": resampled,
            "notes": weights.notes(),
        }  # fmt: skip
        memory = {k: v for k, v in ensemble.memory.items() if k != MEMORY}
        if not resampled:
            memory[MEMORY] = weights.logarithms
            return replace(ensemble, memory=memory, details={**ensemble.details, **details})
        chosen = self._chosen(ensemble, weights.values)
        return replace(chosen, memory=memory, details={**ensemble.details, **details})

    def _chosen(self, ensemble: Ensemble, weights: Array) -> Ensemble:
        """Return the ensemble resampled, with noise where it is asked for."""
        draw = np.random.default_rng([self.options.seed, ensemble.number, STREAM])
        which = systematic(weights, float(draw.uniform()))
        width = self._width(ensemble)
        if not width:
            index = torch.from_numpy(which)
            fields = {name: field[index] for name, field in ensemble.fields.items()}
            return replace(ensemble, fields=fields, simulated=ensemble.simulated[index])
        mixed = jittered(weights, which, width * draw.standard_normal((len(weights), len(weights))))
        fields = {name: transform(field, mixed) for name, field in ensemble.fields.items()}
        return replace(ensemble, fields=fields, simulated=transform(ensemble.simulated, mixed))

    def _width(self, ensemble: Ensemble) -> float:
        """Return h."""
        if self.options.jitter is None or not isinstance(self.options.jitter, Jitter):
            return self.options.jitter or 0.0
        return musso(ensemble.members, min(_elements(ensemble), ensemble.members - 1))


@dataclass(frozen=True)
class Weights:
    """Weights of members.

    Attributes
    ----------
    logarithms
        Normalised, shape ``(N,)``.
    lost
        Whether all were zero, and the former ones are kept.
    """

    logarithms: Array
    lost: bool

    @property
    def values(self) -> Array:
        """The weights, adding up to 1."""
        return np.asarray(np.exp(self.logarithms))

    @property
    def size(self) -> float:
        """Effective number of members, ``1/Σ w²``."""
        return float(1.0 / np.square(self.values).sum())

    def notes(self) -> tuple[str, ...]:
        """Return what is wrong with them, in words."""
        if self.lost:
            return ("all weights are zero: no member is anywhere near the observations; weights are kept",)
        if self.size > COLLAPSED:
            return ()
        best = int(self.logarithms.argmax())
        held = float(self.values[best])
        return (f"collapsed: member {best} holds {held:.3g} of the weight, effective size {self.size:.3g}",)


def _weighed(ensemble: Ensemble, likelihood: Array) -> Weights:
    """Return the former weights times likelihoods, given as logarithms."""
    members = ensemble.members
    before = np.asarray(ensemble.memory.get(MEMORY, np.full(members, -np.log(members))))
    now = before + likelihood
    highest = now.max()
    if not np.isfinite(highest):
        return Weights(before, lost=True)
    return Weights(now - (highest + np.log(np.exp(now - highest).sum())), lost=False)


def _misfits(found: Seen, observations: Observations) -> Array:
    """Return ``(y - h)ᵀR⁻¹(y - h)`` of every member over the observations of all ranks, shape ``(N,)``."""
    residual = found.innovations[:, None] - found.anomalies
    with np.errstate(over="ignore"):  # an infinite misfit is a weight of zero
        squares = residual * inverse_applied(found, residual, observations)
        parts = {block: squares[rows].sum(axis=0) for block, rows in blocks(observations)}
    if observations.comm is None:
        return np.asarray(sum(parts.values()))
    shared = {block: torch.from_numpy(part) for block, part in parts.items()}
    return np.asarray(ordered_sum(observations.comm, shared).numpy())


def systematic(weights: Array, u: float) -> Index:
    """Return which member stands at each place: member i at ``N w_i`` of them, but for less than one.

    Parameters
    ----------
    weights
        Adding up to 1, shape ``(N,)``.
    u
        In [0, 1).
    """
    members = len(weights)
    edges = np.cumsum(weights)
    places = (u + np.arange(members)) / members * edges[-1]
    found: Index = np.searchsorted(edges, places, side="right").clip(max=members - 1).astype(np.int64)
    return found


def jittered(weights: Array, which: Index, noise: Array) -> Array:
    """Return W, with which ``mean + Σ_i x'_i W_ij`` is the chosen member j plus noise.

    The noise is ``Σ_i sqrt(w_i) (x_i - Σ_k w_k x_k) noise_ij``: of the weighted covariance, times the
    variance of `noise`, shape ``(N, N)``.
    """
    root = np.sqrt(weights)[:, None] * noise
    out = root - weights[:, None] * root.sum(axis=0)
    out[which, np.arange(len(which))] += 1.0
    return np.asarray(out)


def musso(members: int, dimension: int) -> float:
    """Return the width that is best for a normal density (Musso et al., 2001, eq. 12.2.7)."""
    power = 1.0 / (dimension + 4.0)
    return float((4.0 / (dimension + 2.0) / members) ** power)


def _elements(ensemble: Ensemble) -> int:
    """Return how many numbers a member holds on all ranks."""
    elements = 0
    for name, values in ensemble.fields.items():
        layout = ensemble.layouts.get(name)
        cells = values.shape[-1] if layout is None else layout.n_global
        elements += cells * int(np.prod(values.shape[1:-1], dtype=np.int64))
    return elements
