"""K of a window goes into the products, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.covariance import Covariance, DiagonalCovariance
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.operators import LinearOperator
from tradewind.couplers.ranks.parallel import Communicator, block_ranges
from tradewind.plugins.solvers import windows
from tradewind.plugins.solvers.jacobians import Way, dense, rows
from tradewind.plugins.solvers.products.compensated import Compensated, CompensatedSquare
from tradewind.plugins.solvers.products.sums import Products

WHOLE = 1024
"""Elements up to which a batch of rows is multiplied as it is; beyond, only columns with entries in them."""
STRIP = 256
"""Rows of their product that are made at a time: what is above the diagonal is hardly made."""
GROUP = 64
"""Rows that are then multiplied together: those of neighbouring places reach the same columns."""


@dataclass(frozen=True)
class Building:
    """How K of a window is made: which way, and how many rows are held."""

    way: Way = Way.AUTO
    batch: int = 4096


@dataclass(frozen=True)
class Batch:
    """Some rows of a window.

    Attributes
    ----------
    jacobian
        K, shape ``(k, n)``.
    weighted
        ``R^(-1/2) K``.
    residual
        ``R^(-1/2) (y - F)``, shape ``(k,)``.
    order
        Positions of the rows, neighbours in space after one another.
    """

    jacobian: Tensor
    weighted: Tensor
    residual: Tensor
    order: Tensor


class Accumulator:
    """Products of the windows that a rank owns.

    Parameters
    ----------
    n
        Elements.
    """

    def __init__(self, n: int) -> None:
        self.square, self.vector = CompensatedSquare(n), Compensated((n,))
        self.misfit, self.count = Compensated((1,)), 0

    def add(self, batch: Batch) -> None:
        """Add some rows."""
        k, d = batch.weighted, batch.residual
        self.vector.add((k.T @ d).numpy())
        self.misfit.add((d @ d)[None].numpy())
        self.count += len(d)
        if k.shape[1] <= WHOLE:
            self.square.add((k.T @ k).numpy())
            return
        for group in torch.split(batch.order, GROUP):
            self._add_group(k[group])

    def _add_group(self, k: Tensor) -> None:
        columns = (k != 0).any(0).nonzero()[:, 0]
        some = k[:, columns]
        for part in block_ranges(len(columns), STRIP):
            product = some[:, part.start : part.stop].T @ some[:, : part.stop]
            self.square.add_rows(product.numpy(), columns.numpy(), part.start)

    def products(self, comm: Communicator) -> Products:
        """Return the sums over all ranks, which take the memory of these; collective."""
        hessian = torch.from_numpy(self.square.total(comm))
        gradient = torch.from_numpy(self.vector.total(comm))
        misfit, count = float(self.misfit.total(comm)[0]), sum(comm.allgather(self.count))
        return Products(hessian, gradient, misfit, count)


def batches(
    operator: LinearOperator,
    residual: Tensor,
    noise: Covariance,
    building: Building,
    place: tuple[Interval, Observations],
) -> Iterator[Batch]:
    """Yield K of a window, in batches of rows; correlated errors need all of its rows at once.

    Parameters
    ----------
    residual
        ``y - F``, shape ``(m,)``.
    noise
        R.
    place
        The window and its observations.

    Raises
    ------
    DataError
        An entry of K that is not finite: names the window, row and column.
    """
    window, seen = place
    first = 0
    for k, weighted, scaled in _weighted(operator, residual, noise, building):
        if not bool(torch.isfinite(k.sum())):
            windows.refuse_nan(k, "Jacobian entry", window, first)
        yield Batch(k, weighted, scaled, neighbours(seen, slice(first, first + len(k))))
        first += len(k)


def _weighted(
    operator: LinearOperator, residual: Tensor, noise: Covariance, building: Building
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield K, and K and the residual divided by the root of R."""
    if isinstance(noise, DiagonalCovariance):
        sigma, first = noise.variance.sqrt(), 0
        for k in rows(operator, building.way, building.batch):
            own = slice(first, first + len(k))
            yield k, k / sigma[own, None], residual[own] / sigma[own]
            first += len(k)
        return
    k = dense(operator, building.way)
    factor = torch.linalg.cholesky(noise.apply(torch.eye(len(k), dtype=torch.float64)))
    both = torch.linalg.solve_triangular(factor, torch.cat([k, residual[:, None]], dim=1), upper=False)
    yield k, both[:, :-1].contiguous(), both[:, -1].contiguous()


def neighbours(seen: Observations, part: slice) -> Tensor:
    """Return positions within a part of observations along a curve that keeps neighbours together.

    The curve is that of Morton: bits of longitude and latitude in turns. As they come where their places are
    not known.
    """
    count = part.stop - part.start
    if not {"longitude", "latitude"} <= seen.coordinates.keys():
        return torch.arange(count)
    lon, lat = (
        _levels(np.asarray(seen.coordinates[name], dtype=np.float64)[part])
        for name in ("longitude", "latitude")
    )
    return torch.from_numpy(np.argsort(_spaced(lon) | (_spaced(lat) << 1), kind="stable"))


BITS = 12


def _levels(values: np.ndarray) -> np.ndarray:
    """Return values as integers of `BITS` bits; those that are not finite as the first."""
    known = values[np.isfinite(values)]
    low, span = (known.min(), max(np.ptp(known), 1e-300)) if len(known) else (0.0, 1.0)
    return (np.nan_to_num((values - low) / span) * ((1 << BITS) - 1)).astype(np.int64)


def _spaced(values: np.ndarray) -> np.ndarray:
    """Return integers with a zero between their bits."""
    out = np.zeros_like(values)
    for bit in range(BITS):
        out |= ((values >> bit) & 1) << (2 * bit)
    return out
