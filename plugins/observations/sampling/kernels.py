"""Averaging kernels: from layers of a model to what a retrieval makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy import sparse

from tradewind.couplers.assimilation.observing import Observed
from tradewind.couplers.coupling.units import convertible, factor
from tradewind.errors import ConfigError
from tradewind.plugins.observations.options import RetrievalOptions
from tradewind.plugins.observations.reading.quality import Sieve
from tradewind.plugins.observations.reading.soundings import Soundings
from tradewind.plugins.observations.sampling.levels import (
    are_fractions,
    between_levels,
    coordinates_of,
    interfaces_of,
    only_levels,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]

AMOUNT, PRESSURE = "mol m-2", "Pa"
AT_ONCE = 65536
"""Retrievals whose layers are laid over the model's at once: a table of layers by layers for each."""
SUM = 1e-3
"""By how much pressure weights may miss a sum of 1: what files round."""


@dataclass(frozen=True)
class Retrievals:
    """What retrievals make of a model's layers: ``X = Σ_l layers_l c_l + constant``.

    Attributes
    ----------
    layers
        Shape ``(m, level)``.
    constant
        Shape ``(m,)``, in the model's units.
    """

    layers: Array
    constant: Array

    def take(self, which: Flags) -> Retrievals:
        """Return those of some observations."""
        return Retrievals(self.layers[which], self.constant[which])


def retrievals(sieve: Sieve, observed: Observed, options: RetrievalOptions) -> Retrievals:
    """Return what each observation makes of the layers; drops those whose weights do not sum to 1.

    With pressure weights h, kernel AK and prior a: layers h AK, constant ``Σ_l h_l (1 - AK_l) a_l``. Where
    weights are sub-columns d of dry air (mol m-2), ``h = d / Σ d``, and a prior in mol m-2 is a/d.

    Raises
    ------
    ConfigError
        When the layers are others than the model's and no pressures tell which.
    UnitsError
        A prior in other units.
    """
    amounts = convertible(sieve.kept.units["weights"] or "1", AMOUNT)
    total = sieve.kept.more["weights"].sum(axis=-1)
    off = (total <= 0) if amounts else (np.abs(total - 1.0) > SUM)
    sieve.drop("its pressure weights do not sum to 1", off)
    if "edges" in sieve.kept.more:
        steps = np.diff(sieve.kept.more["edges"], axis=-1)
        ordered = (steps > 0).all(axis=-1) | (steps < 0).all(axis=-1)
        sieve.drop("its pressures neither rise nor fall throughout", np.asarray(~ordered))
    read = sieve.kept
    weights = read.more["weights"] / (read.more["weights"].sum(axis=-1, keepdims=True) if amounts else 1.0)
    kernel = read.more.get("averaging kernel", np.ones(weights.shape))
    prior = _prior(read, observed.variable.units)
    seen = weights * kernel
    own = options.pressure is None and options.edges is None
    layers = seen if own else _on_layers(seen, read, observed, options)
    if layers.shape[1:] != (only_levels(observed),):
        what = f"retrievals have {layers.shape[1]} layers, {observed.port} has {observed.extra[0]}"
        raise ConfigError(what, hint="name the `pressure` of the retrieval's layers, and give `levels`")
    return Retrievals(layers, (weights * (1.0 - kernel) * prior).sum(axis=-1))


def _prior(read: Soundings, units: str) -> Array:
    values: Mapping[str, Array] = read.more
    if "prior" not in values:
        return np.zeros(values["weights"].shape)
    if convertible(read.units["prior"], AMOUNT):
        air = values["weights"] * factor(read.units["weights"], AMOUNT)
        fraction = values["prior"] * factor(read.units["prior"], AMOUNT) / air
        return np.asarray(fraction * factor("mol mol-1", units))
    return np.asarray(values["prior"] * factor(read.units["prior"], units))


def _on_layers(seen: Array, read: Soundings, observed: Observed, options: RetrievalOptions) -> Array:
    """Return the weights of the model's layers, ``(m, level)``, of weights of the retrieval's."""
    levels = coordinates_of(observed, options.levels)
    if options.edges is None:
        return _at_pressures(seen, _coordinates(read, "pressure", levels), levels)
    edges, interfaces = _coordinates(read, "edges", levels), interfaces_of(observed, options.levels)
    if edges.shape[1] != seen.shape[1] + 1:
        what = f"{edges.shape[1]} pressures between {seen.shape[1]} layers"
        raise ConfigError(what, hint="`edges` are one more than layers")
    if interfaces is None:
        return _at_pressures(seen, 0.5 * (edges[:, 1:] + edges[:, :-1]), levels)
    parts = [slice(k, k + AT_ONCE) for k in range(0, len(seen), AT_ONCE)]
    found = [_overlapping(seen[part], edges[part], interfaces) for part in parts]
    return np.concatenate(found) if found else np.zeros((0, len(levels)))


def _coordinates(read: Soundings, name: str, levels: Array) -> Array:
    """Return a retrieval's pressures in the coordinate of the model's levels.

    Raises
    ------
    ConfigError
        When these are fractions of the pressure at the ground, and this is not told.
    """
    pressure, units = read.more[name], read.units[name]
    if not are_fractions(levels) or not convertible(units or "1", PRESSURE):
        return pressure
    if "surface pressure" not in read.more:
        what = "the model's levels are fractions of the pressure at the ground"
        raise ConfigError(what, hint="name it: `surface_pressure`")
    ground = read.more["surface pressure"] * factor(read.units["surface pressure"], units)
    return np.asarray(pressure / ground[:, None])


def _at_pressures(seen: Array, pressure: Array, levels: Array) -> Array:
    """Return weights where the model's profile is linear between its levels, and constant beyond them."""
    wanted = np.clip(pressure.reshape(-1), levels.min(), levels.max())
    count = seen.shape[1]
    bounds = np.arange(0, seen.size + 1, count)
    sums = sparse.csr_array((seen.reshape(-1), np.arange(seen.size), bounds), shape=(len(seen), seen.size))
    return np.asarray((sums @ between_levels(levels, wanted)).toarray())


def _overlapping(seen: Array, edges: Array, interfaces: Array) -> Array:
    """Return weights where the model's layers are well mixed: each by its share of the retrieval's.

    The outermost layers reach as far as the retrieval's do.
    """
    low, high = (np.sort(np.stack([edges[:, 1:], edges[:, :-1]]), axis=0)[k][..., None] for k in (0, 1))
    below, above = np.minimum(interfaces[1:], interfaces[:-1]), np.maximum(interfaces[1:], interfaces[:-1])
    below = np.where(below == below.min(), -np.inf, below)
    above = np.where(above == above.max(), np.inf, above)
    shared = np.clip(np.minimum(high, above) - np.maximum(low, below), 0.0, None)
    return np.asarray(np.einsum("mr,mrl->ml", seen, shared / (high - low)))
