"""The background as a component: mole fractions at the sides and factors on OH in, columns out."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import reduce

import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Fields, Layouts, Spec, State, Variable
from tradewind.couplers.coupling.time.calendars import Time
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.errors import DataError, SpecError
from tradewind.plugins.background.inflow import HEMISPHERES, SIDES, Inflow, hemisphere_shares, ticks
from tradewind.plugins.background.options import BackgroundOptions
from tradewind.plugins.transport.model import COLUMN, PROFILE, Transport

BOUNDARY, OH = "boundary", "oh"
YEAR = 365.25 * 86_400.0


class Background:
    """What a change of the air at the sides, and of OH, does to a column.

    With b_s what is added to the mole fraction of the air that comes in through side s, F_s the share of a
    column's air that came in there, f_h the factor on OH of hemisphere h and T_h the mean time that a
    column's air has spent inside the box and in h,

        column = Σ_s b_s F_s - Σ_h (f_h - 1) T_h c / τ

    with c the mole fraction `methane` and τ its lifetime `oh_lifetime`: a change of c on its way through the
    box is small beside c. F and T are tracers of the transport's own solver, in the same air.

    Parameters
    ----------
    options
        Settings; the weather is read when it is first needed.
    """

    def __init__(self, options: BackgroundOptions) -> None:
        self.options, self.transport = options, Transport(options)
        self._clock: Clock | None = None
        self._found: dict[Time, Tensor] = {}
        self._march: Iterator[tuple[Time, Tensor]] = iter(())
        self._hemispheres: tuple[int, ...] = (0, 1)

    def asked(self, names: Collection[str]) -> None:
        """Learn what of it a run names: layers and OH are worked out where somebody looks."""
        self.transport.asked(names)
        self._hemispheres = (0, 1) if OH in names else ()

    def describe(self) -> Spec:
        """Return the spec: the transport's exports, and parameters of no place."""
        boundary = Variable(BOUNDARY, "1e-9", extra=(("side", len(SIDES)),), labels=SIDES)
        oh = Variable(OH, "1", extra=(("hemisphere", len(HEMISPHERES)),), labels=HEMISPHERES)
        exports = self.transport.describe().exports
        return Spec(exports=exports, parameters=(boundary, oh), linear=True)

    def defaults(self, layouts: Layouts) -> Fields:
        """Return no change: zero at the sides, factors of one."""
        sides, hemispheres = (torch.full((1, len(n)), v) for n, v in ((SIDES, 0.0), (HEMISPHERES, 1.0)))
        return {BOUNDARY: sides.double(), OH: hemispheres.double()}

    def verify(self, clock: Clock) -> None:
        """Read the weather and refuse a run, or a time before it, that this does not cover.

        Raises
        ------
        DataError
            As `Transport.verify`; winds that begin too late for `spin_up`.
        """
        times = self.transport.flows.weather.times
        begin = clock.start - self.options.spin_up
        if times[0] <= clock.start and begin < times[0]:
            days = (clock.start - times[0]).total_seconds() / 86400
            hint = f"the file begins {days:g} days before the run: at most so long"
            raise DataError(
                f"no winds for a spin_up of {self.options.spin_up}", where="background", hint=hint
            )
        for time in (clock.start, clock.stop):
            self.transport.flows.weather.bracket(time)
        for part in self.transport.parts(Interval(begin, clock.stop)):
            self.transport.solver.check_courant(self.transport.flows.at(part.start))
        self._clock, self._found = clock, {}
        self._march = self._inflow(clock).until(ticks(clock.start, clock.stop, clock.step))

    @property
    def notes(self) -> list[str]:
        """Return what is still of before the spin-up when the run starts, if that is over a hundredth."""
        if self._clock is None:
            return []
        shares = self._layers(self._clock.start)[: len(SIDES)].sum(0)
        thickness = self.transport.domain.thickness[:, None, None]
        inside = 1.0 - (thickness * shares).sum(0)
        if float(inside.mean()) < 0.01:
            return []
        most = f"{float(inside.max()):.1%} at most"
        return [
            f"at the start {float(inside.mean()):.1%} of the air ({most}) is older than spin_up: of no side"
        ]

    def initialize(self, spec: Spec, layouts: Layouts, members: int) -> State:
        """Return an empty state.

        Raises
        ------
        SpecError
            When the cells are shared between ranks, as the transport.
        """
        for name, layout in layouts.items():
            if not layout.is_serial:
                hint = "as the transport, it is parallel over members and windows, not over cells"
                raise SpecError("the cells are shared between ranks", where=f"background.{name}", hint=hint)
        return State()

    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Export what the parameters bring about at the interval's end."""
        layers = self._layers(interval.stop)
        changes = torch.cat([parameters[BOUNDARY], self._loss(parameters[OH])], dim=-1)
        thickness = self.transport.domain.thickness[:, None, None]
        exports = {COLUMN: _summed(changes, (thickness * layers).sum(1).flatten(-2))}
        if self.transport.by_layer:
            exports[PROFILE] = _summed(changes, layers.flatten(-2))
        return exports, state

    def _loss(self, oh: Tensor) -> Tensor:
        """Return what a second inside adds in each hemisphere, 1e-9 s-1, shape ``(member, hemisphere)``."""
        rate = self.options.methane / (self.options.oh_lifetime * YEAR)
        loss: Tensor = (1.0 - oh[:, list(self._counted)]) * rate
        return loss

    @property
    def _counted(self) -> tuple[int, ...]:
        """Hemispheres in which the box has air."""
        shares = hemisphere_shares(self.transport.domain)
        return tuple(which for which in self._hemispheres if bool(shares[which].any()))

    def _inflow(self, clock: Clock) -> Inflow:
        begin = clock.start - self.options.spin_up
        return Inflow(self.transport.flows, self.transport.solver, begin, self._counted)

    def _layers(self, time: Time) -> Tensor:
        """Return the tracers' ratios at a step's end, shape ``(tracer, layer, lat, lon)``; see `Inflow`.

        Raises
        ------
        SpecError
            At another time, or before `verify` was told of the clock.
        """
        while time not in self._found:
            made = next(self._march, None)
            if made is None:
                raise SpecError(f"no step of the clock ends at {time}", where="background")
            self._found[made[0]] = made[1]
        return self._found[time]

    def finalize(self) -> None:
        """Forget the tracers."""
        self._found.clear()


def _summed(changes: Tensor, fields: Tensor) -> Tensor:
    """Return ``Σ_k changes_k fields_k``, added in order, so that each member has the bits it has alone.

    Parameters
    ----------
    changes
        Shape ``(member, k)``.
    fields
        Shape ``(k, *extra, cell)``.
    """
    each = changes.unbind(-1)
    shape = (-1, *[1] * (fields.ndim - 1))
    terms = [change.reshape(shape) * field for change, field in zip(each, fields, strict=True)]
    total: Tensor = reduce(torch.add, terms)
    return total
