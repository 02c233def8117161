"""When an exchange takes from its source, what it makes of it, and when its target is given the result.

An exchange has a period, cut into which the source's exports are reduced to one value each. The target's
steps are given the value of their own period, that of an earlier one (a lag), or a mix of two (an
interpolation in time).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from math import lcm
from typing import TYPE_CHECKING

from tradewind.errors import ConfigError

if TYPE_CHECKING:
    import torch

MICROSECOND = timedelta(microseconds=1)


class Reduction(StrEnum):
    """What is made of the exports of a period, X_s after steps of dt_s, in a period of length T."""

    INSTANT = "instant"
    """The last one."""
    MEAN = "mean"
    """sum of (dt_s / T) X_s."""
    SUM = "sum"
    """sum of X_s, for exports that are amounts per step."""
    INTEGRAL = "integral"
    """sum of dt_s X_s, in units times second."""
    MIN = "min"
    MAX = "max"

    @property
    def is_linear(self) -> bool:
        """Whether the value of a period is a weighted sum of the exports."""
        return self not in {Reduction.MIN, Reduction.MAX}

    @property
    def is_amount(self) -> bool:
        """Whether the value of a period is an amount of the whole period, to be given only once."""
        return self in {Reduction.SUM, Reduction.INTEGRAL}


class Interpolation(StrEnum):
    """What a step of the target is given between the values of two periods; its end is what counts."""

    NONE = "none"
    """The value of its own period."""
    LINEAR = "linear"
    NEAREST = "nearest"
    """Of the ends of the two periods the nearer; halfway, the later."""


@dataclass(frozen=True)
class Timing:
    """When an exchange takes and gives.

    Attributes
    ----------
    every
        Period; None: the least common multiple of the steps of source and target.
    lag
        How much later a value is given than it was taken: whole periods.
    initial
        What is given before the source has made anything, on the source's cells and in its units: a number,
        or a tensor of shape ``(*extra, source cell)``; needed with a lag or an interpolation.
    """

    every: timedelta | None = None
    reduction: Reduction = Reduction.INSTANT
    lag: int = 0
    interpolation: Interpolation = Interpolation.NONE
    initial: float | torch.Tensor | None = None

    @property
    def reaches_back(self) -> int:
        """How many periods before its own a step of the target may look."""
        return self.lag + (self.interpolation is not Interpolation.NONE)

    def between(self, source: timedelta, target: timedelta, where: str) -> Timing:
        """Return this timing for a source and a target of the given steps, with its period.

        Parameters
        ----------
        where
            Name of the exchange, for errors.

        Raises
        ------
        ConfigError
            When the period is no multiple of both steps, an initial value is missing, or an amount would be
            given several times.
        """
        every = self.every or common_multiple((source, target))
        _refuse_uneven(every, source, target, where)
        if self.reaches_back and self.initial is None:
            what = "a lag" if self.lag else "an interpolation in time"
            hint = "give it `initial`, a number or a file"
            raise ConfigError(f"{what} needs a value for the time before the start", where=where, hint=hint)
        if self.reduction.is_amount and every != target:
            hint = f"use mean, or a step of {every} for the target"
            what = f"the {self.reduction} of {every} would be given {every // target} times"
            raise ConfigError(what, where=where, hint=hint)
        return replace(self, every=every)


def common_multiple(lengths: Iterable[timedelta]) -> timedelta:
    """Return the least common multiple of lengths of time."""
    return lcm(*(length // MICROSECOND for length in lengths)) * MICROSECOND


def _refuse_uneven(every: timedelta, source: timedelta, target: timedelta, where: str) -> None:
    for whose, step in (("source", source), ("target", target)):
        if every % step:
            hint = f"a whole number of {common_multiple((source, target))}"
            raise ConfigError(
                f"its period of {every} is no multiple of the {whose}'s step of {step}",
                where=where,
                hint=hint,
            )
