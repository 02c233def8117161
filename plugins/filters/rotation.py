"""Random rotations that keep the mean of an ensemble, and the space of zero sums."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]


def zero_sums(members: int) -> Array:
    """Return Ω, shape ``(N, N - 1)``: orthonormal columns whose elements add up to 0.

    Householder's reflection of the last axis to (1, ..., 1)/√N, without its last column (Nerger et al.
    2012, doi 10.1175/MWR-D-11-00102.1, eq. 22 and 23).
    """
    root = 1.0 / np.sqrt(members)
    out = np.full((members, members - 1), -1.0 / members / (root + 1.0))
    out[np.diag_indices(members - 1)] += 1.0
    out[-1] = -root
    return out


def rotation(members: int, seed: int, number: int) -> Array:
    """Return a random orthogonal matrix, shape ``(N, N)``, that maps (1, ..., 1) to itself.

    Parameters
    ----------
    seed, number
        Of the run, and of the analysis: the same on every rank.

    Notes
    -----
    ``Σ_k q_k ω_kᵀ + 1 1ᵀ/N`` with the columns ω of `zero_sums`, and rows q of normal numbers, made orthogonal
    to (1, ..., 1) and to each other one by one (Gram and Schmidt, twice): uniform in the space of zero sums.
    Sakov and Oke (2008, doi 10.1175/2007MWR2021.1, section 5).
    """
    return _rotation(zero_sums(members), np.uint64(seed), np.uint64(number))


@compiled
def _rotation(fixed: Array, seed: np.uint64, number: np.uint64) -> Array:
    members = len(fixed)
    rows = _basis(members, _scrambled(_scrambled(seed) + number))
    out = np.full((members, members), 1.0 / members)
    for k in range(members - 1):
        for i in range(members):
            for j in range(members):
                out[i, j] += rows[k, i] * fixed[j, k]
    return out


@compiled
def _basis(members: int, key: np.uint64) -> Array:
    """Return N - 1 random orthonormal rows of zero sum, shape ``(N - 1, N)``."""
    rows = _normals(key, (members - 1) * members).reshape(members - 1, members)
    for k in range(members - 1):
        for _ in range(2):
            mean = rows[k].sum() / members
            for i in range(members):
                rows[k, i] -= mean
            for other in range(k):
                along = 0.0
                for i in range(members):
                    along += rows[k, i] * rows[other, i]
                for i in range(members):
                    rows[k, i] -= along * rows[other, i]
            length = 0.0
            for i in range(members):
                length += rows[k, i] * rows[k, i]
            length = np.sqrt(length)
            for i in range(members):
                rows[k, i] /= length
    return rows


@compiled
def _scrambled(state: np.uint64) -> np.uint64:
    """Return the output of SplitMix64 (Steele et al. 2014, doi 10.1145/2660193.2660195) for a state."""
    z = state + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@compiled
def _normals(key: np.uint64, many: int) -> Array:
    """Return normal numbers by Box and Muller's transform of a sequence of SplitMix64."""
    out, state = np.empty(many), key
    for i in range(many):
        state += np.uint64(0x9E3779B97F4A7C15)
        first = float(_scrambled(state) >> np.uint64(11)) + 0.5
        state += np.uint64(0x9E3779B97F4A7C15)
        second = float(_scrambled(state) >> np.uint64(11))
        radius = np.sqrt(-2.0 * np.log(first * 2.0**-53))
        out[i] = radius * np.cos(2.0 * np.pi * second * 2.0**-53)
    return out
