"""The cost function of a variational method, and its quadratic shape about a point.

    J(v) = vᵀv + Σ_w (y - F_w(x))ᵀ R_w⁻¹ (y - F_w(x)),   x = xA + L v,   L Lᵀ = B

Symbols: v the control in units of its background errors (Courtier et al., 1994, QJRMS 120, 1367; Lorenc,
1988, QJRMS 114, 205), w windows, K the model's derivative, G = K L, d = y - F(x). Windows are dealt to
ranks; every sum over them is added in their order, so no bit depends on the number of ranks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from tradewind.couplers.assimilation import ForwardModel, Observations, ObservationsByWindow
from tradewind.couplers.assimilation.covariance import Covariance
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.operators import LinearOperator, MatrixOperator
from tradewind.couplers.ranks.parallel import agree, ordered_sum
from tradewind.errors import DataError, ModelError, SpecError
from tradewind.plugins.solvers import jacobians, windows

Chain = Callable[[Tensor, Interval], LinearOperator]
"""From x and a window to G = K L, from v to ``Replicated(m)``."""


@dataclass(frozen=True)
class Cost:
    """Both terms of J, without the factor 1/2."""

    prior: float
    observations: float

    @property
    def total(self) -> float:
        """J."""
        return self.prior + self.observations

    @property
    def finite(self) -> bool:
        """Whether J is a number."""
        return math.isfinite(self.total)


@dataclass(frozen=True)
class Point:
    """Where the model was run.

    Attributes
    ----------
    v, x
        Shape ``(p,)`` and ``(n,)``.
    simulated, residuals
        F(x) and d = y - F(x) by number of this rank's windows that have observations.
    """

    v: Tensor
    x: Tensor
    simulated: Mapping[int, Tensor]
    residuals: Mapping[int, Tensor]
    cost: Cost


@dataclass
class Problem:
    """What is minimised.

    Attributes
    ----------
    prior
        xA, shape ``(n,)``.
    root
        L, from v (p elements) to x.
    derivative
        Gives G; None: the model's own derivative times L.

    Raises
    ------
    DataError
        Observations that are not finite, or lack their errors.
    """

    model: ForwardModel
    prior: Tensor
    root: LinearOperator
    observations: ObservationsByWindow
    derivative: Chain | None = None

    def __post_init__(self) -> None:
        found = {n: self._seen(n) for n in windows.owned(self.model.windows, self.model.comm)}
        self.seen = {n: seen for n, seen in found.items() if len(seen)}
        with agree(self.model.comm, "observations"):
            for number, seen in self.seen.items():
                windows.refuse_nan(seen.y, "observation", self._window(number))

    def _seen(self, number: int) -> Observations:
        return self.observations.get(self._window(number), windows.NOTHING)

    def _window(self, number: int) -> Interval:
        return self.model.windows[number]

    @cached_property
    def noise(self) -> Mapping[int, Covariance]:
        """R by window of this rank: that of the observations and the model's own at xA, kept throughout."""
        with agree(self.model.comm, "errors of observations"):
            return {
                n: windows.noise(self.model, self.prior, self._window(n), seen)
                for n, seen in self.seen.items()
            }

    def start(self) -> Point:
        """Return xA, where the model has to be able to run.

        Raises
        ------
        DataError
            A simulated observation that is not finite: names window and index.
        SpecError
            Simulations of another shape than the observations.
        RankError
            When another rank has failed.
        """
        v = self.root.domain.zeros()
        with agree(self.model.comm, "simulating the prior"):
            simulated = {
                n: windows.simulate(self.model, self.prior, self._window(n), seen)
                for n, seen in self.seen.items()
            }
        return self._point(v, self.prior, simulated)

    def at(self, v: Tensor) -> Point:
        """Return what the model says at `v`; its cost is not finite where the model blows up."""
        x = self.prior + self.root.forward(v)
        return self._point(v, x, {n: self._tried(x, n, seen) for n, seen in self.seen.items()})

    def _tried(self, x: Tensor, number: int, seen: Observations) -> Tensor:
        # a step may have been too long: whoever takes it shortens it
        try:
            simulated = self.model(x, self._window(number)).detach()
        except (DataError, ModelError):
            return torch.full_like(seen.y, torch.nan)
        return simulated if simulated.shape == seen.y.shape else torch.full_like(seen.y, torch.nan)

    def _point(self, v: Tensor, x: Tensor, simulated: Mapping[int, Tensor]) -> Point:
        residuals = {n: self.seen[n].y - value for n, value in simulated.items()}
        terms = {n: (d @ self.noise[n].solve(d))[None] for n, d in residuals.items()}
        observations = float(ordered_sum(self.model.comm, terms))
        return Point(v, x, simulated, residuals, Cost(float(v @ v), observations))

    def linearize(self, point: Point, products: int = 0) -> Quadratic:
        """Return the quadratic cost about a point; all ranks enter.

        Parameters
        ----------
        products
            How often G and Gᵀ may be applied: where a window's G has no more rows or columns, it is made as
            a matrix, once for all of them.

        Raises
        ------
        SpecError
            A derivative of another shape than the observations.
        """
        derivative = self.derivative or self._chain
        with agree(self.model.comm, "linearizing windows"):
            operators = {n: self._checked(derivative(point.x, self._window(n)), n) for n in self.seen}
        return Quadratic(self, point, operators, products)

    def _chain(self, x: Tensor, window: Interval) -> LinearOperator:
        return self.model.linearize(x, window) @ self.root

    def _checked(self, operator: LinearOperator, number: int) -> LinearOperator:
        found, wanted = operator.range.size, len(self.seen[number])
        if found != wanted:
            raise SpecError(
                f"K gives {found} numbers for {wanted} observations", where=f"window {self._window(number)}"
            )
        return operator

    def by_window(self, points: Sequence[Point]) -> Mapping[Interval, Tensor]:
        """Return F at several points by window, shape ``(k, m)``, gathered from all ranks."""
        mine = windows.owned(self.model.windows, self.model.comm)
        empty = torch.zeros(0, dtype=torch.float64)
        parts = [torch.stack([p.simulated.get(n, empty) for p in points]) for n in mine]
        return dict(windows.by_window(self.model.windows, self.model.comm, parts))


@dataclass
class Quadratic:
    """The quadratic cost about a point: ½J(v + s) = ½J(v) + gᵀs + ½ sᵀ(I + Σ GᵀR⁻¹G)s.

    Attributes
    ----------
    operators
        G by window of this rank.
    products
        How often they may be applied.
    """

    problem: Problem
    point: Point
    operators: Mapping[int, LinearOperator]
    products: int = 0

    @cached_property
    def gradient(self) -> Tensor:
        """The gradient g = v - Σ GᵀR⁻¹d of ½J, shape ``(p,)``."""
        d = self.point.residuals
        return self.point.v - self._sum(lambda n, G: G.adjoint(self.problem.noise[n].solve(d[n])))

    def product(self, v: Tensor) -> Tensor:
        """Return ``(I + Σ GᵀR⁻¹G) v``, shape ``(..., p)``."""
        return v + self._sum(lambda n, G: G.adjoint(self.problem.noise[n].solve(G.forward(v))))

    def information(self) -> Tensor:
        """Return W = Σ GᵀR⁻¹G, shape ``(p, p)``: G is made by the fewer of its rows or columns."""
        total = self._sum(self._squared)
        return 0.5 * (total + total.T)

    def _squared(self, number: int, operator: LinearOperator) -> Tensor:
        matrix = operator.matrix if isinstance(operator, MatrixOperator) else jacobians.dense(operator)
        return self.problem.noise[number].solve(matrix.T.contiguous()) @ matrix

    @cached_property
    def _factors(self) -> Mapping[int, LinearOperator]:
        with agree(self.problem.model.comm, "derivatives of windows"):
            return {n: self._applied_often(G) for n, G in self.operators.items()}

    def _applied_often(self, operator: LinearOperator) -> LinearOperator:
        fewer = min(operator.range.size, operator.domain.size)
        few = fewer <= self.products and not isinstance(operator, MatrixOperator)
        return MatrixOperator(jacobians.dense(operator)) if few else operator

    def _sum(self, part: Callable[[int, LinearOperator], Tensor]) -> Tensor:
        comm, factors = self.problem.model.comm, self._factors
        with agree(comm, "derivatives of windows"):
            parts = {n: part(n, operator).detach() for n, operator in factors.items()}
        return ordered_sum(comm, parts)
