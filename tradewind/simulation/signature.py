"""What a forward run and its restart files must have in common."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from tradewind.accounts import input_files
from tradewind.couplers.ranks.parallel import agree
from tradewind.provenance import sha256, version

if TYPE_CHECKING:
    from tradewind.assembly import Assembly
    from tradewind.couplers.coupling.component import Interval

FREE = frozenset({"stop", "window", "threads", "cache", "restart"})
"""Settings of ``run`` that change no number of a window: each file names its own window."""


def signature(assembly: Assembly) -> dict[str, str]:
    """Return, by the name of each part of a run, a digest of what it is made of; collective.

    Of paths only the name counts, and what is in the files: a run may be moved to another folder.
    """
    found: dict[str, str] = {}
    with agree(assembly.comm, "reading the inputs"):
        if assembly.comm.rank == 0:
            found = dict(_parts(assembly))
    return assembly.comm.bcast(found)


def of_window(parts: Mapping[str, str], window: Interval) -> dict[str, str]:
    """Return the signature of one window's file."""
    return {**parts, "window": f"{window.start.isoformat()} to {window.stop.isoformat()}"}


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Return the names of the parts that are not the same."""
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]


def _parts(assembly: Assembly) -> Iterator[tuple[str, str]]:
    config = assembly.config
    yield "version", version()
    yield "run", _digest({k: v for k, v in dict(config.run).items() if k not in FREE})
    for name, section in config.components.items():
        yield f"components.{name}", _digest(section)
    for number, exchange in enumerate(config.exchanges):
        yield f"exchanges.{number}", _digest(exchange)
    for name in ("observations", "control"):
        yield name, _digest(getattr(config, name))
    yield "output.fields", _digest(config.output.fields)
    yield "output.every", _digest(config.output.every)
    yield from _contents(assembly)


def _contents(assembly: Assembly) -> Iterator[tuple[str, str]]:
    by_name: dict[str, list[str]] = {}
    for path in dict.fromkeys(input_files(assembly)):
        by_name.setdefault(path.name, []).append(sha256(path))
    # files of one name in several folders count together
    yield from ((f"file {name}", " ".join(found)) for name, found in by_name.items())


def _digest(setting: object) -> str:
    text = json.dumps(setting, default=_plain, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(setting: object) -> object:
    if isinstance(setting, BaseModel):
        return dict(setting)
    return setting.name if isinstance(setting, Path) else str(setting)
