"""Whether members are spread as the truth is: rank histograms, spread and skill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.special import gammaincc

from tradewind.diagnostics.sample import Sample, mean, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

LEAST_EXPECTED = 5
"""Observations that each bin of a chi-square test should expect (Cochran 1954)."""
BINS = 10
"""Bins of spread, each with as many observations as the others."""


@dataclass(frozen=True)
class RankHistogram:
    """How often observations fall between which members, noise of their errors added to these.

    Flat where members and truth are drawn from one distribution; a U tells too little spread (or a bias that
    changes its sign), a dome too much, a slope a bias.

    Attributes
    ----------
    counts
        Observations by rank, shape ``(N + 1,)``.
    chi_square
        ``Σ (c_k - e_k)² / e_k`` over bins of neighbouring ranks that each expect at least five.
    p_value
        Chance of a larger chi-square where the histogram is flat and observations are independent of each
        other; errors that are correlated make it too small. NaN where there are too few observations.
    left_out
        Observations with another number of members than most.

    Source
    ------
    Hamill (2001), doi:10.1175/1520-0493(2001)129<0550:IORHFV>2.0.CO;2.
    """

    counts: NDArray[np.int64]
    chi_square: float
    p_value: float
    left_out: int = 0

    @property
    def outside(self) -> float:
        """Fraction of observations outside of all members; ``2 / (N + 1)`` is expected."""
        return ratio(float(self.counts[0] + self.counts[-1]), float(self.counts.sum()))


def rank_histogram(sample: Sample) -> RankHistogram | None:
    """Return the histogram of `sample`; None where there are no members."""
    ranked = sample.where((sample.rank >= 0) & (sample.members > 0))
    if not len(ranked):
        return None
    sizes, often = np.unique(ranked.members, return_counts=True)
    members = int(sizes[np.argmax(often)])
    same = ranked.where(ranked.members == members)
    counts = np.bincount(same.rank, minlength=members + 1)
    return RankHistogram(counts, *_flatness(counts), left_out=len(ranked) - len(same))


def _flatness(counts: NDArray[np.int64]) -> tuple[float, float]:
    total = int(counts.sum())
    bins = min(len(counts), total // LEAST_EXPECTED)
    if bins < 2:
        return float("nan"), float("nan")
    parts = np.array_split(counts, bins)
    expected = np.array([len(part) for part in parts]) * total / len(counts)
    found = np.array([part.sum() for part in parts])
    statistic = float(((found - expected) ** 2 / expected).sum())
    return statistic, float(gammaincc((bins - 1) / 2.0, statistic / 2.0))


@dataclass(frozen=True)
class SpreadSkill:
    """Errors beside what the spread makes of them.

    Attributes
    ----------
    spread
        Root mean of ``(1 + 1/N) sigma_b² + sigma_o²`` in each bin, shape ``(bin,)``: what the innovations of
        a mean of N members should be. The term 1/N is left out where there are no members.
    skill
        Root mean square of the innovations in each bin.
    counts
        Observations in each bin.
    ratio
        Spread over skill of all together: 1 where members are spread as they should be, less where they are
        too sure.

    Source
    ------
    Fortin, Abaza, Anctil and Turcotte (2014), doi:10.1175/JHM-D-14-0008.1.
    """

    spread: Array
    skill: Array
    counts: NDArray[np.int64]
    ratio: float


def spread_skill(sample: Sample, bins: int = BINS) -> SpreadSkill | None:
    """Return spread and skill in bins of equally many observations, ordered by spread.

    None where no observation has both a spread and a departure.
    """
    known = np.isfinite(sample.before) & np.isfinite(sample.background_sigma) & np.isfinite(sample.sigma)
    found = sample.where(known)
    if not len(found):
        return None
    share = np.divide(1.0, found.members, out=np.zeros(len(found)), where=found.members > 0)
    expected = (1.0 + share) * found.background_sigma**2 + found.sigma**2
    order = np.argsort(expected, kind="stable")
    parts = np.array_split(order, min(bins, len(found)))
    squares = found.before**2
    return SpreadSkill(
        spread=np.sqrt([expected[part].mean() for part in parts]),
        skill=np.sqrt([squares[part].mean() for part in parts]),
        counts=np.array([len(part) for part in parts]),
        ratio=ratio(float(np.sqrt(mean(expected))), float(np.sqrt(mean(squares)))),
    )
