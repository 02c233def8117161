"""An analysis with one set of weights for everything that the ensemble holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from tradewind.couplers.assimilation import Ensemble, Observations
from tradewind.plugins.filters import inflation as inflating
from tradewind.plugins.filters.checks import Seen, notes, seen, total
from tradewind.plugins.filters.inflation import MEMORY, NONE, Method
from tradewind.plugins.filters.options import FilterOptions
from tradewind.plugins.filters.perturbations import perturbations
from tradewind.plugins.filters.transform.applying import transform
from tradewind.plugins.filters.transform.products import inverse_applied, products
from tradewind.plugins.filters.transform.weights import How, Kind, weigh

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]


class Sums(NamedTuple):
    """What all observations say, in the space of members.

    Attributes
    ----------
    g, b
        Z R⁻¹ Zᵀ ``(N, N)`` and Z R⁻¹ d ``(N,)``.
    e
        Z R⁻¹ ε ``(N, N)`` of perturbed observations.
    squares
        dᵀ R⁻¹ d.
    m
        Number of observations.
    """

    g: Array
    b: Array
    e: Array
    squares: float
    m: int


def analysed(
    ensemble: Ensemble, observations: Observations, method: Method, options: FilterOptions
) -> Ensemble:
    """Return the analysed ensemble; without any observation, the ensemble as it is.

    Collective where ranks share observations.

    Raises
    ------
    SpecError, DataError
        As `checks.seen` says.
    """
    m = total(observations)
    if not m:
        return ensemble
    found = seen(ensemble, observations, method.name)
    how = inflating.how(method, ensemble.members, options, ensemble.number)
    sums = summed(found, observations, m, how, options.seed, ensemble.number)
    factor, memory = adapted(sums, ensemble.memory, options)
    weights = weighed(sums, how.prior / factor, how)
    return finished(ensemble, weights, options, memory, notes(ensemble, found))


def finished(
    ensemble: Ensemble,
    weights: Array,
    options: FilterOptions,
    memory: Mapping[str, Any],
    said: tuple[str, ...],
) -> Ensemble:
    """Return the ensemble with one set of weights applied to everything."""
    spread = inflating.spread(options.inflation)
    return replace(
        ensemble,
        fields={name: transform(field, weights, spread) for name, field in ensemble.fields.items()},
        simulated=transform(ensemble.simulated, weights, spread),
        memory=memory,
        details={**ensemble.details, "notes": said, **{k: v for k, v in memory.items() if k == MEMORY}},
    )


def summed(found: Seen, observations: Observations, m: int, how: How, seed: int, number: int) -> Sums:
    """Return the sums over the observations of all ranks; collective where they share them."""
    n = found.anomalies.shape[1]
    right = [found.anomalies, found.innovations[:, None]]
    left = inverse_applied(found, np.concatenate(right, axis=1), observations)
    if how.kind == Kind.PERTURBED:
        right.append(perturbations(found, observations, seed, number))
    all_sums = products(left, np.concatenate(right, axis=1), observations)
    e = np.ascontiguousarray(all_sums[:n, n + 1 :]) if how.kind == Kind.PERTURBED else NONE
    return Sums(np.ascontiguousarray(all_sums[:n, :n]), all_sums[:n, n].copy(), e, float(all_sums[n, n]), m)


def adapted(sums: Sums, memory: Mapping[str, Any], options: FilterOptions) -> tuple[float, Mapping[str, Any]]:
    """Return the factor on the forecast variance, and the memory with the factor of the next analysis."""
    adaptive = options.inflation.adaptive
    if adaptive is None:
        return 1.0, memory
    factor = float(memory.get(MEMORY, adaptive.initial))
    variance = float(np.trace(sums.g)) / (len(sums.b) - 1)
    following = inflating.learnt(
        factor, (sums.squares, variance, float(sums.m)), inflating.learning(adaptive)
    )
    return factor, {**memory, MEMORY: following}


def weighed(sums: Sums, prior: float, how: How) -> Array:
    """Return W, shape ``(N, N)``."""
    if not len(how.basis):
        return weigh(sums.g.copy(), sums.b, sums.e, prior, how)
    basis = how.basis
    return weigh(basis.T @ sums.g @ basis, basis.T @ sums.b, sums.e, prior, how)
