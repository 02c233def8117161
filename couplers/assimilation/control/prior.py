"""How far a prior may be off: one sigma of every element, and how elements go together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tradewind.couplers.assimilation.control.elements import Elements
from tradewind.couplers.assimilation.covariance import (
    Correlation,
    Covariance,
    DiagonalCovariance,
    DiffusionCovariance,
    Kernel,
    KroneckerCovariance,
    correlated,
)
from tradewind.errors import ConfigError, DataError


@dataclass(frozen=True)
class PriorError:
    """How far the prior may be off.

    Attributes
    ----------
    sigma
        Standard deviation of every element of x: of factors a fraction of the prior, of what is added in the
        field's units, else of the logarithm or logit.
    correlation_km
        Short form of an exponential correlation: its length, between the elements' centres on the sphere.
    correlation
        How elements go together; None (of both): they are independent. Levels of a field always are.
    between
        Correlation with elements of other fields at the same place, of those fields that say the same; None:
        fields are independent.

    Raises
    ------
    ConfigError
        When a number is not positive and finite, both forms are given, or `between` is not in (-1, 1) or
        without a correlation in space.
    """

    sigma: float = 0.5
    correlation_km: float | None = None
    correlation: Correlation | None = None
    between: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("error", self.sigma), ("correlation length", self.correlation_km)):
            if value is not None and not 0 < value < float("inf"):
                raise ConfigError(f"the prior's {name} is {value}", where="control", hint="it is positive")
        if self.correlation_km is not None and self.correlation is not None:
            raise ConfigError("the correlation is given twice", where="control", hint="remove correlation_km")
        if self.between is not None and (not -1 < self.between < 1 or self.together is None):
            hint = "a number between -1 and 1, beside a length"
            raise ConfigError(f"the correlation between fields is {self.between}", where="control", hint=hint)

    @property
    def together(self) -> Correlation | None:
        """How elements go together, in whichever form it was given."""
        return self.correlation if self.correlation_km is None else Correlation(self.correlation_km)


def prior_covariance(error: PriorError, elements: Elements, levels: int = 1) -> Covariance:
    """Return Sa of elements, which every one of `levels` levels has.

    Raises
    ------
    DataError
        Elements without a centre, correlations that make no covariance, diffusion without cells.
    """
    one = _of_one_level(error, elements)
    if levels == 1:
        return one
    if isinstance(one, DiagonalCovariance):
        return DiagonalCovariance(one.variance.repeat(levels))
    return KroneckerCovariance(DiagonalCovariance(torch.ones(levels, dtype=torch.float64)), one)


def _of_one_level(error: PriorError, elements: Elements) -> Covariance:
    together = error.together
    if together is None:
        return DiagonalCovariance(torch.full((len(elements),), error.sigma**2, dtype=torch.float64))
    if together.kernel is Kernel.DIFFUSION:
        return _diffused(error.sigma, together, elements)
    return correlated(error.sigma, together, elements.positions(together.distance))


def _diffused(sigma: float, together: Correlation, elements: Elements) -> DiffusionCovariance:
    cells = np.flatnonzero(elements.labels >= 0)
    if elements.grid is None or len(cells) != len(elements):
        hint = "per: cell, or a kernel that is a function of the distance"
        raise DataError("diffusion goes from cell to cell", where="correlation", hint=hint)
    return DiffusionCovariance(elements.grid, cells, sigma, together)
