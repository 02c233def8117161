"""Vectors, not pairs of numbers: east and north turn with the place, and near a pole they turn fast.

A vector (u, v) at a place with unit vectors ê and n̂ is u ê + v n̂ in space. Its three Cartesian components are
scalars that can be regridded; what arrives is projected on the plane of the target place:

    (u_i, v_i) = P_iᵀ Σ_j W_ij P_j (u_j, v_j),        P = (ê, n̂)

as ESMF does (its ``vector_regrid``, for methods that are not conservative). What points out of the plane, of
the order of the square of a cell's width, is left behind. Regridding component by component instead mixes the
north of one meridian with that of another, and fails altogether across a pole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.grids import Grid
from tradewind.couplers.grids.grid import GridKind
from tradewind.couplers.operators import CPU, Distributed, LinearOperator
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import GridError, SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.regrid.quantities import QuantityRegridder
    from tradewind.couplers.regrid.regridder import Regridder

    Array: TypeAlias = NDArray[np.float64]

PAIR = (2,)
"""Components of a vector on the sphere, in front of the cell axis."""


def tangents(grid: Grid) -> Array:
    """Return the unit vectors ê and n̂ at the centres, shape ``(2, 3, size)``.

    At a pole, east and north are those of the meridian that the centre's longitude names.
    """
    lon, lat = np.deg2rad(grid.lon), np.deg2rad(grid.lat)
    east = np.stack([-np.sin(lon), np.cos(lon), np.zeros_like(lon)])
    north = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    return np.stack([east, north])


class VectorRegridder(LinearOperator):
    """Regrids (east, north) pairs through their Cartesian components: ``y = Pᵀ W P x``.

    Fields have shape ``(*batch, 2 n_local)``: all eastward components, then all northward ones, the space
    ``Distributed(layout, extra=(2,))``. `regrid` takes and gives the two apart.

    Parameters
    ----------
    regridder
        The weights W of any method.
    """

    def __init__(self, regridder: Regridder | QuantityRegridder) -> None:
        self.regridder, self.device = regridder, regridder.device
        source, target = _layout(regridder.domain), _layout(regridder.range)
        self.domain, self.range = Distributed(source, PAIR), Distributed(target, PAIR)
        self._source, self._target = _local(source, self.device), _local(target, self.device)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``Pᵀ W P x``, shape ``(*batch, 2 target.n_local)``; 0 where unmapped."""
        self.check(x, self.domain)
        return _projected(self.regridder.forward(_in_space(x, self._source)), self._target)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``Pᵀ Wᵀ P y``, shape ``(*batch, 2 source.n_local)``."""
        self.check(y, self.range)
        return _projected(self.regridder.adjoint(_in_space(y, self._target)), self._source)

    def regrid(self, east: Tensor, north: Tensor) -> tuple[Tensor, Tensor]:
        """Return the components ``(*batch, target.n_local)`` of vectors ``(*batch, source.n_local)``.

        Differentiable; 0 where unmapped.

        Raises
        ------
        SpecError
            Components of different shapes, or not on the source's cells.
        """
        if east.shape != north.shape:
            raise SpecError(
                f"{tuple(east.shape)} eastward and {tuple(north.shape)} northward components", where=self.name
            )
        both = self(torch.cat([east, north], dim=-1))
        u, v = _pair(both).unbind(-2)
        return u, v

    def to(self, device: torch.device | str) -> VectorRegridder:
        """Return the same operator for fields on `device`."""
        return VectorRegridder(self.regridder.to(device))


class GridAligned(LinearOperator):
    """Turns components along a grid's own axes (i, j) into (east, north): ``y = R x``, with ``Rᵀ R = 1``.

    j points to the left of i, as in right-handed model grids; `.T` turns (east, north) into (i, j).

    Parameters
    ----------
    where
        A rectilinear or curvilinear grid, or a layout of one.
    device
        Where the fields are.

    Raises
    ------
    GridError
        A mesh or points, which have no axes; see `rotation`.
    """

    def __init__(self, where: Grid | Layout, device: torch.device | str = CPU) -> None:
        layout = where if isinstance(where, Layout) else Layout(where)
        angle = layout.scatter(torch.from_numpy(rotation(layout.grid)))
        self.domain = self.range = Distributed(layout, PAIR)
        self.device = torch.device(device)
        self._cos, self._sin = angle.cos().to(device), angle.sin().to(device)

    def forward(self, x: Tensor) -> Tensor:
        """Return (east, north) ``(*batch, 2 n_local)`` of components (i, j)."""
        self.check(x, self.domain)
        i, j = _pair(x).unbind(-2)
        return torch.cat([self._cos * i - self._sin * j, self._sin * i + self._cos * j], dim=-1)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return components (i, j) of (east, north): the inverse."""
        self.check(y, self.range)
        east, north = _pair(y).unbind(-2)
        return torch.cat([self._cos * east + self._sin * north, self._cos * north - self._sin * east], dim=-1)


def rotation(grid: Grid) -> Array:
    """Return the angle of a grid's i-direction (along a row) from east, shape ``(size,)``.

    In radians, counter-clockwise: from the middle of each cell's side behind to that before; without corners,
    from the centre behind to the centre before, and at the ends of a row that does not close, from it.

    Raises
    ------
    GridError
        A mesh or points, which have no rows; a single column of centres without corners.
    """
    if len(grid.shape) != 2:
        raise GridError("has no rows and columns", where=repr(grid), hint="give its vectors as (east, north)")
    if grid.kind is GridKind.LATLON:
        ascending = grid.shape[1] < 2 or _eastward(grid.lon[1] - grid.lon[0]) > 0
        return np.full(grid.size, 0.0 if ascending else np.pi)
    along = _between_centres(grid)
    if grid.lon_corners is not None and grid.lon_corners.shape[1] == 4:
        along = _between_sides(grid.corners, along)
    east, north = np.einsum("kcn,nc->kn", tangents(grid), along)
    angle: Array = np.arctan2(north, east)
    return angle


def _eastward(degrees: float) -> float:
    return (degrees + 180.0) % 360.0 - 180.0


def _between_centres(grid: Grid) -> Array:
    """Return vectors from the centre behind to the centre before along rows, shape ``(size, 3)``."""
    rows, columns = grid.shape
    if columns < 2:
        raise GridError("one column shows no direction", where=repr(grid), hint="give two columns or more")
    centres = grid.centres.reshape(rows, columns, 3)
    behind, before = np.roll(centres, 1, axis=1), np.roll(centres, -1, axis=1)
    if not grid.periodic:
        behind[:, 0], before[:, -1] = centres[:, 0], centres[:, -1]
    return (before - behind).reshape(-1, 3)


def _between_sides(corners: Array, along: Array) -> Array:
    """Return vectors between the middles of opposite sides, shape ``(size, 3)``.

    Of the four the one that is nearest to `along`, for files begin the corners of a cell where they like.
    """
    middles = corners + np.roll(corners, -1, axis=1)
    across = middles - np.roll(middles, 2, axis=1)
    best = np.argmax(np.einsum("nkc,nc->nk", across, along), axis=1)
    found: Array = across[np.arange(len(across)), best]
    return found


def _layout(space: object) -> Layout:
    if not isinstance(space, Distributed):
        raise SpecError(f"{space!r} is no field on cells", where="VectorRegridder", hint="give a Regridder")
    return space.layout


def _local(layout: Layout, device: torch.device) -> Tensor:
    """Return ê and n̂ of this rank's cells, shape ``(2, 3, n_local)``."""
    return layout.scatter(torch.from_numpy(tangents(layout.grid))).to(device)


def _pair(x: Tensor) -> Tensor:
    """Return ``(*batch, 2 n)`` as ``(*batch, 2, n)``."""
    return x.reshape(*x.shape[:-1], 2, x.shape[-1] // 2)


def _in_space(x: Tensor, basis: Tensor) -> Tensor:
    """Return ``P x``, shape ``(*batch, 3, n)``."""
    east, north = _pair(x).unsqueeze(-2).unbind(-3)
    return east * basis[0] + north * basis[1]


def _projected(space: Tensor, basis: Tensor) -> Tensor:
    """Return ``Pᵀ y``, shape ``(*batch, 2 n)``; added in fixed order, x, y, z."""
    x, y, z = space.unbind(-2)
    parts = [x * b[0] + y * b[1] + z * b[2] for b in basis]
    return torch.cat(parts, dim=-1)
