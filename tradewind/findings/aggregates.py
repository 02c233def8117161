"""Totals by sector and region: before and after, their covariances, and their range over an ensemble.

A total is linear in the fluxes: with w its weight in each cell (area, region, units) and F the fluxes that x
stands for, ``T = w F(x)``, and its covariances are ``W S Wᵀ`` with ``W = w dF/dx``, linearised where F is not
linear. W has one row for each total, so that S is looked at once, whatever its size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from tradewind.couplers.assimilation import Control, Port, Posterior
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.coupling.units import convertible
from tradewind.diagnostics.rolling import Rolling, rolling
from tradewind.diagnostics.variants import variants
from tradewind.findings.controlled import MASS_FLUX, Share, cell_weights, shares

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Masks: TypeAlias = "Callable[[Grid], Mapping[str, NDArray[np.bool_]]]"

ALL = "all"
"""All sectors together, and everywhere."""
UNITS = "Tg yr-1"


@dataclass(frozen=True)
class PeriodTotals:
    """Totals of every period of a rolling inversion, shape ``(period, total)``.

    Attributes
    ----------
    sigma
        Of `posterior`, from the errors of the elements as if these were independent of each other.
    """

    prior: Tensor
    posterior: Tensor
    sigma: Tensor


@dataclass(frozen=True)
class Aggregates:
    """Totals by sector and region, in Tg a year, each along ``(total,)``.

    Attributes
    ----------
    sectors, regions
        What each total is of: a controlled ``component.variable`` and the name of a region, or `ALL`.
    prior, posterior
        Totals of the fields that x stands for.
    prior_covariance, posterior_covariance
        Of their errors, shape ``(total, total)``; the latter None where the method gives neither a covariance
        nor members.
    variants
        Totals of each inversion of an ensemble of hyper-parameters, shape ``(variant, total)``; None: none.
    kept
        Which of these count, bool, shape ``(variant,)``.
    periods
        None but of rolling inversions.
    """

    sectors: tuple[str, ...]
    regions: tuple[str, ...]
    prior: Tensor
    posterior: Tensor
    prior_covariance: Tensor
    posterior_covariance: Tensor | None
    variants: Tensor | None = None
    kept: Tensor | None = None
    periods: PeriodTotals | None = None
    units: str = UNITS

    def __len__(self) -> int:
        return len(self.sectors)

    @property
    def names(self) -> tuple[str, ...]:
        """What each total is of, in words."""
        both = zip(self.sectors, self.regions, strict=True)
        return tuple(", ".join(p for p in pair if p != ALL) or ALL for pair in both)

    @property
    def prior_sigma(self) -> Tensor:
        """One-sigma errors before, shape ``(total,)``."""
        return self.prior_covariance.diagonal().sqrt()

    @property
    def posterior_sigma(self) -> Tensor:
        """One-sigma errors after; NaN where they are not known."""
        if self.posterior_covariance is None:
            return torch.full_like(self.posterior, torch.nan)
        return self.posterior_covariance.diagonal().clamp(min=0.0).sqrt()

    @property
    def correlation(self) -> Tensor | None:
        """Correlation of the errors after, shape ``(total, total)``; 0 where a total has no error."""
        if self.posterior_covariance is None:
            return None
        sigma = self.posterior_sigma
        product = sigma[:, None] * sigma
        return torch.where(product > 0, self.posterior_covariance / product.clamp(min=1e-300), 0.0)

    @property
    def range(self) -> tuple[Tensor, Tensor] | None:
        """Least and greatest total of the kept variants, shape ``(total,)`` each; None where none is kept."""
        if self.variants is None or self.kept is None or not bool(self.kept.any()):
            return None
        chosen = self.variants[self.kept]
        return chosen.min(dim=0).values, chosen.max(dim=0).values


def aggregates(
    control: Control, posterior: Posterior, variable: Callable[[Port], Variable], masks: Masks
) -> Aggregates | None:
    """Return totals of every controlled mass flux, by region, and of all together; None without one.

    Parameters
    ----------
    variable
        Gives what a port declares.
    masks
        Gives the regions of a grid by name, bool, shape ``(size,)``.

    Raises
    ------
    ConfigError
        When the control is of a kind whose fields are not known.
    """
    parts = tuple(_parts(control, posterior, variable, masks))
    if not parts:
        return None
    sums = Sums(parts, len(posterior.mean))
    before, after = sums.slopes(control.prior), sums.slopes(posterior.mean)
    found, periods = variants(posterior), rolling(posterior)
    return Aggregates(
        sectors=sums.sectors,
        regions=sums.regions,
        prior=sums(control.prior),
        posterior=sums(posterior.mean),
        prior_covariance=_symmetric(before @ control.covariance.apply(before).T),
        posterior_covariance=_after(sums, posterior, after),
        variants=None if found is None else sums.each(torch.from_numpy(found.means)),
        kept=None if found is None else torch.from_numpy(found.kept),
        periods=None if periods is None else _periods(sums, periods),
    )


def _parts(
    control: Control, posterior: Posterior, variable: Callable[[Port], Variable], masks: Masks
) -> Iterator[Part]:
    for share in shares(control, posterior):
        declared, layout = variable(share.control.target), share.control.layout
        if layout is not None and not declared.extra and convertible(declared.units, MASS_FLUX):
            whole = cell_weights(share.control, declared.units)
            named = {
                name: whole * layout.scatter(torch.from_numpy(mask).to(whole.dtype))
                for name, mask in masks(layout.grid).items()
            }
            yield Part(share, {ALL: whole} | named)


@dataclass(frozen=True)
class Part:
    """One field's part of x, and what its cells add to its totals, by region, shape ``(cell,)``."""

    share: Share
    weights: Mapping[str, Tensor]

    @property
    def columns(self) -> slice:
        """Its part of x."""
        return slice(self.share.begin, self.share.begin + len(self.share.mean))

    def total(self, x: Tensor) -> Tensor:
        """Return its totals, shape ``(region,)``."""
        control = self.share.control
        field, space = control.to_fields(x)[control.target], control.linearize(x).range
        return torch.tensor([space.dot(field, w) for w in self.weights.values()], dtype=torch.float64)

    def slope(self, x: Tensor) -> Tensor:
        """Return the derivatives of its totals by its part of x, shape ``(region, n)``."""
        operator = self.share.control.linearize(x)
        return torch.stack([operator.adjoint(w) for w in self.weights.values()])


class Sums:
    """x -> totals: of every field and region; of several fields, those of all fields together come first.

    Parameters
    ----------
    parts
        At least one.
    n
        Length of x.
    """

    def __init__(self, parts: Sequence[Part], n: int) -> None:
        self.parts, self.n = parts, n
        regions = tuple(dict.fromkeys(name for part in parts for name in part.weights))
        sectors = (*((ALL,) if len(parts) > 1 else ()), *(p.share.control.target for p in parts))
        pairs = [(sector, region) for sector in sectors for region in regions]
        self.sectors, self.regions = tuple(s for s, _ in pairs), tuple(r for _, r in pairs)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the totals of `x`, shape ``(total,)``."""
        return self._joined([part.total(x[part.columns]) for part in self.parts])

    def each(self, rows: Tensor) -> Tensor:
        """Return the totals of every row, shape ``(row, total)``."""
        return torch.stack([self(x) for x in rows])

    def slopes(self, x: Tensor) -> Tensor:
        """Return W, the derivatives of the totals at `x`, shape ``(total, n)``."""
        rows = []
        for part in self.parts:
            slope = part.slope(x[part.columns])
            row = slope.new_zeros(len(slope), self.n)
            row[:, part.columns] = slope
            rows.append(row)
        return self._joined(rows)

    def _joined(self, parts: Sequence[Tensor]) -> Tensor:
        total = [torch.stack(list(parts)).sum(dim=0)] if len(parts) > 1 else []
        return torch.cat([*total, *parts])


def _after(sums: Sums, posterior: Posterior, slopes: Tensor) -> Tensor | None:
    if posterior.covariance is not None:
        return _symmetric(slopes @ posterior.covariance @ slopes.T)
    if posterior.members is None or len(posterior.members) < 2:
        return None
    totals = sums.each(posterior.members)
    return torch.cov(totals.T).reshape(totals.shape[1], totals.shape[1])


def _periods(sums: Sums, found: Rolling) -> PeriodTotals:
    means, sigma = torch.from_numpy(found.mean), torch.from_numpy(found.sigma)
    errors = [(sums.slopes(x) * s).square().sum(dim=1).sqrt() for x, s in zip(means, sigma, strict=True)]
    return PeriodTotals(sums.each(torch.from_numpy(found.prior)), sums.each(means), torch.stack(errors))


def _symmetric(matrix: Tensor) -> Tensor:
    return 0.5 * (matrix + matrix.T)
