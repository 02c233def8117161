"""Rows, numbers and dashes: what all tables are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

ABSENT = "–"
LIBRARIES = ("torch", "numpy", "scipy", "esmpy")
RUN_AS = ("reference", "surrogate", "guarded", "shadow")
Figures: TypeAlias = Mapping[str, Any]
Tables: TypeAlias = Mapping[str, Callable[[Figures], str]]


def table(header: str, rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table; all columns but the first are aligned to the right."""
    names = header.split(" | ")
    rule = ["---", *["---:"] * (len(names) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (names, rule, *rows))


def number(found: Figures, key: str, form: str = ".3f") -> str:
    """Return a figure as text; a dash when it is not known."""
    value = found.get(key)
    return ABSENT if value is None else format(value, form)


def measured(found: Figures, measures: tuple[tuple[str, str, str, str], ...]) -> str:
    """Return the table of measures: text, key, format and aim of each."""
    rows = [(text, number(found, key, form), aim) for text, key, form, aim in measures]
    return table("measure | figure | aim", rows)


def cell(text: Any) -> str:
    """Return a text as it stands in a cell; a dash when there is none."""
    return ABSENT if text is None else str(text).replace("|", "\\|").replace("<", "&lt;")


def conditions(found: Figures) -> str:
    """Return the line that says where and with what the figures were made."""
    if not found:
        return "The figures have not been computed yet."
    versions = found.get("versions", {})
    shown = ", ".join(f"{name} {versions[name]}" for name in LIBRARIES if name in versions)
    commit = str(found.get("commit", ABSENT))[:12]
    return f"Commit `{commit}`, {found.get('date', ABSENT)}, {found.get('cores', ABSENT)} cores, {shown}."
