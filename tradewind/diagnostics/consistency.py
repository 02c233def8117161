"""Whether departures are as large as the errors that were assumed: chi-square, Desroziers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tradewind.diagnostics.sample import Sample, mean, ratio


def chi_square(sample: Sample) -> float:
    r"""Return ``dᵀ (H P Hᵀ + R)⁻¹ d / m`` of the innovations d, by the matrix' diagonal alone.

    ``(1/m) Σ d_i² / (sigma_b,i² + sigma_o,i²)``. Its mean is 1 where the variances are right, whether or not
    errors are correlated: each term's is. Correlations only widen its scatter around 1, beyond the
    ``sqrt(2/m)`` of independent errors. Above 1 the assumed errors are too small, below 1 too large.

    NaN where spread or errors are not known.

    Source
    ------
    Ménard and Chang (2000), doi:10.1175/1520-0493(2000)128<2672:AOSCTO>2.0.CO;2;
    Talagrand (1999).
    """
    return mean(sample.before**2 / (sample.background_sigma**2 + sample.sigma**2))


def cost_per_observation(cost: Mapping[str, float], m: int) -> float:
    """Return ``J(x_a) / m`` of the cost without the factor 1/2; its mean is 1 where B and R are right.

    At the minimum of a linear problem ``J = d_bᵀ (H B Hᵀ + R)⁻¹ d_b``: the full matrix, unlike `chi_square`.

    Parameters
    ----------
    cost
        With ``prior_after`` and ``observations_after``, as in `Posterior.cost`.

    Source
    ------
    Bennett (2002), Inverse Modeling of the Ocean and Atmosphere; Talagrand (1999).
    """
    terms = (cost.get("prior_after"), cost.get("observations_after"))
    known = [term for term in terms if term is not None]
    return ratio(sum(known), m) if len(known) == len(terms) else float("nan")


@dataclass(frozen=True)
class Desroziers:
    """Variances in observation space: those that departures tell, and those that were assumed.

    ``<d_a d_b>`` estimates R (equation 3), ``<(H x_a - H x_b) d_b>`` estimates H B Hᵀ (equation 2), and
    ``<(H x_a - H x_b) d_a>`` estimates H A Hᵀ (equation 4), where the analysis itself used the right weights:
    a ratio that is not 1 says which error is wrong, and roughly by how much. Biases count as errors. An
    estimate can be negative where observations are few.

    Attributes
    ----------
    count
        How many observations it is made from.
    observation, background, analysis
        Estimated variances, in the square of the observations' units.
    observation_assumed, background_assumed, analysis_assumed
        Means of sigma_o², and of the spread's square before and after; NaN where not known.

    Source
    ------
    Desroziers, Berre, Chapnik and Poli (2005), doi:10.1256/qj.05.108.
    """

    count: int
    observation: float
    background: float
    analysis: float
    observation_assumed: float
    background_assumed: float
    analysis_assumed: float

    @classmethod
    def of(cls, sample: Sample) -> Desroziers:
        """Return estimates and assumptions of `sample`."""
        found = sample.where(np.isfinite(sample.before) & np.isfinite(sample.after))
        return cls(
            count=len(found),
            observation=mean(found.after * found.before),
            background=mean(found.increment * found.before),
            analysis=mean(found.increment * found.after),
            observation_assumed=mean(found.sigma**2),
            background_assumed=mean(found.background_sigma**2),
            analysis_assumed=mean(found.analysis_sigma**2),
        )

    @property
    def ratios(self) -> dict[str, float]:
        """Estimated over assumed variance, by name; 1 where they agree."""
        return {
            name: ratio(getattr(self, name), getattr(self, f"{name}_assumed"))
            for name in ("observation", "background", "analysis")
        }
