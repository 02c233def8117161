"""How the cost went down from iteration to iteration."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.diagnostics.sample import ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.assimilation import Posterior

    Array: TypeAlias = NDArray[np.float64]

COST = ("iteration", "prior", "observations")


@dataclass(frozen=True)
class Descent:
    """Cost by iteration, without the factor 1/2, each array of shape ``(iteration,)``.

    Attributes
    ----------
    number
        Of the iteration, as the method counts.
    prior, observations
        Terms of the cost; NaN where the method does not know one.
    others
        Further numbers that the method gives, such as the norm of the gradient, by name.
    """

    number: NDArray[np.int64]
    prior: Array
    observations: Array
    others: Mapping[str, Array] = field(default_factory=dict)

    @property
    def total(self) -> Array:
        """J, the sum of both terms."""
        return self.prior + self.observations

    @property
    def reduction(self) -> Array:
        """By which fraction of its first value the cost has become smaller, ``1 - J_k / J_0``."""
        return np.array([1.0 - ratio(cost, self.total[0]) for cost in self.total])


def descent(posterior: Posterior) -> Descent | None:
    """Return the iterations that a method tells in ``details['iterations']``; None where it tells none."""
    steps = list(posterior.details.get("iterations", ()))
    if not steps:
        return None
    return Descent(
        number=np.array([int(step.get("iteration", k)) for k, step in enumerate(steps)]),
        prior=_column(steps, "prior"),
        observations=_column(steps, "observations"),
        others={name: _column(steps, name) for name in _others(steps)},
    )


def _column(steps: list[Mapping[str, Any]], name: str) -> Array:
    return np.array([float(step.get(name, math.nan)) for step in steps])


def _others(steps: list[Mapping[str, Any]]) -> Iterator[str]:
    """Yield names that stand for plain numbers wherever they are told."""
    for name in dict.fromkeys(name for step in steps for name in step):
        told = [step[name] for step in steps if name in step]
        if name not in COST and all(isinstance(v, int | float) and not isinstance(v, bool) for v in told):
            yield name
