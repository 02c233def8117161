"""``tradewind map-check``: the figures of a weight file, beside limits that it must keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from tradewind.couplers.regrid.mapfile import read_map
from tradewind.couplers.regrid.quality.measures import Quality, quality
from tradewind.couplers.regrid.scheme import Method
from tradewind.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from tradewind.commands.options import MapCheckOptions

EXACT = 1e-9
"""Limit of what is exact but for rounding; files in single precision need more."""
MISFIT = 0.1
"""Limit of mean misfits: grids of 30 degrees stay below, fields that were turned over do not."""
UNRESOLVED = "harmonic"
"""Its waves are 22.5 degrees long, too short for coarse grids, so it has no limit."""
MAY_OVERSHOOT = {Method.CONSERVATIVE_2ND, Method.PATCH}


@dataclass(frozen=True)
class Check:
    """One figure and its limit."""

    name: str
    value: float | None
    limit: float
    is_least: bool = False

    @property
    def passed(self) -> bool:
        """Whether the figure keeps its limit; what does not exist does, NaN does not."""
        if self.value is None:
            return True
        return self.value >= self.limit if self.is_least else self.value <= self.limit


def checked(asked: MapCheckOptions) -> tuple[Quality, list[Check]]:
    """Return the figures of a weight file, and those that have limits.

    Raises
    ------
    DataError
        When the file is damaged or no weight file.
    """
    found = quality(read_map(asked.path))
    return found, checks(found, asked)


def checks(found: Quality, asked: MapCheckOptions) -> list[Check]:
    """Return each figure that has a limit."""
    means = [m.mean for name, m in found.misfits.items() if name != UNRESOLVED]
    worst = max(means, default=None)
    outside = 0 if asked.allow_negative or found.scheme.method in MAY_OVERSHOOT else None
    within = [] if outside is not None else [
        Check("weights below 0", found.negative, 0), Check("weights above 1", found.above_one, 0),
    ]  # fmt: skip
    return [
        Check("weights", found.entries, 1, is_least=True),
        Check("weights that are no number", found.not_finite, 0),
        *within,
        Check("row sums", found.row_sum_error, _or(asked.max_row_sum_error, EXACT)),
        Check("conservation", found.conservation, _or(asked.max_conservation, EXACT)),
        Check("mean misfit", worst, _or(asked.max_misfit, MISFIT)),
        Check("coverage", found.coverage, asked.min_coverage, is_least=True),
    ]


def _or(given: float | None, default: float) -> float:
    return default if given is None else given


def as_json(found: Quality, made: list[Check]) -> dict[str, Any]:
    """Return all figures and the names of failed checks as one flat object."""
    failed = [check.name for check in made if not check.passed]
    return {**found.flat(), "passed": not failed, "failed": failed}


def tables(found: Quality, made: list[Check]) -> list[Table]:
    """Return what the map is, its checks, and its misfits, to be printed one below the other."""
    return [_about(found), _checks(made), _misfits(found)]


def _about(found: Quality) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    size = f"{found.sources} sources, {found.targets} targets, {found.entries} weights"
    least, largest = f"{found.least:.3g}", f"{found.largest:.3g}"
    table.add_row("scheme", str(found.scheme))
    table.add_row("size", size)
    table.add_row("weights", f"{least} to {largest}")
    table.add_row("unmapped", f"{found.unmapped} active targets")
    return table


def _checks(made: list[Check]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("check", "figure", "limit", ""):
        table.add_column(name, justify="left" if name in {"check", ""} else "right")
    for check in made:
        sign = "≥" if check.is_least else "≤"
        verdict = Text("ok", "green") if check.passed else Text("FAILED", "bold red")
        value = "–" if check.value is None else f"{check.value:.3g}"
        table.add_row(check.name, value, f"{sign} {check.limit:.3g}", verdict)
    return table


def _misfits(found: Quality) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("misfit", "mean", "largest", "rms"):
        table.add_column(name, justify="left" if name == "misfit" else "right")
    for name, misfit in found.misfits.items():
        table.add_row(name, *(f"{value:.2e}" for value in vars(misfit).values()))
    return table


def refuse_failed(made: list[Check], path: Path) -> None:
    """Refuse a map that does not keep its limits.

    Raises
    ------
    DataError
        Names what failed.
    """
    failed = [check.name for check in made if not check.passed]
    if failed:
        raise DataError(
            f"{len(failed)} of {len(made)} checks failed: {', '.join(failed)}",
            where=str(path),
            hint="see the table for figures and limits",
        )
