"""The model's own grid: a regular latitude-longitude box and sigma layers over flat ground."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor

from tradewind.couplers.grids import Grid
from tradewind.errors import GridError

EARTH_RADIUS = 6_371_000.0
GRAVITY = 9.80665
SCALE_HEIGHT = 7_500.0


@dataclass(frozen=True)
class Domain:
    """A box of equal spacing in degrees, and layers bounded by fixed fractions of surface pressure.

    Attributes
    ----------
    west, east, south, north
        Outer edges, degrees.
    spacing
        Cell width in both directions, degrees.
    sigma
        Layer interfaces as fractions of surface pressure, from 1 (ground) down to 0 (top).
    """

    west: float
    east: float
    south: float
    north: float
    spacing: float
    sigma: tuple[float, ...]

    def __post_init__(self) -> None:
        for extent, name in ((self.east - self.west, "longitude"), (self.north - self.south, "latitude")):
            cells = extent / self.spacing
            if cells < 1.5 or abs(cells - round(cells)) > 1e-6:
                raise GridError(
                    f"{extent:g} degrees of {name} are not two or more cells of {self.spacing:g}",
                    where="transport region", hint="choose edges that are a whole number of cells apart",
                )  # fmt: skip
        if self.sigma[0] != 1.0 or self.sigma[-1] != 0.0 or any(a <= b for a, b in self._pairs):
            raise GridError("layer interfaces must fall from 1 to 0", where="transport layers")

    @property
    def _pairs(self) -> list[tuple[float, float]]:
        return list(pairwise(self.sigma))

    @property
    def shape(self) -> tuple[int, int]:
        """Cells in latitude and longitude."""
        return (
            round((self.north - self.south) / self.spacing),
            round((self.east - self.west) / self.spacing),
        )

    @property
    def layers(self) -> int:
        """Number of layers."""
        return len(self.sigma) - 1

    @cached_property
    def lat_edges(self) -> Tensor:
        """Cell edges in latitude, degrees, shape ``(lat + 1,)``."""
        return self.south + self.spacing * torch.arange(self.shape[0] + 1, dtype=torch.float64)

    @cached_property
    def lon_edges(self) -> Tensor:
        """Cell edges in longitude, degrees, shape ``(lon + 1,)``."""
        return self.west + self.spacing * torch.arange(self.shape[1] + 1, dtype=torch.float64)

    @cached_property
    def lat(self) -> Tensor:
        """Cell centres in latitude, degrees, shape ``(lat,)``."""
        return 0.5 * (self.lat_edges[1:] + self.lat_edges[:-1])

    @cached_property
    def lon(self) -> Tensor:
        """Cell centres in longitude, degrees, shape ``(lon,)``."""
        return 0.5 * (self.lon_edges[1:] + self.lon_edges[:-1])

    @cached_property
    def thickness(self) -> Tensor:
        """Fraction of the air in each layer, shape ``(layer,)``; sums to one."""
        return torch.tensor([a - b for a, b in self._pairs], dtype=torch.float64)

    @cached_property
    def middle(self) -> Tensor:
        """Mean sigma of each layer, shape ``(layer,)``."""
        return torch.tensor([0.5 * (a + b) for a, b in self._pairs], dtype=torch.float64)

    @cached_property
    def height(self) -> Tensor:
        """Height of the layers' middles in an isothermal atmosphere, m over ground, shape ``(layer,)``."""
        return -SCALE_HEIGHT * torch.log(self.middle)

    @cached_property
    def grid(self) -> Grid:
        """The cells as a grid."""
        return Grid.latlon(self.lat.numpy(), self.lon.numpy())

    @cached_property
    def area(self) -> Tensor:
        """Cell areas, m2, shape ``(lat, 1)``: those of the grid, so that budgets close across exchanges."""
        steradian = torch.from_numpy(self.grid.area).reshape(self.shape)
        return EARTH_RADIUS**2 * steradian[:, :1]

    @property
    def face_height(self) -> float:
        """Length of a cell's eastern or western face, m."""
        return EARTH_RADIUS * math.radians(self.spacing)

    @cached_property
    def face_width(self) -> Tensor:
        """Length of the faces between rows, m, shape ``(lat + 1, 1)``."""
        return (EARTH_RADIUS * math.radians(self.spacing) * torch.cos(torch.deg2rad(self.lat_edges)))[:, None]
