"""Analyses that are local where a localisation is given, and global without."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from tradewind.couplers.assimilation import Ensemble, Observations
from tradewind.plugins.filters.inflation import Method
from tradewind.plugins.filters.local.engine import LocalAnalysis
from tradewind.plugins.filters.options import AnywhereOptions
from tradewind.plugins.filters.transform.analysis import analysed

Analysis: TypeAlias = Callable[[Ensemble, Observations], Ensemble]


def analysis(method: Method, options: AnywhereOptions) -> Analysis:
    """Return the analysis of a method, place by place where its options say which observations count."""
    if options.localization is None:
        return partial(analysed, method=method, options=options)
    return LocalAnalysis(method, options.localization, options)
