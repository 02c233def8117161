"""Operator ``digital-filter``: a weak constraint on fast oscillations within a window.

    d = Σ_k w_k x_k - x_mid,   J_c = weight * |d|²  (the cost is without the factor 1/2)

over the states x_k of a window, from its start to its end, with the weights of Dolph and Chebyshev (Lynch,
1997, Mon. Wea. Rev. 125, 655, doi 10.1175/1520-0493(1997)125<0655:TDCWAS>2.0.CO;2); as a penalty of 4D-Var
after Gauthier and Thépaut (2001, Mon. Wea. Rev. 129, 2089).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from scipy import sparse

from tradewind.couplers.assimilation import LinearLook, Looks, Observations, ObservationsByWindow
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.assimilation.observing import Observed
from tradewind.couplers.assimilation.sampling import SamplingOperator
from tradewind.couplers.coupling.component import Interval
from tradewind.errors import ConfigError
from tradewind.plugins.observations.digital_filter_options import DigitalFilterOptions
from tradewind.plugins.observations.timing.windows import refuse_other_calendar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

WHERE = "digital-filter"


def dolph_chebyshev(half: int, angle: float) -> Array:
    """Return the weights ``w_n``, n = -M ... M, whose sum is 1: shape ``(2 M + 1,)``.

        w_n = (1 + 2 Σ_{m=1}^{M} R(cos(π m / N)) cos(2 π n m / N)) / N,   N = 2 M + 1,
        R(c) = T_{2M}(c / s) / T_{2M}(1 / s),   s = cos(θ_s / 2)

    with T Chebyshev polynomials (Lynch, 1997, eqs. 7 to 10). They are scaled by sᵏ, so that nothing
    overflows: at θ_s = π, R(c) is c²ᴹ and the weights are binomial.

    Parameters
    ----------
    half
        M.
    angle
        θ_s, 2 π times the step over the cut-off period, in (0, π].
    """
    size = 2 * half + 1
    m, n = np.arange(1, half + 1), np.arange(-half, half + 1)
    response = _scaled(half, angle, np.cos(np.pi * m / size)) / _scaled(half, angle, np.ones(1))
    out: Array = (1.0 + 2.0 * np.cos(2.0 * np.pi * np.outer(n, m) / size) @ response) / size
    return out


def _scaled(half: int, angle: float, c: Array) -> Array:
    """Return ``sᵏ T_k(c / s)`` for k = 2 M, shape as `c`."""
    s = math.cos(0.5 * angle)
    before, now = np.ones_like(c), c
    for _ in range(2 * half - 1):
        before, now = now, 2.0 * c * now - s * s * before
    return now


class DigitalFilter:
    """Pseudo-observations of zero: how far the middle state of a window is from the filtered one.

    Parameters
    ----------
    options
        Cut-off and weight.
    observed
        A state variable, which has a value as a window begins.

    Attributes
    ----------
    observes
        The filtered ``component.variable``.

    Raises
    ------
    ConfigError
        A variable that is no state, or a cut-off of less than two steps.
    """

    def __init__(self, options: DigitalFilterOptions, observed: Observed) -> None:
        self.options, self.observed, self.observes = options, observed, (observed.port,)
        if not observed.initial:
            what = f"{observed.port} is no state variable, and has no value as a window begins"
            raise ConfigError(what, where=WHERE, hint="filter a state variable")
        if options.cutoff < 2 * observed.step:
            what = f"a cut-off of {options.cutoff}, but steps of {observed.step}"
            raise ConfigError(what, where=WHERE, hint="periods of less than two steps cannot be seen")

    def windows(self, windows: Sequence[Interval]) -> ObservationsByWindow:
        """Return zeros for all cells of every window, with variances 1/weight.

        Raises
        ------
        ConfigError
            Windows without a middle state, or of a calendar that observations cannot have.
        """
        refuse_other_calendar(windows, WHERE)
        return {window: self._zeros(window) for window in windows if self._half(window)}

    def looks(self, window: Interval) -> Looks:
        """Return one look at each state: all cells times its weight, the middle one less itself."""
        half = self._half(window)
        weights = dolph_chebyshev(half, 2.0 * math.pi * (self.observed.step / self.options.cutoff))
        weights[half] -= 1.0
        cells = sparse.eye_array(self._size, format="csr")
        times = [window.start + k * self.observed.step for k in range(2 * half + 1)]
        return {
            (self.observed.port, time): LinearLook(
                SamplingOperator(sparse.csr_array(w * cells), self.observed.layout, self.observed.extra)
            )
            for time, w in zip(times, weights, strict=True)
        }

    def offset(self, window: Interval) -> torch.Tensor:
        """Return zeros: nothing is added."""
        return torch.zeros(self._size, dtype=torch.float64)

    @property
    def _size(self) -> int:
        return math.prod(self.observed.extra) * self.observed.layout.n_global

    def _half(self, window: Interval) -> int:
        """Return M: as many steps before the middle of a window as after it."""
        length = window.stop - window.start
        half, rest = divmod(length, 2 * self.observed.step)
        if rest or not half:
            what = f"a window of {length} has no middle state in steps of {self.observed.step}"
            raise ConfigError(what, where=WHERE, hint="an even number of steps")
        return half

    def _zeros(self, window: Interval) -> Observations:
        grid, copies = self.observed.layout.grid, math.prod(self.observed.extra)
        middle = np.datetime64(window.start + (window.stop - window.start) / 2, "ns")
        coordinates = {
            "time": np.full(self._size, middle),
            "latitude": np.tile(grid.lat, copies),
            "longitude": np.tile(grid.lon, copies),
        }
        variance = torch.full((self._size,), 1.0 / self.options.weight, dtype=torch.float64)
        return Observations(self.offset(window), DiagonalCovariance(variance), coordinates)
