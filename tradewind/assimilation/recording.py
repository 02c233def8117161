"""What a loop remembers of its analyses: means, spreads and departures.

Windows are put aside and summed up several at a time: where states are small, a window of its own would
cost more in calls than in numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.assimilation.analysing import BLOCK, Analysis
from tradewind.couplers.assimilation import Departures, Observations
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.ranks.parallel import tree_sum_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.ranks.layout import Layout

    Array: TypeAlias = NDArray[np.float64]

VALUES = ("y", "sigma", "background", "analysis", "background_sigma", "analysis_sigma")
"""Of departures, in the order in which they are made here."""
ASIDE = 128
"""Windows that are put aside at most."""
BYTES = 32 * 2**20
"""Of what they hold."""
EPOCH = 64
"""Windows whose noise comes from one generator."""


class Moments(NamedTuple):
    """Means and spreads before and after, shape ``(time, *extra, cell)`` of the whole grid."""

    forecast: Tensor
    analysis: Tensor
    forecast_spread: Tensor
    analysis_spread: Tensor


class Put(NamedTuple):
    """An analysis that is put aside.

    Attributes
    ----------
    observed
        Observations that were assimilated, of all ranks.
    rejected
        Observations of the window that the analysis was not given, and why; of the rest, none.
    """

    window: Interval
    number: int
    analysis: Analysis
    observed: int
    rejected: Rejected | None = None


class Rejected(NamedTuple):
    """All observations of a window, of which some were not assimilated.

    Attributes
    ----------
    shown
        What members show of all of them before the analysis, shape ``(N, m)``.
    reason
        Why each was not used, shape ``(m,)``; empty where it was.
    """

    observations: Observations
    shown: Tensor
    reason: NDArray[np.str_]


@dataclass
class Noise:
    """Standard normal numbers for observations, window by window.

    Where ranks hold parts of them, each block of a window has a generator of its own: who holds it may
    change. Where all hold all, one serves several windows, for making it costs more than its numbers.
    """

    seed: int
    _epoch: int = -1
    _draws: np.random.Generator = field(default_factory=np.random.default_rng)

    def of_block(self, number: int, block: int, shape: tuple[int, int]) -> Array:
        """Return the numbers of a block of observations in window `number`."""
        return np.random.default_rng((self.seed, number, 1 + block)).standard_normal(shape)

    def following(self, number: int, shape: tuple[int, int]) -> Array:
        """Return the numbers of all observations in window `number`, which comes after the last one."""
        if number // EPOCH != self._epoch:
            self._epoch = number // EPOCH
            self._draws = np.random.default_rng((self.seed, self._epoch, 0))
        return self._draws.standard_normal(shape)


@dataclass
class Recorder:
    """Collects what the result shows; every rank enters.

    Attributes
    ----------
    every
        Whether means of all analyses are kept, or of the last alone.
    noise
        On members among which ranks are counted.
    """

    every: bool
    noise: Noise
    departures: list[Departures] = field(default_factory=list)
    parts: dict[str, list[Moments]] = field(default_factory=dict)
    _aside: list[Put] = field(default_factory=list)
    _room: int = 0

    def add(self, put: Put) -> None:
        """Put an analysis aside."""
        if not self._aside:
            self._room = min(ASIDE, BYTES // max(_bytes(put), 1))
        self._aside.append(put)
        if len(self._aside) >= self._room:
            self.settle()

    def settle(self) -> None:
        """Sum up what was put aside; collective."""
        for _, group in groupby(self._aside, key=_alike):
            several = list(group)
            self.departures += departures_of(several, self.noise)
            wanted = several if self.every else several[-1:]
            for name in wanted[0].analysis.before.fields:
                made = moments_of(wanted, name)
                self.parts[name] = [*self.parts.get(name, ()), made] if self.every else [made]
        self._aside.clear()

    def moments(self, name: str) -> Moments:
        """Return means and spreads of a target at all analyses that are kept."""
        parts = self.parts[name]
        return Moments(*(torch.cat(each) for each in zip(*parts, strict=True)))


def _bytes(put: Put) -> int:
    """Return what all ranks together hold of an analysis: the same on each, for they sum up together."""
    before, layouts = put.analysis.before, put.analysis.layouts
    cells = sum(
        value.shape[:-1].numel() * (layouts[name].n_global if name in layouts else value.shape[-1])
        for name, value in before.fields.items()
    )
    return 16 * cells


def _alike(put: Put) -> tuple[object, ...]:
    """Return what must be the same for windows to be summed up at once."""
    before = put.analysis.before
    layouts = tuple((name, id(layout)) for name, layout in before.layouts.items())
    return before.members, put.observed, layouts, put.rejected is None or id(put)


# ---------------------------------------------------------------------- fields
def moments_of(puts: Sequence[Put], name: str) -> Moments:
    """Return means and spreads of a field in several windows, of the whole grid; collective."""
    layout: Layout | None = puts[0].analysis.layouts.get(name)
    found = [
        mean_and_spread(np.stack([_numpy(e.fields[name]) for e in ensembles]))
        for ensembles in zip(*((p.analysis.before, p.analysis.after) for p in puts), strict=True)
    ]
    (forecast, forecast_spread), (analysis, analysis_spread) = found
    whole = (
        torch.from_numpy(part)
        if layout is None or layout.is_serial
        else layout.gather(torch.from_numpy(part))
        for part in (forecast, analysis, forecast_spread, analysis_spread)
    )
    return Moments(*whole)


def _numpy(value: Tensor) -> Array:
    return value.detach().numpy()


def mean_and_spread(values: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation (N - 1) over axis 1, by sums that add neighbours."""
    members = values.shape[1]
    by_member = np.moveaxis(values, 1, 0)
    mean = tree_sum_array(by_member) / members
    squares = tree_sum_array((by_member - mean) ** 2)
    return mean, np.sqrt(squares / max(members - 1, 1))


# ---------------------------------------------------------------------- departures
def departures_of(puts: Sequence[Put], noise: Noise) -> Iterator[Departures]:
    """Yield the departures of windows with equally many observations; collective where ranks share them."""
    if puts[0].rejected is not None:
        yield from (_with_rejected(put, put.rejected, noise) for put in puts if put.rejected is not None)
        return
    before = np.stack([_numpy(p.analysis.before.simulated) for p in puts])
    after = np.stack([_numpy(p.analysis.after.simulated) for p in puts])
    (mean, spread), (analysis, analysis_spread) = mean_and_spread(before), mean_and_spread(after)
    for k, put in enumerate(puts):
        seen = put.analysis.observations
        y, sigma = _numpy(seen.y), sigmas(seen)
        rank = ranks(before[k], y, sigma * drawn(seen, before[k].shape, noise, put.number))
        columns = (y, sigma, mean[k], analysis[k], spread[k], analysis_spread[k])
        *whole, below = gathered((*columns, rank), seen)
        values = dict(zip(VALUES, whole, strict=True))
        used = np.zeros(len(below), dtype="<U1")
        yield Departures(
            put.window, **values, rank=below, reason=used, members=before.shape[1],
            coordinates=everywhere(seen),
        )  # fmt: skip


def _with_rejected(put: Put, rejected: Rejected, noise: Noise) -> Departures:
    seen, used = rejected.observations, rejected.reason == ""
    y, sigma = _numpy(seen.y), sigmas(seen)
    before = _numpy(rejected.shown)
    mean, spread = (part[0] for part in mean_and_spread(before[None]))
    analysis, analysis_spread = np.full(len(y), np.nan), np.full(len(y), np.nan)
    after = _everywhere(_numpy(put.analysis.after.simulated).T, put.analysis.observations).T
    analysis[used], analysis_spread[used] = (part[0] for part in mean_and_spread(after[None]))
    rank = ranks(before, y, sigma * drawn(seen, before.shape, noise, put.number))
    return Departures(
        put.window, y, sigma, mean, analysis, spread, analysis_spread, rank, rejected.reason, len(before),
        seen.coordinates,
    )  # fmt: skip


def sigmas(observations: Observations) -> Array:
    """Return the standard deviations of the errors, shape ``(m,)``."""
    if observations.covariance is None:
        return np.full(len(observations), np.nan)
    return np.sqrt(_numpy(observations.covariance.diagonal()))


def drawn(seen: Observations, shape: tuple[int, int], noise: Noise, number: int) -> Array:
    """Return standard normal numbers for members and observations, the same whoever holds these."""
    if seen.numbers is None:
        return noise.following(number, shape)
    out, first = np.empty(shape), int(seen.numbers[0]) if len(seen) else 0
    for begin in range(0, shape[1], BLOCK):
        part = out[:, begin : begin + BLOCK]
        part[...] = noise.of_block(number, (first + begin) // BLOCK, (shape[0], part.shape[1]))
    return out


def ranks(shown: Array, y: Array, noise: Array) -> NDArray[np.int64]:
    """Return how many members lie below each observation, noise of its error added to them, 0 ... N.

    Hamill (2001, doi 10.1175/1520-0493(2001)129<0550:IORHFV>2.0.CO;2).

    Parameters
    ----------
    shown, noise
        Shape ``(N, m)``.
    """
    return np.asarray((shown + noise < y).sum(axis=0), dtype=np.int64)


def gathered(columns: Sequence[NDArray[Any]], seen: Observations) -> list[NDArray[Any]]:
    """Return columns of all observations; collective where ranks share them."""
    return [_everywhere(column, seen) for column in columns]


def everywhere(seen: Observations) -> Mapping[str, Any]:
    """Return the coordinates of all observations; collective where ranks share them."""
    if seen.comm is None or seen.comm.size == 1:
        return seen.coordinates
    return {name: _everywhere(np.asarray(value), seen) for name, value in seen.coordinates.items()}


def _everywhere(column: NDArray[Any], observations: Observations) -> NDArray[Any]:
    """Return what all ranks hold of a column, in order; collective where they share the observations."""
    comm = observations.comm
    if comm is None or comm.size == 1:
        return column
    if column.dtype.kind in "fi":
        return np.concatenate(comm.allgather_array(column))
    return np.concatenate(comm.allgather(column))
