"""Which records a step is given, and how much of each: interpolation and exact means in time.

Records are points, between which values vary linearly, or stand for intervals, in which they are constant.
Time is counted in whole microseconds, so that parts of a step are exactly the step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.errors import TradewindError
from tradewind.plugins.prescribed.options import TimeMethod

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ticks: TypeAlias = NDArray[np.int64]

Weights: TypeAlias = tuple[tuple[int, float], ...]
"""Records and the factors that their values are added with, in order of time; the factors sum to 1."""


class NotCoveredError(TradewindError):
    """Data end before the time that is asked for, or leave it out; to be told with names of files."""


@dataclass(frozen=True, eq=False)
class Axis:
    """Records in order of time, in microseconds since some moment.

    Attributes
    ----------
    points
        When they hold, ascending, shape ``(n,)``; of intervals, the middle.
    edges
        Start and stop of the interval that each stands for, shape ``(n, 2)``, apart from each other; None
        where they are points.
    record
        Number of each in the data, shape ``(n,)``: a cycle repeats it.
    """

    points: Ticks
    edges: Ticks | None
    record: Ticks

    @cached_property
    def span(self) -> tuple[int, int]:
        """First and last moment that the data know of."""
        if self.edges is None:
            return int(self.points[0]), int(self.points[-1])
        return int(self.edges[0, 0]), int(self.edges[-1, 1])

    def refuse_uncovered(self, a: int, b: int) -> None:
        """Refuse a time of which the data leave out a part.

        Raises
        ------
        NotCoveredError
            When they begin after `a`, end before `b`, or leave a gap between.
        """
        begins, ends = self.span
        if not begins <= a <= b <= ends:
            raise NotCoveredError("outside")
        if self.edges is not None:
            stops, starts = self.edges[:-1, 1], self.edges[1:, 0]
            if bool(((starts > stops) & (starts > a) & (stops < b)).any()):
                raise NotCoveredError("gap")

    # ------------------------------------------------------------------ a moment
    def at(self, t: int, method: TimeMethod) -> Weights:
        """Return what holds at `t`.

        Linear: between points, or the middles of intervals; in the outer halves of the first and the last
        interval their own values hold. Nearest: the later of two that are equally near. Previous: the last
        point that is not after `t`, or the interval around it; at the very end, the last.

        Raises
        ------
        NotCoveredError
            When the data do not know of `t`.
        """
        inside = self._around(t)
        if method is TimeMethod.PREVIOUS:
            return self._told([(inside, 1.0)])
        left = int(np.searchsorted(self.points, t, side="right")) - 1
        if left < 0 or left == len(self.points) - 1:
            return self._told([(max(left, 0), 1.0)])
        before, after = int(self.points[left]), int(self.points[left + 1])
        if method is TimeMethod.NEAREST:
            return self._told([(left + (2 * t >= before + after), 1.0)])
        share = (t - before) / (after - before)
        return self._told([(left, 1.0 - share), (left + 1, share)])

    def _around(self, t: int) -> int:
        """Return the last point that is not after `t`, or the interval that holds it."""
        begins, ends = self.span
        if not begins <= t <= ends:
            raise NotCoveredError("outside")
        if self.edges is None:
            return int(np.searchsorted(self.points, t, side="right")) - 1
        found = int(np.searchsorted(self.edges[:, 0], t, side="right")) - 1
        if t >= self.edges[found, 1] and t != ends:
            raise NotCoveredError("gap")
        return found

    # ------------------------------------------------------------------ a mean
    def mean(self, a: int, b: int) -> Weights:
        """Return the exact mean from `a` to `b`, of lines between points or of constants in intervals.

        Raises
        ------
        NotCoveredError
            When the data do not know of all that lies between.
        """
        begins, ends = self.span
        if not begins <= a < b <= ends:
            raise NotCoveredError("outside")
        if self.edges is None:
            return self._told([(k, length / (b - a)) for k, length in self._lines(a, b)])
        parts = list(self._constants(self.edges, a, b))
        if sum(length for _, length in parts) != b - a:
            raise NotCoveredError("gap")
        return self._told([(k, length / (b - a)) for k, length in parts])

    def _constants(self, edges: Ticks, a: int, b: int) -> Iterator[tuple[int, int]]:
        """Yield intervals, and how much of each lies between `a` and `b`."""
        first = max(int(np.searchsorted(edges[:, 0], a, side="right")) - 1, 0)
        last = int(np.searchsorted(edges[:, 0], b, side="left"))
        for k in range(first, last):
            length = min(b, int(edges[k, 1])) - max(a, int(edges[k, 0]))
            if length > 0:
                yield k, length

    def _lines(self, a: int, b: int) -> Iterator[tuple[int, float]]:
        """Yield points, and the integrals from `a` to `b` of the hats over them.

        On a line from x0 at t0 to x1 at t1, the integral from p to q is (q - p) ((1 - m) x0 + m x1), with
        m = ((p + q) / 2 - t0) / (t1 - t0).
        """
        first = max(int(np.searchsorted(self.points, a, side="right")) - 1, 0)
        last = int(np.searchsorted(self.points, b, side="left"))
        for k in range(first, last):
            t0, t1 = int(self.points[k]), int(self.points[k + 1])
            p, q = max(a, t0), min(b, t1)
            m = (p + q - 2 * t0) / (2 * (t1 - t0))
            yield k, (q - p) * (1.0 - m)
            yield k + 1, (q - p) * m

    def _told(self, parts: list[tuple[int, float]]) -> Weights:
        """Return the parts by record of the data, each once, without those that add nothing."""
        found: dict[int, float] = {}
        for place, weight in parts:
            record = int(self.record[place])
            found[record] = found.get(record, 0.0) + weight
        return tuple((record, weight) for record, weight in found.items() if weight != 0.0)
