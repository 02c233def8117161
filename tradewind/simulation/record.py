"""What a window of a forward run has given up to now, and how that is kept in a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.ledger import LedgerEntry

if TYPE_CHECKING:
    from tradewind.coupled.tape import Event, Port
    from tradewind.couplers.coupling.time.calendars import Time

MICROSECOND = timedelta(microseconds=1)
FIGURES = ("left", "arrived", "unmapped", "withheld")
FIELD, SEEN = "field:", "seen:"


@dataclass
class Record:
    """What one window has given up to now, in the order of time.

    Attributes
    ----------
    times
        When fields were read.
    fields
        One tensor of shape ``(*extra, cell)`` for each of `times`.
    seen
        What is looked at by the observations, by port and time, shape ``(1, *extra, cell)``; none after the
        window's end.
    simulated
        Simulated observations, shape ``(m,)``; none before the window's end.
    finished
        Whether the window has come to its end.
    """

    ledger: list[LedgerEntry] = field(default_factory=list)
    times: list[Time] = field(default_factory=list)
    fields: dict[Port, list[Tensor]] = field(default_factory=dict)
    seen: dict[Event, Tensor] = field(default_factory=dict)
    simulated: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.float64))
    finished: bool = False

    def read(self, time: Time, values: Mapping[Port, Tensor]) -> None:
        """Add the fields of one time, shape ``(*extra, cell)``."""
        self.times.append(time)
        for port, value in values.items():
            self.fields.setdefault(port, []).append(value)


# ---------------------------------------------------------------------- files
def packed(record: Record, since: Time) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return a record as tensors by name, and as plain values; times are microseconds since `since`."""
    names = sorted({entry.exchange for entry in record.ledger})
    figures = [[getattr(entry, name) for name in FIGURES] for entry in record.ledger]
    edges = [[_ticks(t, since) for t in (e.interval.start, e.interval.stop)] for e in record.ledger]
    tensors = {
        "ledger": torch.tensor(figures, dtype=torch.float64).reshape(-1, len(FIGURES)),
        "ledger_exchange": torch.tensor([names.index(e.exchange) for e in record.ledger], dtype=torch.int64),
        "ledger_interval": torch.tensor(edges, dtype=torch.int64).reshape(-1, 2),
        "times": torch.tensor([_ticks(t, since) for t in record.times], dtype=torch.int64),
        "simulated": record.simulated.clone(),
    }
    tensors |= {f"{FIELD}{port}": torch.stack(values) for port, values in record.fields.items()}
    # copies: two looks may have seen the same memory, which a file holds once
    tensors |= {f"{SEEN}{port}@{_ticks(t, since)}": v.clone() for (port, t), v in record.seen.items()}
    return tensors, {"exchanges": names, "finished": record.finished}


def unpacked(tensors: Mapping[str, Tensor], plain: Mapping[str, Any], since: Time) -> Record:
    """Return the record that was packed."""
    fields = {n.removeprefix(FIELD): list(t.unbind()) for n, t in tensors.items() if n.startswith(FIELD)}
    times = [since + int(t) * MICROSECOND for t in tensors["times"]]
    ledger = list(_entries(tensors, plain["exchanges"], since))
    seen = dict(_seen(tensors, since))
    return Record(ledger, times, fields, seen, tensors["simulated"], plain["finished"])


def _seen(tensors: Mapping[str, Tensor], since: Time) -> Iterator[tuple[Event, Tensor]]:
    for name, value in tensors.items():
        if name.startswith(SEEN):
            port, _, ticks = name.removeprefix(SEEN).rpartition("@")
            yield (port, since + int(ticks) * MICROSECOND), value


def _entries(tensors: Mapping[str, Tensor], names: Sequence[str], since: Time) -> list[LedgerEntry]:
    parts = (tensors[name].tolist() for name in ("ledger_exchange", "ledger_interval", "ledger"))
    return [
        LedgerEntry(names[number], Interval(*(since + edge * MICROSECOND for edge in edges)), *figures)
        for number, edges, figures in zip(*parts, strict=True)
    ]


def _ticks(time: Time, since: Time) -> int:
    return (time - since) // MICROSECOND
