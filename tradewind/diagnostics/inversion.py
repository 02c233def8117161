"""Departures of an inversion: its observations beside its simulations, before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

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
    windows: Sequence[Interval], observations: ObservationsByWindow, simulated: Simulated
) -> list[Departures]:
    """Return the departures of each window, empty ones included; what the method does not tell is NaN.

    Parameters
    ----------
    simulated
        By window, ``prior`` and ``posterior`` of shape ``(m,)``, as in `Posterior.simulated`.
    """
    return [_of(window, observations.get(window), simulated.get(window, {})) for window in windows]


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
