"""One interval of transport: emission, advection along three axes, vertical mixing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Interval
from tradewind.errors import DataError
from tradewind.plugins.transport.advection import Scheme, Sweep
from tradewind.plugins.transport.domain import Domain
from tradewind.plugins.transport.massflux import Flow, substeps
from tradewind.plugins.transport.mixing import Mixing, mix

# even substeps sweep longitude first, odd ones latitude: the splitting error has no preferred direction
ORDERS = ((-1, -2, -3), (-2, -1, -3))
AXIS = {-1: 0, -2: 1, -3: 2}
COURANT_LIMIT = 0.95
BLOCK_BYTES = 2**20
KEPT_BYTES = 320 * 2**20

Plan: TypeAlias = "Iterable[Substep]"


@dataclass(frozen=True, eq=False)
class Substep:
    """Everything about one substep that does not depend on the tracer.

    Attributes
    ----------
    seconds
        Its length.
    sweeps
        Advection along the axes, in order.
    mixing
        Matrix of vertical mixing, shape ``(layer, layer)``.
    """

    seconds: float
    sweeps: tuple[Sweep, ...]
    mixing: Tensor

    def __call__(self, tracer: Tensor, emission: Tensor) -> Tensor:
        """Return the tracer after the substep; `tracer` is used up.

        Parameters
        ----------
        tracer
            kg, shape ``(..., layer, cell)``.
        emission
            kg s-1 into the lowest layer, shape ``(..., cell)``.
        """
        tracer.select(-2, 0).add_(emission, alpha=self.seconds)
        moved, shape = tracer.flatten(-2), tracer.shape
        for sweep in self.sweeps:
            moved = sweep(moved)
        return mix(self.mixing, moved.view(shape))


@dataclass(frozen=True)
class Solver:
    """The transport of one tracer by given flows.

    Attributes
    ----------
    domain
        The model's grid; only its layers matter, so that flows may be cut out of it.
    scheme
        How tracer crosses faces.
    mixing
        Vertical mixing.
    substep
        Longest substep, s; the Courant number must stay at most one.
    """

    domain: Domain
    scheme: Scheme
    mixing: Mixing
    substep: float

    def advance(self, tracer: Tensor, emission: Tensor, flow: Flow, interval: Interval) -> Tensor:
        """Return the tracer after `interval`, which must lie within the flow's interval.

        Parameters
        ----------
        tracer
            kg in each cell, shape ``(member, layer, lat, lon)``.
        emission
            kg s-1 into the lowest layer, shape ``(member, lat, lon)``.
        flow
            The air: one for all members, or one for each.
        interval
            What to advance over.

        Returns
        -------
        Tensor
            kg in each cell, shape ``(member, layer, lat, lon)``.

        Raises
        ------
        DataError
            When the substep is too long for the winds (a cell would give away more than it has).
        """
        self.check_courant(flow)
        emitted = _blocks(emission.flatten(-2), flow)
        blocks = [block.clone() for block in _blocks(tracer.flatten(-2), flow)]
        for substep in self._plan(flow, interval):
            blocks = list(map(substep, blocks, emitted))
        return torch.cat(blocks).view(tracer.shape)

    def check_courant(self, flow: Flow) -> None:
        """Refuse a substep that is too long for the winds of `flow`.

        Raises
        ------
        DataError
            Names the substep, the interval, and the longest substep that would do.
        """
        fastest = flow.courant()
        if fastest * self.substep > COURANT_LIMIT:
            raise DataError(
                f"substep {self.substep:g} s is too long for the winds of {flow.interval}",
                where="transport", hint=f"use at most {int(COURANT_LIMIT / fastest)} s",
            )  # fmt: skip

    def _plan(self, flow: Flow, interval: Interval) -> Plan:
        """Return the substeps; of the last few intervals they are kept, as far as memory allows.

        An interval has to be asked twice for that: a run that passes once needs no memory for it, and
        flows of members of their own are asked only once.
        """
        parts = substeps(interval, self.substep)
        size = 3 * self.scheme.arrays * len(parts) * flow.air[0].nbytes
        room = KEPT_BYTES // size if flow.shared else 0
        if not room:
            return self._substeps(flow, parts)
        asked, plan = (flow, interval) in self._kept, self._kept.pop((flow, interval), ())
        self._kept[flow, interval] = plan or (tuple(self._substeps(flow, parts)) if asked else ())
        while len(self._kept) > room:
            self._kept.popitem(last=False)
        return self._kept[flow, interval] or self._substeps(flow, parts)

    def _substeps(self, flow: Flow, parts: list[Interval]) -> Iterator[Substep]:
        for number, part in enumerate(parts):
            mixing = self._mixing_matrix(part.seconds).to(flow.air.dtype)
            yield Substep(part.seconds, self._sweeps(flow, part, ORDERS[number % 2]), mixing)

    def _sweeps(self, flow: Flow, part: Interval, order: tuple[int, ...]) -> tuple[Sweep, ...]:
        fluxes, air = flow.at(part.start + (part.stop - part.start) / 2), flow.air_at(part.start)
        sweeps = []
        for axis in order:
            flux = fluxes[AXIS[axis]].mul_(part.seconds)
            sweeps.append(self.scheme.sweep(air, flux, axis))
            air = air - flux.diff(dim=axis)
        return tuple(sweeps)

    @cached_property
    def _kept(self) -> OrderedDict[tuple[Flow, Interval], tuple[Substep, ...]]:
        return OrderedDict()

    @cached_property
    def _matrices(self) -> dict[float, Tensor]:
        return {}

    def _mixing_matrix(self, seconds: float) -> Tensor:
        if seconds not in self._matrices:
            self._matrices[seconds] = self.mixing.matrix(self.domain, seconds)
        return self._matrices[seconds]


def _blocks(field: Tensor, flow: Flow) -> tuple[Tensor, ...]:
    """Cut `field` into blocks of members that fit into the cache, where all members share the flow."""
    if not flow.shared:
        return (field,)
    return torch.split(field, max(1, BLOCK_BYTES // flow.air[0].nbytes))
