"""Departures of an inversion: its observations beside its simulations, before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.couplers.assimilation.departures import USED, Departures

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from tradewind.couplers.assimilation import Observations, ObservationsByWindow
    from tradewind.couplers.coupling.component import Interval

    Array: TypeAlias = NDArray[np.float64]
    Simulated: TypeAlias = Mapping[Interval, Mapping[str, Tensor]]


def departures_of(
    windows: Sequence[Interval],
    observations: ObservationsByWindow,
    simulated: Simulated,
    rejected: Mapping[Interval, Departures] | None = None,
) -> list[Departures]:
    """Return the departures of each window, empty ones included; what the method does not tell is NaN.

    Parameters
    ----------
    simulated
        By window, ``prior`` and ``posterior`` of shape ``(m,)``, as in `Posterior.simulated`.
    rejected
        By window, those that were not used: they come after the others.
    """
    used = [_of(window, observations.get(window), simulated.get(window, {})) for window in windows]
    return [_followed(one, (rejected or {}).get(one.window)) for one in used]


def _followed(used: Departures, rejected: Departures | None) -> Departures:
    if rejected is None:
        return used
    names = ("y", "sigma", "background", "analysis", "background_sigma", "analysis_sigma", "rank", "reason")
    both: dict[str, Any] = {
        name: np.concatenate([getattr(used, name), getattr(rejected, name)]) for name in names
    }
    shared = used.coordinates.keys() & rejected.coordinates.keys()
    where = {name: np.concatenate([used.coordinates[name], rejected.coordinates[name]]) for name in shared}
    return replace(used, coordinates=where, **both)


def _of(window: Interval, seen: Observations | None, simulated: Mapping[str, Tensor]) -> Departures:
    if seen is None:
        nothing = np.zeros(0)
        return Departures(
            window, nothing, nothing, nothing, nothing, nothing, nothing,
            rank=np.zeros(0, dtype=np.int64), reason=np.zeros(0, dtype=str),
        )  # fmt: skip
    m = len(seen)
    unknown = np.full(m, np.nan)
    sides = {name: _numbers(simulated.get(name), m) for name in ("prior", "posterior")}
    variance = None if seen.covariance is None else seen.covariance.diagonal()
    return Departures(
        window, y=_numbers(seen.y, m), sigma=np.sqrt(_numbers(variance, m)),
        background=sides["prior"], analysis=sides["posterior"],
        background_sigma=unknown, analysis_sigma=unknown,
        rank=np.full(m, -1), reason=np.full(m, USED), coordinates=seen.coordinates,
    )  # fmt: skip


def _numbers(values: Tensor | None, m: int) -> Array:
    if values is None:
        return np.full(m, np.nan)
    return np.asarray(values.detach().cpu().numpy(), dtype=np.float64)
