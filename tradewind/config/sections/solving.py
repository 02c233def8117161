"""The method, and the ensemble that filters carry: ``solve:`` and ``ensemble:`` of a run config."""

from __future__ import annotations

from pydantic import Field

from tradewind.config.sections.section import Section
from tradewind.config.sections.values import Settings


class SolveSection(Section):
    """The method that turns observations into a posterior."""

    method: str
    options: Settings = Field(default_factory=dict)
