"""What the network sees: the model's own winds and pressure in a window around a source.

Thirteen channels: eastward and northward wind in three layers, averaged over the first and over the
second half of the window, and surface pressure at its middle (Pan & Zhang's 3 levels x 2 components
x 2 times + pressure). The winds are those that move tracer in the model, after its pressure fixer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tradewind.plugins.transport.domain import GRAVITY
from tradewind.plugins.transport.massflux import Flow, FlowSource
from tradewind.plugins.transport.windows import Cell

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHANNELS = 13
SIMPSON = {4: {0: 1 / 6}, 3: {0: 4 / 6}, 2: {0: 1 / 6, 1: 1 / 6}, 1: {1: 4 / 6}, 0: {1: 1 / 6}}
"""By quarters of the window before its end: the weight of the winds in the mean of each half."""


@dataclass(frozen=True)
class InputWindows:
    """Cuts the channels of windows of ``2 * half + 1`` cells from the flows of a model.

    Attributes
    ----------
    layers
        Indices of the three layers, from the ground upwards.
    """

    flows: FlowSource
    half: int
    length: timedelta
    layers: tuple[int, int, int] = (0, 2, 4)

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", lru_cache(maxsize=4)(self.channels))

    def __call__(self, cells: Sequence[Cell], end: datetime) -> Tensor:
        """Return the channels around `cells`, shape ``(source, 13, window, window)``, m s-1 and Pa."""
        width = 2 * self.half + 1
        every = self.channels(end).float().unfold(1, width, 1).unfold(2, width, 1)
        rows, columns = (torch.tensor(part) - self.half for part in zip(*cells, strict=True))
        return every.permute(1, 2, 0, 3, 4)[rows, columns]

    def summaries(self, end: datetime) -> Tensor:
        """Return the summary of every window that fits into the domain (`summarise` of its channels).

        Sums over all windows share their parts, so this costs little more than one window.

        Returns
        -------
        Tensor
            Shape ``(lat - 2 half, lon - 2 half, 27)``.
        """
        from tradewind.plugins.jacobian_emulator.boxes import box_moments

        whole = self.channels(end)
        centre = whole.mean(dim=(1, 2), keepdim=True)
        shape = whole.shape[0], *(n - 2 * self.half for n in whole.shape[1:])
        mean, square = torch.empty(shape, dtype=whole.dtype), torch.empty(shape, dtype=whole.dtype)
        box_moments((whole - centre).numpy(), mean.numpy(), square.numpy())
        spread = (square - mean.square()).clamp(min=0.0).sqrt()
        rows = self.flows.domain.lat[self.half : -self.half]
        latitude = rows[:, None, None].expand(*mean.shape[1:], 1)
        return torch.cat([torch.cat([mean + centre, spread]).permute(1, 2, 0), latitude], dim=-1)

    def latitude(self, cells: Sequence[Cell]) -> Tensor:
        """Return the latitudes of the cells, degrees, shape ``(source,)``."""
        return self.flows.domain.lat[[r for r, _ in cells]].float()

    def channels(self, end: datetime) -> Tensor:
        """Return the channels on the whole domain, shape ``(13, lat, lon)``."""
        from tradewind.plugins.jacobian_emulator.winds import add_winds

        quarter, domain = self.length / 4, self.flows.domain
        width = 0.5 * (domain.face_width[1:] + domain.face_width[:-1])
        sides = self._by_row(domain.area / domain.face_height), self._by_row(domain.area / width)
        halves = np.zeros((2, 2 * len(self.layers), *domain.shape))
        for k, shares in SIMPSON.items():
            time = end - k * quarter
            flow = self.flows.at(time)
            late = (time - flow.interval.start).total_seconds() / flow.interval.seconds
            ends = flow.eastward.numpy(), flow.northward.numpy(), flow.air.numpy()
            for half, share in shares.items():
                add_winds(ends, sides, np.array(self.layers), (late, share), halves[half])
        middle = end - 2 * quarter
        pressure = surface_pressure(self.flows.at(middle), middle, self.flows)
        return torch.cat([torch.from_numpy(halves).flatten(0, 1), pressure[None]])

    def _by_row(self, values: Tensor) -> NDArray[np.float64]:
        rows = self.flows.domain.shape[0]
        return np.ascontiguousarray(values.expand(rows, values.shape[-1])[:, 0].numpy())


def cell_winds(
    flow: Flow, time: datetime, flows: FlowSource, layers: Sequence[int] | None = None
) -> tuple[Tensor, Tensor]:
    """Return the winds in the cells' middles that the fluxes stand for, m s-1, ``(layer, lat, lon)``.

    Parameters
    ----------
    layers
        Those wanted; None: all.
    """
    domain, some = flows.domain, slice(None) if layers is None else list(layers)
    share = (time - flow.interval.start).total_seconds() / flow.interval.seconds
    every = (flow.eastward, flow.northward, flow.air)
    east, north, air = (torch.lerp(part[0, some], part[1, some], share) for part in every)
    per_metre = air / domain.area
    width = 0.5 * (domain.face_width[1:] + domain.face_width[:-1])
    u = 0.5 * (east[..., 1:] + east[..., :-1]) / (per_metre * domain.face_height)
    v = 0.5 * (north[..., 1:, :] + north[..., :-1, :]) / (per_metre * width)
    return u, v


def surface_pressure(flow: Flow, time: datetime, flows: FlowSource) -> Tensor:
    """Return the surface pressure, Pa, shape ``(lat, lon)``."""
    return flow.air_at(time).sum(-3) * GRAVITY / flows.domain.area
