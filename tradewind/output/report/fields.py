"""Fields as pictures: maps, lines along a row of cells, or points, as their grid asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.output import words
from tradewind.output.report.lines import AFTER, BEFORE, Curve, Picture, chart
from tradewind.output.report.maps import Map, Scale, finite

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid
    from tradewind.output.report.maps import Places

    Array: TypeAlias = NDArray[np.float64]

LEVELS = 3
"""Levels of a field that are shown; all are in the file."""


@dataclass(frozen=True)
class Layer:
    """One field on its grid, at one level.

    Attributes
    ----------
    level
        What it is called where the field has several; else empty.
    names
        Of its values, where they have no place and are called something; else empty.
    """

    grid: Grid | None
    values: Array
    level: str = ""
    names: tuple[str, ...] = ()


def layers(grid: Grid | None, values: Array) -> list[Layer]:
    """Return the levels of a field ``(*extra, cell)`` that are shown: all up to three, else some between."""
    flat = values.reshape(-1, values.shape[-1]) if grid is not None else values.reshape(1, -1)
    if len(flat) == 1:
        return [Layer(grid, flat[0])]
    some = range(len(flat)) if len(flat) <= LEVELS else np.linspace(0, len(flat) - 1, LEVELS).astype(int)
    return [Layer(grid, flat[k], f"level {k + 1} of {len(flat)}") for k in some]


def is_map(grid: Grid | None) -> bool:
    """Return whether a grid fills an area: more than one row and column."""
    if grid is None or grid.size < 2:
        return False
    return len(np.unique(grid.lat)) > 1 and len(np.unique(grid.lon)) > 1


def shown(
    heading: str, layer: Layer, units: str, scale: Scale, caption: str, places: Places | None = None
) -> Picture:  # fmt: skip
    """Draw a layer as a map, or as a line where its cells lie in a row."""
    title = f"{heading}, {layer.level}" if layer.level else heading
    alt = in_words(title, layer.values, units)
    if layer.grid is not None and is_map(layer.grid):
        drawn = Map(layer.grid, layer.values, units, scale, places)
        return Picture(title, drawn.svg(f"Map. {alt}"), caption)
    curve = {heading.lower(): Curve(layer.values, AFTER)}
    labels = (axis_name(layer), words.units(units))
    return Picture(title, chart(axis(layer), curve, labels, alt), caption)


def axis(layer: Layer) -> NDArray[Any]:
    """Return where the values of a layer stand along a line: coordinates, or their names."""
    grid = layer.grid
    if layer.names:
        return np.array(layer.names)
    if grid is None:
        return np.arange(len(layer.values), dtype=np.float64)
    return grid.lat if len(np.unique(grid.lon)) == 1 and grid.size > 1 else grid.lon


def axis_name(layer: Layer) -> str:
    """Return what that line is."""
    if layer.grid is None:
        return "" if layer.names else "element"
    return "latitude (°)" if len(np.unique(layer.grid.lon)) == 1 and layer.grid.size > 1 else "longitude (°)"


def pair(
    heading: str, before: Layer, after: Layer, units: str, bands: Sequence[Array | None], caption: str
) -> Picture:  # fmt: skip
    """Draw a layer before and after along a line, with bands of one standard deviation."""
    title = f"{heading}, {after.level}" if after.level else heading
    curves = {
        "before": Curve(before.values, BEFORE, bands[0]),
        "after": Curve(after.values, AFTER, bands[1]),
    }
    alt = in_words(title, after.values, units)
    return Picture(title, chart(axis(after), curves, (axis_name(after), words.units(units)), alt), caption)


def in_words(heading: str, field: Array, units: str) -> str:
    """Return what a picture shows, for those who cannot see it."""
    values = finite(field)
    ends = f"from {words.number(float(values.min()))} to {words.number(float(values.max()))}"
    return f"{heading}: {ends} {words.units(units)}".strip()
