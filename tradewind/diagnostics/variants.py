"""Inversions of the same products under other hyper-parameters, and what those change."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.errors import SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.assimilation import Posterior

    Array: TypeAlias = NDArray[np.float64]

PARAMETERS = ("prior_error", "observation_error", "gamma", "boundary_error")
"""Hyper-parameters: factors on both errors, the observations' weight, a factor on boundaries' errors."""
WHERE = "details['ensemble']"


@dataclass(frozen=True)
class Variants:
    """Inversions under other hyper-parameters, each array along ``(variant,)``.

    Attributes
    ----------
    parameters
        Values by the hyper-parameter's name; NaN where an inversion does not tell one.
    prior_cost
        J_A/n: near 1 where the increments are as large as the prior's errors.
    dofs
        Degrees of freedom for signal.
    kept
        Those whose J_A/n lies within the limits of the method.
    means
        xhat of each, shape ``(variant, n)``.
    """

    parameters: Mapping[str, Array]
    prior_cost: Array
    dofs: Array
    kept: NDArray[np.bool_]
    means: Array

    def __len__(self) -> int:
        return len(self.kept)


@dataclass(frozen=True)
class Effect:
    """What one value of one hyper-parameter goes along with: means over the kept inversions that have it.

    Attributes
    ----------
    count
        How many of them there are.
    values
        Means of what was asked about.
    """

    parameter: str
    value: float
    count: int
    values: Mapping[str, float]


def variants(posterior: Posterior) -> Variants | None:
    """Return the inversions that a method tells in ``details['ensemble']``; None where it tells none.

    Raises
    ------
    SpecError
        When one of them has another number of elements than the posterior.
    """
    told: Sequence[Mapping[str, Any]] = list(posterior.details.get("ensemble", ()))
    if not told:
        return None
    n = len(posterior.mean)
    for number, one in enumerate(told):
        if tuple(one["mean"].shape) != (n,):
            raise SpecError(
                f"a mean of shape {tuple(one['mean'].shape)} for {n} elements", where=f"{WHERE}[{number}]"
            )
    named = [name for name in PARAMETERS if any(one.get(name) is not None for one in told)]
    return Variants(
        parameters={name: _column(told, name) for name in named},
        prior_cost=_column(told, "prior_cost_per_element"),
        dofs=_column(told, "dofs"),
        kept=np.array([bool(one.get("kept", True)) for one in told]),
        means=np.stack([one["mean"].detach().cpu().numpy() for one in told]).astype(np.float64),
    )


def _column(told: Sequence[Mapping[str, Any]], name: str) -> Array:
    values = (one.get(name) for one in told)
    return np.array([math.nan if value is None else float(value) for value in values])


def effects(found: Variants, asked: Mapping[str, Array]) -> Iterator[Effect]:
    """Yield, for every value of every hyper-parameter that takes several, the means over the kept inversions.

    Where none is kept, over all of them.

    Parameters
    ----------
    asked
        What to average, by name, each of shape ``(variant,)``.
    """
    counted = found.kept if found.kept.any() else np.ones(len(found), dtype=bool)
    for name, values in found.parameters.items():
        each = np.unique(values[np.isfinite(values)])
        for value in each if len(each) > 1 else ():
            which = (values == value) & counted
            means = {key: _mean(numbers[which]) for key, numbers in asked.items()}
            yield Effect(name, float(value), int(which.sum()), means)


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else math.nan
