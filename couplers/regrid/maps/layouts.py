"""How ESMF on the one hand, SCRIP and OASIS3-MCT on the other, name what is in a weight file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

Side: TypeAlias = Literal["source", "target"]
SHORT = {"source": "src", "target": "dst"}


class MapLayout(StrEnum):
    """Layouts of weight files."""

    ESMF = "esmf"
    SCRIP = "scrip"


@dataclass(frozen=True)
class GridNames:
    """Names of the variables and dimensions of one grid."""

    size: str
    corners: str
    rank: str
    dims: str
    lon: str
    lat: str
    lon_corners: str
    lat_corners: str
    mask: str
    area: str
    frac: str


@dataclass(frozen=True)
class EntryNames:
    """Names of the variables and dimensions of the weights; SCRIP has a second dimension of them."""

    size: str
    row: str
    col: str
    value: str
    second: str | None = None


def grid_names(layout: MapLayout, side: Side) -> GridNames:
    """Return how a layout names the source or the target grid."""
    short = SHORT[side]
    if layout is MapLayout.SCRIP:
        words = ("size", "corners", "rank", "dims", "center_lon", "center_lat", "corner_lon", "corner_lat")
        return GridNames(*(f"{short}_grid_{word}" for word in (*words, "imask", "area", "frac")))
    letter = {"source": "a", "target": "b"}[side]
    esmf = ("xc", "yc", "xv", "yv", "mask", "area", "frac")
    ends = (f"{word}_{letter}" for word in esmf)
    return GridNames(f"n_{letter}", f"nv_{letter}", f"{short}_grid_rank", f"{short}_grid_dims", *ends)


ENTRIES = {
    MapLayout.ESMF: EntryNames("n_s", "row", "col", "S"),
    MapLayout.SCRIP: EntryNames("num_links", "dst_address", "src_address", "remap_matrix", "num_wgts"),
}
