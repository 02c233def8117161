"""Correlations by an implicit diffusion operator: for controls of very many cells.

With W the areas of the cells, K the stiffness of the Laplacian and kappa a squared length,

    B = sigma² N V Vᵀ N,   V = (I - kappa ∇²)^(-m/2) W^(-1/2),   I - kappa ∇² = W⁻¹ (W + kappa K)

and N the diagonal that makes all variances sigma². Correlations are then those of Matérn of smoothness
nu = m - d/2, d the dimension of the space, and length ``L = sqrt(2 nu kappa)`` (Weaver and Mirouze, 2013,
doi 10.1002/qj.1955, section 2; Lindgren, Rue and Lindström, 2011, doi 10.1111/j.1467-9868.2011.00777.x,
eq. 2), away from walls. One sparse factor of W + kappa K serves everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import splu
from torch import Tensor

from tradewind.couplers.assimilation.covariance.elementary import DenseCovariance
from tradewind.couplers.assimilation.covariance.kernels import Correlation
from tradewind.couplers.assimilation.covariance.laplacian import stiffness
from tradewind.couplers.assimilation.places import EARTH_RADIUS_KM, Distance
from tradewind.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Array: TypeAlias = NDArray[np.float64]
    Index: TypeAlias = NDArray[np.int64]

EXACT = 4096
"""Cells up to which variances are made exact where nothing is said."""
SAMPLES = 4000
"""Random vectors beyond."""
COLUMNS = 256
"""Right-hand sides that are solved together."""
SEED = 2013


class DiffusionCovariance:
    """``sigma² N V Vᵀ N`` of some cells of a grid; see the module.

    Parameters
    ----------
    grid
        With corners; dimension 1 where it is one row or one column of cells, else 2.
    cells
        Those that have an element, ascending; the others are walls through which nothing goes.
    sigma
        Standard deviation of each.
    correlation
        Length (km or degrees of arc), smoothness and samples.

    Attributes
    ----------
    error
        Relative error (one sigma) of the variances: 0 where they are exact.

    Raises
    ------
    DataError
        Another smoothness than ``m - d/2`` with m = 2, 4, 6, ...; a plane; a grid without corners.
    """

    def __init__(self, grid: Grid, cells: Index, sigma: float, correlation: Correlation) -> None:
        self.dimension = 1 if 1 in grid.shape else 2
        nu = correlation.smoothness or 2.0 - self.dimension / 2.0
        self.halves = _half_steps(nu, self.dimension)
        self.kappa = _radians(correlation) ** 2 / (2.0 * nu)
        laplacian = stiffness(grid, cells)
        self.sigma, self._area = sigma, np.asarray(grid.area[cells], dtype=np.float64)
        self._matrix = (sparse.diags_array(self._area) + self.kappa * laplacian).tocsc()
        options = {"SymmetricMode": True}
        self._factor = splu(self._matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
        samples = correlation.samples or (None if len(cells) <= EXACT else SAMPLES)
        variance = self._exact() if samples is None else self._estimated(samples)
        self.error = 0.0 if samples is None else float(np.sqrt(2.0 / samples))
        self._scale = sigma / np.sqrt(variance)

    @property
    def size(self) -> int:
        """Number of cells n."""
        return len(self._area)

    def apply(self, x: Tensor) -> Tensor:
        """Return ``C x``."""
        return self.sqrt(self.sqrt_adjoint(x))

    def solve(self, x: Tensor) -> Tensor:
        """Return ``C⁻¹ x``, without a solution of any equations."""
        columns = _columns(x) / self._scale[:, None]
        for _ in range(self.halves):
            columns = (self._matrix @ columns) / self._area[:, None]
        # V⁻ᵀ and V⁻¹ meet: W^(1/2) · W^(1/2) stands between
        columns = columns * self._area[:, None]
        for _ in range(self.halves):
            columns = self._matrix @ (columns / self._area[:, None])
        return _tensor(columns / self._scale[:, None], x)

    def sqrt(self, x: Tensor) -> Tensor:
        """Return ``L x``, L = sigma N V."""
        return _tensor(self._scale[:, None] * self._root(_columns(x)), x)

    def sqrt_adjoint(self, x: Tensor) -> Tensor:
        """Return ``Lᵀ x``."""
        return _tensor(self._root_adjoint(self._scale[:, None] * _columns(x)), x)

    def diagonal(self) -> Tensor:
        """Return sigma² (where variances are estimated: what they are meant to be)."""
        return torch.full((self.size,), self.sigma**2, dtype=torch.float64)

    def take(self, index: Tensor) -> DenseCovariance:
        """Return the covariance of some cells, as a matrix."""
        rows = torch.zeros(len(index), self.size, dtype=torch.float64)
        rows[torch.arange(len(index)), index] = 1.0
        taken = self.apply(rows)[:, index]
        return DenseCovariance((taken + taken.T) / 2.0)

    # ------------------------------------------------------------------ V
    def _root(self, columns: Array) -> Array:
        columns = columns / np.sqrt(self._area)[:, None]
        for _ in range(self.halves):
            columns = self._solved(self._area[:, None] * columns)
        return columns

    def _root_adjoint(self, columns: Array) -> Array:
        for _ in range(self.halves):
            columns = self._area[:, None] * self._solved(columns)
        return columns / np.sqrt(self._area)[:, None]

    def _solved(self, columns: Array) -> Array:
        return np.asarray(self._factor.solve(np.ascontiguousarray(columns)))

    # ------------------------------------------------------------------ N
    def _exact(self) -> Array:
        """Return the diagonal of ``V Vᵀ``: squared lengths of the rows of V."""
        variance = np.empty(self.size)
        for start in range(0, self.size, COLUMNS):
            some = np.arange(start, min(start + COLUMNS, self.size))
            unit = np.zeros((self.size, len(some)))
            unit[some, np.arange(len(some))] = 1.0
            variance[some] = (self._root_adjoint(unit) ** 2).sum(axis=0)
        return variance

    def _estimated(self, samples: int) -> Array:
        """Return the mean square of ``V z`` over standard normal z.

        (Weaver and Courtier, 2001, doi 10.1002/qj.49712757518, section 3.d.)
        """
        stream = np.random.Generator(np.random.PCG64(SEED))
        total, left = np.zeros(self.size), samples
        while left:
            z = stream.standard_normal((min(left, COLUMNS), self.size)).T
            total += (self._root(z) ** 2).sum(axis=1)
            left -= z.shape[1]
        return total / samples


def _half_steps(nu: float, dimension: int) -> int:
    """Return m / 2 of ``nu = m - d/2``."""
    halves = (nu + dimension / 2.0) / 2.0
    if halves < 1 or halves != round(halves):
        known = ", ".join(f"{2 * k - dimension / 2.0:g}" for k in (1, 2, 3))
        where = "a line" if dimension == 1 else "a surface"
        raise DataError(
            f"diffusion of smoothness {nu:g} on {where}", where="correlation", hint=f"one of {known}, ..."
        )
    return round(halves)


def _radians(correlation: Correlation) -> float:
    if correlation.distance is Distance.PLANE:
        what = "diffusion goes over the sphere, not over a plane"
        raise DataError(what, where="correlation", hint="a length in km or degrees")
    if correlation.distance is Distance.DEGREES:
        return float(np.radians(correlation.length))
    return correlation.length / EARTH_RADIUS_KM


def _columns(x: Tensor) -> Array:
    array: Array = x.detach().reshape(-1, x.shape[-1]).numpy().T
    return array


def _tensor(columns: Array, like: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(columns.T)).reshape(like.shape)
