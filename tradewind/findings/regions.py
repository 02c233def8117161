"""Regions whose totals are asked for, on the grids of fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Masks: TypeAlias = dict[str, NDArray[np.bool_]]


class Regions:
    """Regions by name, each from a file; one file may hold several, which are then called ``name: theirs``.

    Parameters
    ----------
    files
        GeoJSON, shapefile, or netCDF mask or map, by name.
    """

    def __init__(self, files: Mapping[str, Path]) -> None:
        self.files = dict(files)
        self._known: dict[str, Masks] = {}
        self._notes: dict[str, None] = {}

    @property
    def notes(self) -> list[str]:
        """Which regions of files hold no cell of a grid that was asked for: they have no totals."""
        return list(self._notes)

    def __call__(self, grid: Grid) -> Masks:
        """Return which cells of a grid belong to each region, bool, shape ``(size,)``.

        Raises
        ------
        DataError
            When a file is missing, damaged or empty, or a region of it holds no cell of the grid.
        """
        if grid.fingerprint not in self._known:
            self._known[grid.fingerprint] = {k: m for name in self.files for k, m in self._of(name, grid)}
        return self._known[grid.fingerprint]

    def _of(self, name: str, grid: Grid) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        from tradewind.couplers.grids.shapes import region_labels

        labels, names = region_labels(self.files[name], grid)
        for number, own in enumerate(names):
            called, mask = name if len(names) == 1 else f"{name}: {own}", labels == number
            if mask.any():
                yield called, mask
            else:
                self._notes[f"region {called!r} holds the centre of no cell: it has no total"] = None
