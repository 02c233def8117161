"""Random rotations that keep the mean of an ensemble, and the space of zero sums."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

STREAM = 1
"""Sets the rotation's random numbers apart from those of other things with the same seed."""


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
    ``Ω Q Ωᵀ + 1 1ᵀ/N`` with Q uniform (Haar) in the space of zero sums: Sakov and Oke (2008, doi
    10.1175/2007MWR2021.1, section 5).
    """
    draws = np.random.default_rng([seed, number, STREAM]).standard_normal((members - 1, members - 1))
    q, r = np.linalg.qr(draws)
    basis = zero_sums(members)
    return basis @ (q * np.sign(np.diag(r))) @ basis.T + 1.0 / members
