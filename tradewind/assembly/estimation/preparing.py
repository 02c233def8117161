"""What a config says is done to observations on their way into a window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from tradewind.config.sections.observing import ErrorSection, ObservationsSection, ThinSection
from tradewind.couplers.assimilation import ObservationOperator, ObservationsByWindow
from tradewind.couplers.assimilation.covariance import Correlation, Kernel
from tradewind.couplers.assimilation.observing import (
    Boxes,
    Errors,
    Joining,
    Preparation,
    PreparedOperator,
    Present,
    Thinning,
    Uncertainty,
)
from tradewind.couplers.coupling.component import Interval


def prepared(
    operator: ObservationOperator,
    section: ObservationsSection,
    found: ObservationsByWindow,
    windows: Sequence[Interval],
) -> ObservationOperator:
    """Return the operator with what the config asks for done to its observations.

    Parameters
    ----------
    found
        What it gives, window by window: values that are missing are left out.
    """
    steps = [*_steps(section, any(bool(torch.isnan(seen.y).any()) for seen in found.values()))]
    if not steps:
        return operator
    whole = PreparedOperator(operator, steps)
    whole.windows(windows)
    return whole


def _steps(section: ObservationsSection, gaps: bool) -> Iterator[Preparation]:
    if gaps:
        yield Present()
    if section.thin is not None:
        yield Thinning(_boxes(section.thin))
    if section.superobs is not None:
        said = section.superobs
        kind = Uncertainty(said.uncertainty.value)
        yield Joining(_boxes(said), said.correlation, said.transport_error, kind)
    if section.error != ErrorSection():
        yield _errors(section.error)


def _boxes(section: ThinSection) -> Boxes:
    return Boxes(section.length, section.distance, section.time)


def _errors(section: ErrorSection) -> Errors:
    said = section.correlation
    if said is None:
        return Errors(section.inflation)
    correlation = Correlation(said.length, Kernel(said.kind.value), said.distance, said.smoothness)
    return Errors(section.inflation, correlation, said.time)
