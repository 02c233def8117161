"""Departures of all windows laid out one after the other, and what to ask of parts of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

import numpy as np

from tradewind.couplers.assimilation.departures import USED, Departures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

UNNAMED = "observations"
"""Stream of observations that name none."""
VALUES = ("y", "sigma", "background", "analysis", "background_sigma", "analysis_sigma")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Sample:
    """Observations of several windows beside what was simulated of them, each array of shape ``(m,)``.

    Attributes
    ----------
    window
        Number of each observation's window, from 0.
    stream
        What it comes from.
    members
        How many members its `rank` was found among; 0 without.
    y, sigma, background, analysis, background_sigma, analysis_sigma, rank, reason
        As in `Departures`.
    """

    window: NDArray[np.int64]
    stream: NDArray[np.str_]
    members: NDArray[np.int64]
    y: Array
    sigma: Array
    background: Array
    analysis: Array
    background_sigma: Array
    analysis_sigma: Array
    rank: NDArray[np.int64]
    reason: NDArray[np.str_]

    @classmethod
    def of(cls, departures: Sequence[Departures]) -> Self:
        """Return all observations of `departures`, rejected ones included."""
        counts = [len(d.y) for d in departures]
        return cls(
            window=np.repeat(np.arange(len(departures)), counts),
            stream=_text([_streams(d) for d in departures]),
            members=np.repeat(np.array([d.members for d in departures], dtype=np.int64), counts),
            rank=_joined([d.rank for d in departures], np.int64),
            reason=_text([d.reason for d in departures]),
            **{name: _joined([getattr(d, name) for d in departures], np.float64) for name in VALUES},
        )

    def __len__(self) -> int:
        return len(self.y)

    def where(self, mask: NDArray[np.bool_]) -> Self:
        """Return those of `mask`, bool of shape ``(m,)``."""
        return type(self)(**{f.name: getattr(self, f.name)[mask] for f in fields(self)})

    @property
    def used(self) -> Self:
        """Those that were assimilated: all statistics are made from these alone."""
        return self.where(self.reason == USED)

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams, in the order in which they come first."""
        return tuple(dict.fromkeys(self.stream.tolist()))

    @property
    def before(self) -> Array:
        """Departures from the background (innovations), ``d_b = y - H x_b``."""
        return self.y - self.background

    @property
    def after(self) -> Array:
        """Departures from the analysis (residuals), ``d_a = y - H x_a``."""
        return self.y - self.analysis

    @property
    def increment(self) -> Array:
        """What the analysis has changed, ``H x_a - H x_b``."""
        return self.analysis - self.background


def by_window(sample: Sample, windows: int, ask: Callable[[Sample], Answer]) -> list[Answer]:
    """Return what `ask` says of each of the `windows`, empty ones included."""
    return [ask(sample.where(sample.window == number)) for number in range(windows)]


def by_stream(sample: Sample, ask: Callable[[Sample], Answer]) -> dict[str, Answer]:
    """Return what `ask` says of each stream."""
    return {name: ask(sample.where(sample.stream == name)) for name in sample.streams}


def mean(values: Array) -> float:
    """Return the mean of those values that are known (finite), NaN where there is none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def ratio(over: float, under: float) -> float:
    """Return ``over / under``; NaN where `under` is zero or not known."""
    return over / under if under and np.isfinite(under) else float("nan")


def _streams(departures: Departures) -> NDArray[np.str_]:
    named = departures.coordinates.get("stream")
    return np.full(len(departures.y), UNNAMED) if named is None else np.asarray(named).astype(str)


def _joined(parts: Sequence[NDArray[Any]], kind: type) -> NDArray[Any]:
    return np.concatenate([np.zeros(0), *parts]).astype(kind)


def _text(parts: Sequence[NDArray[Any]]) -> NDArray[np.str_]:
    # an empty array of numbers would make numbers of the words behind it
    return np.concatenate([np.zeros(0, dtype=str), *(np.asarray(p, dtype=str) for p in parts)])
