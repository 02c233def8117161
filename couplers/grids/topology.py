"""Which cells touch which."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids import cells, checks
from tradewind.errors import GridError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from tradewind.couplers.grids.geometry import Geometry

    Cells: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]


def padded_faces(faces: ArrayLike, nodes: int) -> Cells:
    """Return faces ``(n, nv)`` in which negative and fill values repeat the last corner before them."""
    given = checks.numbers(faces, "mesh faces")
    given = np.where(checks.absent(given), -1, given)
    if (given != np.round(given)).any():
        raise GridError("node indices are not whole numbers", where="mesh")
    out = given.astype(np.int64)
    if out.ndim != 2 or out.shape[1] < 3 or (out[:, :3] < 0).any():
        raise GridError(f"faces of shape {out.shape} need at least three corners each", where="mesh")
    if out.max() >= nodes:
        raise GridError(
            f"a face names node {out.max()} of {nodes}", where="mesh", hint="indices count from 0"
        )
    for k in range(3, out.shape[1]):
        out[:, k] = np.where(out[:, k] < 0, out[:, k - 1], out[:, k])
    return out


def padded_corners(lon: Array, lat: Array, where: str) -> tuple[Array, Array]:
    """Return corners ``(n, nv)`` in which NaN behind the last corner repeats it.

    Raises
    ------
    GridError
        When a corner is missing between others, or under three are left.
    """
    there = ~(checks.absent(lon) | checks.absent(lat))
    count = there.sum(axis=1)
    between = (there != (np.arange(lon.shape[1]) < count[:, None])).any(axis=1)
    cells.refuse(between, "a corner missing between others", where, "pad with NaN behind the last one")
    cells.refuse(count < 3, "under three corners", where, "leave them out")
    last = np.minimum(np.arange(lon.shape[1]), count[:, None] - 1)
    return np.take_along_axis(lon, last, axis=1), np.take_along_axis(lat, last, axis=1)


def mean_of_distinct(corners: Array) -> Array:
    """Return unit vectors of the mean corner of each polygon ``(n, nv, 3)``, repeated corners once."""
    fresh = np.any(corners != np.roll(corners, 1, axis=1), axis=-1)
    mean = (corners * fresh[..., None]).sum(axis=1)
    length = np.linalg.norm(mean, axis=-1, keepdims=True)
    # cells that are one point, or corners that balance each other, have no middle: a corner stands for it
    balanced = length < 1e-12
    return np.where(balanced, corners[:, 0], mean / np.where(balanced, 1.0, length))


def periodic(grid: Geometry) -> bool:
    """Return whether the columns of a structured grid close around the globe."""
    if len(grid.shape) != 2 or grid.shape[1] < 3:
        return False
    index = np.arange(grid.size).reshape(grid.shape)
    first, last = index[:, 0], index[:, -1]
    if grid.has_corners:
        return bool(_share_side(grid.corners_of(first), grid.corners_of(last)).all())
    gap = _chord(grid.centres[first], grid.centres[last])
    step = _chord(grid.centres[first], grid.centres[index[:, 1]])
    return bool((gap <= 1.5 * step).all())


def _share_side(a: Array, b: Array) -> NDArray[np.bool_]:
    near = _chord(a[:, :, None], b[:, None]) < 1e-9
    return np.asarray(near.any(axis=2).sum(axis=1) >= 2)


def _chord(a: Array, b: Array) -> Array:
    return np.asarray(np.sqrt(((a - b) ** 2).sum(axis=-1)))


def neighbours(grid: Geometry, wanted: Cells) -> Cells:
    """Return the cells `wanted` and all that share a corner with them, sorted.

    Rows and columns decide on structured grids (closed around the globe where periodic, open at the
    poles); shared corners on meshes.
    """
    if len(grid.shape) == 2:
        return _structured(grid, wanted)
    if not grid.has_corners:
        raise GridError("points have no neighbours", where=repr(grid), hint="ask for no halo")
    node = node_numbers(grid.corners)
    touched = np.isin(node, node[wanted])
    return np.flatnonzero(touched.any(axis=1)).astype(np.int64)


def _structured(grid: Geometry, cells: Cells) -> Cells:
    ny, nx = grid.shape
    wanted = np.zeros((ny, nx), dtype=bool)
    row, column = np.divmod(cells, nx)
    for up in (-1, 0, 1):
        for right in (-1, 0, 1):
            y, x = row + up, column + right
            x = x % nx if grid.periodic else x
            inside = (y >= 0) & (y < ny) & (x >= 0) & (x < nx)
            wanted[y[inside], x[inside]] = True
    return np.flatnonzero(wanted).astype(np.int64)


def node_numbers(corners: Array) -> Cells:
    """Return a number for every corner ``(n, nv)``, the same where corners coincide (to 1e-10)."""
    x, y, z = (np.round(corners.reshape(-1, 3), 10) + 0.0).T
    # pairs of exact numbers sort as complex ones, several times faster than rows of three
    _, pair = np.unique(x + 1j * y, return_inverse=True)
    _, number = np.unique(pair.reshape(-1) + 1j * z, return_inverse=True)
    return np.asarray(number.reshape(corners.shape[:2]), dtype=np.int64)


def centre_quads(grid: Geometry) -> Cells:
    """Return the centres ``(n, 4)`` that span the quadrilaterals between neighbouring rows and columns."""
    ny, nx = grid.shape
    index = np.arange(grid.size).reshape(ny, nx)
    if grid.periodic:
        index = np.concatenate([index, index[:, :1]], axis=1)
    around = [index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]]
    return np.stack(around, axis=-1).reshape(-1, 4)
