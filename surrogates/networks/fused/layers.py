"""What lies between the convolutions of the U-Net, one pass each, compiled; channels lie innermost."""

from __future__ import annotations

import numpy as np
from numpy import float32

from tradewind.couplers.compiled import compiled
from tradewind.surrogates.networks.fused.plumes import Floats, Integers, lay
from tradewind.surrogates.networks.fused.special import erf, exp


def _gelu(x: Floats) -> None:
    """Apply the Gaussian error linear unit to all of `x`, in place."""
    flat = x.reshape(-1)
    for i in range(len(flat)):
        half = float32(0.5) * flat[i]
        flat[i] = half + half * erf(flat[i] * float32(0.7071067811865476))


gelu = compiled(_gelu)


def _pool(x: Floats, out: Floats) -> None:
    """Put means over 2x2 cells into the first channels of `out`; what is over at an edge stands alone.

    Parameters
    ----------
    x
        Shape ``(sample, rows, columns, channel)``.
    out
        Shape ``(sample, (rows + 1) / 2, (columns + 1) / 2, at least as many channels)``.
    """
    rows, columns, channels = x.shape[1:]
    for n in range(len(x)):
        for i in range(out.shape[1]):
            above = min(2 * i + 1, rows - 1)
            for j in range(out.shape[2]):
                beside = min(2 * j + 1, columns - 1)
                for c in range(channels):
                    low = x[n, 2 * i, 2 * j, c] + x[n, 2 * i, beside, c]
                    high = x[n, above, 2 * j, c] + x[n, above, beside, c]
                    out[n, i, j, c] = float32(0.25) * (low + high)


pool = compiled(_pool)


def _widen(coarse: Floats, skip: Floats) -> None:
    """Add to each cell of `skip` the coarse cell that covers it, as nearest interpolation does.

    Parameters
    ----------
    coarse, skip
        Shapes ``(sample, rows, columns, channel)``; `skip` has about twice the rows and columns.
    """
    for n in range(len(skip)):
        for i in range(skip.shape[1]):
            row = i * coarse.shape[1] // skip.shape[1]
            for j in range(skip.shape[2]):
                column = j * coarse.shape[2] // skip.shape[2]
                for c in range(skip.shape[3]):
                    skip[n, i, j, c] += coarse[n, row, column, c]


widen = compiled(_widen)


def _take(means: Floats, corners: Integers, side: int, out: Floats) -> None:
    """Take each window's means over squares of `side` cells; its last row and column are cut short.

    Parameters
    ----------
    means
        Of whole squares, those cut on the right, those cut above, and those cut on both sides, by the
        place at which they begin: shape ``(4, lat, lon, channel)``.
    corners
        Row and column at which each window begins.
    out
        Made here, shape ``(source, size, size, channel)``.
    """
    last = out.shape[1] - 1
    for n in range(len(out)):
        for i in range(last + 1):
            for j in range(last + 1):
                kind = 2 * (i == last) + (j == last)
                found = means[kind, corners[n, 0] + side * i, corners[n, 1] + side * j]
                for c in range(out.shape[3]):
                    out[n, i, j, c] = found[c]


take = compiled(_take)


def _project(x: Floats, weights: Floats, bias: float32, out: Floats) -> None:
    """Apply GELU to `x` and sum its channels with `weights`, to shape ``(sample, rows, columns)``."""
    channels = x.shape[3]
    flat, answer = x.reshape(-1, channels), out.reshape(-1)
    row = np.empty(channels, dtype=np.float32)
    for i in range(len(flat)):
        for c in range(channels):
            half = float32(0.5) * flat[i, c]
            row[c] = (half + half * erf(flat[i, c] * float32(0.7071067811865476))) * weights[c]
        total = bias
        for c in range(channels):
            total += row[c]
        answer[i] = total


project = compiled(_project)


def _between(coarse: Floats, out: Floats) -> None:
    """Interpolate from squares of two by two cells to cells, bilinearly: a quarter from the next."""
    n, last = len(out), len(coarse) - 1
    rows = np.empty((len(coarse), n), dtype=np.float32)
    for i in range(len(coarse)):
        for j in range(n):
            near = j // 2
            far = min(max(near + (1 if j % 2 else -1), 0), last)
            rows[i, j] = float32(0.75) * coarse[i, near] + float32(0.25) * coarse[i, far]
    for i in range(n):
        near = i // 2
        far = min(max(near + (1 if i % 2 else -1), 0), last)
        for j in range(n):
            out[i, j] = float32(0.75) * rows[near, j] + float32(0.25) * rows[far, j]


between = compiled(_between)


def _normalise(inside: Floats, correction: Floats, left: float32, floor: float32) -> None:
    """Correct one map and what has left it, and scale both to a sum of one, in place."""
    flat, factor = inside.reshape(-1), correction.reshape(-1)
    held, largest = 0.0, left
    for i in range(len(flat)):
        held += flat[i]
        largest = max(largest, factor[i])
    gone = max(float32(1.0 - held), float32(0.0))
    for i in range(len(flat)):
        flat[i] = (flat[i] + floor) * exp(factor[i] - largest)
    total = np.float64((gone + floor) * exp(left - largest))
    for i in range(len(flat)):
        total += flat[i]
    scale = float32(np.divide(1.0, total))
    for i in range(len(flat)):
        flat[i] *= scale


normalise = compiled(_normalise)


def _shares(
    shares: Floats,
    weights: Floats,
    correction: Floats,
    left: Floats,
    settings: tuple[float, int],
    out: Floats,
) -> None:
    """Mix first guesses, correct them, and share the mass among the cells and what has left.

    ``softmax(log(inside + floor) + correction)`` is ``(inside + floor) exp(correction)`` over its sum.

    Parameters
    ----------
    shares
        As `guess` leaves them, shape ``(source, 2, blend * particle, cells)``.
    weights
        Of the maps, by source; sum to the number of age groups. Shape ``(source, maps)``.
    correction
        On cells, or on squares of two by two of them; shape ``(source, size, size)``.
    left
        Correction of what has left the window, by source.
    settings
        The floor of logarithms, and particles of a blend.
    out
        Made here, shape ``(source, cells, cells)``.
    """
    floor, particles = settings
    group = shares.shape[2] // weights.shape[1]
    fine = np.empty(out.shape[1:], dtype=np.float32)
    for source in range(len(out)):
        inside = out[source]
        inside[:] = float32(0.0)
        for k in range(shares.shape[2]):
            lay(shares[source], np.divide(weights[source, k // group], float32(particles)), k, inside)
        if correction.shape[1] < out.shape[1]:
            between(correction[source], fine)
        else:
            fine[:] = correction[source]
        normalise(inside, fine, left[source], float32(floor))


share_out = compiled(_shares)
