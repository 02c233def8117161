"""Members through a window: stepped in waves, or simulated from x, and who did not come through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch
from torch import Tensor

from tradewind.assimilation.waves import Wave, state_at, states_of, together
from tradewind.coupled.model.looking import fields_of
from tradewind.coupled.tape import Moment
from tradewind.couplers.assimilation import (
    ForwardModel,
    LinearLook,
    Look,
    Looks,
    ObservationOperator,
)
from tradewind.couplers.assimilation.sampling import SamplingOperator
from tradewind.couplers.coupling.component import Interval
from tradewind.errors import SpecError, TradewindError

if TYPE_CHECKING:
    from tradewind.coupled.run import CoupledRun
    from tradewind.couplers.coupling.time.calendars import Time

FAILURES = (TradewindError, ArithmeticError, RuntimeError, ValueError)
"""What a step may raise because of the member that it steps."""


class Failed(NamedTuple):
    """A member that did not come through a window, and why."""

    member: int
    reason: str


class Through(NamedTuple):
    """What came of a wave.

    Attributes
    ----------
    wave
        Members that came through, at the window's end.
    shown
        What they show, shape ``(len(wave.ids), m)``.
    """

    wave: Wave
    shown: Tensor
    failed: list[Failed]


class Forecaster(Protocol):
    """Brings waves through windows."""

    def forecast(self, wave: Wave, window: Interval) -> Through:
        """Return what came of a wave; not collective."""


@dataclass
class Stepping:
    """Steps members from where they stand.

    Attributes
    ----------
    make
        Returns the coupled run of so many members.
    observe
        What is looked at.
    parts
        Controls of what is put at a window's start, in the order of `Wave.x`.
    limits
        Bounds of state variables and exports beyond which a member has failed, by port.
    """

    make: Callable[[int], CoupledRun]
    observe: ObservationOperator
    parts: Sequence[Any]
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    _runs: dict[int, CoupledRun] = field(default_factory=dict)

    def run_of(self, members: int) -> CoupledRun:
        """Return a run of so many members; two sizes are kept, a short last wave has its own."""
        if members not in self._runs:
            while len(self._runs) > 1:
                del self._runs[next(iter(self._runs))]
            self._runs[members] = self.make(members)
        return self._runs[members]

    def forecast(self, wave: Wave, window: Interval) -> Through:
        """Step a wave through `window`; where a step fails, each member by itself, to see which it was."""
        try:
            moment, shown = self._stepped(wave, window)
        except FAILURES as error:
            if len(wave.ids) > 1:
                return one_by_one(self, wave, window)
            return Through(
                wave.select([]), shown_nothing(self.observe, window), [Failed(wave.ids[0], told(error))]
            )
        return surviving(Wave(wave.ids, moment, wave.x), shown, self.lost(moment, shown))

    def _stepped(self, wave: Wave, window: Interval) -> tuple[Moment, Tensor]:
        if wave.moment is None:
            raise SpecError("the members stand nowhere", where=f"window {window}")
        members, run = len(wave.ids), self.run_of(len(wave.ids))
        looks, offset = self.observe.looks(window), self.observe.offset(window)
        run.rewind(wave.moment)
        run.ledger.clear()
        self.put(run, wave.x, window)
        shown = offset.expand(members, offset.shape[0])
        for time, ports in _by_time(looks).items():
            run.advance(time)
            for port in ports:
                shown = shown + look_at(looks[port, time], _read(run, port, window))
        if run.time != window.stop:
            run.advance(window.stop)
        return run.moment, shown

    def put(self, run: CoupledRun, x: Tensor, window: Interval) -> None:
        """Put what the members' elements stand for, where a run stands at a window's start.

        Parameters
        ----------
        x
            Shape ``(member, n)``.
        """
        for part, own in zip(self.parts, self._split(x), strict=True):
            for port, value in fields_of(part.at(window), own).items():
                run.put(port, value)

    def _split(self, x: Tensor) -> Sequence[Tensor]:
        return torch.split(x, [part.prior.shape[0] for part in self.parts], dim=-1) if self.parts else ()

    def lost(self, moment: Moment, shown: Tensor) -> dict[int, str]:
        """Return which members hold values that are not finite, or beyond their limits, and which."""
        lost: dict[int, str] = {}
        for port, value in states_of(moment):
            note_bad(lost, port, value, None)
        for port, bounds in self.limits.items():
            exported = moment.exports.get(port)
            note_bad(lost, port, state_at(moment, port) if exported is None else exported, bounds)
        note_bad(lost, "a simulated observation", shown, None)
        return lost


@dataclass
class FromX:
    """Simulates members from x, each window from the components' initial states."""

    model: ForwardModel
    observe: ObservationOperator

    def forecast(self, wave: Wave, window: Interval) -> Through:
        """Ask the forward model for all members at once; where it fails, one by one."""
        try:
            shown = self.model(wave.x, window).detach()
        except FAILURES as error:
            if len(wave.ids) > 1:
                return one_by_one(self, wave, window)
            return Through(
                wave.select([]), shown_nothing(self.observe, window), [Failed(wave.ids[0], told(error))]
            )
        lost: dict[int, str] = {}
        note_bad(lost, "a simulated observation", shown, None)
        return surviving(wave, shown, lost)


def surviving(wave: Wave, shown: Tensor, lost: Mapping[int, str]) -> Through:
    """Return a wave without the members at the positions that are lost."""
    if not lost:
        return Through(wave, shown, [])
    left = [p for p in range(len(wave.ids)) if p not in lost]
    failed = [Failed(wave.ids[p], reason) for p, reason in sorted(lost.items())]
    return Through(wave.select(left), shown[left], failed)


def one_by_one(forecaster: Forecaster, wave: Wave, window: Interval) -> Through:
    """Bring every member of a wave through by itself."""
    each = [forecaster.forecast(wave.select([p]), window) for p in range(len(wave.ids))]
    left = [one for one in each if one.wave.ids]
    failed = [failure for one in each for failure in one.failed]
    if not left:
        return Through(wave.select([]), each[0].shown, failed)
    return Through(together([one.wave for one in left]), torch.cat([one.shown for one in left]), failed)


def shown_nothing(observe: ObservationOperator, window: Interval) -> Tensor:
    """Return what no member shows, shape ``(0, m)``."""
    return torch.zeros(0, len(observe.offset(window)), dtype=torch.float64)


def look_at(look: Look, value: Tensor) -> Tensor:
    """Return a look at members' fields, shape ``(member, m)``, with the same bits in any company.

    A sparse matrix adds each member's terms in one order; any other look is asked member by member.
    """
    if isinstance(look, LinearLook) and isinstance(look.operator, SamplingOperator):
        return look(value)
    return torch.stack([look(one) for one in value])


def _by_time(looks: Looks) -> dict[Time, list[str]]:
    """Return the ports that are looked at, by time, in order."""
    found: dict[Time, list[str]] = {}
    for port, time in looks if len(looks) < 2 else sorted(looks, key=lambda event: (event[1], event[0])):
        found.setdefault(time, []).append(port)
    return found


def _read(run: CoupledRun, port: str, window: Interval) -> Tensor:
    """Return what stands at a port now; at the window's start that of a state variable."""
    if run.time > window.start:
        return run.get(port)
    value = state_at(run.moment, port)
    if value is None:
        hint = "there are only state variables then"
        raise SpecError("is looked at as a window begins", where=port, hint=hint)
    return value


def note_bad(
    lost: dict[int, str], port: str, value: Tensor | None, bounds: tuple[float, float] | None
) -> None:
    """Note which members, by position, hold what is not finite, or beyond bounds."""
    if value is None or not value.numel() or (bounds is None and isfinite(float(value.sum()))):
        return
    bad = ~value.isfinite() if bounds is None else ~((value >= bounds[0]) & (value <= bounds[1]))
    if not bool(bad.any()):
        return  # finite, but their sum is not
    for position in bad.flatten(1).any(dim=1).nonzero()[:, 0].tolist():
        first = float(value[position][bad[position]][0])
        limits = "" if bounds is None else f", beyond [{bounds[0]:g}, {bounds[1]:g}]"
        lost.setdefault(position, f"{port} is {first:g}{limits}")


def told(error: BaseException) -> str:
    """Return what an error says."""
    return str(error) if isinstance(error, TradewindError) else f"{type(error).__name__}: {error}"
