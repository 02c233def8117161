"""What is observed: ``observations:`` of a run config."""

from __future__ import annotations

from pydantic import Field

from tradewind.config.sections.section import Section
from tradewind.config.sections.values import At, Settings


class ObservationsSection(Section):
    """What is observed, and of which variable."""

    operator: str
    of: At | None = None
    options: Settings = Field(default_factory=dict)
