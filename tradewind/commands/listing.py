"""Plain listings on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from tradewind.plugins.manager import PluginManager


def rows(manager: PluginManager) -> list[dict[str, str]]:
    """Return role, name, plugin and summary of whatever is registered; surrogates also say for what."""
    return [
        {"role": str(d.role), "name": d.name, "plugin": d.plugin, "summary": d.summary}
        | ({"stands_in_for": f"{d.stands_in_for} of {d.component}"} if d.stands_in_for else {})
        for d in manager.available()
    ]


def listing(manager: PluginManager) -> Table:
    """Return a table of `rows`."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("role", "name", "plugin", "summary"):
        table.add_column(name, no_wrap=name != "summary", overflow="fold")
    for row in rows(manager):
        told = row["summary"] + (f" (for the {row['stands_in_for']})" if "stands_in_for" in row else "")
        table.add_row(row["role"], Text(row["name"], style="bold"), Text(row["plugin"]), Text(told))
    return table


def pairs(figures: Mapping[str, Any]) -> Table:
    """Return names and values, one to a line."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for name, value in figures.items():
        table.add_row(Text(name), Text(f"{value:.6g}" if isinstance(value, float) else str(value)))
    return table
