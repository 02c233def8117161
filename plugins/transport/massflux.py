"""Air mass fluxes through the faces of the cells, made consistent with the pressure tendency.

Analysed winds do not conserve air: the divergence of a column differs from the change of its surface
pressure. As in the pressure fixers of chemistry-transport models (Horowitz et al. 2003,
doi:10.1029/2002JD002853, appendix), a potential flow is added, equal in mass-weighted velocity in all
layers, that closes the budget of every column; vertical fluxes then follow from continuity, and none
is left at the top.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Interval
from tradewind.plugins.transport.domain import GRAVITY, Domain
from tradewind.plugins.transport.weather import REFERENCE_PRESSURE, Weather, interpolate, level_weights

if TYPE_CHECKING:
    from scipy.sparse import dia_array
    from scipy.sparse.linalg import SuperLU

Faces: TypeAlias = tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class Flow:
    """Air between two analyses: fluxes and surface pressure that change linearly in time.

    Attributes
    ----------
    interval
        From one analysis to the next.
    eastward
        kg s-1 through the eastern and western faces at both ends, shape ``(2, layer, lat, lon + 1)``.
    northward
        kg s-1 through the faces between rows at both ends, shape ``(2, layer, lat + 1, lon)``.
    upward
        kg s-1 through the layers' interfaces at both ends, shape ``(2, layer + 1, lat, lon)``.
    air
        kg of air in each cell at both ends, shape ``(2, layer, lat, lon)``.

    All may carry one more dimension after the first, for members with winds of their own.
    """

    interval: Interval
    eastward: Tensor
    northward: Tensor
    upward: Tensor
    air: Tensor

    @property
    def shared(self) -> bool:
        """Whether all members are in the same air."""
        return self.air.ndim == 4

    def at(self, time: datetime) -> tuple[Tensor, Tensor, Tensor]:
        """Return the three fluxes at `time`, kg s-1."""
        a = self._fraction(time)
        return tuple(torch.lerp(f[0], f[1], a) for f in (self.eastward, self.northward, self.upward))  # type: ignore[return-value]

    def air_at(self, time: datetime) -> Tensor:
        """Return the air mass of each cell at `time`, kg."""
        return torch.lerp(self.air[0], self.air[1], self._fraction(time))

    def _fraction(self, time: datetime) -> float:
        return (time - self.interval.start).total_seconds() / self.interval.seconds

    def courant(self) -> float:
        """Return the largest fraction of a cell's air that leaves it per second by one direction's faces."""
        return self._courant

    @cached_property
    def _courant(self) -> float:
        leaving = [
            (f.narrow(d, 1, f.shape[d] - 1).clamp(min=0) - f.narrow(d, 0, f.shape[d] - 1).clamp(max=0))
            for f, d in ((self.eastward, -1), (self.northward, -2), (self.upward, -3))
        ]
        return max(float((part / self.air).max()) for part in leaving)


KEPT = 32
"""Analysis intervals whose flow is kept: a week of six-hourly weather."""


class FlowSource:
    """Makes the `Flow` between consecutive analyses, and keeps the last `KEPT`.

    Parameters
    ----------
    weather
        Winds and pressure.
    domain
        The model's grid.
    """

    def __init__(self, weather: Weather, domain: Domain) -> None:
        self.weather, self.domain = weather, domain
        self._levels = level_weights(weather.levels, domain.middle * REFERENCE_PRESSURE)
        self._fixer = PressureFixer(domain)
        self.between = lru_cache(maxsize=KEPT)(self._between)

    def at(self, time: datetime) -> Flow:
        """Return the flow of the analysis interval that holds `time` (the later one at a boundary)."""
        return self.between(self.weather.bracket(time)[0])

    def _between(self, i: int) -> Flow:
        start, stop = self.weather.times[i : i + 2]
        pressure = [self._pressure(j) for j in (i, i + 1)]
        tendency = (pressure[1] - pressure[0]) / (stop - start).total_seconds()
        gain = tendency / GRAVITY * self.domain.area
        ends = [self._fixer(self._raw_fluxes(j), gain) for j in (i, i + 1)]
        upward = [vertical_flux(faces, gain, self.domain.thickness) for faces in ends]
        air = [self._air(p) for p in pressure]
        east, north = ([e[k] for e in ends] for k in (0, 1))
        return Flow(Interval(start, stop), *(torch.stack(part) for part in (east, north, upward, air)))

    def _pressure(self, i: int) -> Tensor:
        axes = (self.weather.lat, self.weather.lon)
        return interpolate(self.weather.pressure[i], axes, self.domain.lat, self.domain.lon)

    def _air(self, pressure: Tensor) -> Tensor:
        return self.domain.thickness[:, None, None] * (pressure * self.domain.area / GRAVITY)

    def _raw_fluxes(self, i: int) -> Faces:
        """Return the mass fluxes of the analysed winds, shapes as in `Flow` without the first axis."""
        d, w = self.domain, self.weather
        axes = (w.lat, w.lon)
        east, north = ((d.lat, d.lon_edges), (d.lat_edges, d.lon))
        column = w.pressure[i] / GRAVITY
        u = torch.einsum("kl,lyx->kyx", self._levels, w.u[i]) * column
        v = torch.einsum("kl,lyx->kyx", self._levels, w.v[i]) * column
        share = d.thickness[:, None, None]
        return (
            interpolate(u, axes, *east) * share * d.face_height,
            interpolate(v, axes, *north) * share * d.face_width,
        )


def divergence(faces: Faces) -> Tensor:
    """Return what leaves each cell through its sides, kg s-1, shape ``(..., lat, lon)``."""
    return faces[0].diff(dim=-1) + faces[1].diff(dim=-2)


def vertical_flux(faces: Faces, gain: Tensor, thickness: Tensor) -> Tensor:
    """Return the upward flux through the interfaces by continuity, kg s-1, ``(..., layer + 1, lat, lon)``.

    Parameters
    ----------
    faces
        Fluxes that close every column's budget.
    gain
        What each column gains, kg s-1, shape ``(..., lat, lon)``.
    thickness
        Fraction of the air in each layer.
    """
    surplus = -divergence(faces) - thickness[:, None, None] * gain.unsqueeze(-3)
    upward = torch.cumsum(surplus, dim=-3)
    ground = torch.zeros_like(upward[..., :1, :, :])
    # the last interface is the top: what is left there is rounding, and a lid
    return torch.cat([ground, upward[..., :-1, :, :], ground], dim=-3)


class PressureFixer:
    """Adds the potential flow that closes the air budget of every column.

    Solves div(grad chi) = -(div F + gain) on the cells, with chi = 0 outside the box, so that surplus
    air leaves through the open sides.
    """

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self._conductance = self._weights()
        self._factor = self._factorise()

    def __call__(self, faces: Faces, gain: Tensor) -> Faces:
        """Return the corrected fluxes (shapes of `Flow`, without the first axis)."""
        surplus = divergence(faces).sum(-3) + gain
        chi = torch.from_numpy(self._factor.solve(surplus.numpy().ravel())).reshape(self.domain.shape)
        east, north = self._gradient(chi)
        share = self.domain.thickness[:, None, None]
        return faces[0] + share * east, faces[1] + share * north

    def _weights(self) -> Faces:
        """Return face length over distance between centres, for both directions."""
        d = self.domain
        dx = d.face_height * torch.cos(torch.deg2rad(d.lat))[:, None]
        east = (d.face_height / dx).expand(d.shape[0], d.shape[1] + 1)
        north = (d.face_width / d.face_height).expand(d.shape[0] + 1, d.shape[1])
        return east, north

    def _gradient(self, chi: Tensor) -> Faces:
        east, north = self._conductance
        x = torch.nn.functional.pad(chi, (1, 1)).diff(dim=-1)
        y = torch.nn.functional.pad(chi, (0, 0, 1, 1)).diff(dim=-2)
        return east * x, north * y

    def _factorise(self) -> SuperLU:
        """Factorise minus the divergence of the gradient, a sparse five-point matrix."""
        from scipy.sparse import csc_array, diags_array, eye_array, kron
        from scipy.sparse.linalg import splu

        ny, nx = self.domain.shape
        east, north = (w.numpy().ravel() for w in self._conductance)
        dx = kron(eye_array(ny), _differences(nx))
        dy = kron(_differences(ny), eye_array(nx))
        matrix = dx.T @ diags_array(east) @ dx + dy.T @ diags_array(north) @ dy
        return splu(csc_array(matrix))


def _differences(n: int) -> dia_array:
    """Return the matrix of differences over n + 1 faces of n cells with nothing outside."""
    from scipy.sparse import diags_array

    return diags_array([np.ones(n), -np.ones(n)], offsets=[0, -1], shape=(n + 1, n))


def substeps(interval: Interval, seconds: float) -> list[Interval]:
    """Cut `interval` into equal parts no longer than `seconds`."""
    count = max(1, -int(-interval.seconds // seconds))
    edges = [interval.start + timedelta(seconds=interval.seconds * k / count) for k in range(count + 1)]
    return [Interval(a, b) for a, b in pairwise(edges)]
