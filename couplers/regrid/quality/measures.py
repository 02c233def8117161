"""What weights are worth: constants, integrals, signs, coverage, and misfits of the standard functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import fsum
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from scipy import sparse

from tradewind.couplers.regrid.backends import recipe_of_file
from tradewind.couplers.regrid.mapfile import WeightMap
from tradewind.couplers.regrid.quality.standard_fields import STANDARD_FIELDS, sampled
from tradewind.couplers.regrid.scheme import Method, Norm, Scheme
from tradewind.couplers.regrid.weights import generate
from tradewind.errors import SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid
    from tradewind.couplers.regrid.regridder import Regridder

    Array: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]

HALF = 0.5
"""Conservative targets that are covered less than this are left out of the misfits."""
ROUNDING = 1e-12
"""Weights this little below 0 or above 1 are rounding, and count as neither."""


@dataclass(frozen=True)
class Misfit:
    """Mean, largest and root-mean-square ``|(W ψ)_i - ψ_i| / |ψ_i|`` over the rows that count."""

    mean: float
    largest: float
    rms: float


@dataclass(frozen=True)
class Quality:
    """Figures of one set of weights.

    Attributes
    ----------
    scheme
        How they were made.
    sources, targets, entries
        Numbers of cells and of weights.
    rows
        Number of targets that count for the misfits: mapped ones, and with conservative methods only those
        covered by more than a half.
    unmapped
        Number of active targets that receive nothing.
    coverage
        Part of the active targets' area that is covered (part of their number where there is no area).
    row_sum_error
        Largest ``|Σ_j W_ij - s_i|``, s_i the covered fraction with norm dstarea, else 1; None for
        ``nearest_d2s``, which adds.
    constant_error
        Largest deviation from 1 of a regridded 1, with norm dstarea after division by the fraction.
    conservation
        Largest ``|Σ_i A_i f_i (W ψ)_i - Σ_j A_j f_j ψ_j| / |Σ_j A_j f_j ψ_j|`` of the four functions; None
        for other than conservative methods.
    negative, above_one, not_finite
        Numbers of weights below 0, above 1 (by more than rounding), and NaN or infinite.
    least, largest
        Smallest and largest weight.
    misfits
        By the names of the standard functions.
    """

    scheme: Scheme
    sources: int
    targets: int
    entries: int
    rows: int
    unmapped: int
    coverage: float
    row_sum_error: float | None
    constant_error: float | None
    conservation: float | None
    negative: int
    above_one: int
    not_finite: int
    least: float
    largest: float
    misfits: Mapping[str, Misfit]

    def flat(self) -> dict[str, Any]:
        """Return the figures as one flat object; what is not finite becomes None, as JSON knows no NaN."""
        plain = {k: v for k, v in vars(self).items() if k not in {"scheme", "misfits"}}
        found = {"method": str(self.scheme.method), "norm": str(self.scheme.norm), **plain}
        for name, misfit in self.misfits.items():
            found |= {f"misfit_{what}_{name}": value for what, value in vars(misfit).items()}
        return {k: _json_number(v) for k, v in found.items()}


def _json_number(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def quality(
    of: Regridder | WeightMap, frac_source: Array | None = None, rows: Flags | None = None
) -> Quality:
    """Return the figures of a serial regridder or of what a weight file holds.

    Parameters
    ----------
    of
        The weights.
    frac_source
        Fraction of every source cell that goes to targets, shape ``(n_source,)``; found from the geometry
        of the grids when absent, and so independent of the weights.
    rows
        Targets that count for the misfits, shape ``(n_target,)``; see `counted_rows` when absent.

    Raises
    ------
    SpecError
        A regridder whose rows lie on several ranks.
    """
    weights = _of_map(of) if isinstance(of, WeightMap) else _of_regridder(of)
    return weights.figures(frac_source, weights.counted if rows is None else rows)


def counted_rows(of: WeightMap) -> Flags:
    """Return which targets of a weight file count for misfits: mapped, or more than half covered."""
    return _of_map(of).counted


@dataclass(frozen=True, eq=False)
class _Weights:
    source: Grid
    target: Grid
    scheme: Scheme
    matrix: sparse.csr_array
    frac: Array

    def figures(self, frac_source: Array | None, rows: Flags) -> Quality:
        value = self.matrix.data
        return Quality(
            scheme=self.scheme,
            sources=self.source.size,
            targets=self.target.size,
            entries=len(value),
            rows=int(rows.sum()),
            unmapped=int((self.target.mask & ~self.mapped).sum()),
            coverage=self.coverage(),
            row_sum_error=self.row_sum_error(),
            constant_error=self.constant_error(),
            conservation=self.conservation(frac_source),
            negative=int((value < -ROUNDING).sum()),
            above_one=int((value > 1.0 + ROUNDING).sum()),
            not_finite=int((~np.isfinite(value)).sum()),
            least=float(value.min(initial=np.inf)),
            largest=float(value.max(initial=-np.inf)),
            misfits=self.misfits(rows),
        )

    @cached_property
    def mapped(self) -> Flags:
        return np.diff(self.matrix.indptr) > 0

    @cached_property
    def counted(self) -> Flags:
        return self.mapped & (self.frac > HALF) if self.scheme.method.is_conservative else self.mapped

    @property
    def diluted(self) -> bool:
        return self.scheme.method.is_conservative and self.scheme.norm is Norm.DSTAREA

    @cached_property
    def before(self) -> Array:
        """The four functions at the source centres, shape ``(n_source, 4)``."""
        return sampled(self.source.lon, self.source.lat).T

    @cached_property
    def after(self) -> Array:
        """The regridded functions, shape ``(n_target, 4)``."""
        out: Array = self.matrix @ self.before
        return out

    def coverage(self) -> float:
        active = self.target.mask
        if not active.any():
            return 0.0
        area = self.target.polygon_area if self.target.lon_corners is not None else np.ones(self.target.size)
        covered = self.frac if self.scheme.method.is_conservative else self.mapped.astype(np.float64)
        return float((area * covered)[active].sum() / area[active].sum())

    def row_sum_error(self) -> float | None:
        if self.scheme.method is Method.NEAREST_D2S or not self.mapped.any():
            return None
        expected = self.frac if self.diluted else np.ones(self.target.size)
        return _largest(np.abs(self._row_sums() - expected)[self.mapped])

    def constant_error(self) -> float | None:
        if self.scheme.method is Method.NEAREST_D2S or not self.mapped.any():
            return None
        sums = self._row_sums()
        return _largest(np.abs(self._undiluted(sums) - 1.0)[self.mapped])

    def conservation(self, frac_source: Array | None) -> float | None:
        if not self.scheme.method.is_conservative:
            return None
        given = self.frac if self.scheme.norm is Norm.FRACAREA else np.ones(self.target.size)
        covered = covered_sources(self.source, self.target) if frac_source is None else frac_source
        arrived = _integrals(self.target.polygon_area * given, self.after)
        left = _integrals(self.source.polygon_area * covered, self.before)
        return _largest(np.abs(arrived - left) / np.abs(left)) if left.all() else None

    def misfits(self, rows: Flags) -> dict[str, Misfit]:
        if not rows.any():
            return {}
        expected = sampled(self.target.lon[rows], self.target.lat[rows])
        found = self._undiluted(self.after.T)[:, rows]
        gap = np.abs(found - expected) / np.abs(expected)
        return {name: _misfit(values) for name, values in zip(STANDARD_FIELDS, gap, strict=True)}

    def _row_sums(self) -> Array:
        out: Array = self.matrix @ np.ones(self.source.size)
        return out

    def _undiluted(self, values: Array) -> Array:
        if not self.diluted:
            return values
        return np.divide(values, self.frac, out=np.zeros_like(values), where=self.frac > 0)


def _of_regridder(regridder: Regridder) -> _Weights:
    if not regridder.target.is_serial:
        raise SpecError(
            "weights of several ranks", where="quality", hint="look at the serial regridder, or at its file"
        )
    source, target = regridder.source.grid, regridder.target.grid
    return _Weights(source, target, regridder.how.scheme, regridder.weights, regridder.frac_target.numpy())


def _of_map(content: WeightMap) -> _Weights:
    weights, scheme = content.weights, recipe_of_file(content.attributes).scheme
    shape = (content.target.size, content.source.size)
    matrix = sparse.csr_array((weights.value, (weights.row, weights.col)), shape=shape)
    return _Weights(content.source, content.target, scheme, matrix, weights.frac_target)


def covered_sources(source: Grid, target: Grid) -> Array:
    """Return how much of each active source cell active target cells cover, shape ``(n_source,)``.

    Overlaps are cut anew with the roles of the grids swapped, so it checks the weights and does not repeat
    them.
    """
    return generate(target, source, Scheme(Method.CONSERVATIVE, Norm.DSTAREA)).frac_target


def _integrals(area: Array, fields: Array) -> Array:
    # sums without rounding, so that what is left is the weights' own
    return np.array([fsum(column) for column in (area[:, None] * fields).T])


def _misfit(gap: Array) -> Misfit:
    return Misfit(float(gap.mean()), float(gap.max()), float(np.sqrt((gap**2).mean())))


def _largest(values: Array) -> float:
    return float(values.max(initial=0.0))
