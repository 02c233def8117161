"""The grid of a field, as hosts get it by reserved names, such as ``temperature@lon``, before all is settled.

A coupling framework advertises fields and makes grids before it says which rank has which cells. What it
needs for that is got like a field, as arrays with one dimension:

============================  =======  ===================================================================
``@grid``                     int64    ten numbers: kind (0 none, 1 rows and columns, 2 polygons, 3
                                       points), cells, nx, ny, periodic, nodes, elements, connections,
                                       fingerprint, masked
``@lon``, ``@lat``            real64   centres of all cells, degrees
``@mask``                     int32    1 where a cell is active, else 0
``@node_lon``, ``@node_lat``  real64   nodes between rows and columns, or this rank's nodes of polygons
``@elements``                 int32    numbers of this rank's share of polygons or points, from 1
``@element_lon``, ``_lat``    real64   their centres; ``@element_mask`` int32: their mask
``@corners``                  int32    how many each polygon has
``@nodes``, ``@owners``       int32    numbers of this rank's nodes, from 1, and the rank whose each is
``@connections``              int32    places among these of all corners, from 1, polygon after polygon
============================  =======  ===================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tradewind.couplers.esmf_shapes import MeshShare, Share, mesh_share, node_coordinates
from tradewind.couplers.grids.places import GridKind
from tradewind.errors import did_you_mean
from tradewind.hosting.failing import CallError, Code

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid
    from tradewind.couplers.ranks.parallel import Communicator
    from tradewind.hosting.slots import Manner, Slot

    Array = NDArray[Any]

SIGN = "@"
ROWS, POLYGONS, POINTS = 1, 2, 3


def read(slot: Slot, what: str, array: Array, manner: Manner, comm: Communicator) -> None:
    """Fill an array of the host with a part of a field's geometry.

    Parameters
    ----------
    what
        Such as ``lon``.
    manner
        How the field is going to be put or got: units that will be refused then are refused here.

    Raises
    ------
    CallError
        No such part, another size or kind, units that do not fit.
    """
    slot.factor(np.broadcast_to(np.empty((), dtype=slot.dtype), slot.shape), manner)
    parts = Described(slot.variable.grid, Share(comm.rank, comm.size)).parts
    if what not in parts:
        raise slot.fault(Code.FIELD, f"there is no {slot.name}{SIGN}{what}", did_you_mean(what, parts))
    values = np.asarray(parts[what]())
    if array.shape != values.shape or array.dtype != values.dtype:
        raise slot.fault(Code.SHAPE, f"{slot.name}{SIGN}{what} is {values.dtype} of shape {values.shape}")
    np.copyto(array, values)


class Described:
    """A grid, and this rank's share of it where shares are made.

    Parameters
    ----------
    grid
        None where the field belongs to no place, or the host brings the grid.
    """

    def __init__(self, grid: Grid | None, share: Share) -> None:
        self.grid, self.share = grid, share

    @property
    def parts(self) -> Mapping[str, Any]:
        """What there is to get: functions that return arrays."""
        if self.grid is None:
            return {"grid": self.summary}
        grid = self.grid
        whole = {
            "grid": self.summary, "lon": lambda: grid.lon, "lat": lambda: grid.lat,
            "mask": lambda: grid.mask.astype(np.int32),
        }  # fmt: skip
        return {**whole, **(self._between() if self.kind == ROWS else self._shared())}

    def _between(self) -> dict[str, Any]:
        lon, lat = self._nodes
        return {"node_lon": lon.ravel, "node_lat": lat.ravel}

    def _shared(self) -> dict[str, Any]:
        grid, cells = self._given, self._cells
        shared = {
            "elements": lambda: (cells + 1).astype(np.int32),
            "element_lon": lambda: grid.lon[cells],
            "element_lat": lambda: grid.lat[cells],
            "element_mask": lambda: grid.mask[cells].astype(np.int32),
        }
        return shared if self.kind == POINTS else {**shared, **self._polygons()}

    def _polygons(self) -> dict[str, Any]:
        mesh = self._mesh
        return {
            "node_lon": lambda: np.ascontiguousarray(mesh.lon_lat[:, 0]),
            "node_lat": lambda: np.ascontiguousarray(mesh.lon_lat[:, 1]),
            "nodes": lambda: (mesh.nodes + 1).astype(np.int32),
            "owners": lambda: mesh.owners.astype(np.int32),
            "corners": lambda: mesh.corners.astype(np.int32),
            "connections": lambda: (mesh.connections + 1).astype(np.int32),
        }

    def summary(self) -> Array:
        """Return the ten numbers of ``@grid``."""
        if self.grid is None:
            return np.zeros(10, dtype=np.int64)
        rows = self.kind == ROWS
        ny, nx = self.grid.shape if rows else (0, 0)
        closed, mark = rows and self.grid.periodic, int(self.grid.fingerprint[:15], 16)
        told = (self.kind, self.grid.size, nx, ny, closed, *self._sizes(), mark, not self.grid.mask.all())
        return np.array(told, dtype=np.int64)

    def _sizes(self) -> tuple[int, int, int]:
        """Return the numbers of nodes, elements and connections."""
        if self.kind == ROWS:
            return self._nodes[0].size, 0, 0
        if self.kind == POINTS:
            return 0, len(self._cells), 0
        return len(self._mesh.nodes), len(self._mesh.cells), len(self._mesh.connections)

    @property
    def _given(self) -> Grid:
        if self.grid is None:
            raise CallError(Code.GRID, "the field has no grid of its own")
        return self.grid

    @cached_property
    def kind(self) -> int:
        """Rows and columns, polygons, or points."""
        grid = self._given
        if grid.kind in {GridKind.LATLON, GridKind.CURVILINEAR}:
            return ROWS
        return POLYGONS if grid.has_corners else POINTS

    @cached_property
    def _nodes(self) -> tuple[Array, Array]:
        found = node_coordinates(self._given) if self._given.has_corners else None
        return (np.empty(0), np.empty(0)) if found is None else found

    @cached_property
    def _cells(self) -> NDArray[np.int64]:
        return self.share.cells(self._given.size) if self.kind == POINTS else self._mesh.cells

    @cached_property
    def _mesh(self) -> MeshShare:
        return mesh_share(self._given, self.share)
