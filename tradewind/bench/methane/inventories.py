"""True and prior emissions of the twins: a uniform field, clusters with hot spots, a real list of sources.

All lie on the cells of the Permian example and are 40 % too low in the prior, which knows no more of the
truth than an inventory would: the total's order of magnitude and where the industry is.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.bench.checkout import example, reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

PRIOR_SHARE = 0.6
"""Prior total over true total."""
ROUGHNESS = 0.5
"""One sigma of the logarithm of what a uniform inventory does not know of its tiles."""
TILE = 4
"""Cells along one side of such a tile: one degree."""
HOURS_PER_YEAR, KG_PER_TG = 365.25 * 24.0, 1e9
BLUR = 3.0
"""Width of the Gaussian that makes an inventory's outline of real sources, cells."""


@dataclass(frozen=True)
class Inventory:
    """Fluxes before scaling, shape ``(lat, lon)``, any unit, and the true total, Tg a year."""

    truth: Array
    prior: Array
    total: float = 3.2


def uniform(generator: np.random.Generator) -> Inventory:
    """Return an even prior, and a truth with another lognormal factor in every tile of one degree."""
    twin = example("build_twin")
    shape = (len(twin.LAT), len(twin.LON))
    tiles = tuple(-(-n // TILE) for n in shape)
    factors = generator.lognormal(0.0, ROUGHNESS, size=tiles)
    truth: Array = np.kron(factors, np.ones((TILE, TILE)))[: shape[0], : shape[1]].astype(np.float64)
    return Inventory(truth, np.ones(shape))


def clustered(generator: np.random.Generator) -> Inventory:
    """Return two broad basins, with forty hot spots in the truth that the prior does not know."""
    twin = example("build_twin")
    basins, spots = twin.basins(), twin.hot_spots(generator)
    return Inventory(basins / basins.sum() + spots / spots.sum(), basins)


def sources(generator: np.random.Generator) -> Inventory | None:
    """Return the sources that aircraft saw over the Permian in 2019, and their blurred outline as the prior.

    Rates are drawn within their stated errors (Cusworth et al., 2021, doi:10.1021/acs.estlett.1c00173). None
    where the list is not at hand: it is not ours to hand on.
    """
    path = _source_list()
    if path is None:
        return None
    twin = example("build_twin")
    with path.open(encoding="utf-8") as file:
        rows = [
            [float(row[name]) for name in ("lat", "lon", "emission_kg_h", "sigma_kg_h")]
            for row in csv.DictReader(file)
        ]
    lat, lon, rate, sigma = np.array(rows).T
    drawn = np.maximum(rate + sigma * generator.standard_normal(len(rate)), 0.0)
    truth, outline = (_counted(lat, lon, values, twin) for values in (drawn, np.ones(len(lat))))
    return Inventory(truth, _blurred(outline), float(drawn.sum()) * HOURS_PER_YEAR / KG_PER_TG)


KINDS: dict[str, Callable[[np.random.Generator], Inventory | None]] = {
    "uniform": uniform,
    "clustered": clustered,
    "sources": sources,
}
"""Inventories by name."""


def _source_list() -> Path | None:
    folder = reference()
    path = None if folder is None else folder.parent / "data" / "permian_sources.csv"
    return path if path is not None and path.is_file() else None


def _counted(lat: Array, lon: Array, values: Array, twin: object) -> Array:
    """Return the sum of `values` in every cell."""
    edges = [_edges(np.asarray(getattr(twin, name))) for name in ("LAT", "LON")]
    return np.asarray(np.histogram2d(lat, lon, bins=edges, weights=values)[0])


def _edges(centres: Array) -> Array:
    half = 0.5 * (centres[1] - centres[0])
    return np.append(centres - half, centres[-1] + half)


def _blurred(outline: Array) -> Array:
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(outline, BLUR, mode="nearest")
    return np.asarray(smooth + 0.02 * smooth.max())
