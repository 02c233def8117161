"""Global attributes of a file: CF's own, and where it comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

CONVENTIONS = "CF-1.10"


def described(title: str, told: Mapping[str, Any], notes: Sequence[str] = ()) -> dict[str, str | int | float]:
    """Return global attributes of a file with this title, provenance and notes."""
    version = told.get("tradewind", "")
    fixed: dict[str, str | int | float] = {
        "Conventions": CONVENTIONS,
        "title": title,
        "source": f"tradewind {version}".strip(),
        "history": f"{told.get('created', '')} {told.get('command', 'tradewind')}".strip(),
    }
    own = {_attribute_name(k): _attribute(v) for k, v in told.items() if v is not None}
    comment = {"comment": "\n".join(notes)} if notes else {}
    return own | comment | fixed


def _attribute_name(name: str) -> str:
    plain = re.sub(r"\W+", "_", name)
    return plain if re.match(r"[A-Za-z]", plain) else f"provenance_{plain}"


def _attribute(value: Any) -> str | int | float:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, default=str, sort_keys=True)
    return str(value)
