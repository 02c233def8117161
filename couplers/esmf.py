"""ESMPy, the reference regridder: the only module that imports it. Where it runs is `esmf_runs`' choice.

Areas that a model supplies are not handed over. ESMF would scale weights by them, as tradewind does when
it applies any weights with area correction; both together would correct twice. ESMF always sees the polygons.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.couplers.esmf_shapes import Share, mesh_share, node_coordinates
from tradewind.couplers.grids.grid import Grid, GridKind
from tradewind.couplers.regrid.scheme import (
    Creep,
    Extrapolation,
    InverseDistance,
    Method,
    NearestSource,
    PoleKind,
    Scheme,
)  # fmt: skip
from tradewind.couplers.regrid.weights.points.poles import poles_of
from tradewind.errors import GridError, SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]

METHODS = {
    Method.CONSERVATIVE: "CONSERVE",
    Method.CONSERVATIVE_2ND: "CONSERVE_2ND",
    Method.BILINEAR: "BILINEAR",
    Method.PATCH: "PATCH",
    Method.NEAREST_S2D: "NEAREST_STOD",
    Method.NEAREST_D2S: "NEAREST_DTOS",
}
ESMF_CREEP = 4
"""ESMF's number of creep fill. ESMPy's ``CREEP_FILL`` is 3, which ESMF takes for its ``NEAREST_D``."""


@dataclass(frozen=True, eq=False)
class Factors:
    """What one rank gets from ESMF: some entries, in ESMF's order, and the fractions of its own targets.

    Attributes
    ----------
    row, col
        Global indices from 0; pairs may repeat, and rows may be any rank's.
    value
        Weights.
    cells, fraction
        Global indices of the targets that this rank gave, and how much of each is covered.
    """

    row: Index
    col: Index
    value: Array
    cells: Index
    fraction: Array


@dataclass(frozen=True)
class _Place:
    """A field in ESMF's terms, and the global indices of its local values in their order there."""

    field: Any
    cells: Index


def start() -> Share:
    """Start ESMF, once a process; return this rank's share. Collective where ESMF has MPI.

    Raises
    ------
    SpecError
        When ESMPy cannot be imported.
    """
    load()
    import esmpy

    # an MPI that mpi4py began is mpi4py's to end
    begun = "mpi4py.MPI" in sys.modules
    esmpy.Manager(endFlag=esmpy.EndAction.KEEP_MPI if begun else esmpy.EndAction.NORMAL)
    return Share(esmpy.local_pet(), esmpy.pet_count())


def load() -> None:
    """Import ESMPy, which loads ESMF and its MPI but starts neither.

    Raises
    ------
    SpecError
        When it cannot be imported.
    """
    try:
        import esmpy  # noqa: F401
    except ImportError as error:
        raise SpecError(
            f"esmpy is installed but broken: {error}", where="esmpy", hint='mend it, or use backend="native"'
        ) from error


def factors(source: Grid, target: Grid, scheme: Scheme, share: Share) -> Factors:
    """Return the entries that ESMF makes on this rank; collective where `share` is one of many.

    Raises
    ------
    GridError
        When ESMF refuses the grids; names both, and what ESMPy said.
    """
    try:
        return _factors(source, target, scheme, share)
    except (ValueError, RuntimeError, TypeError) as error:
        raise refused(source, target, str(error)) from error


def refused(source: Grid, target: Grid, why: str) -> GridError:
    """Return the error for grids of which ESMPy makes no weights."""
    return GridError(f"ESMPy makes no weights from {source!r} to {target!r}: {why}", where="esmpy")


def _factors(source: Grid, target: Grid, scheme: Scheme, share: Share) -> Factors:
    import esmpy

    given, wanted = _place(source, scheme.method, share), _place(target, scheme.method, share)
    covered = _place(target, scheme.method, share).field if scheme.method.is_conservative else None
    made = esmpy.Regrid(
        given.field,
        wanted.field,
        factors=True,
        dst_frac_field=covered,
        **options(source, scheme),
    )
    value, index = made.get_factors(deep_copy=True)
    col, row = index.astype(np.int64).T - 1
    made.destroy()
    if covered is None:
        return Factors(row, col, value, wanted.cells, np.zeros(len(wanted.cells)))
    return Factors(row, col, value, wanted.cells, np.array(covered.data, dtype=np.float64).ravel(order="F"))


def options(source: Grid, scheme: Scheme) -> dict[str, Any]:
    """Return ESMPy's keyword arguments for a scheme; line types are ESMF's defaults.

    Sides are great circles for conservative methods and straight chords for the others.
    """
    import esmpy

    norm = esmpy.NormType[scheme.norm.name] if scheme.method.is_conservative else None
    return {
        "regrid_method": esmpy.RegridMethod[METHODS[scheme.method]],
        "norm_type": norm,
        "src_mask_values": [0],
        "dst_mask_values": [0],
        "unmapped_action": esmpy.UnmappedAction.IGNORE,
        # those that `Grid` lets pass are masked or below rounding; an error on one rank would hang the others
        "ignore_degenerate": True,
        **_poles(source, scheme),
        **_extrapolation(scheme.extrapolation),
    }


def _poles(source: Grid, scheme: Scheme) -> dict[str, Any]:
    import esmpy

    kind = scheme.poles.kind
    if kind is PoleKind.DEFAULT:
        kind = _default_pole(source, scheme.method)
    found = {"pole_method": esmpy.PoleMethod[kind.name]}
    return found | {"regrid_pole_npoints": scheme.poles.points} if kind is PoleKind.NPNTAVG else found


def _default_pole(source: Grid, method: Method) -> PoleKind:
    """Return ESMF's default, the mean of the last row, for grids that reach both poles, else no pole.

    ESMF would close a tropical belt, or the open side of a hemisphere, with triangles to the pole.
    """
    structured = len(source.shape) == 2 and method in {Method.BILINEAR, Method.PATCH}
    return PoleKind.ALLAVG if structured and len(poles_of(source)) == 2 else PoleKind.NONE


def _extrapolation(how: Extrapolation | None) -> dict[str, Any]:
    import esmpy

    kinds = esmpy.ExtrapMethod
    match how:
        case NearestSource():
            return {"extrap_method": kinds.NEAREST_STOD}
        case InverseDistance(points, exponent):
            # ESMPy hands the exponent over in single precision
            found = {"extrap_num_src_pnts": points, "extrap_dist_exponent": exponent}
            return {"extrap_method": kinds.NEAREST_IDAVG, **found}
        case Creep(levels):
            return {"extrap_method": ESMF_CREEP, "extrap_num_levels": levels}
        case None:
            return {}


def is_structured(grid: Grid, method: Method) -> bool:
    """Return whether ESMF gets rows and columns; conservative methods need regular nodes for that."""
    if len(grid.shape) != 2:
        return False
    return not method.is_conservative or node_coordinates(grid) is not None


def _place(grid: Grid, method: Method, share: Share) -> _Place:
    if grid.kind is GridKind.POINTS:
        return _locstream(grid, share)
    if is_structured(grid, method):
        return _grid(grid, node_coordinates(grid) if method.is_conservative else None)
    return _mesh(grid, share)


def _locstream(grid: Grid, share: Share) -> _Place:
    import esmpy

    cells = share.cells(grid.size)
    out = esmpy.LocStream(len(cells), coord_sys=esmpy.CoordSys.SPH_DEG)
    out["ESMF:Lon"], out["ESMF:Lat"] = grid.lon[cells], grid.lat[cells]
    out["ESMF:Mask"] = grid.mask[cells].astype(np.int32)
    return _Place(esmpy.Field(out), cells)


def _grid(grid: Grid, nodes: tuple[Array, Array] | None) -> _Place:
    """Return an ESMPy grid; its first dimension is the longitude-like one, so arrays are turned over."""
    import esmpy

    stagger = esmpy.StaggerLoc
    around = {"num_peri_dims": 1, "periodic_dim": 0, "pole_dim": 1} if grid.periodic else {}
    places = [stagger.CENTER] + ([stagger.CORNER] if nodes else [])
    out = esmpy.Grid(
        np.array(grid.shape[::-1]), staggerloc=places, coord_sys=esmpy.CoordSys.SPH_DEG, **around
    )
    for axis, values in enumerate((grid.lon, grid.lat)):
        out.get_coords(axis, stagger.CENTER)[...] = _block(out, stagger.CENTER, values.reshape(grid.shape))
        if nodes:
            out.get_coords(axis, stagger.CORNER)[...] = _block(out, stagger.CORNER, nodes[axis])
    mask = out.add_item(esmpy.GridItem.MASK, stagger.CENTER)
    mask[...] = _block(out, stagger.CENTER, grid.mask.reshape(grid.shape).astype(np.int32))
    cells = np.arange(grid.size, dtype=np.int64).reshape(grid.shape)
    return _Place(esmpy.Field(out), _block(out, stagger.CENTER, cells).ravel(order="F"))


def _block(grid: Any, stagger: Any, whole: NDArray[Any]) -> NDArray[Any]:
    """Return this rank's block of an array of rows and columns, as ESMF has it: columns first."""
    low, high = grid.lower_bounds[stagger], grid.upper_bounds[stagger]
    return whole.T[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]


def _mesh(grid: Grid, share: Share) -> _Place:
    import esmpy

    mine = mesh_share(grid, share)
    out = esmpy.Mesh(parametric_dim=2, spatial_dim=2, coord_sys=esmpy.CoordSys.SPH_DEG)
    out.add_nodes(len(mine.nodes), mine.nodes + 1, mine.lon_lat.ravel(), mine.owners)
    centres = np.stack([grid.lon, grid.lat], axis=1)[mine.cells]
    out.add_elements(
        len(mine.cells),
        mine.cells + 1,
        mine.corners,
        mine.connections,
        element_mask=grid.mask[mine.cells].astype(np.int32),
        element_coords=centres.ravel(),
    )
    return _Place(esmpy.Field(out, meshloc=esmpy.MeshLoc.ELEMENT), mine.cells)


class Stored:
    """One pair of grids in ESMF's hands, to be compared with: weights made, fields regridded; serial.

    Parameters
    ----------
    source, target, scheme
        As for weights; ESMF's grids are made here, its weights by `store`.
    """

    def __init__(self, source: Grid, target: Grid, scheme: Scheme) -> None:
        share = start()
        self._given, self._wanted = (_place(g, scheme.method, share).field for g in (source, target))
        self._options = options(source, scheme)
        self._regrid: Any = None

    def store(self) -> None:
        """Make the weights and the operator, in place of earlier ones: ``esmpy.Regrid(...)`` and no more."""
        import esmpy

        self.release()
        self._regrid = esmpy.Regrid(
            self._given,
            self._wanted,
            **self._options,
        )

    def release(self) -> None:
        """Give the memory of the operator back."""
        if self._regrid is not None:
            self._regrid.destroy()
        self._regrid = None

    def put(self, values: Array) -> None:
        """Copy a field, shape ``(n_source,)``, into ESMF's."""
        data = self._given.data
        data[...] = values.reshape(data.shape[::-1]).T

    def apply(self) -> None:
        """Regrid the field that is there: one call of ESMPy."""
        self._regrid(self._given, self._wanted)

    def result(self, into: Array) -> None:
        """Copy the regridded field, shape ``(n_target,)``, out of ESMF's."""
        data = self._wanted.data
        into.reshape(data.shape[::-1])[...] = data.T
