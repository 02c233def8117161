"""What happens at every step of a coupling interval: worked out once, before the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

from tradewind.coupled.tape import Participant
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.exchange import Exchange
from tradewind.couplers.coupling.time.calendars import Time
from tradewind.couplers.coupling.time.sequence import Call, Need, derive
from tradewind.couplers.coupling.time.timing import Interpolation, Reduction, Timing
from tradewind.errors import ConfigError


@dataclass(frozen=True)
class Channel:
    """An exchange with its place in time.

    Attributes
    ----------
    timing
        With its period.
    per_cycle
        Periods in a coupling interval.
    is_moving
        Whether it brings the moving fraction of others, which the ledger does not count.
    """

    number: int
    exchange: Exchange
    timing: Timing
    per_cycle: int
    source_step: timedelta
    target_step: timedelta
    is_moving: bool = False

    @cached_property
    def every(self) -> timedelta:
        """The period."""
        if self.timing.every is None:
            raise ConfigError("has no period", where=self.exchange.name)
        return self.timing.every

    @property
    def need(self) -> Need:
        """What it asks of the sequence."""
        ends = self.exchange.source.component, self.exchange.target.component
        return Need(*ends, self.every, self.timing.lag, self.exchange.name)

    @cached_property
    def is_flux(self) -> bool:
        """Whether either end says that it carries a flux, whose total counts."""
        return any(end.variable.kind.is_flux for end in (self.exchange.source, self.exchange.target))


@dataclass(frozen=True)
class Take:
    """What a channel takes from a step of its source.

    Attributes
    ----------
    window
        Number of the period within the coupling interval.
    weight
        Of this export in the period's value; 0 when it does not enter.
    counted
        Weight of this export in the ledger.
    """

    channel: Channel
    window: int
    opens: bool
    closes: bool
    weight: float
    counted: float

    @cached_property
    def export(self) -> str:
        """Name of what is taken."""
        return self.channel.exchange.source.variable.name

    @cached_property
    def is_linear(self) -> bool:
        """Whether the period's value is a weighted sum of what is taken."""
        return self.channel.timing.reduction.is_linear


@dataclass(frozen=True)
class Give:
    """What a channel gives to a step of its target.

    Attributes
    ----------
    terms
        Periods, relative to the first of the coupling interval, and their weights.
    share
        The step's part of the period.
    moving
        What gives the moving fraction.
    """

    channel: Channel
    window: int
    terms: tuple[tuple[int, float], ...]
    share: float
    closes: bool
    moving: Give | None = None

    def kept(self, cycle: int) -> int:
        """Return the first period that will still be asked for, once this one is given."""
        return cycle * self.channel.per_cycle + self._kept

    @cached_property
    def _kept(self) -> int:
        return self.window + 1 - self.channel.timing.reaches_back


@dataclass(frozen=True)
class Planned:
    """One step in the plan.

    Attributes
    ----------
    gives
        By import of the component: what is given to it before the step, in the declared order.
    takes
        What is taken from its exports after the step.
    """

    call: Call
    participant: Participant
    gives: Mapping[str, tuple[Give, ...]]
    takes: tuple[Take, ...]

    def interval(self, begin: Time) -> Interval:
        """Return when it takes place in the coupling interval that starts at `begin`."""
        return Interval(begin + self.call.start, begin + self.call.stop)

    @cached_property
    def closing(self) -> tuple[Give, ...]:
        """What is given for the last time in its period, moving fractions too."""
        every = [give for gives in self.gives.values() for give in gives]
        every += [give.moving for give in every if give.moving is not None]
        return tuple(give for give in every if give.closes)


class Plan:
    """The steps of one coupling interval, and what is taken and given at each.

    Parameters
    ----------
    participants, exchanges
        Of the run.
    cycle
        The coupling interval.

    Attributes
    ----------
    channels
        One for each exchange, then one for each moving fraction.
    steps
        In the order in which they are taken.

    Raises
    ------
    ConfigError
        When steps and periods do not divide, or components wait for each other in a circle.
    """

    def __init__(
        self, participants: Sequence[Participant], exchanges: Sequence[Exchange], cycle: timedelta
    ) -> None:
        self.cycle = cycle
        self._by_name = {p.name: p for p in participants}
        self._lengths = {p.name: p.step or cycle for p in participants}
        _refuse_uneven(self._lengths, cycle)
        # one that brings the fraction of several is there once
        moving = list({id(e.moving): e.moving for e in exchanges if e.moving is not None}.values())
        self.channels = (
            *(self._channel(i, e) for i, e in enumerate(exchanges)),
            *(replace(self._channel(i, e), is_moving=True) for i, e in enumerate(moving, len(exchanges))),
        )
        calls = derive(self._lengths, [channel.need for channel in self.channels], cycle)
        self.steps = tuple(self._planned(call) for call in calls)

    def __len__(self) -> int:
        return len(self.steps)

    @cached_property
    def ticks(self) -> tuple[timedelta, ...]:
        """Times within a coupling interval at which a step ends, in order."""
        return tuple(sorted({planned.call.stop for planned in self.steps}))

    def made_at(self, tick: timedelta) -> int:
        """Return how many steps of a coupling interval are made when the run is told to stop at `tick`."""
        return self._made_at[tick]

    @cached_property
    def _made_at(self) -> Mapping[timedelta, int]:
        stops = [planned.call.stop for planned in self.steps]
        return {tick: 1 + max(i for i, stop in enumerate(stops) if stop <= tick) for tick in self.ticks}

    def reached_by_all(self, made: int) -> timedelta:
        """Return the last tick up to which all steps are made, after `made` steps of a coupling interval."""
        ticks = (tick for tick in self.ticks if self.made_at(tick) <= made)
        return max(ticks, default=timedelta(0))

    def reached(self, component: str, number: int) -> timedelta:
        """Return how far a component has come from the start of the run, after `number` steps of all."""
        cycle, made = divmod(number, len(self))
        stops = (p.call.stop for p in self.steps[:made] if p.call.component == component)
        return cycle * self.cycle + max(stops, default=timedelta(0))

    def interval(self, number: int, origin: Time) -> Interval:
        """Return when step `number` takes place, counted from the run's start at `origin`."""
        cycle, index = divmod(number, len(self.steps))
        return self.steps[index].interval(origin + cycle * self.cycle)

    def into(self, component: str) -> tuple[Exchange, ...]:
        """Return the exchanges that feed `component`, but for moving fractions."""
        own = (c for c in self.channels if c.exchange.target.component == component)
        return tuple(c.exchange for c in own if not c.is_moving)

    # ------------------------------------------------------------------ making
    def _channel(self, number: int, exchange: Exchange) -> Channel:
        source, target = (self._lengths[end.component] for end in (exchange.source, exchange.target))
        timing = exchange.timing.between(source, target, exchange.name)
        if timing.every is None or self.cycle % timing.every:
            what = f"its period of {timing.every} does not divide the coupling interval of {self.cycle}"
            raise ConfigError(what, where=exchange.name, hint="choose another `every`, or a longer run.step")
        channel = Channel(number, exchange, timing, self.cycle // timing.every, source, target)
        _refuse_line_through_totals(channel)
        return channel

    def _planned(self, call: Call) -> Planned:
        gives: dict[str, tuple[Give, ...]] = {}
        for channel in self.channels:
            target = channel.exchange.target
            if target.component == call.component and not channel.is_moving:
                name = target.variable.name
                gives[name] = (*gives.get(name, ()), self._give(channel, call))
        sources = (c for c in self.channels if c.exchange.source.component == call.component)
        takes = tuple(_take(channel, call) for channel in sources)
        return Planned(call, self._by_name[call.component], gives, takes)

    def _give(self, channel: Channel, call: Call) -> Give:
        moving = channel.exchange.moving
        given = _give(channel, call)
        if moving is None:
            return given
        of = next(c for c in self.channels if c.exchange is moving)
        return replace(given, moving=_give(of, call))


def _refuse_uneven(lengths: Mapping[str, timedelta], cycle: timedelta) -> None:
    for name, length in lengths.items():
        if cycle % length:
            what = f"its step of {length} does not divide the coupling interval of {cycle}"
            raise ConfigError(what, where=f"component {name!r}", hint="choose a step that divides run.step")


def _refuse_line_through_totals(channel: Channel) -> None:
    reduction, line = channel.timing.reduction, channel.timing.interpolation is Interpolation.LINEAR
    if line and channel.is_flux and (reduction is Reduction.MEAN or reduction.is_amount):
        what = f"a line between two values of {reduction} does not keep the total of a flux"
        hint = "leave out `interpolate`, or take `instant`"
        raise ConfigError(what, where=channel.exchange.name, hint=hint)


def _take(channel: Channel, call: Call) -> Take:
    every = channel.every
    window, closes = call.start // every, not call.stop % every
    weight, counted = _weights(channel, (call.stop - call.start).total_seconds(), closes)
    return Take(channel, window, not call.start % every, closes, weight, counted)


def _weights(channel: Channel, seconds: float, closes: bool) -> tuple[float, float]:
    """Return the weight of a source's step in its period's value, and in the ledger (0: not counted)."""
    of_value, counted = _both_weights(channel, seconds, closes)
    return of_value, 0.0 if channel.is_moving else counted


def _both_weights(channel: Channel, seconds: float, closes: bool) -> tuple[float, float]:
    share = seconds / channel.every.total_seconds()
    reduction = channel.timing.reduction
    if reduction is Reduction.MEAN:
        return share, share
    if reduction is Reduction.SUM:
        return 1.0, 1.0
    if reduction is Reduction.INTEGRAL:
        return seconds, seconds
    # what a flux carries counts at all times, whether or not the value taken knows of it
    return float(closes), share if channel.is_flux else float(closes)


def _give(channel: Channel, call: Call) -> Give:
    every = channel.every
    window = call.start // every
    late = (call.stop - window * every) / every
    share = (call.stop - call.start) / every
    terms = tuple(_terms(channel.timing, window - channel.timing.lag, late))
    return Give(channel, window, terms, share, not call.stop % every)


def _terms(timing: Timing, window: int, late: float) -> Iterator[tuple[int, float]]:
    """Yield the periods that are given `late` (a part of the period) into it, and their weights."""
    if timing.interpolation is Interpolation.LINEAR and late < 1.0:
        yield window - 1, 1.0 - late
        yield window, late
    elif timing.interpolation is Interpolation.NEAREST and late < 0.5:
        yield window - 1, 1.0
    else:
        yield window, 1.0
