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
from tradewind.plugins.observations.sampling.levels import between_levels, coordinates_of, only_levels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]

AMOUNT = "mol m-2"
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
    read = sieve.kept
    weights = read.more["weights"] / (read.more["weights"].sum(axis=-1, keepdims=True) if amounts else 1.0)
    kernel = read.more.get("averaging kernel", np.ones(weights.shape))
    prior = _prior(read, observed.variable.units)
    seen = weights * kernel
    layers = seen if options.pressure is None else _on_layers(seen, read.more["pressure"], observed, options)
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


def _on_layers(seen: Array, pressure: Array, observed: Observed, options: RetrievalOptions) -> Array:
    """Return the weights of the model's layers, ``(m, level)``, of weights of the retrieval's.

    The model's profile is linear in pressure between its levels, and constant beyond them.
    """
    levels = coordinates_of(observed, options.levels)
    wanted = np.clip(pressure.reshape(-1), levels.min(), levels.max())
    count = seen.shape[1]
    bounds = np.arange(0, seen.size + 1, count)
    sums = sparse.csr_array((seen.reshape(-1), np.arange(seen.size), bounds), shape=(len(seen), seen.size))
    return np.asarray((sums @ between_levels(levels, wanted)).toarray())
