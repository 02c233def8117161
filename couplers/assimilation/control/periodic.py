"""Elements of their own for every period: x in space and time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.assimilation.control.field import FieldControl
from tradewind.couplers.assimilation.covariance import (
    Covariance,
    DenseCovariance,
    DiagonalCovariance,
    KroneckerCovariance,
    dense,
    square_root,
)
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.operators import LinearOperator, Replicated
from tradewind.errors import ConfigError, SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.coupling.fields import Fields

    Array: TypeAlias = NDArray[np.float64]


class PeriodicControl:
    """A control of one field whose elements belong to periods: element ``p · N + k`` is k in period p.

    Errors have the covariance ``T ⊗ S``, S that of one period and ``T_pq = exp(-|t_p - t_q| / tau)``, t the
    middles of the periods; without tau they are independent from period to period.

    Parameters
    ----------
    base
        Of one period.
    periods
        In order, one after the other.
    memory
        tau.

    Attributes
    ----------
    in_time
        T, the correlation of the periods.

    Raises
    ------
    ConfigError
        Without periods, or when tau is not positive.
    """

    def __init__(
        self, base: FieldControl, periods: Sequence[Interval], memory: timedelta | None = None
    ) -> None:
        if not periods:
            raise ConfigError("there are no periods", where="control")
        self.base, self.periods = base, tuple(periods)
        self.target, self.targets, self.layout = base.target, base.targets, base.layout
        self.prior = base.prior.repeat(len(periods))
        self.in_time = _in_time(self.periods, memory)
        self.covariance: Covariance = KroneckerCovariance(self.in_time, base.covariance)

    def to_fields(self, x: Tensor) -> Fields:
        """Refuse: which field x stands for depends on the time.

        Raises
        ------
        SpecError
            Always; ask ``at(window)`` of a window, or `averaged`.
        """
        raise self._timeless()

    def linearize(self, x: Tensor) -> LinearOperator:
        """Refuse, as `to_fields`."""
        raise self._timeless()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """One for each element, with the begin of its period before it."""
        begun = [f"{period.start:%Y-%m-%d %H:%M}" for period in self.periods]
        return tuple(f"{begin}, {name}" for begin in begun for name in self.base.names)

    @property
    def labels(self) -> Tensor:
        """Element, of one period, of every cell; -1 for none."""
        return self.base.labels

    def sqrt_covariance(self) -> LinearOperator:
        """Return L with ``L Lᵀ = Sa``, on ``Replicated(n)``."""
        return square_root(self.covariance)

    def at(self, window: Interval) -> OfPeriod:
        """Return the same x seen from the period that holds the window.

        Raises
        ------
        ConfigError
            When no period holds it, or it goes on behind the end of its period.
        """
        for number, period in enumerate(self.periods):
            if period.start <= window.start < period.stop:
                if window.stop > period.stop:
                    what = f"the window {window} goes on behind {period.stop}, where a period of x ends"
                    hint = "choose `every` as a whole number of windows"
                    raise ConfigError(what, where=self.target, hint=hint)
                return OfPeriod(self, _weights(len(self.periods), number))
        raise ConfigError(f"the window {window} lies in no period of x", where=self.target)

    @property
    def averaged(self) -> OfPeriod:
        """The same x, seen as the mean of the periods' fields, weighted by their lengths."""
        lengths = np.array([period.seconds for period in self.periods])
        return OfPeriod(self, tuple((lengths / lengths.sum()).tolist()))

    @property
    def places(self) -> tuple[Array, Array]:
        """Longitude and latitude of every element, degrees, shape ``(n,)``; NaN where it has no place."""
        lon, lat = self.base.places
        return np.tile(lon, len(self.periods)), np.tile(lat, len(self.periods))

    def sigma(self, x: Tensor, covariance: Tensor) -> Fields:
        """Refuse, as `to_fields`."""
        raise self._timeless()

    def prior_sigma(self) -> Fields:
        """Refuse, as `to_fields`."""
        raise self._timeless()

    def _timeless(self) -> SpecError:
        hint = "ask at(window), or averaged"
        return SpecError("x belongs to periods and stands for no single field", where=self.target, hint=hint)


class OfPeriod:
    """All of x, of which a field sees a weighted mean over periods: one of them, or several.

    Parameters
    ----------
    whole
        Of all periods.
    shares
        Weight of each period, adding up to one.
    """

    def __init__(self, whole: PeriodicControl, shares: tuple[float, ...]) -> None:
        self.whole, self.shares, self.base = whole, shares, whole.base
        self.target, self.targets, self.layout = whole.target, whole.targets, whole.layout
        self.prior = whole.prior
        self.covariance: Covariance = whole.covariance

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the whole."""
        return self.whole.names

    @property
    def labels(self) -> Tensor:
        """Element, of one period, of every cell; -1 for none."""
        return self.base.labels

    @property
    def places(self) -> tuple[Array, Array]:
        """Those of the whole."""
        return self.whole.places

    def to_fields(self, x: Tensor) -> Fields:
        """Return the mean of the fields of the periods that have a share, shape ``(..., *extra, cell)``."""
        made = [share * self.base.to_fields(own)[self.target] for share, own in self._shared(x)]
        return {self.target: made[0] if len(made) == 1 else torch.stack(made).sum(dim=0)}

    def linearize(self, x: Tensor) -> LinearOperator:
        """Return the derivative at `x`: ``Replicated(n)`` to the cells."""
        parts = [None if not share else self.base.linearize(own) for share, own in self._all(x)]
        return WeightedParts(parts, self.shares, len(self.base.prior))

    def sqrt_covariance(self) -> LinearOperator:
        """Return L with ``L Lᵀ = Sa``, on ``Replicated(n)``."""
        return self.whole.sqrt_covariance()

    def at(self, window: Interval) -> OfPeriod:
        """Return the same x seen from the period that holds the window."""
        return self.whole.at(window)

    @property
    def averaged(self) -> OfPeriod:
        """The mean over all periods."""
        return self.whole.averaged

    def sigma(self, x: Tensor, covariance: Tensor) -> Fields:
        """Return one sigma of the mean field at `x`, linearised, with the covariances between periods.

        Parameters
        ----------
        covariance
            S of x, shape ``(n, n)``, or its diagonal, ``(n,)``.
        """
        matrix = torch.diag(covariance) if covariance.ndim == 1 else covariance
        n, periods = len(self.base.prior), len(self.shares)
        blocks = matrix.reshape(periods, n, periods, n).diagonal(dim1=1, dim2=3).permute(2, 0, 1)
        return self._sigma(x, blocks)

    def prior_sigma(self) -> Fields:
        """Return one sigma of the mean of the prior fields, linearised; S is never formed."""
        variance = self.base.covariance.diagonal()
        return self._sigma(self.prior, variance[:, None, None] * dense(self.whole.in_time))

    def _sigma(self, x: Tensor, blocks: Tensor) -> Fields:
        """Return one sigma, from the covariances between periods of every element, shape ``(n, P, P)``."""
        slopes = torch.stack([share * self.base.slope(own) for share, own in self._all(x)])
        label = self.base.label.clamp(min=0)
        variance = torch.einsum("pc,cpq,qc->c", slopes, blocks[label], slopes)
        return {self.target: variance.sqrt().reshape(self.base.support.shape)}

    def _all(self, x: Tensor) -> list[tuple[float, Tensor]]:
        parts = x.reshape(*x.shape[:-1], len(self.shares), len(self.base.prior)).unbind(dim=-2)
        return list(zip(self.shares, parts, strict=True))

    def _shared(self, x: Tensor) -> list[tuple[float, Tensor]]:
        return [(share, part) for share, part in self._all(x) if share]


class WeightedParts(LinearOperator):
    """``y = Σ s_p A_p x_p`` of the parts of x, those of share zero left out."""

    def __init__(self, parts: Sequence[LinearOperator | None], shares: Sequence[float], n: int) -> None:
        self.n, self.count = n, len(parts)
        self.parts = [(p, s, op) for p, (s, op) in enumerate(zip(shares, parts, strict=True)) if op]
        self.domain, self.range = Replicated(n * len(parts)), self.parts[0][2].range

    def forward(self, x: Tensor) -> Tensor:
        """Return the weighted sum, shape ``(..., size)``."""
        self.check(x, self.domain)
        own = x.reshape(*x.shape[:-1], self.count, self.n)
        made = [share * op.forward(own[..., p, :]) for p, share, op in self.parts]
        return made[0] if len(made) == 1 else torch.stack(made).sum(dim=0)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``s_p A_pᵀ y`` for every part, shape ``(..., n)``."""
        self.check(y, self.range)
        out = y.new_zeros(*y.shape[:-1], self.count, self.n)
        for p, share, op in self.parts:
            out[..., p, :] = share * op.adjoint(y)
        return out.reshape(*y.shape[:-1], self.domain.size)


def _weights(count: int, chosen: int) -> tuple[float, ...]:
    return tuple(1.0 if p == chosen else 0.0 for p in range(count))


def _in_time(periods: Sequence[Interval], memory: timedelta | None) -> Covariance:
    if memory is None:
        return DiagonalCovariance(torch.ones(len(periods), dtype=torch.float64))
    if memory <= timedelta(0):
        raise ConfigError(f"the correlation in time is {memory}", where="control", hint="it is positive")
    middle = np.array([((p.start - periods[0].start) + (p.stop - p.start) / 2) / memory for p in periods])
    return DenseCovariance(torch.from_numpy(np.exp(-np.abs(middle[:, None] - middle[None]))))
