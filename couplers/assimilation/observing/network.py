"""Several observation operators as one: the streams of a network."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, TypeVar

import numpy as np
import torch

from tradewind.couplers.assimilation.contracts import (
    Looks,
    ObservationOperator,
    Observations,
    ObservationsByWindow,
    Port,
)
from tradewind.couplers.assimilation.covariance import BlockCovariance, Covariance, DiagonalCovariance
from tradewind.couplers.assimilation.looks import Look
from tradewind.couplers.assimilation.observing.stacked import stacked
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.time.calendars import Time

Made = TypeVar("Made")
STREAM = "stream"
ABSENT: Mapping[str, float] = {"count": 1.0}
"""What a coordinate is that a stream does not have; others are NaN, NaT or empty."""


class ObservationNetwork:
    """Streams of observations, one after the other in each window.

    The coordinate ``stream`` says which each comes from. What repeats from window to window (the looks
    of streams, the arrays of their places) is joined once.

    Parameters
    ----------
    streams
        Operators by the name of the stream, in order.
    """

    def __init__(self, streams: Mapping[str, ObservationOperator]) -> None:
        self.streams = dict(streams)
        self.observes: tuple[Port, ...] = tuple(
            dict.fromkeys(p for s in streams.values() for p in s.observes)
        )
        self._windows: dict[Interval, Observations] = {}
        self._looks: dict[Interval, Looks] = {}
        self._made: dict[Hashable, tuple[object, Any]] = {}

    @property
    def units(self) -> str:
        """Units of all streams; empty where they differ, or one does not say."""
        units = {str(getattr(stream, "units", "")) for stream in self.streams.values()}
        return units.pop() if len(units) == 1 else ""

    @property
    def notes(self) -> list[str]:
        """What the streams have to say."""
        return [f"{name}: {note}" for name, s in self.streams.items() for note in getattr(s, "notes", ())]

    def windows(self, windows: Sequence[Interval]) -> ObservationsByWindow:
        """Return the observations of each window, empty windows included."""
        if not all(w in self._windows for w in windows):
            seen = [stream.windows(windows) for stream in self.streams.values()]
            self._windows |= {w: self._joined([by_window[w] for by_window in seen]) for w in windows}
        return {w: self._windows[w] for w in windows}

    def looks(self, window: Interval) -> Looks:
        """Return the looks of all streams, those at the same field as one."""
        if window not in self._looks:
            *begins, m = accumulate(self._sizes(window), initial=0)
            parts: dict[tuple[Port, Time], list[tuple[int, Look]]] = {}
            for begin, stream in zip(begins, self.streams.values(), strict=True):
                for at, look in stream.looks(window).items():
                    parts.setdefault(at, []).append((begin, look))
            self._looks[window] = {at: self._stacked(several, m) for at, several in parts.items()}
        return self._looks[window]

    def offset(self, window: Interval) -> torch.Tensor:
        """Return what is added to what is seen, shape ``(m,)``."""
        return torch.cat([stream.offset(window) for stream in self.streams.values()])

    def _sizes(self, window: Interval) -> Iterator[int]:
        return (len(stream.offset(window)) for stream in self.streams.values())

    def _stacked(self, parts: list[tuple[int, Look]], m: int) -> Look:
        key = (m, *((begin, id(look)) for begin, look in parts))
        return self._once(key, parts, lambda: stacked(parts, m))

    def _joined(self, seen: Sequence[Observations]) -> Observations:
        y = torch.cat([part.y for part in seen])
        names = dict.fromkeys(name for part in seen for name in part.coordinates)
        coordinates = {name: self._column(name, seen) for name in names}
        sizes = tuple(len(part) for part in seen)
        coordinates[STREAM] = self._once((STREAM, *sizes), None, lambda: np.repeat([*self.streams], sizes))
        parts = [part.covariance for part in seen if part.covariance is not None]
        covariance = self._once(("errors", *map(id, parts)), parts, lambda: beside(parts)) if parts else None
        return Observations(y, covariance, coordinates)

    def _column(self, name: str, seen: Sequence[Observations]) -> Any:
        values = [part.coordinates.get(name) for part in seen]
        key = (name, *((len(part), id(value)) for part, value in zip(seen, values, strict=True)))
        return self._once(key, values, lambda: _concatenated(name, values, seen))

    def _once(self, key: Hashable, given: object, make: Callable[[], Made]) -> Made:
        """Return what was made of the same objects before; `given` is kept, so that its id stays its own."""
        if key not in self._made:
            self._made[key] = (given, make())
        made: Made = self._made[key][1]
        return made


def beside(parts: Sequence[Covariance]) -> Covariance:
    """Return the covariance of errors that stand beside each other and know nothing of each other."""
    if len(parts) == 1:
        return parts[0]
    if all(isinstance(part, DiagonalCovariance) for part in parts):
        return DiagonalCovariance(torch.cat([part.diagonal() for part in parts]))
    return BlockCovariance(parts)


def _concatenated(name: str, values: Sequence[Any], seen: Sequence[Observations]) -> Any:
    kinds = {np.asarray(value).dtype.kind for value in values if value is not None}
    absent: Any = ABSENT.get(name, np.nan)
    if kinds & {"M", "U"}:
        absent = np.datetime64("NaT", "ns") if "M" in kinds else ""
    columns = [
        np.full(len(part), absent) if value is None else np.asarray(value)
        for value, part in zip(values, seen, strict=True)
    ]
    return np.concatenate(columns)
