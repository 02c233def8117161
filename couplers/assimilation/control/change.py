"""Changes: how an element of x changes the prior of its cells.

x lives in a space without bounds, in which priors are normal; p is the prior value of a cell.

======== =================================== ============ =====================================
change   field                               x of prior   what one sigma of x is
======== =================================== ============ =====================================
scale    p x                                 1            a fraction of the prior
add      p + x                               0            in the field's units
lognormal p exp(x)                           0 (median)   of the logarithm
bounded  a + (b - a) logistic(logit(p) + x)  0            of the logit
======== =================================== ============ =====================================

The last three keep what they promise whatever x is: lognormal stays positive, bounded stays inside (a, b)
(Bocquet and others, 2015, doi 10.5194/acp-15-5325-2015, section 4.2, on such changes of variables).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.errors import ConfigError, DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]


class Change(Protocol):
    """What x does to the prior of a cell, elementwise.

    Attributes
    ----------
    weighs
        Whether the centre of an element lies where its prior does (else where its cells are).
    """

    weighs: ClassVar[bool]

    @property
    def neutral(self) -> float:
        """The x of the prior."""

    def check(self, prior: Array, where: str) -> Flags:
        """Return which cells can be changed; those that are not active are NaN.

        Raises
        ------
        DataError
            When a cell's prior is not what this change can start from.
        """

    def outward(self, prior: Tensor, x: Tensor) -> Tensor:
        """Return the field that x makes of the prior."""

    def derivative(self, prior: Tensor, x: Tensor) -> Tensor:
        """Return the derivative of the field with respect to x."""

    def inward(self, field: Tensor) -> Tensor:
        """Return the field in the space without bounds, where a filter may analyse it."""

    def outward_field(self, z: Tensor) -> Tensor:
        """Return the field that `inward` has made z of."""


class Scale:
    """``field = p x``, xA = 1: factors on a prior that is not negative."""

    neutral: float = 1.0
    weighs: ClassVar[bool] = True

    def check(self, prior: Array, where: str) -> Flags:
        """Return where the prior is not zero."""
        _refuse(prior < 0, prior, where, "negative", "fill gaps, and estimate sinks as a field of their own")
        if not (prior > 0).any():
            raise DataError("the prior is zero everywhere, so there is nothing to scale", where=where)
        return np.asarray(prior > 0)

    def outward(self, prior: Tensor, x: Tensor) -> Tensor:
        """Return ``p x``."""
        return prior * x

    def derivative(self, prior: Tensor, x: Tensor) -> Tensor:
        """Return p."""
        return prior.expand_as(prior + x)

    def inward(self, field: Tensor) -> Tensor:
        """Return the field: it has no bounds."""
        return field

    def outward_field(self, z: Tensor) -> Tensor:
        """Return z."""
        return z


class Add(Scale):
    """``field = p + x``, xA = 0."""

    neutral: float = 0.0
    weighs: ClassVar[bool] = False

    def check(self, prior: Array, where: str) -> Flags:
        """Return that all cells can be changed."""
        return np.ones(prior.shape, dtype=bool)

    def outward(self, prior: Tensor, x: Tensor) -> Tensor:
        """Return ``p + x``."""
        return prior + x

    def derivative(self, prior: Tensor, x: Tensor) -> Tensor:
        """Return 1."""
        return torch.ones_like(prior + x)


class Lognormal(Scale):
    """``field = p exp(x)``: stays positive; the prior is the median, xA = 0, unless it is the mean.

    Parameters
    ----------
    sigma
        Standard deviation of x, where the prior is the mean of what x makes of it: the median is then
        ``p exp(-sigma²/2)``, so that xA = -sigma²/2. None: the prior is the median.
    """

    neutral: float = 0.0

    def __init__(self, sigma: float | None = None) -> None:
        self.neutral = 0.0 if sigma is None else -0.5 * sigma**2

    def outward(self, prior: Tensor, x: Tensor) -> Tensor:
        """Return ``p exp(x)``."""
        return prior * torch.exp(x)

    def derivative(self, prior: Tensor, x: Tensor) -> Tensor:
        """Return ``p exp(x)``."""
        return self.outward(prior, x)

    def inward(self, field: Tensor) -> Tensor:
        """Return the logarithm.

        Raises
        ------
        DataError
            Where the field is not positive.
        """
        _refuse_values(~(field > 0), field, "not positive")
        return torch.log(field)

    def outward_field(self, z: Tensor) -> Tensor:
        """Return ``exp(z)``."""
        return torch.exp(z)


@dataclass(frozen=True)
class Bounded:
    """``field = a + (b - a) logistic(logit((p - a) / (b - a)) + x)``, xA = 0: stays inside (a, b).

    Attributes
    ----------
    lower, upper
        a and b, in the field's units.

    Raises
    ------
    ConfigError
        Unless ``a < b``, both finite.
    """

    lower: float
    upper: float
    neutral: ClassVar[float] = 0.0
    weighs: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not -np.inf < self.lower < self.upper < np.inf:
            what = f"bounds {self.lower:g} and {self.upper:g} hold nothing between them"
            hint = "two finite numbers, the lower first; use lognormal for what is only positive"
            raise ConfigError(what, where="control", hint=hint)

    def check(self, prior: Array, where: str) -> Flags:
        """Return that all cells can be changed, once all lie inside."""
        outside = (prior <= self.lower) | (prior >= self.upper)
        _refuse(outside, prior, where, f"not inside ({self.lower:g}, {self.upper:g})", "widen the bounds")
        return np.ones(prior.shape, dtype=bool)

    def outward(self, prior: Tensor, x: Tensor) -> Tensor:
        """Return the field."""
        return self.outward_field(self._logit(prior) + x)

    def derivative(self, prior: Tensor, x: Tensor) -> Tensor:
        """Return ``(b - a) s (1 - s)``, s the logistic function."""
        z = self._logit(prior) + x
        return (self.upper - self.lower) * _logistic(z) * _logistic(-z)

    def inward(self, field: Tensor) -> Tensor:
        """Return the logit.

        Raises
        ------
        DataError
            Where the field does not lie inside the bounds.
        """
        outside = ~((field > self.lower) & (field < self.upper))
        _refuse_values(outside, field, f"not inside ({self.lower:g}, {self.upper:g})")
        return self._logit(field)

    def outward_field(self, z: Tensor) -> Tensor:
        """Return ``a + (b - a) logistic(z)``."""
        return self.lower + (self.upper - self.lower) * _logistic(z)

    def _logit(self, field: Tensor) -> Tensor:
        return torch.log((field - self.lower) / (self.upper - field))


def refuse_gaps(prior: Array, active: Flags, where: str) -> None:
    """Refuse a prior with active cells that are not finite.

    Parameters
    ----------
    prior, active
        Shape ``(copies, cell)`` and ``(cell,)``.

    Raises
    ------
    DataError
        It names the first such cell.
    """
    hint = "fill gaps, and estimate sinks as a field of their own"
    bad = ~np.isfinite(prior) & active
    _refuse(bad if len(bad) > 1 else bad[0], prior if len(bad) > 1 else prior[0], where, "not finite", hint)


def _logistic(z: Tensor) -> Tensor:
    # torch's own gives the last bit of a number by where it stands among others
    return 1.0 / (1.0 + torch.exp(-z))


def _refuse(bad: Flags, prior: Array, where: str, what: str, hint: str) -> None:
    if bad.any():
        *level, cell = (int(i) for i in np.unravel_index(int(np.argmax(bad)), bad.shape))
        place = f"cell {cell}" + (f" of level {', '.join(map(str, level))}" if level else "")
        raise DataError(f"the prior is {what} ({prior[(*level, cell)]}) in {place}", where=where, hint=hint)


def _refuse_values(bad: Tensor, field: Tensor, what: str) -> None:
    if bool(bad.any()):
        raise DataError(f"a value is {what} ({float(field[bad][0])})", where="control")
