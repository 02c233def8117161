"""Wrong calls of regridding as users make them; each must end in an error that helps, or in the right result.

What ESMPy makes of the same call is in `misuse_esmpy`, under the same names.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
import torch

from tradewind.couplers.coupling.fields import Kind
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import Serial
from tradewind.couplers.regrid import quantities
from tradewind.couplers.regrid.masks import masked_regrid
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.scheme import Creep, Method, Scheme

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

T = TypeVar("T")
UNSAID = "nothing was said"
LAT, LON, CYCLIC = np.arange(-85.0, 90, 10), np.arange(5.0, 360, 10), np.arange(0.0, 361, 10)
SQUARE = ([0.0, 10, 10, 0], [0.0, 0, 10, 10])
"""Corners of one cell, counter-clockwise: longitudes and latitudes."""


@dataclass(frozen=True)
class Case:
    """A wrong call.

    Attributes
    ----------
    name
        Key of the figures.
    says
        What the user does wrong, for the table.
    wrong
        Makes the call. Raises a `TradewindError`, or returns in words how it was mended, after checking so.
    applied
        Whether a finished regridder is used wrongly: then the error names both grids.
    """

    name: str
    says: str
    wrong: Callable[[], str]
    applied: bool = False


def globe(lat: Array = LAT, **extras: Array) -> Grid:
    """Return a grid of 10 degrees, global."""
    return Grid.latlon(lat, LON, **extras)


def source() -> Grid:
    """Return the source of all cases."""
    return globe()


def target() -> Grid:
    """Return the target of all cases: 15 degrees, global."""
    return Grid.latlon(np.arange(-82.5, 90, 15), np.arange(7.5, 360, 15))


def regridder(method: str = "conservative", **options: str) -> Regridder:
    """Return a sound regridder between the two."""
    return Regridder.build(source(), target(), method, backend="native", **options)


def field(grid: Grid) -> torch.Tensor:
    """Return a sound field, between 1 and 2."""
    return torch.linspace(1.0, 2.0, grid.size, dtype=torch.float64)


def applied(x: Any) -> str:
    """Apply a sound regridder to `x`."""
    regridder()(x)
    return UNSAID


def built(grid: Grid, method: Method | Scheme | str = "conservative", other: Grid | None = None) -> str:
    """Build a regridder from a grid."""
    Regridder.build(grid, other or target(), method, backend="native")
    return UNSAID


def square(lon: list[float], lat: list[float]) -> str:
    """Make a mesh of one quadrilateral, and regrid from it."""
    return built(Grid.mesh(lon, lat, [[0, 1, 2, 3]]))


def adjoint_of_a_source_field() -> str:
    """Use the adjoint the wrong way round."""
    regridder().adjoint(field(source()))
    return UNSAID


def swapped_in_a_file() -> str:
    """Read weights with source and target swapped."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "weights.nc")
        regridder().to_file(path)
        Regridder.from_file(path, target(), source())
    return UNSAID


def weights_of_other_grids() -> str:
    """Read weights for a grid that is shifted by half a cell."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "weights.nc")
        regridder().to_file(path)
        Regridder.from_file(path, Grid.latlon(LAT, LON + 5.0), target())
    return UNSAID


def damaged_weights() -> str:
    """Read half a file."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "weights.nc")
        regridder().to_file(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        Regridder.from_file(path)
    return UNSAID


def radians() -> str:
    """Give coordinates in radians."""
    return built(Grid.latlon(np.deg2rad(LAT), np.deg2rad(LON)), "bilinear")


def swapped_coordinates() -> str:
    """Give longitudes where latitudes belong."""
    return built(Grid.latlon(LON, LAT), "bilinear")


def with_nan(axis: Array) -> Array:
    """Return an axis with one missing value."""
    return np.where(axis == axis[3], np.nan, axis)


def clockwise() -> str:
    """Give the corners of a cell clockwise."""
    lon, lat = SQUARE
    right, turned = (Grid.mesh(x, y, [[0, 1, 2, 3]]) for x, y in (SQUARE, (lon[::-1], lat[::-1])))
    made = [Regridder.build(grid, target(), backend="native").weights for grid in (right, turned)]
    if abs(made[0] - made[1]).max() > 1e-15:
        return UNSAID
    return "turned around: the weights of counter-clockwise corners"


def missing_corners() -> str:
    """Ask for conservative weights of a curvilinear grid that has centres only."""
    return built(Grid.curvilinear(*np.meshgrid(LON, LAT)))


def unmapped() -> str:
    """Apply weights that do not reach every target."""
    region = Grid.latlon(np.arange(5.0, 50, 10), np.arange(5.0, 100, 10))
    op = Regridder.build(region, target(), "bilinear", backend="native")
    found = op.regrid_field(field(region))
    sound = found[~op.unmapped].min() >= 1.0 and found[op.unmapped].isnan().all()
    return "marked: NaN, or the fill that is asked for" if bool(op.unmapped.any() and sound) else "zeros"


def in_a_thread() -> str:
    """Build and apply outside the main thread."""
    found: list[torch.Tensor] = []
    thread = threading.Thread(target=lambda: found.append(regridder()(field(source()))))
    thread.start()
    thread.join()
    same = bool(found) and torch.equal(found[0], regridder()(field(source())))
    return "works: the same bits as in the main thread" if same else UNSAID


class Pair(Serial):
    """The first of two ranks; the other does the same."""

    size = 2

    def allgather(self, item: T) -> list[T]:
        """Return what both ranks give."""
        return [item, item]

    def allgather_array(self, array: NDArray[np.generic]) -> list[NDArray[np.generic]]:
        """Return what both ranks give."""
        return [array, array]

    def __repr__(self) -> str:
        return "two ranks"


def some_ranks_only() -> str:
    """Build between a grid that two ranks share and one that only this rank has."""
    shared = Layout(source(), Pair(), np.arange(648))
    Regridder.build(shared, Layout(target()), backend="native")
    return UNSAID


def negative_threshold() -> str:
    """Ask for a coverage below nothing."""
    x = field(source())
    masked_regrid(regridder(), x, torch.ones_like(x), threshold=-0.5)
    return UNSAID


def nan_where_it_counts() -> str:
    """Give a field with a missing value that the mask counts."""
    x = field(source())
    x[7] = float("nan")
    masked_regrid(regridder(), x, torch.ones_like(x))
    return UNSAID


def wrong_pair(kind: Kind, scheme: Scheme | str) -> str:
    """Regrid a quantity in a way that does not suit it."""
    quantities.choose(kind, source(), target(), scheme)
    return UNSAID


def sized(*shape: int) -> torch.Tensor:
    """Return ones of a shape."""
    return torch.ones(shape, dtype=torch.float64)


CASES = (
    Case("swapped_fields", "a target's field given to forward", lambda: applied(field(target())), True),
    Case("adjoint_of_source", "a source's field given to the adjoint", adjoint_of_a_source_field, True),
    Case("wrong_shape", "a field that is one cell short", lambda: applied(sized(647)), True),
    Case("float32", "a field in single precision", lambda: applied(field(source()).float()), True),
    Case("integers", "a field of integers", lambda: applied(field(source()).long()), True),
    Case("members_last", "members last instead of first", lambda: applied(sized(648, 3)), True),
    Case("unflattened", "rows and columns not flattened", lambda: applied(sized(18, 36)), True),
    Case("another_array", "an array of another library", lambda: applied(np.ones(648)), True),
    Case("wrong_device", "a field on another device", lambda: applied(sized(648).to("meta")), True),
    Case("swapped_in_file", "source and target swapped when reading weights", swapped_in_a_file, True),
    Case("weights_of_others", "weights of a grid that is half a cell away", weights_of_other_grids),
    Case("damaged_file", "half a weight file", damaged_weights),
    Case("radians", "coordinates in radians", radians),
    Case("beyond_pole", "a latitude of 95 degrees", lambda: built(globe(LAT + 10.0))),
    Case("swapped_axes", "longitudes and latitudes swapped", swapped_coordinates),
    Case("unordered", "latitudes in no order", lambda: built(globe(LAT[[0, 2, 1, *range(3, 18)]]))),
    Case("cyclic_point", "a cyclic longitude kept (0 and 360)", lambda: built(Grid.latlon(LAT, CYCLIC))),
    Case("nan_centre", "a coordinate that is NaN", lambda: built(globe(with_nan(LAT)), "bilinear")),
    Case("nan_corner", "a corner that is NaN", lambda: square([0, 10, np.nan, 0], SQUARE[1])),
    Case("bow_tie", "corners that make a bow-tie", lambda: square([0, 10, 0, 10], SQUARE[1])),
    Case("clockwise", "corners given clockwise", clockwise),
    Case("degenerate", "a cell without area", lambda: square([0, 10, 20, 30], [0, 0, 0, 0])),
    Case("no_corners", "conservative without corners", missing_corners),
    Case("absent_node", "a face with an absent node", lambda: built(Grid.mesh(*SQUARE, [[0, 1, 2, 9]]))),
    Case("mask_shape", "a mask of another shape", lambda: built(globe(mask=np.ones((36, 18))))),
    Case("all_masked", "all source cells masked", lambda: built(globe(mask=np.zeros((18, 36))))),
    Case("no_overlap", "grids that do not overlap", lambda: built(*apart())),
    Case("unmapped", "targets that no source reaches", unmapped),
    Case("unknown_method", "a method that does not exist", lambda: built(source(), "bicubic")),
    Case("unknown_norm", "a norm that does not exist", lambda: f"{regridder(norm='area')}"),
    Case("onto_points", "conservative onto points", lambda: built(source(), other=Grid.points([5.0], [5.0]))),
    Case("extrapolated", "conservative with extrapolation", lambda: f"{Scheme(extrapolation=Creep(2))}"),
    Case("thread", "weights made outside the main thread", in_a_thread),
    Case("some_ranks", "grids made on some ranks only", some_ranks_only),
    Case("negative_threshold", "a coverage threshold below 0", negative_threshold),
    Case("nan_in_field", "a missing value in the field", nan_where_it_counts),
    Case("negative_area", "a cell area below 0", lambda: built(globe(area=-np.ones((18, 36))))),
    Case("flux_bilinear", "a flux by bilinear", lambda: wrong_pair(Kind.FLUX_INTENSIVE, "bilinear")),
    Case("amount_fracarea", "an amount by norm fracarea", lambda: wrong_pair(Kind.FLUX_EXTENSIVE, Scheme())),
)  # fmt: skip


def apart() -> tuple[Grid, str, Grid]:
    """Return two grids on opposite sides of the globe, and a method."""
    here, there = (Grid.latlon([0.0, 10, 20], lon) for lon in ([0.0, 10, 20], [100.0, 110, 120]))
    return here, "conservative", there
