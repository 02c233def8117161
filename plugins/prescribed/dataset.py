"""Fields that are replayed from files, interpolated or averaged in time, each times a factor of its own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Fields, Layouts, Spec, State, Variable
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import DataError
from tradewind.plugins.prescribed.files import Archive, find_files
from tradewind.plugins.prescribed.options import Cycle, DatasetOptions, Moment, TimeMethod, VariableOptions
from tradewind.plugins.prescribed.series.records import Records
from tradewind.plugins.prescribed.series.survey import Sketch, survey
from tradewind.plugins.prescribed.series.timeline import Timeline

IN_MEMORY = 3
"""Records of one variable that are kept: two to interpolate between, and the next."""


@dataclass(eq=False)
class Replayed:
    """One export: its records, which of them a step is given, and those read last.

    Attributes
    ----------
    timeline
        None where nothing depends on time.
    """

    name: str
    records: Records
    timeline: Timeline | None
    _recent: OrderedDict[int, Tensor] = field(default_factory=OrderedDict)
    _layout: Layout | None = None

    @property
    def variable(self) -> Variable:
        """The export."""
        found = self.records
        mean = self.timeline is not None and self.timeline.method is TimeMethod.MEAN
        methods = "time: mean" if mean else ""
        return Variable(
            self.name, found.units, found.grid, found.kind, found.shape.extra, methods,
            levels=found.shape.levels, interfaces=found.shape.interfaces,
        )  # fmt: skip

    @property
    def factor(self) -> Variable:
        """The parameter that multiplies it."""
        return Variable(f"{self.name}_scale", "1", self.records.grid)

    @property
    def note(self) -> str:
        """What is made of it, in words."""
        kind, line = self.records.kind, self.timeline
        if line is None:
            return f"{self.name} is a {kind}, the same at all times"
        over = "over" if line.method is TimeMethod.MEAN else f"at the {line.moment} of"
        return f"{self.name} is a {kind}: {line.method} {over} a step, of {len(line.dates)} records"

    def at(self, interval: Interval, layout: Layout) -> Tensor:
        """Return this rank's values for a step, shape ``(*extra, cell)``.

        Raises
        ------
        DataError
            When the data do not cover the step, or hold missing values.
        """
        weights = ((0, 1.0),) if self.timeline is None else self.timeline.weights(interval)
        lengths = (length for _, length in self.records.shape.extra)
        total = torch.zeros(*lengths, layout.n_local, dtype=torch.float64)
        for record, weight in weights:
            total.add_(self._record(record, layout), alpha=weight)
        return total

    def _record(self, record: int, layout: Layout) -> Tensor:
        if layout is not self._layout:
            self._recent.clear()
            self._layout = layout
        if record not in self._recent:
            while len(self._recent) >= IN_MEMORY:
                self._recent.popitem(last=False)
            self._recent[record] = layout.scatter(self.records.read(record))
        self._recent.move_to_end(record)
        return self._recent[record]

    def verify(self, clock: Clock) -> None:
        """Refuse a run that the records do not cover, and read those of its first and last step.

        Raises
        ------
        DataError
            As `at`.
        """
        if self.timeline is not None:
            self.timeline.refuse_uncovered(clock)
        first = Interval(clock.start, clock.start + clock.step)
        last = Interval(clock.stop - clock.step, clock.stop)
        for interval in (first, last):
            for record, _ in ((0, 1.0),) if self.timeline is None else self.timeline.weights(interval):
                self.records.read(record)


class Dataset:
    """Exports what files hold, times parameters that are 1 unless they are put or estimated.

    Nothing is remembered between steps, and nothing enters, so a run of any pace and order can ask. It is
    linear in its parameters. Each rank reads the records that it needs and keeps its own cells of three.

    Parameters
    ----------
    options
        Files, variables, and what is made of them in time.
    """

    def __init__(self, options: DatasetOptions) -> None:
        self.options = options
        self._layouts: Layouts = {}

    @cached_property
    def archive(self) -> Archive:
        """The files."""
        return Archive(find_files(self.options.file))

    @cached_property
    def replayed(self) -> Mapping[str, Replayed]:
        """The exports by name; reads dates and coordinates of all files."""
        asked = self.options.asked
        known = survey(self.archive, sorted({str(said.name) for said in asked.values()}))
        return {name: self._replayed(name, said, known[str(said.name)]) for name, said in asked.items()}

    def _replayed(self, name: str, said: VariableOptions, known: Sequence[Sketch]) -> Replayed:
        records = Records(self.archive, known, said, self.options.mask)
        return Replayed(name, records, self._timeline(records, said))

    def _timeline(self, records: Records, said: VariableOptions) -> Timeline | None:
        """Return the timeline: by default means of fluxes, and states at the end of a step."""
        dates, flux = records.dates, records.kind.is_flux
        if dates is None:
            return None
        method = said.time or (TimeMethod.MEAN if flux else TimeMethod.LINEAR)
        moment = said.at or (Moment.MIDDLE if flux else Moment.END)
        if (dates.climatological or dates.old_style) and self.options.cycle is Cycle.NONE:
            what = "is a climatology" if dates.climatological else "begins before the reform of 1582"
            raise DataError(what, where=records.where, hint="say `cycle: year`")
        if self.options.stamps is not None and dates.edges is None:
            dates = dates.stamped(self.options.stamps, records.where)
        if method is TimeMethod.MEAN and dates.averaged and dates.edges is None:
            what = "holds means over time, and no time bounds say over which"
            raise DataError(what, where=records.where, hint="say where times stand in them: `stamps`")
        return Timeline(dates, method, moment, self.options.cycle, self.options.calendar, records.where)

    @property
    def notes(self) -> list[str]:
        """What is made of each variable, for the plan of a run."""
        return [each.note for each in self.replayed.values()]

    def inputs(self) -> Iterator[Path]:
        """Yield the files that are read; Zarr stores are folders, and not among them."""
        return (path for path in self.archive.paths if path.is_file())

    # ------------------------------------------------------------------ as a component
    def describe(self) -> Spec:
        """Return the spec: one export and one parameter for each variable.

        Raises
        ------
        DataError
            When a file, variable or its units are missing, or dates cannot be used.
        GridError
            When a variable lies on no grid.
        """
        every = self.replayed.values()
        exports, factors = (tuple(v) for v in ([r.variable for r in every], [r.factor for r in every]))
        return Spec(exports=exports, parameters=factors, linear=True)

    def verify(self, clock: Clock) -> None:
        """Refuse a run that the data do not cover, or whose first or last step lacks values.

        Raises
        ------
        DataError
            Both periods are named; of missing values variable, time and count.
        """
        for each in self.replayed.values():
            each.verify(clock)

    def defaults(self, layouts: Layouts) -> Fields:
        """Return the parameters: 1, and 0 in inactive cells; shape ``(1, cell)``."""
        found = {}
        for factor in (each.factor for each in self.replayed.values()):
            active = torch.from_numpy(layouts[factor.name].grid.mask.reshape(-1).copy())
            found[factor.name] = layouts[factor.name].scatter(active.double())[None]
        return found

    def initialize(self, spec: Spec, layouts: Layouts, members: int) -> State:
        """Return an empty state; each rank learns which cells are its own."""
        self._layouts = layouts
        return State()

    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Export what the records say of `interval`, times the parameters."""
        exports = {}
        for name, each in self.replayed.items():
            factor = parameters[each.factor.name]
            value = each.at(interval, self._layouts[name])
            levels = [1] * len(each.records.shape.extra)
            exports[name] = value * factor.reshape(factor.shape[0], *levels, factor.shape[-1])
        return exports, state

    def finalize(self) -> None:
        """Close the files."""
        self.archive.close()
