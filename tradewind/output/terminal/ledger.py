"""The ledger of a forward run on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tradewind.budget import Budget, Counted
from tradewind.output import words

if TYPE_CHECKING:
    from rich.console import RenderableType

PARTS = ("left", "arrived", "unmapped", "withheld")
HEADINGS = (*PARTS, "residual", "worst period")
WIDTH = 12
"""Of a column: that of ``−1.4 × 10⁻¹⁶``."""


def ledger_table(budgets: Sequence[Budget]) -> Group:
    """Return totals over the run and residuals relative to what left, one line for each exchange.

    Names, which may be long, stand above their numbers: so the table fits into 80 columns.
    """
    parts: list[RenderableType] = [_line(HEADINGS, "bold")]
    for budget in budgets:
        mean = " (mean over time)" if budget.counted is Counted.STATE else ""
        units = words.units(budget.weight.units) or "1"
        parts += [
            Text.assemble(budget.exchange, (f" in {units}{mean}", "dim")),
            _line(list(_numbers(budget))),
        ]
    return Group(*parts)


def _line(cells: Sequence[str], style: str = "") -> Table:
    line = Table.grid(padding=(0, 1, 0, 0))
    for _ in cells:
        line.add_column(justify="right", width=WIDTH, no_wrap=True)
    line.add_row(*(Text(cell, style) for cell in cells))
    return line


def _numbers(budget: Budget) -> Iterator[str]:
    for part in PARTS:
        yield words.number(budget.total(part))
    yield words.signed(budget.residual, 2)
    worst = budget.worst
    yield words.signed(float("nan") if worst is None else worst.residual, 2)
