"""A state of a million variables on a sphere, made cell by cell: every rank makes its own part.

Members are sums of plane waves seen on the sphere, ``x_i(r, l) = Σ_k a_ik cos(q_k · r + φ_k) exp(-z_l / 2)``,
with normal amplitudes a_ik of each member i and wave vectors q_k of a red spectrum: a smooth, chaotic-looking
ensemble of which any part can be made without the rest, at cells and at observations alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.assimilation import Ensemble, Observations
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.assimilation.places import Distance, positions
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import Communicator, owned_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

OBSERVATION_BLOCK = 1024
"""Observations are dealt to ranks in whole blocks of this many, by global number."""
SLAB = 4096
"""Places of which the fields are made at a time: the waves of all places at once would not fit."""


@dataclass(frozen=True)
class Planet:
    """How large the problem is, and what it is made of.

    Attributes
    ----------
    rows, columns, levels
        Of the grid; the state has as many variables as their product.
    observations
        How many, at random places (uniform on the sphere), of the lowest level.
    waves
        In every member.
    sigma
        Standard deviation of the observations' errors; that of the members is 1.
    """

    rows: int = 250
    columns: int = 400
    levels: int = 10
    members: int = 40
    observations: int = 100_000
    waves: int = 400
    sigma: float = 0.5
    seed: int = 5

    @property
    def variables(self) -> int:
        """Length of the state."""
        return self.rows * self.columns * self.levels

    @property
    def grid(self) -> Grid:
        """The grid."""
        lat = (np.arange(self.rows) + 0.5) * 180.0 / self.rows - 90.0
        lon = np.arange(self.columns) * 360.0 / self.columns
        return Grid.latlon(lat, lon)

    @property
    def places(self) -> tuple[Array, Array]:
        """Longitude and latitude of all observations, degrees."""
        draw = np.random.default_rng(self.seed)
        longitude = draw.uniform(0.0, 360.0, self.observations)
        return longitude, np.degrees(np.arcsin(draw.uniform(-1.0, 1.0, self.observations)))

    @property
    def everything(self) -> Observations:
        """Where all observations are, on every rank: from which the filter's work is weighed."""
        longitude, latitude = self.places
        ones = torch.ones(self.observations, dtype=torch.float64)
        coordinates = {"longitude": longitude, "latitude": latitude}
        return Observations(torch.zeros_like(ones), DiagonalCovariance(ones), coordinates)

    def seen(self, comm: Communicator) -> tuple[Observations, Tensor]:
        """Return this rank's observations, and what its members say of them, ``(member, m)``.

        The truth is a member more, which is not in the ensemble.
        """
        mine = owned_blocks(self.observations, OBSERVATION_BLOCK, comm)
        begin, end = (min(k * OBSERVATION_BLOCK, self.observations) for k in (mine.start, mine.stop))
        longitude, latitude = (p[begin:end] for p in self.places)
        noise = np.random.default_rng(self.seed + 1).standard_normal(self.observations)[begin:end]
        shown = self.fields(longitude, latitude, self.members + 1)
        variance = torch.full((end - begin,), self.sigma**2, dtype=torch.float64)
        observations = Observations(
            shown[-1] + torch.from_numpy(self.sigma * noise),
            DiagonalCovariance(variance) if end > begin else None,
            {"longitude": longitude, "latitude": latitude},
            torch.arange(begin, end),
            comm,
        )
        return observations, shown[:-1]

    def ensemble(self, layout: Layout, simulated: Tensor) -> Ensemble:
        """Return this rank's cells of all members, ``(member, level, cell)``."""
        lon, lat = (a.ravel()[layout.owned] for a in (layout.grid.lon, layout.grid.lat))
        return Ensemble({"x": self._by_level(self.fields(lon, lat, self.members))}, simulated, {"x": layout})

    def truth(self, layout: Layout) -> Tensor:
        """Return this rank's cells of the truth, ``(level, cell)``."""
        lon, lat = (a.ravel()[layout.owned] for a in (layout.grid.lon, layout.grid.lat))
        return self._by_level(self.fields(lon, lat, self.members + 1)[-1:])[0]

    def fields(self, longitude: Array, latitude: Array, members: int) -> Tensor:
        """Return the lowest level of the first `members` at places, ``(member, place)``."""
        waves, phases, amplitudes = self._waves(members)
        out = np.empty((members, len(longitude)))
        for begin in range(0, len(longitude), SLAB):
            part = slice(begin, begin + SLAB)
            at = positions(longitude[part], latitude[part], Distance.KM)
            shape = np.cos(sum(at[:, k, None] * waves[k] for k in range(3)) + phases)
            # einsum without BLAS adds in one order for every place: the same bits however places are dealt
            out[:, part] = np.einsum("ik,pk->ip", amplitudes, shape, optimize=False)
        return torch.from_numpy(out)

    def _waves(self, members: int) -> tuple[Array, Array, Array]:
        draw = np.random.default_rng(self.seed + 2)
        length = draw.uniform(5.0, 40.0, self.waves)
        direction = draw.standard_normal((3, self.waves))
        phases = draw.uniform(0.0, 2.0 * np.pi, self.waves)
        amplitudes = draw.standard_normal((self.members + 1, self.waves))[:members]
        waves = direction / np.linalg.norm(direction, axis=0) * length
        return waves, phases, amplitudes * np.sqrt(2.0 / self.waves)

    def _by_level(self, lowest: Tensor) -> Tensor:
        height = torch.exp(-torch.arange(self.levels, dtype=torch.float64) / self.levels)
        return lowest[:, None, :] * height[:, None]
