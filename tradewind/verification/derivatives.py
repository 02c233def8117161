"""Checks of tangents and adjoints, as OOPS makes them of its models.

Each says what it has measured and what it holds that against. Lengths of perturbations are in the size of
what is perturbed; fields of different units are weighed by their own changes, so that none hides another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from tradewind.verification.findings import Finding, NotApplicable, Outcome
from tradewind.verification.flat import Vector, difference, dot, norm, times, zeros
from tradewind.verification.rays import LENGTHS, Ray

FACTOR = 3.7
"""No power of two, which no rounding would follow."""
ABOVE_ROUNDING = 1000.0
"""How far the residual of a Taylor expansion must stand above rounding to be looked at."""


class Check(Protocol):
    """One check of a subject along a ray."""

    name: ClassVar[str]

    def of(self, ray: Ray) -> Finding:
        """Return what was found."""


def judged(
    ray: Ray, check: str, figure: float, tolerance: float, advice: str, note: str = ""
) -> Finding:  # fmt: skip
    """Return a finding that passes where the figure is not above its tolerance (NaN fails)."""
    passed = figure <= tolerance
    outcome = Outcome.PASSED if passed else Outcome.FAILED
    return Finding(ray.subject.name, check, outcome, figure, tolerance, note, "" if passed else advice)


@dataclass(frozen=True)
class ZeroPerturbation:
    """``M' 0 = 0`` and ``M'ᵀ 0 = 0``, exactly."""

    name: ClassVar[str] = "zero perturbation"
    advice: ClassVar[str] = (
        "a constant is added in the tangent or the adjoint: both must be linear, not affine"
    )

    def of(self, ray: Ray) -> Finding:
        """Return the largest value that comes of nothing."""
        out = ray.subject.tangent(zeros(ray.subject.at)), ray.subject.gradient(zeros(ray.base))
        figure = max((norm(v) for part in out for v in part.values()), default=0.0)
        return judged(ray, self.name, figure, 0.0, self.advice)


@dataclass(frozen=True)
class Linearity:
    """``M' (a u) = a M' u``, to rounding.

    Attributes
    ----------
    tolerance
        Relative, for one step in double precision; it grows with the root of the number of steps.
    """

    tolerance: float = 1e-12
    name: ClassVar[str] = "tangent is linear"
    advice: ClassVar[str] = (
        "the tangent depends on its own perturbation: look for a product of two perturbations, a limiter or "
        "a branch that is decided by the perturbation instead of the state"
    )

    def of(self, ray: Ray) -> Finding:
        """Return the largest relative difference of any field."""
        scaled = ray.subject.tangent(times(FACTOR, ray.direction))
        figure = max((_apart(scaled, times(FACTOR, ray.tangent), k) for k in ray.tangent), default=0.0)
        tolerance = self.tolerance * ray.coarseness * math.sqrt(ray.subject.steps)
        return judged(ray, self.name, figure, tolerance, self.advice)


def _apart(a: Vector, b: Vector, name: Any) -> float:
    """Return the relative difference of one field, of which `a` may know nothing."""
    size = norm(b[name])
    apart = norm(a[name] - b[name]) if name in a else size
    return apart / size if size else apart


@dataclass(frozen=True)
class TangentConvergence:
    """``‖M(x + h u) - M(x) - h M' u‖ / ‖h M' u‖`` goes to zero with h, until rounding takes over.

    The largest of any field counts. It falls in proportion to h where M is smooth, and is rounding alone
    where M is linear.

    Attributes
    ----------
    below
        What it must fall below somewhere, in double precision; coarser numbers by the root of theirs.
    """

    below: float = 1e-7
    name: ClassVar[str] = "tangent convergence"
    advice: ClassVar[str] = (
        "the tangent is not the derivative of the step: compare the terms of both one by one; a threshold or "
        "limiter that the perturbation crosses has the same effect"
    )

    def of(self, ray: Ray) -> Finding:
        """Return the least error of all lengths, with the order at which it fell."""
        errors = [self._error(ray, h) for h in LENGTHS]
        tolerance = self.below * math.sqrt(ray.coarseness)
        least = min((e for e in errors if not math.isnan(e)), default=math.nan)
        found = judged(ray, self.name, least, tolerance, self.advice, _told(errors, ray))
        return _with_series(found, errors)

    def _error(self, ray: Ray, length: float) -> float:
        change = ray.change(length)
        if change is None:
            return math.nan
        if not (ray.seen or self._unforeseen(ray, change)):
            raise NotApplicable(_unseen(ray))
        if self._unforeseen(ray, change):
            return math.inf
        residual = difference(change, times(length, ray.tangent))
        return max(norm(residual[k]) / (length * norm(ray.tangent[k])) for k in ray.seen)

    def _unforeseen(self, ray: Ray, change: Vector) -> bool:
        """Return whether a field changes of which the tangent says that it does not."""
        still = [k for k, v in ray.tangent.items() if norm(v) == 0.0]
        return any(norm(change[k]) > ABOVE_ROUNDING * ray.precision * norm(ray.base[k]) for k in still)


def _unseen(ray: Ray) -> str:
    return "changes are lost in rounding" if ray.weak else "what comes out does not depend on what goes in"


def _told(errors: list[float], ray: Ray) -> str:
    """Return the order of convergence in words."""
    weak = ", ".join(_spoken(k) for k in ray.weak)
    parts = [_order(errors, ray), f"too weak to be judged: {weak}" if weak else ""]
    return "; ".join(p for p in parts if p)


def _order(errors: list[float], ray: Ray) -> str:
    floors = [max((ray.rounding(k, h) for k in ray.seen), default=0.0) for h in LENGTHS]
    pairs = list(zip(errors, floors, strict=True))
    above = [k for k, (e, f) in enumerate(pairs) if math.isfinite(e) and e > 100.0 * f]
    used = [k for k in above if k + 1 in above]
    if used:
        return f"order {math.log10(errors[used[-1]] / errors[used[-1] + 1]):.2f}"
    return "" if above else "exact: linear"


def _spoken(name: object) -> str:
    return " ".join(str(part) for part in name) if isinstance(name, tuple) else str(name)


def _with_series(found: Finding, values: list[float]) -> Finding:
    return replace(found, series={"length": list(LENGTHS), "value": values})


@dataclass(frozen=True)
class AdjointDot:
    """``<M' u, v> = <u, M'ᵀ v>`` for random u and v.

    Attributes
    ----------
    tolerance
        Relative to ``Σ ‖M' u‖ ‖v‖`` over the fields that come out (or go in, where that is larger). Each
        side is a sum of N products, and rounding adds up like a random walk: in double precision the
        tolerance is that number times the root of N, and of the steps that each number has passed through.
    """

    tolerance: float = 1e-14
    name: ClassVar[str] = "adjoint dot product"
    advice: ClassVar[str] = (
        "the adjoint is not the transpose of the tangent: look for a term that one of them lacks, a sign, a "
        "factor, or sums over cells that were not turned round"
    )

    def of(self, ray: Ray) -> Finding:
        """Return the relative gap."""
        v = ray.cotangent()
        back = ray.subject.gradient(v)
        gap = abs(dot(ray.tangent, v) - dot(ray.direction, back))
        sides = ((ray.tangent, v), (ray.direction, back))
        size = max(sum(norm(a[k]) * norm(b[k]) for k in a if k in b) for a, b in sides)
        terms = sum(x.numel() for x in (*ray.direction.values(), *v.values()))
        tolerance = self.tolerance * ray.coarseness * math.sqrt(terms * ray.subject.steps)
        note = "" if size else "both are zero"
        return judged(ray, self.name, gap / size if size else gap, tolerance, self.advice, note)


@dataclass(frozen=True)
class GradientTaylor:
    """The residual of ``J(x + h u) = J(x) + h <∇J, u> + O(h²)`` falls with the square of h.

    ``J(x) = ½ ‖W (M(x) - M(x0)) + v‖²`` with random v, and W that weighs each field by its change: for it,
    the slope is 2 where M is linear too. Looked at where h is smallest and the residual still stands a
    thousand times above rounding: there a gradient that is off by a small part shows as slope 1.

    Attributes
    ----------
    within
        How far the slope may be from 2.
    """

    within: float = 0.05
    name: ClassVar[str] = "gradient (Taylor)"
    advice: ClassVar[str] = (
        "the gradient is not that of the function: the slope is 1 where it is wrong; if the tangent "
        "converges, look at the adjoint"
    )

    def of(self, ray: Ray) -> Finding:
        """Return the slope's distance from 2."""
        if not ray.seen:
            raise NotApplicable(_unseen(ray))
        residuals = self._residuals(ray)
        slope = self._slope(residuals, self._rounding(ray))
        found = judged(ray, self.name, abs(slope - 2.0), self.within, self.advice, f"slope {slope:.2f}")
        return _with_series(found, residuals)

    def _residuals(self, ray: Ray) -> list[float]:
        weights = {k: v for k, v in ray.cotangent().items() if k in ray.seen}
        rest = {k: v for k, v in zeros(ray.base).items() if k not in weights}
        promised = dot(ray.direction, ray.subject.gradient(weights | rest))
        return [self._residual(ray, weights, promised, h) for h in LENGTHS]

    def _residual(self, ray: Ray, weights: Vector, promised: float, length: float) -> float:
        change = ray.change(length)
        if change is None:
            return math.nan
        square = sum((norm(change[k]) / ray.unit(k)) ** 2 for k in ray.seen)
        return abs(dot(change, weights) + 0.5 * square - length * promised)

    def _rounding(self, ray: Ray) -> float:
        parts = (norm(ray.base[k]) / ray.unit(k) for k in ray.seen)
        return ray.precision * math.sqrt(sum(part**2 for part in parts))

    def _slope(self, residuals: list[float], rounding: float) -> float:
        usable = [k for k, r in enumerate(residuals) if r > ABOVE_ROUNDING * rounding]
        last = [k for k in usable if k + 1 in usable]
        if not last:
            raise NotApplicable("the residual is lost in rounding")
        return math.log10(residuals[last[-1]] / residuals[last[-1] + 1])


DERIVATIVES: tuple[Check, ...] = (
    ZeroPerturbation(),
    Linearity(),
    TangentConvergence(),
    AdjointDot(),
    GradientTaylor(),
)
"""In the order in which to mend: each relies on those before it."""
