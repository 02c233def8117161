"""A function and its derivative along one random direction."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cached_property
from typing import TYPE_CHECKING

from torch import Tensor

from tradewind.errors import TradewindError
from tradewind.verification.findings import NotApplicable
from tradewind.verification.flat import Vector, difference, moved, norm, precision, random, rms

if TYPE_CHECKING:
    from tradewind.verification.subjects import Subject

LENGTHS = tuple(10.0**-k for k in range(1, 13))
"""Of perturbations, in the size of what is perturbed."""
WEAK = 1e-9
"""Rounding over change, at the largest perturbation, beyond which a field is too weak to be judged."""
DOUBLE = 2.0**-52


class Ray:
    """``M(x + h u)`` for h getting smaller, computed once for all checks that look at it.

    Parameters
    ----------
    seed
        Of u.

    Raises
    ------
    NotApplicable
        When there is nothing to perturb.
    """

    def __init__(self, subject: Subject, seed: int) -> None:
        if not any(v.numel() for v in subject.at.values()):
            raise NotApplicable("takes nothing that could be changed")
        self.subject, self.seed = subject, seed
        self._changes: dict[float, Vector | None] = {}

    @cached_property
    def direction(self) -> Vector:
        """u, normal random numbers in the size of each field."""
        return random(self.subject.at, self.subject.scales, self.seed)

    @cached_property
    def base(self) -> Vector:
        """``M(x)``."""
        return self.subject.value(self.subject.at)

    @cached_property
    def tangent(self) -> Vector:
        """``M' u``, with explicit zeros."""
        found = self.subject.tangent(self.direction)
        return {k: found[k] if k in found else 0.0 * v for k, v in self.base.items()}

    @property
    def precision(self) -> float:
        """Relative rounding of a number, of the coarsest field that enters or leaves."""
        return max(precision(self.base), precision(self.subject.at))

    @property
    def coarseness(self) -> float:
        """How much coarser than double precision numbers are; 1 for float64."""
        return self.precision / DOUBLE

    def change(self, length: float) -> Vector | None:
        """Return ``M(x + h u) - M(x)``; None where the model refuses what is so far away."""
        if length not in self._changes:
            self._changes[length] = self._changed(length)
        return self._changes[length]

    def _changed(self, length: float) -> Vector | None:
        try:
            there = self.subject.value(moved(self.subject.at, length, self.direction))
        except TradewindError:
            return None
        return difference(there, self.base)

    @cached_property
    def seen(self) -> list[Hashable]:
        """Names of what changes by more than rounding does."""
        loud = [k for k, v in self.tangent.items() if norm(v) > 0]
        return [k for k in loud if self.rounding(k, LENGTHS[0]) <= WEAK * self.coarseness**0.5]

    @property
    def weak(self) -> list[Hashable]:
        """Names of what changes, but too little to be judged."""
        return [k for k, v in self.tangent.items() if norm(v) > 0 and k not in self.seen]

    def rounding(self, name: Hashable, length: float) -> float:
        """Return how large rounding is beside the change of one field."""
        return self.precision * norm(self.base[name]) / (length * norm(self.tangent[name]))

    def unit(self, name: Hashable) -> float:
        """Return the size of one field's change, by which fields of different units are weighed."""
        return rms(self.tangent[name])

    def cotangent(self) -> dict[Hashable, Tensor]:
        """Return random weights of what comes out: each field counts alike, whatever its units."""
        units = {k: 1.0 / self.unit(k) if self.unit(k) > 0 else 1.0 for k in self.base}
        return random(self.base, units, self.seed + 1)
