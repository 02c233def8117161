"""Maps of fields on any grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tradewind.couplers.grids.grid import GridKind
from tradewind.output import words
from tradewind.output.report.canvas import RULE, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Array: TypeAlias = NDArray[np.float64]
    Places: TypeAlias = tuple[Array, Array]

WIDTH = 4.2


@dataclass(frozen=True)
class Scale:
    """Colours of a map and the numbers at their ends.

    Attributes
    ----------
    colours
        Name of a colour map that readers with any colour vision can tell apart.
    low, high
        Values at the ends of the colour bar, in the units shown.
    exponent
        Values are divided by this power of ten before they are shown.
    """

    colours: str
    low: float
    high: float
    exponent: int = 0

    @classmethod
    def sequential(cls, *fields: Array, colours: str = "viridis") -> Scale:
        """Return a scale from the smallest value (or 0) up to the 99.5th percentile of all `fields`."""
        values = finite(*fields)
        high = float(np.percentile(values, 99.5)) or float(values.max())
        return cls._scaled(colours, min(0.0, float(values.min())), high)

    @classmethod
    def diverging(cls, field: Array, colours: str = "PuOr_r") -> Scale:
        """Return a scale with white at zero."""
        values = np.abs(finite(field))
        high = float(np.percentile(values, 99.5)) or float(values.max())
        return cls._scaled(colours, -high, high)

    @classmethod
    def _scaled(cls, colours: str, low: float, high: float) -> Scale:
        largest = max(abs(low), abs(high))
        if largest == 0.0:
            return cls(colours, low, 1.0)
        power = 3 * math.floor(math.log10(largest) / 3)
        exponent = power if power < -3 or power > 5 else 0
        return cls(colours, low / 10.0**exponent, high / 10.0**exponent, exponent)

    def like(self, other: Scale) -> Scale:
        """Return the same colours with the power of ten of `other`, to be read beside it."""
        factor = 10.0 ** (self.exponent - other.exponent)
        return Scale(self.colours, self.low * factor, self.high * factor, other.exponent)

    def shown(self, field: Array) -> Array:
        """Return `field` in the units of the colour bar."""
        return field / 10.0**self.exponent

    def label(self, units: str) -> str:
        """Return units with the power of ten in front."""
        parts = [words.ten_to(self.exponent) if self.exponent else "", words.units(units)]
        return " ".join(p for p in parts if p) or "dimensionless"

    def extend(self, values: Array) -> str:
        """Return which ends of the colour bar are exceeded, in matplotlib's words."""
        low, high = values.min() < self.low, values.max() > self.high
        return {(True, True): "both", (True, False): "min", (False, True): "max"}.get((low, high), "neither")


def finite(*fields: Array) -> Array:
    """Return the finite values of all `fields`, or one zero where there are none."""
    values = np.concatenate([f[np.isfinite(f)] for f in fields])
    return values if len(values) else np.zeros(1)


@dataclass(frozen=True)
class Map:
    """A field to be drawn, and where the observations were.

    Attributes
    ----------
    field
        Shape ``(cell,)``.
    places
        Longitudes and latitudes of observations, drawn as dots; None for none.
    """

    grid: Grid
    field: Array
    units: str
    scale: Scale
    places: Places | None = None

    def svg(self, alt: str) -> str:
        """Return the map as inline SVG."""
        return picture(self._draw, (WIDTH, _height(self.grid)), alt)

    def _draw(self, figure: Figure) -> None:
        axes = figure.add_subplot()
        values = self.scale.shown(np.where(self.grid.mask, self.field, np.nan))
        drawn = _cells(axes, self.grid, values, self.scale)
        _frame(axes, self.grid)
        if self.places is not None:
            _dots(axes, self.places, self.grid)
        colour_bar(figure, drawn, self.scale.extend(finite(values)), self.scale.label(self.units))


def colour_bar(figure: Figure, drawn: ScalarMappable, extend: str, label: str) -> None:
    """Draw a quiet horizontal colour bar below the only axes of `figure`."""
    bar = figure.colorbar(
        drawn, ax=figure.axes, orientation="horizontal", aspect=38, pad=0.03, extend=extend, label=label
    )
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    bar.locator = MaxNLocator(5)


def _height(grid: Grid) -> float:
    west, east, south, north = extent(grid)
    ratio = (north - south) / max((east - west) * _squeeze(south, north), 1e-9)
    return float(np.clip((WIDTH - 0.6) * ratio + 0.95, 2.3, 6.5))


def _squeeze(south: float, north: float) -> float:
    return max(math.cos(math.radians((south + north) / 2)), 0.2)


def extent(grid: Grid) -> tuple[float, float, float, float]:
    """Return west, east, south and north of all cells, in degrees."""
    lon, lat = _corners(grid) if grid.lon_corners is not None else (grid.lon, grid.lat)
    # points need air around them
    air = 0.0 if grid.lon_corners is not None else 0.03 * max(np.ptp(lon), np.ptp(lat), 1.0)
    box = lon.min() - air, lon.max() + air, max(lat.min() - air, -90.0), min(lat.max() + air, 90.0)
    return float(box[0]), float(box[1]), float(box[2]), float(box[3])


def _corners(grid: Grid) -> tuple[Array, Array]:
    """Return corners, shape ``(cell, nv)``, with those across the date line brought to their centre."""
    corners = np.asarray(grid.lon_corners)
    near = grid.lon[:, None] + (corners - grid.lon[:, None] + 180.0) % 360.0 - 180.0
    return near, np.asarray(grid.lat_corners)


def _cells(axes: Axes, grid: Grid, values: Array, scale: Scale) -> ScalarMappable:
    limits: dict[str, Any] = {"cmap": scale.colours, "rasterized": True}
    if grid.lon_corners is None:
        drawn: Any = axes.scatter(grid.lon, grid.lat, c=values, s=14, **limits)
    elif grid.kind is GridKind.LATLON:
        drawn = axes.pcolormesh(*edges(grid), values.reshape(grid.shape), **limits)
    else:
        from matplotlib.collections import PolyCollection

        polygons = np.stack(_corners(grid), axis=-1)
        drawn = axes.add_collection(PolyCollection(list(polygons), array=values, edgecolors="face", **limits))
    drawn.set_clim(scale.low, scale.high)
    mappable: ScalarMappable = drawn
    return mappable


def edges(grid: Grid) -> tuple[Array, Array]:
    """Return longitudes and latitudes of the edges of a rectilinear grid, in the order of its cells."""
    lon, lat = (corners.reshape(*grid.shape, -1) for corners in _corners(grid))
    return _chained(lon[0]), _chained(lat[:, 0])


def _chained(boxes: Array) -> Array:
    low, high = boxes.min(-1), boxes.max(-1)
    descending = len(low) > 1 and low[1] < low[0]
    return np.append(high, low[-1]) if descending else np.append(low, high[-1])


def _frame(axes: Axes, grid: Grid) -> None:
    west, east, south, north = extent(grid)
    axes.set(xlim=(west, east), ylim=(south, north), aspect=1.0 / _squeeze(south, north))
    for axis, ends in ((axes.xaxis, "EW"), (axes.yaxis, "NS")):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 3, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda v, _, ends=ends: degrees(v, ends)))
    axes.tick_params(length=3)
    axes.grid(color=RULE, linewidth=0.4, alpha=0.6)


def degrees(value: float, ends: str) -> str:
    """Return a coordinate as people read it, ``102°W``; `ends` are the letters for plus and minus."""
    if ends == "EW":
        value = (value + 180.0) % 360.0 - 180.0
    letter = "" if value == 0 else ends[int(value < 0)]
    return f"{abs(value):g}°{letter}"


def _dots(axes: Axes, places: Places, grid: Grid) -> None:
    centre = (grid.lon.min() + grid.lon.max()) / 2
    lon = centre + (places[0] - centre + 180.0) % 360.0 - 180.0
    unique = np.unique(np.stack([lon, places[1]]), axis=1)
    size = float(np.clip(2500.0 / max(unique.shape[1], 1), 1.5, 10.0))
    # a dark rim and a light heart are seen on any colour of the map, in either theme
    axes.scatter(
        unique[0], unique[1], s=size, c="white", edgecolors="black", linewidths=0.35,
        rasterized=unique.shape[1] > 500,
    )  # fmt: skip
