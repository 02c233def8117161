"""Inversions period by period, the posterior of one the prior of the next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.couplers.coupling.component import Interval
from tradewind.errors import SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.assimilation import Posterior

    Array: TypeAlias = NDArray[np.float64]

WHERE = "details['periods']"


@dataclass(frozen=True)
class Rolling:
    """x before and after in each period, shape ``(period, n)``.

    Attributes
    ----------
    intervals
        The periods, in order.
    prior, mean
        Of x, as the period begins and as its observations leave it.
    sigma
        One-sigma errors of `mean`.
    dofs
        Degrees of freedom for signal of each, shape ``(period,)``.
    """

    intervals: tuple[Interval, ...]
    prior: Array
    mean: Array
    sigma: Array
    dofs: Array

    def __len__(self) -> int:
        return len(self.intervals)


def rolling(posterior: Posterior) -> Rolling | None:
    """Return the periods that a method tells in ``details['periods']``; None where it tells none.

    Raises
    ------
    SpecError
        When a period has another number of elements than the posterior.
    """
    told: Sequence[Mapping[str, Any]] = list(posterior.details.get("periods", ()))
    if not told:
        return None
    n = len(posterior.mean)
    return Rolling(
        intervals=tuple(Interval(one["start"], one["stop"]) for one in told),
        prior=_rows(told, "prior", n),
        mean=_rows(told, "mean", n),
        sigma=_rows(told, "sigma", n),
        dofs=np.array([float(one.get("dofs", math.nan)) for one in told]),
    )


def _rows(told: Sequence[Mapping[str, Any]], name: str, n: int) -> Array:
    rows = [one[name].detach().cpu().numpy() for one in told]
    for number, row in enumerate(rows):
        if row.shape != (n,):
            raise SpecError(f"{name} of shape {row.shape} for {n} elements", where=f"{WHERE}[{number}]")
    return np.stack(rows).astype(np.float64)
