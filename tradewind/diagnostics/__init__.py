"""Diagnostics of what an assimilation made of its observations: pure functions on departures.

Observations that were rejected are counted, and enter no statistic.
"""

from tradewind.diagnostics.consistency import Desroziers, chi_square, cost_per_observation
from tradewind.diagnostics.descent import Descent, descent
from tradewind.diagnostics.diagnosis import Diagnosis, Part, diagnose
from tradewind.diagnostics.ensembles import RankHistogram, SpreadSkill, rank_histogram, spread_skill
from tradewind.diagnostics.information import Impact, dofs, dofs_of_kernel, impacts, influence
from tradewind.diagnostics.innovations import Innovations, Moments
from tradewind.diagnostics.inversion import departures_of
from tradewind.diagnostics.rejection import rejected
from tradewind.diagnostics.rolling import Rolling, rolling
from tradewind.diagnostics.sample import Sample, by_stream, by_window
from tradewind.diagnostics.variants import Effect, Variants, effects, variants

__all__ = [
    "Descent",
    "Desroziers",
    "Diagnosis",
    "Effect",
    "Impact",
    "Innovations",
    "Moments",
    "Part",
    "RankHistogram",
    "Rolling",
    "Sample",
    "SpreadSkill",
    "Variants",
    "by_stream",
    "by_window",
    "chi_square",
    "cost_per_observation",
    "departures_of",
    "descent",
    "diagnose",
    "dofs",
    "dofs_of_kernel",
    "effects",
    "impacts",
    "influence",
    "rank_histogram",
    "rejected",
    "rolling",
    "spread_skill",
    "variants",
]
