"""Fields on their way through the channels of a run: taken from exports, given to imports, accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, cast

import torch
from torch import Tensor

from tradewind.coupled.stepping.buffers import Buffer, Tally, accumulated, extreme, mixed
from tradewind.coupled.stepping.plan import Channel, Give, Plan, Planned, Take
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.exchange import Exchange
from tradewind.couplers.coupling.fields import Fields
from tradewind.couplers.coupling.how import Merge
from tradewind.couplers.coupling.ledger import LedgerEntry
from tradewind.couplers.coupling.merging import check_fractions
from tradewind.errors import LedgerError, SpecError

Weighted = tuple[Tensor, Tensor]
"""A moving fraction, and the field that it multiplied."""


class Given(NamedTuple):
    """What a step is given by the exchanges.

    Attributes
    ----------
    imports
        By name, shape ``(member, *extra, cell)``.
    weighted
        By channel: what its derivative needs.
    entries
        Of the periods that end with this step.
    """

    imports: dict[str, Tensor]
    weighted: dict[int, Weighted]
    entries: list[LedgerEntry]


class _Carried(NamedTuple):
    """One delivery: the period's value, what its target is given, and what the ledger says of it."""

    value: Tensor
    field: Tensor
    arrived: float
    unmapped: float
    withheld: float


class Traffic:
    """Moves fields through the channels of a plan; what must be remembered is in the buffers.

    Parameters
    ----------
    members
        Length of the first axis of every field.
    """

    def __init__(self, plan: Plan, members: int) -> None:
        self.plan, self.members = plan, members
        self._offsets: dict[int, float] = {}
        self._last: dict[int, tuple[int, _Carried]] = {}

    def start(self) -> tuple[Buffer, ...]:
        """Return the buffers before the first step, holding initial values; collective.

        Raises
        ------
        SpecError
            When an initial value does not fit its source.
        """
        return tuple(self._initial(channel) for channel in self.plan.channels)

    def forget(self) -> None:
        """Carry everything anew: the run goes on from another moment than the one that it had reached.

        Answers do not depend on it. But all ranks must carry, or none: what they remember of deliveries has
        to come from the same steps.
        """
        self._last.clear()

    def _initial(self, channel: Channel) -> Buffer:
        exchange, back = channel.exchange, range(-channel.timing.reaches_back, 0)
        if not back:
            return Buffer({}, {})
        value = self._whole(exchange, channel.timing.initial)
        left = exchange.leaving(value)
        return Buffer(dict.fromkeys(back, value), dict.fromkeys(back, left))

    def _whole(self, exchange: Exchange, initial: float | Tensor | None) -> Tensor:
        end = exchange.source
        shape = (self.members, *(length for _, length in end.variable.extra), end.layout.n_local)
        whole = torch.as_tensor(0.0 if initial is None else initial, dtype=torch.float64)
        if whole.ndim and tuple(whole.shape) not in {shape, shape[1:], (1, *shape[1:])}:
            what = f"its initial value has shape {tuple(whole.shape)}, expected a number or {shape[1:]}"
            raise SpecError(what, where=exchange.name)
        return whole.expand(shape).contiguous()

    # ------------------------------------------------------------------ to imports
    def give(self, buffers: list[Buffer], planned: Planned, cycle: int, interval: Interval) -> Given:
        """Return what the step over `interval` is given, and change `buffers` in place; collective.

        Raises
        ------
        LedgerError
            When a period that ends with this step has lost or made more than its exchange's tolerance.
        """
        given = Given({}, {}, [])
        for name, gives in planned.gives.items():
            given.imports[name] = self._merged(buffers, gives, cycle, given)
        for give in planned.closing:
            self._close(buffers, give, cycle, interval, given)
        return given

    def _merged(self, buffers: list[Buffer], gives: tuple[Give, ...], cycle: int, given: Given) -> Tensor:
        total = self._part(buffers, gives[0], cycle, given)
        for give in gives[1:]:
            total = total + self._part(buffers, give, cycle, given)
        if given.weighted and any(give.moving is not None for give in gives):
            self._check(gives, given)
        return total

    def _check(self, gives: tuple[Give, ...], given: Given) -> None:
        """Refuse fractions, at least one of them moving, that do not add up to one."""
        merged = [g for g in gives if g.channel.exchange.merge is Merge.FRACTIONS]
        if any(g.moving is not None for g in merged):
            found = [
                given.weighted[g.channel.number][0] if g.moving is not None else g.channel.exchange.part
                for g in merged
            ]
            check_fractions([f for f in found if f is not None], gives[0].channel.exchange.target)

    def _part(self, buffers: list[Buffer], give: Give, cycle: int, given: Given) -> Tensor:
        buffer = buffers[give.channel.number]
        carried = self._carried(buffer, give, cycle)
        field, arrived, withheld = carried.field, carried.arrived, carried.withheld
        if give.moving is not None:
            field = self._times_fraction(buffers, give, cycle, carried, given)
            arrived = give.channel.exchange.target.integral(field)
            withheld = carried.arrived + carried.withheld - arrived
        tally = Tally(self._left(buffer, give, cycle), arrived, carried.unmapped, withheld)
        if give.share < 1.0:
            tally = buffer.tally.plus(tally, give.share)
        buffers[give.channel.number] = Buffer(buffer.windows, buffer.left, tally)
        return field

    def _times_fraction(
        self, buffers: list[Buffer], give: Give, cycle: int, carried: _Carried, given: Given
    ) -> Tensor:
        moving = cast("Give", give.moving)
        fraction = self._carried(buffers[moving.channel.number], moving, cycle).field
        given.weighted[give.channel.number] = (fraction, carried.field)
        return over_extras(fraction, carried.field) * carried.field

    def _carried(self, buffer: Buffer, give: Give, cycle: int) -> _Carried:
        channel = give.channel
        base = cycle * channel.per_cycle
        value = mixed(buffer.windows, give, base)
        if value is None:
            raise SpecError("has taken nothing yet", where=channel.exchange.name)
        # several steps of the target within one period are given the same
        if give.share == 1.0:
            return _carry(channel, value)
        period, last = self._last.get(channel.number, (None, None))
        if last is not None and period == base + give.window and last.value is value:
            return last
        found = _carry(channel, value)
        self._last[channel.number] = base + give.window, found
        return found

    def _left(self, buffer: Buffer, give: Give, cycle: int) -> float:
        """Return what has left the source for this delivery."""
        channel = give.channel
        base = cycle * channel.per_cycle
        left = 0.0
        for window, weight in give.terms:
            left += weight * buffer.left[base + window]
        if not channel.exchange.has_offset:
            return left
        if channel.number not in self._offsets:
            self._offsets[channel.number] = channel.exchange.offset_integral * self.members
        return left + self._offsets[channel.number]

    def _close(self, buffers: list[Buffer], give: Give, cycle: int, step: Interval, given: Given) -> None:
        """Write the period, to whose end the target has come, into the ledger; forget what is past."""
        channel = give.channel
        buffer = buffers[channel.number]
        if not channel.is_moving:
            period = step if give.share == 1.0 else Interval(step.stop - channel.every, step.stop)
            entry = LedgerEntry(channel.exchange.name, period, *buffer.tally)
            if channel.exchange.tolerance is not None:
                _refuse_loss(entry, channel.exchange.tolerance)
            given.entries.append(entry)
        buffers[channel.number] = buffer.closed(give.kept(cycle))

    # ------------------------------------------------------------------ from exports
    def take(self, buffers: list[Buffer], planned: Planned, cycle: int, exports: Fields) -> dict[int, Tensor]:
        """Take what the step has exported, and change `buffers` in place; collective.

        Returns
        -------
        dict
            By channel that reduces to an extreme: where this step attained it.
        """
        chosen: dict[int, Tensor] = {}
        for take in planned.takes:
            number, base = take.channel.number, cycle * take.channel.per_cycle
            buffer, value = buffers[number], exports[take.export]
            if take.is_linear:
                windows = accumulated(buffer.windows, take, base, value)
            else:
                windows, chosen[number] = extreme(buffer.windows, take, base, value)
                # of what is no flux, the period's value leaves; a flux leaves step by step
                value = value if take.channel.is_flux else windows[base + take.window]
            buffers[number] = Buffer(windows, _counted(buffer.left, take, base, value), buffer.tally)
        return chosen


def _counted(left: Mapping[int, float], take: Take, base: int, value: Tensor) -> Mapping[int, float]:
    """Return what has left by period, with a step's export."""
    if not take.counted:
        return left
    number = base + take.window
    counted = take.counted * take.channel.exchange.leaving(value)
    return {**left, number: left.get(number, 0.0) + counted}


def _carry(channel: Channel, value: Tensor) -> _Carried:
    exchange = channel.exchange
    if channel.is_moving:
        return _Carried(value, exchange.forward(value), 0.0, 0.0, 0.0)
    prepared = exchange.prepared(value)
    carried = exchange.carried(prepared)
    weighted = exchange.weighted(carried)
    source, target = exchange.source, exchange.target
    arrived = target.integral(weighted)
    unmapped = withheld = 0.0
    if exchange.unmapped is not None:
        unmapped = source.integral(exchange.unmapped * exchange.levelled(prepared))
    if exchange.covered is not None:
        withheld = target.integral(exchange.covered * carried) - arrived
    elif exchange.fraction is not None:
        withheld = target.integral(carried) - arrived
    return _Carried(value, weighted, arrived, unmapped, withheld)


def over_extras(fraction: Tensor, of: Tensor) -> Tensor:
    """Return a fraction of shape ``(..., cell)`` with the axes that levels have, each of length one."""
    for _ in range(of.ndim - fraction.ndim):
        fraction = fraction.unsqueeze(-2)
    return fraction


def _refuse_loss(entry: LedgerEntry, tolerance: float) -> None:
    # a residual that is not a number is no residual that is small
    if not abs(entry.residual) <= tolerance:
        what = (
            f"of {entry.left:g} that left, {entry.arrived:g} arrived, {entry.unmapped:g} is unmapped and "
            f"{entry.withheld:g} withheld: the residual is {entry.residual:.3g}, more than {tolerance:g}"
        )
        raise LedgerError(what, where=f"{entry.exchange}, {entry.interval}", hint="see docs/exchanges.md")
