"""Degrees of freedom that observations can be expected to give, from their places and errors alone.

    a_i = sA² / (sA² + (s / k)² / m_i)

with sA the prior's error of a flux, m_i the observations that stand above its element, s their error, and k
what a flux does to a column above it: the air over the element takes up what is emitted until the wind has
carried it away, or the window is over,

    k = alpha (M_air / M_CH4) (g / p) min(L / U, T),

L the element's side, U the wind, T the window's length, alpha = 0.4 for turbulent diffusion. Within T a plume
passes on over T U / L elements: where observations are as dense downwind, m_i is so many times larger, and
``a`` is that of `downwind`. Where the prior's errors know of each other, a is the diagonal of the averaging
kernel with all of Sa. Each observation counts as if its error were independent.

Source
------
Varon and others (2022), Geosci. Model Dev. 15, 5787, equations 6 and 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.budget import EARTH_RADIUS
from tradewind.couplers.assimilation.control import PeriodicControl
from tradewind.couplers.assimilation.covariance import dense
from tradewind.couplers.coupling.units import convertible, factor
from tradewind.findings.controlled import MASS_FLUX, parts_of
from tradewind.preview.places import NONE, cells_of
from tradewind.preview.winds import Winds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.assimilation import Control, Observations, ObservationsByWindow, Port
    from tradewind.couplers.assimilation.control import FieldControl
    from tradewind.couplers.assimilation.covariance import Covariance
    from tradewind.couplers.coupling.component import Interval
    from tradewind.couplers.coupling.fields import Variable

    Array: TypeAlias = NDArray[np.float64]

ALPHA = 0.4
"""What turbulent diffusion leaves of the enhancement, after Varon and others (2022)."""
MASS_RATIO = 28.9644 / 16.0425
"""Molar mass of dry air over that of methane."""
MANY = 2000
"""Elements up to which the prior's correlations are looked at."""
GRAVITY, PRESSURE = 9.80665, 101_325.0
MOLE_FRACTION = "1e-9"


@dataclass(frozen=True)
class Expected:
    """What can be expected of each element, each array of shape ``(n,)``.

    Attributes
    ----------
    target
        The ``component.variable`` of each element.
    soundings
        Observations that stand above it.
    response
        k: change of a column, 1e-9, for one standard error of the prior; NaN where nothing is known of it.
    sensitivity
        a: diagonal of the averaging kernel; NaN where `response` is.
    downwind
        a, with observations that plumes pass below further downwind.
    """

    target: tuple[Port, ...]
    soundings: NDArray[np.int64]
    response: Array
    sensitivity: Array
    downwind: Array

    @property
    def dofs(self) -> float:
        """Sum over all elements of which something is known."""
        return float(np.nansum(self.sensitivity))

    @property
    def dofs_downwind(self) -> float:
        """The same with observations further downwind."""
        return float(np.nansum(self.downwind))

    @property
    def unknown(self) -> int:
        """Elements of which nothing is known: they are no mass fluxes."""
        return int(np.isnan(self.sensitivity).sum())


@dataclass(frozen=True)
class Seen:
    """Observations by window, with the weights of each and the winds that blow over them.

    Attributes
    ----------
    weights
        1/s² of each observation by window, s in 1e-9, shape ``(m,)``; NaN where that has no meaning.
    """

    observations: ObservationsByWindow
    weights: Mapping[Interval, Array]
    winds: Winds

    @classmethod
    def of(cls, observations: ObservationsByWindow, winds: Winds, units: str) -> Seen:
        """Weigh observations in `units`; other units than those of mole fractions tell nothing."""
        known = bool(units) and convertible(units, MOLE_FRACTION)
        scale = factor(units, MOLE_FRACTION) if known else np.nan
        return cls(observations, {w: _weights(one, scale) for w, one in observations.items()}, winds)

    def within(self, period: Interval) -> Seen:
        """Return those of the windows that begin in a period."""
        chosen = {w: one for w, one in self.observations.items() if period.start <= w.start < period.stop}
        return Seen(chosen, self.weights, self.winds)

    @property
    def window(self) -> float:
        """Length of the shortest window, s; 0 without windows."""
        return min((window.seconds for window in self.observations), default=0.0)


def _weights(seen: Observations, scale: float) -> Array:
    if seen.covariance is None or not len(seen):
        return np.full(len(seen), np.nan)
    variance: Array = seen.covariance.diagonal().numpy()
    return np.asarray(1.0 / (variance * scale**2))


@dataclass(frozen=True)
class _Part:
    """Of each element: observations above it, response to one sigma, and the sum of their weights.

    `passes` is over how many elements a plume passes within a window.
    """

    soundings: NDArray[np.int64]
    response: Array
    precision: Array
    passes: Array


def expected(control: Control, seen: Seen, variable: Callable[[Port], Variable]) -> Expected:
    """Return what observations can be expected to tell of each element of a control.

    Parameters
    ----------
    variable
        Gives what a port declares.

    Raises
    ------
    ConfigError
        When the control is of a kind whose fields are not known.
    """
    parts = parts_of(control)
    found = [one for part in parts for one in _periods(part, seen, variable(part.target))]
    columns = {f.name: np.concatenate([getattr(one, f.name) for one in found]) for f in fields(_Part)}
    share = columns["response"] ** 2 * columns["precision"]
    further = share * columns["passes"]
    targets = tuple(part.target for part in parts for _ in range(len(part.prior)))
    kernels = (kernel_diagonal(part, control.covariance) for part in (share, further))
    return Expected(targets, columns["soundings"], columns["response"], *kernels)


def _periods(part: Any, seen: Seen, declared: Variable) -> Iterator[_Part]:
    if isinstance(part, PeriodicControl):
        for period in part.periods:
            yield _of(part.base, seen.within(period), declared)
    else:
        yield _of(part, seen, declared)


def _of(base: FieldControl, seen: Seen, declared: Variable) -> _Part:
    if base.layout is not None and not declared.extra and convertible(declared.units, MASS_FLUX):
        return _of_flux(base, seen, declared)
    return _unknown(base)


def _of_flux(base: FieldControl, seen: Seen, declared: Variable) -> _Part:
    """Count what stands above each element, which answers by mass balance."""
    n, labels, grid = len(base.prior), base.labels.numpy(), base.layout.grid  # type: ignore[union-attr]
    inside, area = labels >= 0, grid.area * EARTH_RADIUS**2
    cells, size = labels[inside], np.bincount(labels[inside], area[inside], minlength=n)
    sigma = base.layout.gather(base.prior_sigma()[base.target]).numpy() * factor(declared.units, MASS_FLUX)  # type: ignore[union-attr]
    flux = np.bincount(cells, (area * sigma)[inside], minlength=n) / size
    stay = residence(np.sqrt(size), seen.winds.at(*base.places), seen.window)
    soundings, precision = np.zeros(n, dtype=np.int64), np.zeros(n)
    for window, one in seen.observations.items():
        above = cells_of(grid, one.coordinates, len(one))
        element = np.where(above >= 0, labels[above], NONE)
        counted = element >= 0
        soundings += np.bincount(element[counted], minlength=n)
        precision += np.bincount(element[counted], seen.weights[window][counted], minlength=n)
    passes = seen.window / np.maximum(stay, 1e-9)
    return _Part(soundings, flux * enhancement(stay), precision, np.maximum(passes, 1.0))


def enhancement(stay: Array) -> Array:
    """Return k: what a flux of 1 kg m-2 s-1 does to the column above it, 1e-9.

    Parameters
    ----------
    stay
        How long the air is above it, s.
    """
    return np.asarray(ALPHA * MASS_RATIO * GRAVITY / PRESSURE * stay * 1e9)


def residence(side: Array, wind: Array, seconds: float) -> Array:
    """Return how long air stays above an element while it emits, ``min(L / U, T)``, s.

    Parameters
    ----------
    side
        L, m.
    wind
        U, m s-1.
    seconds
        T: for how long the flux is in the air at most.
    """
    return np.minimum(side / np.maximum(wind, 1e-3), seconds)


def _unknown(base: FieldControl) -> _Part:
    """Know nothing of what is no mass flux, such as mole fractions at the sides: that takes a run."""
    n = len(base.prior)
    return _Part(np.zeros(n, dtype=np.int64), np.full(n, np.nan), np.zeros(n), np.ones(n))


def kernel_diagonal(share: Array, covariance: Covariance) -> Array:
    """Return the diagonal of the averaging kernel ``Sa H (I + Sa H)⁻¹`` for a diagonal H.

    With C the prior's correlations and ``B_ij = sqrt(h_i h_j) C_ij`` it is that of ``I - (I + B)⁻¹``, and of
    ``h / (1 + h)`` where errors are independent, or are taken so because there are more than `MANY`.

    Parameters
    ----------
    share
        h, sA² over the variance that the observations alone would leave, shape ``(n,)``; NaN: not known.
    covariance
        Sa.
    """
    if len(share) > MANY:
        return np.asarray(share / (1.0 + share))
    matrix = dense(covariance).numpy()
    scale = np.sqrt(np.nan_to_num(share)) / np.sqrt(matrix.diagonal())
    inverse = np.linalg.inv(np.eye(len(share)) + scale[:, None] * matrix * scale)
    return np.where(np.isnan(share), np.nan, 1.0 - inverse.diagonal())
