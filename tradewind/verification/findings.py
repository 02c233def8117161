"""What a check has found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """How a check has ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """The outcome of one check of one thing.

    Attributes
    ----------
    subject
        What was checked: a component, the coupled run, or the observations' derivative K.
    check
        Name of the check.
    figure
        What was measured; None where there is no number.
    tolerance
        What it was held against.
    note
        What else is to be said: the reason of a skip, an order of convergence.
    advice
        What to look at; empty where it passed.
    series
        Numbers by the length of the perturbation, where the check makes several.
    """

    subject: str
    check: str
    outcome: Outcome
    figure: float | None = None
    tolerance: float | None = None
    note: str = ""
    advice: str = ""
    series: Mapping[str, Sequence[float]] = field(default_factory=dict)


class NotApplicable(Exception):  # noqa: N818
    """A check that has nothing to say of this subject; the message says why."""


@dataclass(frozen=True)
class Verification:
    """All findings of one config."""

    name: str
    findings: Sequence[Finding]
    notes: Sequence[str] = ()

    @property
    def failed(self) -> list[Finding]:
        """Those that failed."""
        return [f for f in self.findings if f.outcome is Outcome.FAILED]

    @property
    def passed(self) -> bool:
        """Whether none failed."""
        return not self.failed
