"""From the levels of an export to those of an import: selection, interpolation, means over layers, sums.

All of these are y_k = Σ_j w_kj x_j along axis -2 with weights that are the same in every cell. Terms are
multiplied and added cell by cell in the order of j, never by a matrix product, whose order of summation
depends on its size: results have the same bits for any number of cells and ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import isfinite, log
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

from tradewind.couplers.coupling.how import Along, Keep, Outside
from tradewind.errors import SpecError

Row: TypeAlias = tuple[tuple[int, float], ...]
"""What one level of the import is made of: levels of the export in order, and their weights."""
ROUNDING = 1e-9
"""Ends of columns that differ by less, relative to the column, are the same."""


class LevelMap(Protocol):
    """A linear map along axis -2 of fields of shape ``(..., level, cell)``, with its exact adjoint."""

    def forward(self, field: Tensor) -> Tensor:
        """Return the field on the import's levels, ``(..., level, cell)``, or ``(..., cell)`` for one."""

    def adjoint(self, cotangent: Tensor) -> Tensor:
        """Return the cotangent on the export's levels."""


@dataclass(frozen=True)
class LevelWeights:
    """y_k = Σ_j w_kj x_j along axis -2.

    Attributes
    ----------
    rows
        w by level of the import.
    levels
        How many levels the export has.

    Raises
    ------
    SpecError
        Levels that are not there.
    """

    rows: tuple[Row, ...]
    levels: int

    def __post_init__(self) -> None:
        wrong = [j for row in self.rows for j, _ in row if not 0 <= j < self.levels]
        if wrong or not self.rows:
            raise _no_level(wrong[0] if wrong else "none", self.levels)

    def forward(self, field: Tensor) -> Tensor:
        """Return y of shape ``(..., len(rows), cell)`` from x of shape ``(..., levels, cell)``.

        Raises
        ------
        SpecError
            Another number of levels.
        """
        _refuse_others(field, self.levels)
        return torch.stack([_total(field, row) for row in self.rows], dim=-2)

    def adjoint(self, cotangent: Tensor) -> Tensor:
        """Return x̄_j = Σ_k w_kj ȳ_k of shape ``(..., levels, cell)``.

        Raises
        ------
        SpecError
            Another number of levels.
        """
        _refuse_others(cotangent, len(self.rows))
        return torch.stack([_total(cotangent, column) for column in self._columns], dim=-2)

    @cached_property
    def _columns(self) -> tuple[Row, ...]:
        return tuple(
            tuple((k, weight) for k, row in enumerate(self.rows) for i, weight in row if i == j)
            for j in range(self.levels)
        )


@dataclass(frozen=True)
class OneLevel:
    """A map to one level, whose axis disappears: ``(..., level, cell)`` becomes ``(..., cell)``.

    Attributes
    ----------
    weights
        Of a single row.
    """

    weights: LevelWeights

    def forward(self, field: Tensor) -> Tensor:
        """Return y of shape ``(..., cell)``."""
        return self.weights.forward(field).squeeze(-2)

    def adjoint(self, cotangent: Tensor) -> Tensor:
        """Return x̄ of shape ``(..., levels, cell)``."""
        return self.weights.adjoint(cotangent.unsqueeze(-2))


def _total(field: Tensor, row: Row) -> Tensor:
    """Return the weighted sum of some levels, shape ``(..., cell)``, added in order."""
    total = None
    for level, weight in row:
        part = weight * field[..., level, :]
        total = part if total is None else total + part
    return torch.zeros_like(field[..., 0, :]) if total is None else total


def _refuse_others(field: Tensor, levels: int) -> None:
    if field.ndim < 2 or field.shape[-2] != levels:
        raise SpecError(f"expected (..., {levels}, cell), got {tuple(field.shape)}", where="levels")


def _no_level(level: object, levels: int) -> SpecError:
    last = f"0 is the first, {levels - 1} or -1 the last"
    return SpecError(f"level {level} of {levels}", where="levels", hint=last)


# ---------------------------------------------------------------------- making them
def selected(levels: int, wanted: Sequence[int]) -> LevelWeights:
    """Return the map that takes some levels as they are.

    Parameters
    ----------
    levels
        How many there are.
    wanted
        Their numbers, from 0; negative ones count from the last.

    Raises
    ------
    SpecError
        None, or some that are not there.
    """
    for level in wanted:
        if not -levels <= level < levels:
            raise _no_level(level, levels)
    return LevelWeights(tuple(((level % levels, 1.0),) for level in wanted), levels)


def summed(levels: int, weights: Sequence[float] | None = None) -> LevelWeights:
    """Return the map to the sum over all levels, weighted or not: a column's total, one level.

    Raises
    ------
    SpecError
        Another number of weights.
    """
    each = (1.0,) * levels if weights is None else tuple(map(float, weights))
    if len(each) != levels:
        raise SpecError(f"{len(each)} weights for {levels} levels", where="levels")
    return LevelWeights((tuple(enumerate(each)),), levels)


def interpolated(
    source: Sequence[float],
    target: Sequence[float],
    along: Along = Along.LINEAR,
    outside: Outside = Outside.REFUSE,
) -> LevelWeights:
    """Return the map that reads between levels, y(q) = (1 - t) x(p_j) + t x(p_j+1).

    Parameters
    ----------
    source, target
        Coordinates of the levels (pressure, height, hybrid values), in the same units; the source's rise or
        fall.
    along
        What t is linear in.
    outside
        What levels beyond the source's take.

    Raises
    ------
    SpecError
        Coordinates out of order, a logarithm of what is not positive, or levels outside.
    """
    p, q = _ordered(source, 1), [float(v) for v in target]
    turned = len(p) > 1 and p[0] > p[-1]
    ends = min(p), max(p)
    if outside is Outside.REFUSE:
        for value in q:
            _refuse_outside(value, ends, "levels")
    of = _scale(along, [*p, *q])
    rising = p[::-1] if turned else p
    rows = [_between([of(v) for v in rising], of(min(max(v, ends[0]), ends[1]))) for v in q]
    last = len(p) - 1
    return LevelWeights(
        tuple(tuple(sorted((last - j if turned else j, w) for j, w in row)) for row in rows), len(p)
    )


def layered(
    source: Sequence[float],
    target: Sequence[float],
    keep: Keep = Keep.MEAN,
    outside: Outside = Outside.REFUSE,
) -> LevelWeights:
    """Return the map between layers that keeps what is in the column.

    With O_kj the overlap of layers k and j, and D_k, D_j their thicknesses,

        mean: y_k = Σ_j O_kj x_j / D_k,        amount: y_k = Σ_j O_kj x_j / D_j

    so that Σ_k D_k y_k = Σ_j D_j x_j or Σ_k y_k = Σ_j x_j over what the columns share.

    Parameters
    ----------
    source, target
        Interfaces, one more than layers, rising or falling, in a coordinate that is linear in mass, such as
        pressure.
    keep
        Whether values hold per mass or for whole layers.
    outside
        With ``nearest``, the outermost layers reach to where the other column ends.

    Raises
    ------
    SpecError
        Interfaces out of order; for means, target layers that the source does not reach; for amounts, source
        layers that the target does not.
    """
    p, q = _layers(source), _layers(target)
    inner, outer, words = (q, p, "target") if keep is Keep.MEAN else (p, q, "source")
    if outside is Outside.REFUSE:
        ends = min(map(min, outer)), max(map(max, outer))
        for edge in (edge for layer in inner for edge in layer):
            _refuse_outside(edge, ends, f"{words} layers")
    # ends that differ by rounding are to be the same
    outer = _reaching(outer, inner)
    p, q = (outer, inner) if keep is Keep.MEAN else (inner, outer)
    return LevelWeights(tuple(tuple(_shares(layer, p, keep)) for layer in q), len(p))


Layer: TypeAlias = tuple[float, float]


def _layers(interfaces: Sequence[float]) -> list[Layer]:
    """Return each layer's lower and upper value, in the order given."""
    edges = _ordered(interfaces, 2)
    return [(min(pair), max(pair)) for pair in pairwise(edges)]


def _reaching(layers: list[Layer], others: list[Layer]) -> list[Layer]:
    """Return layers of which the outermost reach to the ends of the others."""
    low, high = min(a for a, _ in others), max(b for _, b in others)
    first, last = min(a for a, _ in layers), max(b for _, b in layers)
    return [(min(a, low) if a == first else a, max(b, high) if b == last else b) for a, b in layers]


def _shares(layer: Layer, source: list[Layer], keep: Keep) -> Iterator[tuple[int, float]]:
    for j, other in enumerate(source):
        overlap = min(layer[1], other[1]) - max(layer[0], other[0])
        if overlap > 0.0:
            whole = layer if keep is Keep.MEAN else other
            yield j, overlap / (whole[1] - whole[0])


def _between(points: list[float], value: float) -> Row:
    """Return which two of rising points a value lies between, and their weights."""
    if value >= points[-1]:
        return ((len(points) - 1, 1.0),)
    j = max(i for i, point in enumerate(points) if point <= value)
    part = (value - points[j]) / (points[j + 1] - points[j])
    return ((j, 1.0),) if part == 0.0 else ((j, 1.0 - part), (j + 1, part))


def _scale(along: Along, values: list[float]) -> Callable[[float], float]:
    if along is Along.LINEAR:
        return float
    if min(values) <= 0.0:
        raise SpecError(f"no logarithm of {min(values):g}", where="levels", hint="interpolate linear")
    return log


def _ordered(values: Sequence[float], least: int) -> list[float]:
    found = [float(v) for v in values]
    turns = {(b > a) - (b < a) for a, b in pairwise(found)}
    if len(found) < least or not all(map(isfinite, found)) or len(turns) > 1 or 0 in turns:
        shown = ", ".join(f"{v:g}" for v in found[:6])
        raise SpecError(
            f"coordinates {shown}{', ...' if len(found) > 6 else ''} neither rise nor fall", where="levels",
            hint=f"at least {least}, each once, in order",
        )  # fmt: skip
    return found


def _refuse_outside(value: float, ends: tuple[float, float], what: str) -> None:
    slack = ROUNDING * max(abs(ends[0]), abs(ends[1]), ends[1] - ends[0])
    if not ends[0] - slack <= value <= ends[1] + slack:
        raise SpecError(
            f"{what} at {value:g} lie outside of {ends[0]:g} to {ends[1]:g}", where="levels",
            hint="outside: nearest, or mend the units of one side",
        )  # fmt: skip
