"""Bilinear weights as ESMF makes them by default (line type CART, pole method ALLAVG).

The centres of neighbouring source cells span quadrilaterals. A target point p lies in the one that the ray
from the centre of the earth through p meets: ``Σ_k w_k(u, v) c_k = t p`` with the bilinear shape functions w.
Beyond the last row of a grid that closes around the globe, triangles reach to a pole point that carries
the mean of that row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids import sphere, topology
from tradewind.couplers.grids.grid import GridKind
from tradewind.couplers.regrid.weights.search import Caps, touching
from tradewind.couplers.regrid.weights.triplets import coalesce
from tradewind.errors import GridError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]
    Entries: TypeAlias = tuple[Index, Index, Array]

TOLERANCE = 1e-10
"""A point this far outside of an element, in its own coordinates, still belongs to it."""
NEWTON_STEPS = 12


@dataclass(frozen=True)
class _Hits:
    """Points ``(n,)`` and elements that hold them: weights and nodes ``(n, k)``, depth inside ``(n,)``."""

    point: Index
    weights: Array
    nodes: Index
    depth: Array


def bilinear(source: Grid, target: Grid, rows: Index) -> tuple[Entries, Array]:
    """Return bilinear weights and 1 where a target is mapped, shape ``(n_target,)``, else 0.

    A target is unmapped outside of all elements, and where a corner of its element is masked.

    Raises
    ------
    GridError
        When the source has no rows and columns.
    """
    if source.kind in {GridKind.MESH, GridKind.POINTS} or len(source.shape) != 2:
        raise GridError(
            "bilinear needs rows and columns", where=f"source {source!r}", hint="use another method"
        )
    rows = rows[target.mask[rows]]
    poles = poles_of(source)
    nodes = np.concatenate([source.centres, *(p.point for p in poles)])
    usable = np.concatenate([source.mask, [bool(source.mask[p.ring].all()) for p in poles]])
    fans = np.concatenate([np.zeros((0, 3), dtype=np.int64), *(p.triangles for p in poles)])
    elements = (topology.centre_quads(source), fans)
    found = [_locate(nodes[e], e, target.centres[rows]) for e in elements]
    row, col, value = _best(found, rows, usable.astype(bool))
    entries = coalesce(*_spread(poles, row, col, value, source.size))
    kept = entries[2] > 0
    mapped = np.zeros(target.size)
    mapped[entries[0][kept]] = 1.0
    return (entries[0][kept], entries[1][kept], entries[2][kept]), mapped


@dataclass(frozen=True)
class Pole:
    """A pole point ``(1, 3)``, its triangles ``(nx, 3)`` and the cells ``(nx,)`` whose mean it carries."""

    point: Array
    triangles: Index
    ring: Index


def poles_of(source: Grid) -> list[Pole]:
    """Return the poles that close a grid, with their triangles and the rows whose mean they carry."""
    if not source.periodic:
        return []
    index = np.arange(source.size).reshape(source.shape)
    lat = source.lat.reshape(source.shape)
    out: list[Pole] = []
    for edge, inner in ((0, 1), (-1, -2)):
        if source.shape[0] > 1 and _borders_on_pole(lat[edge], lat[inner]):
            number = source.size + len(out)
            ring = index[edge] if lat[edge, 0] < 0 else index[edge][::-1]
            fan = np.stack([np.roll(ring, -1), ring, np.full_like(ring, number)], axis=1)
            z = np.sign(lat[edge, 0])
            out.append(Pole(np.array([[0.0, 0.0, z]]), fan, index[edge]))
    return out


def _borders_on_pole(edge: Array, inner: Array) -> bool:
    level = np.ptp(edge) < 1e-9
    gap = 90.0 - abs(edge[0])
    return bool(level and 1e-9 < gap <= abs(edge[0] - inner[0]) + 1e-9)


def _locate(corners: Array, nodes: Index, points: Array) -> _Hits:
    """Find the elements (corners ``(n, k, 3)``, their nodes ``(n, k)``) that hold each point."""
    k = nodes.shape[1]
    if not len(corners) or not len(points):
        none = np.zeros(0, dtype=np.int64)
        return _Hits(none, np.zeros((0, k)), none.reshape(0, k), np.zeros(0))
    i, j = touching(Caps.of_points(points), Caps.around(corners))
    flat = _seen_along(points[i], corners[j])
    weights, depth = _in_quad(flat) if k == 4 else _in_triangle(flat)
    inside = (depth >= -TOLERANCE) & (sphere.dot(points[i], corners[j][:, 0]) > 0)
    return _Hits(i[inside], weights[inside], nodes[j[inside]], depth[inside])


def _seen_along(points: Array, corners: Array) -> Array:
    """Return corners ``(n, k, 2)`` in the plane normal to each point: the point itself is at (0, 0)."""
    axis = np.eye(3)[np.abs(points).argmin(axis=1)]
    east = np.cross(axis, points)
    east /= np.sqrt(sphere.dot(east, east))[:, None]
    north = np.cross(points, east)
    return np.stack([sphere.dot(corners, east[:, None]), sphere.dot(corners, north[:, None])], axis=-1)


def _in_quad(flat: Array) -> tuple[Array, Array]:
    """Solve ``Σ_k w_k(u, v) q_k = 0`` by Newton's method; return w ``(n, 4)`` and the depth inside."""
    a, b, c, d = np.moveaxis(flat, 1, 0)
    along, up, twist = b - a, d - a, a - b + c - d
    u = v = np.full(len(flat), 0.5)
    for _ in range(NEWTON_STEPS):
        f = a + along * u[:, None] + up * v[:, None] + twist * (u * v)[:, None]
        fu, fv = along + twist * v[:, None], up + twist * u[:, None]
        det = _det(fu, fv)
        det = np.where(det == 0, np.inf, det)
        # far elements may run away: they are not the one that holds the point
        u = np.clip(u - _det(f, fv) / det, -10, 10)
        v = np.clip(v - _det(fu, f) / det, -10, 10)
    depth = np.minimum(np.minimum(u, 1 - u), np.minimum(v, 1 - v))
    u, v = np.clip(u, 0, 1), np.clip(v, 0, 1)
    return np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v], axis=-1), depth


def _in_triangle(flat: Array) -> tuple[Array, Array]:
    """Return barycentric weights ``(n, 3)`` of the point (0, 0), and the depth inside."""
    a, b, c = np.moveaxis(flat, 1, 0)
    parts = np.stack([_det(b, c), _det(c, a), _det(a, b)], axis=-1)
    total = parts.sum(axis=-1, keepdims=True)
    weights = parts / np.where(total == 0, np.inf, total)
    depth = weights.min(axis=-1)
    weights = np.clip(weights, 0, 1)
    return weights / weights.sum(axis=-1, keepdims=True), depth


def _det(a: Array, b: Array) -> Array:
    out: Array = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return out


def _best(found: list[_Hits], rows: Index, usable: Flags) -> Entries:
    """Keep one element for every point, and the entries of those without a masked corner.

    On a side that several elements share, an element without a masked corner goes before others, as in
    ESMF; then the one that holds the point deepest, then the first.
    """
    point = np.concatenate([h.point for h in found])
    spoilt = np.concatenate([~usable[h.nodes].all(axis=1) for h in found])
    depth = np.concatenate([np.round(h.depth, 9) for h in found])
    order = np.lexsort((-depth, spoilt, point))
    first = np.ones(len(order), dtype=bool)
    first[1:] = np.diff(point[order]) != 0
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order] = first
    chosen &= ~spoilt
    pieces = np.split(chosen, np.cumsum([len(h.point) for h in found])[:-1])
    return _joined([_entries(h, mine, rows) for h, mine in zip(found, pieces, strict=True)])


def _entries(hits: _Hits, mine: Flags, rows: Index) -> Entries:
    row = np.repeat(rows[hits.point[mine]], hits.nodes.shape[1])
    return row, hits.nodes[mine].reshape(-1), hits.weights[mine].reshape(-1)


def _joined(parts: list[Entries]) -> Entries:
    row, col, value = (np.concatenate(p) for p in zip(*parts, strict=True))
    return row, col, value


def _spread(poles: list[Pole], row: Index, col: Index, value: Array, n: int) -> Entries:
    """Replace the entries of poles by those of their rings."""
    plain = col < n
    parts = [(row[plain], col[plain], value[plain])]
    for number, pole in enumerate(poles):
        here, k = col == n + number, len(pole.ring)
        parts.append(
            (np.repeat(row[here], k), np.tile(pole.ring, int(here.sum())), np.repeat(value[here] / k, k))
        )
    return _joined(parts)
