"""What ``tradewind verify`` has found, as a table and for programs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tradewind.output import words
from tradewind.verification.findings import Outcome

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tradewind.verification.findings import Finding, Verification

COLOURS = {Outcome.PASSED: "green", Outcome.FAILED: "bold red", Outcome.SKIPPED: "yellow"}


def verification_table(found: Verification) -> Group:
    """Return one line for each check, and below it what to look at where one failed."""
    parts: list[RenderableType] = [_table(found)]
    parts += [Text(line, style="red") for line in _advice(found)]
    parts += [Text(f"note: {note}", style="yellow") for note in found.notes]
    return Group(*parts, Text(_footing(found), style="dim"))


def _table(found: Verification) -> Table:
    table = Table(title=Text(f"{found.name}: verification"), title_justify="left", title_style="bold")
    table.add_column("check", no_wrap=True)
    table.add_column("")
    for heading in ("found", "at most"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("note", overflow="fold")
    for subject in dict.fromkeys(f.subject for f in found.findings):
        table.add_section()
        table.add_row(Text(subject, style="bold"))
        for finding in found.findings:
            if finding.subject == subject:
                table.add_row(*_cells(finding))
    return table


def _cells(finding: Finding) -> Iterator[RenderableType]:
    yield f"  {finding.check}"
    yield Text(finding.outcome, style=COLOURS[finding.outcome])
    for value in (finding.figure, finding.tolerance):
        yield "" if value is None else words.number(value, 2)
    # a failure's own words stand in full below the table
    note = finding.note if finding.outcome is not Outcome.FAILED or len(finding.note) < 20 else "see below"
    yield Text(note, style="dim")


def _advice(found: Verification) -> Iterator[str]:
    for finding in found.failed:
        said = f" {finding.note}." if finding.note else ""
        yield f"{finding.subject}, {finding.check}:{said} {finding.advice}"


def _footing(found: Verification) -> str:
    counts = {kind: sum(f.outcome is kind for f in found.findings) for kind in Outcome}
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count) or "nothing to verify"


def verification_figures(found: Verification) -> dict[str, Any]:
    """Return what ``--json`` prints: ``name``, ``passed``, ``findings`` (all that each holds), ``notes``."""
    findings = [_plain(finding) for finding in found.findings]
    return {"name": found.name, "passed": found.passed, "findings": findings, "notes": list(found.notes)}


def _plain(finding: Finding) -> dict[str, Any]:
    series = {name: [_number(v) for v in values] for name, values in finding.series.items()}
    return {
        "subject": finding.subject,
        "check": finding.check,
        "outcome": str(finding.outcome),
        "figure": _number(finding.figure),
        "tolerance": _number(finding.tolerance),
        "note": finding.note,
        "advice": finding.advice,
        "series": series,
    }


def _number(value: float | None) -> float | None:
    # JSON has no word for NaN
    return value if value is not None and math.isfinite(value) else None
