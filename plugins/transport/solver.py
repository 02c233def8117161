"""One interval of transport: emission, advection along three axes, vertical mixing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from tradewind.couplers.component import Interval
from tradewind.errors import DataError
from tradewind.plugins.transport.advection import Scheme, sweep
from tradewind.plugins.transport.domain import Domain
from tradewind.plugins.transport.massflux import Flow, substeps
from tradewind.plugins.transport.mixing import Mixing, mix

# even substeps sweep longitude first, odd ones latitude: the splitting error has no preferred direction
ORDERS = ((-1, -2, -3), (-2, -1, -3))
AXIS = {-1: 0, -2: 1, -3: 2}


@dataclass(frozen=True)
class Solver:
    """The transport of one tracer by given flows.

    Attributes
    ----------
    scheme
        How tracer crosses faces.
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
            kg in each cell, shape ``(..., layer, lat, lon)``.
        emission
            kg s-1 into the lowest layer, shape ``(..., lat, lon)``.

        Raises
        ------
        DataError
            When the substep is too long for the winds (a cell would give away more than it has).
        """
        self.check_courant(flow)
        for number, part in enumerate(substeps(interval, self.substep)):
            tracer = self._substep(tracer, emission, flow, part, ORDERS[number % 2])
        return tracer

    def check_courant(self, flow: Flow) -> None:
        """Refuse a substep that is too long for the winds of `flow`."""
        fastest = flow.courant()
        if fastest * self.substep > 0.95:
            raise DataError(
                f"substep {self.substep:g} s is too long for the winds of {flow.interval}",
                where="transport", hint=f"use at most {int(0.95 / fastest)} s",
            )  # fmt: skip

    def _substep(
        self, tracer: Tensor, emission: Tensor, flow: Flow, part: Interval, order: tuple[int, ...]
    ) -> Tensor:
        middle = part.start + (part.stop - part.start) / 2
        fluxes, air = flow.at(middle), flow.air_at(part.start)
        tracer = torch.cat([tracer[..., :1, :, :] + (emission * part.seconds).unsqueeze(-3), tracer[..., 1:, :, :]], -3)
        for axis in order:
            tracer, air = sweep(self.scheme, tracer, air, fluxes[AXIS[axis]] * part.seconds, axis)
        return mix(self._mixing_matrix(part.seconds).to(tracer.dtype), tracer)

    @cached_property
    def _matrices(self) -> dict[float, Tensor]:
        return {}

    def _mixing_matrix(self, seconds: float) -> Tensor:
        if seconds not in self._matrices:
            self._matrices[seconds] = self.mixing.matrix(self.domain, seconds)
        return self._matrices[seconds]
