"""What observations gave to the analysis: degrees of freedom for signal, and each stream's part of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.diagnostics.innovations import Innovations
from tradewind.diagnostics.sample import Sample, by_stream, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]


def influence(sample: Sample) -> Array:
    """Return each observation's own influence ``S_ii = sigma_a,i² / sigma_o,i²``, shape ``(m,)``.

    The diagonal of the influence matrix ``S = ∂(H x_a) / ∂y = R⁻¹ H A Hᵀ`` where R is diagonal, with the
    spread of the analysed members for ``H A Hᵀ``: 0 where the background alone decides, 1 where the
    observation does. Inflation of the analysed members counts as if it were influence.

    Source
    ------
    Cardinali, Pezzulli and Andersson (2004), doi:10.1256/qj.03.205; Liu, Kalnay, Miyoshi and
    Cardinali (2009), doi:10.1002/qj.511.
    """
    return np.asarray(sample.analysis_sigma**2 / sample.sigma**2)


def dofs(sample: Sample) -> float:
    """Return the degrees of freedom for signal, ``tr S``; NaN where no spread is known."""
    found = influence(sample)
    known = found[np.isfinite(found)]
    return float(known.sum()) if len(known) else float("nan")


def dofs_of_kernel(kernel: Array) -> float:
    """Return the degrees of freedom for signal as the trace of the averaging kernel ``A = K⁺ K``, ``(n, n)``.

    It equals ``tr S``: the trace of a product does not change when its factors go round.

    Source
    ------
    Rodgers (2000), Inverse Methods for Atmospheric Sounding, section 2.4.
    """
    return float(np.trace(kernel))


@dataclass(frozen=True)
class Impact:
    """What a stream gave to the analysis.

    Attributes
    ----------
    count
        Its observations that were used.
    dofs
        Sum of its influences.
    share
        Its part of all streams' degrees of freedom.
    each
        Influence of one observation, on average: ``dofs / count``.
    reduction
        By which fraction its mean-square departure has become smaller, ``1 - <d_a²> / <d_b²>``.
    """

    count: int
    dofs: float
    share: float
    each: float
    reduction: float


def impacts(sample: Sample) -> dict[str, Impact]:
    """Return the impact of each stream."""
    whole = dofs(sample)
    return by_stream(sample, lambda part: _impact(part, whole))


def _impact(part: Sample, whole: float) -> Impact:
    own = dofs(part)
    return Impact(len(part), own, ratio(own, whole), ratio(own, len(part)), Innovations.of(part).reduction)
