"""Fields on their way through the channels of a run: taken from exports, given to imports, accounted for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

import torch
from torch import Tensor

from tradewind.coupled.buffers import Buffer, Tally, accumulated, extreme, mixed
from tradewind.coupled.plan import Channel, Give, Plan, Planned, Take
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.exchange import Exchange
from tradewind.couplers.coupling.fields import Fields
from tradewind.couplers.coupling.how import Merge
from tradewind.couplers.coupling.ledger import LedgerEntry
from tradewind.couplers.coupling.merging import check_fractions
from tradewind.errors import LedgerError, SpecError

Weighted = tuple[Tensor, Tensor]
"""A moving fraction, and the field that it multiplied."""


@dataclass
class Given:
    """What a step is given by the exchanges.

    Attributes
    ----------
    imports
        By name, shape ``(member, *extra, cell)``.
    weighted
        By channel: what its derivative needs.
    """

    imports: dict[str, Tensor] = field(default_factory=dict)
    weighted: dict[int, Weighted] = field(default_factory=dict)
    entries: list[LedgerEntry] = field(default_factory=list)


@dataclass(frozen=True)
class _Carried:
    """One delivery: the field on either side, and what the ledger says of it."""

    value: Tensor
    field: Tensor
    carried: Tensor
    tally: Tally


class Traffic:
    """Moves fields through the channels of a plan; what must be remembered is in the buffers.

    Parameters
    ----------
    members
        Length of the first axis of every field.
    """

    def __init__(self, plan: Plan, members: int) -> None:
        self.plan, self.members = plan, members
        self._last: dict[int, _Carried] = {}

    def start(self) -> tuple[Buffer, ...]:
        """Return the buffers before the first step, holding initial values; collective."""
        return tuple(self._initial(channel) for channel in self.plan.channels)

    def _initial(self, channel: Channel) -> Buffer:
        exchange, back = channel.exchange, range(-channel.timing.reaches_back, 0)
        if not back:
            return Buffer()
        value = self._whole(exchange, channel.timing.initial)
        left = exchange.leaving(value)
        return Buffer(dict.fromkeys(back, value), dict.fromkeys(back, left))

    def _whole(self, exchange: Exchange, initial: float | Tensor | None) -> Tensor:
        end = exchange.source
        inner = (*(length for _, length in end.variable.extra), end.layout.n_local)
        whole = torch.as_tensor(0.0 if initial is None else initial, dtype=torch.float64)
        return whole.expand(self.members, *inner).contiguous()

    # ------------------------------------------------------------------ to imports
    def give(self, buffers: list[Buffer], planned: Planned, cycle: int, origin: datetime) -> Given:
        """Return what the step is given, and change `buffers` in place; collective."""
        given = Given()
        for name, gives in planned.gives.items():
            given.imports[name] = self._merged(buffers, gives, cycle, given)
        for give in planned.closing:
            self._close(buffers, give, cycle, origin, given)
        return given

    def _merged(self, buffers: list[Buffer], gives: tuple[Give, ...], cycle: int, given: Given) -> Tensor:
        parts = [self._part(buffers, give, cycle, given) for give in gives]
        if any(g.moving is not None and g.channel.exchange.merge is Merge.FRACTIONS for g in gives):
            self._check(gives, given)
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    def _check(self, gives: tuple[Give, ...], given: Given) -> None:
        """Refuse fractions, at least one of them moving, that do not add up to one."""
        found = [
            given.weighted[g.channel.number][0] if g.moving is not None else g.channel.exchange.part
            for g in gives
            if g.channel.exchange.merge is Merge.FRACTIONS
        ]
        check_fractions([f for f in found if f is not None], gives[0].channel.exchange.target)

    def _part(self, buffers: list[Buffer], give: Give, cycle: int, given: Given) -> Tensor:
        channel, number = give.channel, give.channel.number
        carried = self._carried(buffers[number], give, cycle)
        if give.moving is None:
            self._count(buffers, give, carried.tally)
            return carried.field
        fraction = self._carried(buffers[give.moving.channel.number], give.moving, cycle).field
        given.weighted[number] = (fraction, carried.field)
        part = _over_extras(fraction, carried.field) * carried.field
        arrived = channel.exchange.target.integral(part)
        whole = carried.tally.arrived + carried.tally.withheld
        self._count(buffers, give, replace(carried.tally, arrived=arrived, withheld=whole - arrived))
        return part

    def _carried(self, buffer: Buffer, give: Give, cycle: int) -> _Carried:
        channel = give.channel
        base = cycle * channel.per_cycle
        value = mixed(buffer.windows, give, base)
        if value is None:
            raise SpecError("has taken nothing yet", where=channel.exchange.name)
        left = sum(weight * buffer.left[base + window] for window, weight in give.terms)
        last = self._last.get(channel.number)
        # several steps of the target within one period are given the same
        if last is not None and last.value is value:
            return last
        self._last[channel.number] = found = _carry(channel.exchange, value, left)
        return found

    def _count(self, buffers: list[Buffer], give: Give, tally: Tally) -> None:
        number = give.channel.number
        buffers[number] = replace(buffers[number], tally=buffers[number].tally.plus(tally, give.share))

    def _close(self, buffers: list[Buffer], give: Give, cycle: int, origin: datetime, given: Given) -> None:
        """Write the period, to whose end the target has come, into the ledger; forget what is past."""
        channel, number = give.channel, cycle * give.channel.per_cycle + give.window
        buffer, begin = buffers[channel.number], origin + number * channel.every
        if not self.plan.is_moving(channel):
            period = Interval(begin, begin + channel.every)
            given.entries.append(_entry(channel.exchange, period, buffer.tally))
        buffers[channel.number] = replace(buffer, tally=Tally()).without(give.kept(cycle))

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
            self._take(buffers, take, cycle, exports, chosen)
        return chosen

    def _take(
        self, buffers: list[Buffer], take: Take, cycle: int, exports: Fields, chosen: dict[int, Tensor]
    ) -> None:
        channel, exchange = take.channel, take.channel.exchange
        base, value = cycle * channel.per_cycle, exports[exchange.source.variable.name]
        buffer, number = buffers[channel.number], cycle * channel.per_cycle + take.window
        if channel.timing.reduction.is_linear:
            windows = accumulated(buffer.windows, take, base, value)
        else:
            windows, chosen[channel.number] = extreme(buffer.windows, take, base, value)
            value = windows[number]
        left = buffer.left
        if take.counted:
            counted = take.counted * exchange.leaving(value)
            left = {**left, number: left.get(number, 0.0) + counted}
        buffers[channel.number] = replace(buffer, windows=windows, left=left)


def _carry(exchange: Exchange, value: Tensor, left: float) -> _Carried:
    prepared = exchange.prepared(value)
    carried = exchange.carried(prepared)
    weighted = exchange.weighted(carried)
    source, target = exchange.source, exchange.target
    left += exchange.offset_integral * len(prepared)
    arrived = target.integral(weighted)
    unmapped = 0.0
    if exchange.unmapped is not None:
        unmapped = source.integral(exchange.unmapped * exchange.levelled(prepared))
    withheld = 0.0
    if exchange.covered is not None:
        withheld = target.integral(exchange.covered * carried) - arrived
    elif exchange.fraction is not None:
        withheld = target.integral(carried) - arrived
    return _Carried(value, weighted, carried, Tally(left, arrived, unmapped, withheld))


def _over_extras(fraction: Tensor, of: Tensor) -> Tensor:
    """Return a fraction of shape ``(..., cell)`` with the axes that levels have, each of length one."""
    for _ in range(of.ndim - fraction.ndim):
        fraction = fraction.unsqueeze(-2)
    return fraction


def _entry(exchange: Exchange, interval: Interval, tally: Tally) -> LedgerEntry:
    entry = LedgerEntry(exchange.name, interval, tally.left, tally.arrived, tally.unmapped, tally.withheld)
    if exchange.tolerance is not None and not abs(entry.residual) <= exchange.tolerance:
        what = (
            f"of {entry.left:g} that left, {entry.arrived:g} arrived, {entry.unmapped:g} is unmapped and "
            f"{entry.withheld:g} withheld: the residual is {entry.residual:.3g}, more than "
            f"{exchange.tolerance:g}"
        )
        raise LedgerError(what, where=f"{exchange.name}, {interval}", hint="see docs/exchanges.md")
    return entry
