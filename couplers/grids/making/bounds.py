"""Corners of cells: from bounds where a file brings them, else from the centres."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids import checks
from tradewind.errors import GridError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array: TypeAlias = NDArray[np.float64]


def edges(centres: Array, given: ArrayLike | None, where: str) -> Array:
    """Return the ``n + 1`` edges of `n` centres: given as ``(n + 1,)`` or ``(n, 2)``, or half-way."""
    if given is None:
        return _half_way(centres, where)
    bounds = checks.degrees(given, f"{where} bounds")
    if bounds.shape == (len(centres), 2):
        bounds = _joined(bounds, centres, where)
    if bounds.shape != (len(centres) + 1,):
        raise GridError(f"bounds of shape {bounds.shape} for {len(centres)} cells", where=where)
    return bounds


def longitude_edges(centres: Array, given: ArrayLike | None, where: str) -> Array:
    """Return edges of longitudes; bounds of any convention are brought to the side of their centres."""
    if given is not None:
        given = checks.degrees(given, f"{where} bounds")
        n = len(centres)
        near = {(n, 2): centres[:, None], (n + 1,): centres[np.minimum(np.arange(n + 1), n - 1)]}
        if given.shape in near:
            far = np.round((given - near[given.shape]) / 360.0)
            given = np.where(far != 0, given - 360.0 * far, given)
    return edges(centres, given, where)


def _joined(bounds: Array, centres: Array, where: str) -> Array:
    rising = centres[-1] >= centres[0]
    low, high = np.sort(bounds, axis=1).T
    first, second = (low, high) if rising else (high, low)
    if not np.allclose(first[1:], second[:-1], rtol=0, atol=1e-6):
        raise GridError("bounds of neighbouring cells do not meet", where=where)
    return np.concatenate([first, second[-1:]])


def _half_way(centres: Array, where: str) -> Array:
    if len(centres) < 2:
        raise GridError("bounds of a single cell cannot be guessed", where=where, hint="give bounds")
    steps = np.diff(centres) / 2
    inner = centres[:-1] + steps
    return np.concatenate([[centres[0] - steps[0]], inner, [centres[-1] + steps[-1]]])


def latitude_edges(centres: Array, given: ArrayLike | None, where: str) -> Array:
    """Return edges of latitudes, cut at the poles; knows rows of half height at the poles.

    Where the spacing d is regular but the last centre stands d/4 from the pole (4x5 degree grids of
    GEOS-Chem: 86, 89), the last row reaches from there to d/2, which half-way edges would miss. Where
    less than 0.3 d would be left beyond the last row (Gaussian grids: 0.27 d), it reaches to the pole.
    """
    out = edges(centres, given, where)
    if given is not None and np.abs(out).max() > 90.0 + 1e-6:
        what = f"bounds reach to {out[np.abs(out).argmax()]:g}, beyond a pole"
        raise GridError(what, where=where, hint="cut them at the pole")
    if given is None and len(centres) > 3:
        for end in (slice(None, None, 1), slice(None, None, -1)):
            _half_polar(out[end], centres[end])
            _gaussian(out[end], centres[end])
    return np.clip(out, -90.0, 90.0)


def _half_polar(out: Array, centres: Array) -> None:
    step = centres[2] - centres[1]
    pole = 90.0 * np.sign(centres[0])
    if np.isclose(centres[1] - centres[0], 0.75 * step) and np.isclose(centres[0] - step / 4, pole):
        out[0], out[1] = pole, pole + step / 2


def _gaussian(out: Array, centres: Array) -> None:
    pole = 90.0 * np.sign(centres[0])
    if 0 < (pole - out[0]) * np.sign(pole) < 0.3 * abs(centres[1] - centres[0]):
        out[0] = pole


def quads(nodes: Array) -> Array:
    """Return the four corners of every cell, ``(ny * nx, 4)``, from nodes of shape ``(ny + 1, nx + 1)``."""
    around = [nodes[:-1, :-1], nodes[:-1, 1:], nodes[1:, 1:], nodes[1:, :-1]]
    return np.stack(around, axis=-1).reshape(-1, 4)


def curvilinear(corners: ArrayLike, shape: tuple[int, ...], where: str) -> Array:
    """Return corners as ``(ny * nx, nv)`` from nodes ``(ny + 1, nx + 1)`` or per cell ``(ny, nx, nv)``."""
    values = checks.numbers(corners, where)
    if values.shape == tuple(n + 1 for n in shape):
        return quads(values)
    if values.ndim == 3 and values.shape[:2] == shape and values.shape[2] >= 3:
        return values.reshape(-1, values.shape[2])
    turned = values.shape[:2] in (tuple(n + 1 for n in shape[::-1]), shape[::-1])
    raise GridError(
        f"corners of shape {values.shape} for cells of shape {shape}",
        where=where,
        hint="transposed?" if turned else "give nodes (ny + 1, nx + 1) or corners per cell (ny, nx, 4)",
    )
