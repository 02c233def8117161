"""All diagnostics of an assimilation together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradewind.diagnostics.consistency import Desroziers, chi_square
from tradewind.diagnostics.ensembles import RankHistogram, SpreadSkill, rank_histogram, spread_skill
from tradewind.diagnostics.information import Impact, dofs, impacts
from tradewind.diagnostics.innovations import Innovations
from tradewind.diagnostics.rejection import rejected
from tradewind.diagnostics.sample import Sample, by_stream, by_window

if TYPE_CHECKING:
    from tradewind.couplers.assimilation import Departures


@dataclass(frozen=True)
class Part:
    """What is asked of all observations that were used, of each window's and of each stream's."""

    count: int
    innovations: Innovations
    chi_square: float
    desroziers: Desroziers

    @classmethod
    def of(cls, sample: Sample) -> Part:
        """Return the statistics of `sample`."""
        return cls(len(sample), Innovations.of(sample), chi_square(sample), Desroziers.of(sample))


@dataclass(frozen=True)
class Diagnosis:
    """What departures say; rejected observations are counted in `rejected` and nowhere else.

    Attributes
    ----------
    sample
        All observations, rejected ones included.
    whole
        Of all that were used.
    windows
        Of each window.
    streams
        Of each stream.
    ranks, spread_skill
        None where there are no members.
    dofs
        Degrees of freedom for signal, summed over windows; NaN where no spread is known.
    impacts, rejected
        By stream.
    """

    sample: Sample
    whole: Part
    windows: Sequence[Part]
    streams: Mapping[str, Part]
    ranks: RankHistogram | None
    spread_skill: SpreadSkill | None
    dofs: float
    impacts: Mapping[str, Impact]
    rejected: Mapping[str, Mapping[str, int]]

    @property
    def rejections(self) -> int:
        """How many observations were not used."""
        return sum(sum(reasons.values()) for reasons in self.rejected.values())


def diagnose(departures: Sequence[Departures]) -> Diagnosis:
    """Return all diagnostics of `departures`, one for each window, in order."""
    everything = Sample.of(departures)
    used = everything.used
    return Diagnosis(
        sample=everything,
        whole=Part.of(used),
        windows=by_window(used, len(departures), Part.of),
        streams=by_stream(used, Part.of),
        ranks=rank_histogram(used),
        spread_skill=spread_skill(used),
        dofs=dofs(used),
        impacts=impacts(used),
        rejected={name: why for name, why in by_stream(everything, rejected).items() if why},
    )
