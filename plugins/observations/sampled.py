"""The base of operators: observations of a file, what they see of a field, and at which times."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
import torch
from scipy import sparse

from tradewind.couplers.assimilation import LinearLook, Look, Looks, Observations, ObservationsByWindow
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.assimilation.observing import Observed
from tradewind.couplers.assimilation.sampling import SamplingOperator
from tradewind.couplers.coupling.component import Interval
from tradewind.errors import DataError
from tradewind.plugins.observations.options import InTime, SoundingOptions, TimedOptions
from tradewind.plugins.observations.reading.files import Files
from tradewind.plugins.observations.reading.quality import FLAG, Sieve, limits
from tradewind.plugins.observations.reading.soundings import Reader, Soundings
from tradewind.plugins.observations.sampling.rows import Rows, distinct
from tradewind.plugins.observations.timing.parts import AtEnd, Between, Timing
from tradewind.plugins.observations.timing.windows import Dealer, Dealt, refuse_other_calendar, tolerance_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Indices: TypeAlias = NDArray[np.int64]
    Known = TypeVar("Known")


OUTSIDE = "it is outside of the grid"


@dataclass(frozen=True)
class Group:
    """The observations of one window.

    Attributes
    ----------
    which
        Their positions among the soundings, shape ``(m,)``.
    position, weight
        Steps whose ends they look at, shape ``(m, p)``; see `tradewind.plugins.observations.timing`.
    observations, offset
        What the window's observations are.
    """

    which: Indices
    position: Indices
    weight: Array
    observations: Observations
    offset: torch.Tensor


class Sampled(ABC):
    """An observation operator whose H is made of rows, each applied to the ends of some steps.

    Whatever cannot be used is dropped and counted, by reason, in `notes`. Windows whose observations see
    the same places at the same steps share their looks and the arrays of their places.

    Parameters
    ----------
    options
        File, variables and limits.
    observed
        The observed variable.

    Attributes
    ----------
    observes
        The observed ``component.variable``.

    Raises
    ------
    DataError
        A file that cannot be read, lacks a variable, or holds no usable observation.
    UnitsError
        Units that are missing or cannot be converted.
    GridError
        A grid that cannot be sampled in this way.
    """

    def __init__(self, options: SoundingOptions, observed: Observed) -> None:
        self.options, self.observed, self.observes = options, observed, (observed.port,)
        tolerance = tolerance_of(options.tolerance, observed.step)
        files = Files(options)
        sieve = self.read(files, Reader(options, self.units, {**self.besides, **self._flag}))
        self._dealer = Dealer(observed.step, tolerance, self.timing, observed.initial)
        rows = self.sample(sieve)
        found = rows.found
        sieve.drop(OUTSIDE, ~found)
        sieve.refuse_nothing(options.where)
        self.soundings, self.rows = sieve.kept, rows.take(found)
        self._told = [*files.notes, *sieve.notes]
        self._counts = {**files.counts, **sieve.counts}
        self.before = self.soundings.background + self.constant()
        self._undealt: list[str] = []
        self._lost: Mapping[str, int] = {}
        self._groups: dict[Interval, Group] = {}
        self._looks: dict[Interval, Looks] = {}
        self._known: dict[Hashable, Any] = {}

    # ------------------------------------------------------------------ what kinds of operators differ in
    @property
    @abstractmethod
    def timing(self) -> Timing:
        """How observations look at time; asked for when they have been read."""

    @property
    def variable_units(self) -> str:
        """Units that the observed variable must have."""
        return self.observed.variable.units

    @property
    def units(self) -> str:
        """Units of the observations, to which the file's are converted."""
        return self.variable_units

    @property
    def besides(self) -> Mapping[str, str]:
        """What else is read from the file: names there, by those in `Soundings.more`."""
        return {}

    def read(self, files: Files, reader: Reader) -> Sieve:
        """Return the observations of all files that can be used, each sifted as it is read."""
        return Sieve.joined([*files.each(lambda file: self.sifted(reader(file))).values()])

    def sifted(self, soundings: Soundings) -> Sieve:
        """Return the observations of one file without those that need no look at others to be left out."""
        sieve = Sieve(soundings)
        sieve.drop_all(sieve.kept.faults())
        sieve.drop_all(limits(sieve.kept, self.options))
        return sieve

    @abstractmethod
    def sample(self, sieve: Sieve) -> Rows:
        """Return what each observation sees; may leave some out first."""

    def constant(self) -> Array:
        """Return what is added to every observation besides its background, shape ``(m,)``."""
        return np.zeros(len(self.soundings))

    def coordinates(self, which: Indices) -> Mapping[str, Any]:
        """Return where the observations `which` are, by CF name."""
        return {"latitude": self.soundings.latitude[which], "longitude": self.soundings.longitude[which]}

    def look(self, group: Group, position: int) -> Look:
        """Return what the window's observations see at the end of a step."""
        matrix = picked(self.rows, group, position)
        return LinearLook(SamplingOperator(matrix, self.observed.layout, self.observed.extra))

    # ------------------------------------------------------------------ as an operator
    @property
    def notes(self) -> list[str]:
        """How many files and observations were left out, and why."""
        return [*self._told, *self._undealt]

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many observations were left out, by reason; a file that failed counts as one."""
        return {**self._counts, **self._lost}

    def windows(self, windows: Sequence[Interval]) -> ObservationsByWindow:
        """Return the observations of each window, empty windows included.

        Raises
        ------
        DataError
            When no observation belongs to any window.
        ConfigError
            When the windows are of another calendar.
        """
        if not all(w in self._groups for w in windows):
            refuse_other_calendar(windows, self.options.where)
            dealt = self._dealer.deal(self.soundings.time, windows)
            self._refuse_nothing(dealt, windows)
            self._undealt, self._lost = list(dealt.notes), dealt.lost
            self._group(windows, dealt)
        return {w: self._groups[w].observations for w in windows}

    def looks(self, window: Interval) -> Looks:
        """Return what of the run enters the window's m observations."""
        if window not in self._looks:
            group, step = self._of(window), self.observed.step
            key = (group.position.tobytes(), group.weight.tobytes(), self.rows.of[group.which].tobytes())
            found = self._once(("looks", *key), lambda: self._all_looks(group, window))
            times = {k: window.start + k * step for k in found}
            self._looks[window] = {(self.observed.port, times[k]): look for k, look in found.items()}
        return self._looks[window]

    def offset(self, window: Interval) -> torch.Tensor:
        """Return what is added to what is seen, shape ``(m,)``: the background, zeros where there is none."""
        return self._of(window).offset

    # ------------------------------------------------------------------ by window
    def _of(self, window: Interval) -> Group:
        if window not in self._groups:
            self._group([window], self._dealer.deal(self.soundings.time, [window]))
        return self._groups[window]

    def _refuse_nothing(self, dealt: Dealt, windows: Sequence[Interval]) -> None:
        if not len(dealt.order):
            period = f"{windows[0].start:%Y-%m-%d %H:%M} to {windows[-1].stop:%Y-%m-%d %H:%M}"
            what = f"{'; '.join(dealt.notes)}: {period}, in steps of {self.observed.step}"
            raise DataError(what, where=self.options.where, hint="see `tolerance`")

    def _group(self, windows: Sequence[Interval], dealt: Dealt) -> None:
        s = self.soundings
        y, sigma, before = (torch.from_numpy(v[dealt.order]) for v in (s.value, s.sigma, self.before))
        place = distinct(np.stack([s.longitude, s.latitude, *self._heights], axis=-1))[1][dealt.order]
        time, variance = s.time[dealt.order], sigma**2
        bounds = dealt.bounds.tolist()
        for window, a, b in zip(windows, bounds, bounds[1:], strict=False):
            which = dealt.order[a:b]
            where = self._once(("places", place[a:b].tobytes()), partial(self.coordinates, which))
            errors = self._errors(variance[a:b])
            seen = Observations(y[a:b], errors, {"time": time[a:b], **where})
            position, weight = dealt.parts.position[a:b], dealt.parts.weight[a:b]
            self._groups[window] = Group(which, position, weight, seen, before[a:b])

    def _errors(self, variance: torch.Tensor) -> DiagonalCovariance | None:
        key = ("errors", variance.numpy().tobytes())
        return self._once(key, lambda: DiagonalCovariance(variance)) if len(variance) else None

    @property
    def _heights(self) -> list[Array]:
        vertical = self.soundings.more.get("vertical")
        return [] if vertical is None else [vertical]

    @property
    def _flag(self) -> Mapping[str, str]:
        return {} if self.options.flag is None else {FLAG: self.options.flag.variable}

    def _all_looks(self, group: Group, window: Interval) -> Mapping[int, Look]:
        ends = np.unique(group.position[group.weight != 0]).tolist()
        # an empty window looks at its end, and sees nothing
        last = round((window.stop - window.start) / self.observed.step)
        return {k: self.look(group, k) for k in ends or [last]}

    def _once(self, key: Hashable, make: Callable[[], Known]) -> Known:
        if key not in self._known:
            self._known[key] = make()
        found: Known = self._known[key]
        return found


class SampledInTime(Sampled):
    """An operator that reads a field at the time of an observation."""

    options: TimedOptions

    @property
    def timing(self) -> Timing:
        """How observations look at time."""
        return Between() if self.options.in_time is InTime.LINEAR else AtEnd()


def picked(rows: Rows, group: Group, position: int) -> sparse.csr_array:
    """Return what the observations of a window see at the end of one step, shape ``(m, size)``."""
    of = np.broadcast_to(rows.of[group.which], group.position.shape)
    here = (group.position == position) & (group.weight != 0) & (of >= 0)
    row, part = np.nonzero(here)
    weight = group.weight[row, part]
    if np.array_equal(row, np.arange(len(here))) and bool((weight == 1.0).all()):
        return rows.matrix[of[row, part]]
    entries = weight, (row, of[row, part])
    pick = sparse.csr_array(entries, shape=(len(here), rows.matrix.shape[0]))
    return sparse.csr_array(pick @ rows.matrix)
