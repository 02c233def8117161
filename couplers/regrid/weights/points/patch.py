"""Patch weights as ESMF makes them: quadratics fitted about the corners of an element, blended across it.

For every corner of the element that holds a target (see `locate`) a polynomial ``Σ_ij a_ij x^i y^j``,
i, j <= 2, is fitted by least squares to the bilinear field at Gauss points of all elements around the corner
(of several solutions the smallest is taken); x and y are coordinates in the plane of the target's own
element. The value is the sum of the polynomials with the bilinear shape functions as weights (Khoei and
Gharehbaghi, 2007, doi 10.1016/j.finel.2007.02.003). Weights may be negative and exceed 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.regrid.scheme import PoleKind, Poles
from tradewind.couplers.regrid.weights.points.elements import Elements, elements_of
from tradewind.couplers.regrid.weights.points.locate import located
from tradewind.couplers.regrid.weights.triplets import coalesce
from tradewind.errors import SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]
    Entries: TypeAlias = tuple[Index, Index, Array]

TERMS = 9
"""Coefficients of a polynomial."""
REGULAR = 1e-7
"""Singular values below this part of the largest count as zero."""
NUMBERS = 1 << 22
"""Entries of matrices that are worked on at a time."""


def patch(source: Grid, target: Grid, rows: Index, poles: Poles) -> tuple[Entries, Array]:
    """Return patch weights and 1 where a target is mapped, shape ``(n_target,)``, else 0.

    Raises
    ------
    GridError
        When the source has neither rows and columns nor cells that touch.
    SpecError
        For poles of few points, whose values differ from triangle to triangle.
    """
    if poles.kind is PoleKind.NPNTAVG:
        raise SpecError(
            f"patch with poles {poles} has no native weights", where="regrid", hint='use backend="esmpy"'
        )
    rows = rows[target.mask[rows]]
    elements = elements_of(source, poles)
    element, blend = located(elements, target.centres[rows])
    held = np.flatnonzero(element >= 0)
    parts = [(held[:0], held[:0], np.zeros(0))]
    patches = _Patches(elements)
    for corner in range(4):
        real = held[elements.corners[element[held], corner] >= 0]
        parts += patches.entries(real, element, blend, corner)
    point, place, value = (np.concatenate(p) for p in zip(*parts, strict=True))
    row, col, value = coalesce(*elements.of_cells(*coalesce(rows[point], place, value)))
    mapped = np.zeros(target.size)
    mapped[rows[held]] = 1.0
    kept = value != 0
    return _summing_to_one(row[kept], col[kept], value[kept], target.size), mapped


def _summing_to_one(row: Index, col: Index, value: Array, size: int) -> Entries:
    """Take away what small singular values leave: rows sum to 1 within 1e-11 only before."""
    return row, col, value / np.bincount(row, weights=value, minlength=size)[row]


class _Patches:
    """Elements, and which of them are around each place."""

    def __init__(self, elements: Elements) -> None:
        self.places, self.corners = elements.places, elements.corners
        place = self.corners.reshape(-1)
        order = np.argsort(place, kind="stable")
        order = order[np.count_nonzero(place < 0) :]
        self.around = order // 4
        counts = np.bincount(place[order], minlength=len(self.places))
        self.starts = np.concatenate([[0], np.cumsum(counts)])

    def entries(self, points: Index, element: Index, blend: Array, corner: int) -> list[Entries]:
        """Return points, places and weights of the polynomials about one corner of each point's element."""
        middle = self.corners[element[points], corner]
        count = np.diff(self.starts)[middle]
        out = []
        for n in np.unique(count):
            here = points[count == n]
            block = max(1, NUMBERS // (int(n) * 12 * TERMS))
            for start in range(0, len(here), block):
                some = here[start : start + block]
                out.append(self._of_block(some, element[some], blend[some], corner))
        return out

    def _of_block(self, points: Index, element: Index, blend: Array, corner: int) -> Entries:
        first = self.starts[self.corners[element, corner]]
        count = int(self.starts[self.corners[element[0], corner] + 1] - first[0])
        members = self.corners[self.around[first[:, None] + np.arange(count)]]
        shapes = _samples(count)[(members[:, :, 3] < 0).astype(np.int64)]
        where = shapes @ self._at(members)
        own = self._at(self.corners[element])
        plane = _plane(own, self.corners[element, 3] < 0)
        value = _terms(_flat((blend[:, None] @ own)[:, None], plane))[:, 0]
        fit = _fit(_flat(where, plane), shapes.any(axis=-1))
        samples = (value @ fit).reshape(len(points), count, 1, -1)
        share = (samples @ shapes)[:, :, 0] * blend[:, corner, None, None]
        real = members >= 0
        point = np.broadcast_to(points[:, None, None], members.shape)
        return point[real], members[real], share[real]

    def _at(self, corners: Index) -> Array:
        """Return the places of corners, the origin for the one that a triangle does not have."""
        out: Array = np.where((corners >= 0)[..., None], self.places[corners], 0.0)
        return out


def _samples(count: int) -> Array:
    """Return shape functions at the Gauss points of a quadrilateral and of a triangle ``(2, samples, 4)``.

    As many points are taken as `count` elements need for all coefficients; what one has less stays zero.
    """
    quad, triangle = _quad_points(2 if 4 * count >= TERMS else 3), _triangle_points(count)
    out = np.zeros((2, max(len(quad), len(triangle)), 4))
    u, v = quad.T
    out[0, : len(quad)] = np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v], axis=-1)
    out[1, : len(triangle), :3] = triangle
    return out


def _quad_points(order: int) -> Array:
    line = (1.0 + np.polynomial.legendre.leggauss(order)[0]) / 2.0
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)


def _triangle_points(count: int) -> Array:
    """Return barycentric coordinates of 3, 6 or 12 points (Dunavant, 1985, doi 10.1002/nme.1620210612)."""
    if 3 * count >= TERMS:
        return _turned(1 / 6, 1 / 6)
    if 6 * count >= TERMS:
        return np.concatenate([_turned(a, a) for a in (0.091576213509771, 0.445948490915965)])
    pairs = [(0.063089014491502,) * 2, (0.249286745170910,) * 2]
    skewed = (0.310352451033785, 0.053145049844816)
    return np.concatenate([_turned(*p) for p in (*pairs, skewed, skewed[::-1])])


def _turned(a: float, b: float) -> Array:
    """Return the three turns of a point with barycentric coordinates a, b and the rest."""
    return np.array([np.roll([1.0 - a - b, a, b], k) for k in range(3)])


def _plane(own: Array, triangle: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return the middles ``(n, 3)`` of elements, and two unit vectors ``(n, 2, 3)`` in their planes."""
    a, b, c, d = np.moveaxis(own, 1, 0)
    flat = triangle[:, None]
    normal = np.cross(np.where(flat, b - a, b + c - a - d), np.where(flat, c - a, c + d - a - b))
    normal /= np.sqrt((normal**2).sum(axis=-1, keepdims=True))
    x, y, z = normal.T
    across, zero = np.hypot(y, z), np.zeros(len(own))
    steep = across < 1e-8
    across = np.where(steep, 1.0, across)
    first = np.where(steep, [z, zero, -x], [zero, z / across, -y / across])
    axes = np.stack([first.T, np.cross(first.T, normal)], axis=1)
    return own.sum(axis=1) / np.where(flat, 3, 4), axes


def _flat(points: Array, plane: tuple[Array, Array]) -> Array:
    """Return coordinates in the plane ``(n, e, s, 2)`` of points ``(n, e, s, 3)``."""
    middle, axes = plane
    return (points - middle[:, None, None]) @ np.swapaxes(axes, 1, 2)[:, None]


def _terms(flat: Array) -> Array:
    """Return ``x^i y^j`` for i, j <= 2, shape ``(..., 9)``."""
    x, y = flat[..., 0], flat[..., 1]
    powers = [x**i * y**j for i in range(3) for j in range(3)]
    return np.stack(powers, axis=-1)


def _fit(flat: Array, real: NDArray[np.bool_]) -> Array:
    """Return what takes samples ``(n, e, s)`` to the coefficients that fit them best, ``(n, 9, e * s)``."""
    n, e, s = real.shape
    matrix = np.where(real[..., None], _terms(flat), 0.0).reshape(n, e * s, TERMS)
    return np.asarray(np.linalg.pinv(matrix, rcond=REGULAR))
