"""ESMPy, the reference regridder: the only module that imports it.

ESMPy takes the world communicator only and hangs when some ranks leave it out, so it runs in this process
only where there is no MPI at all; else in a child process without the launcher's environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.couplers.grids import topology
from tradewind.couplers.grids.grid import Grid, GridKind
from tradewind.couplers.regrid import mapfile
from tradewind.couplers.regrid.scheme import Method, Norm, Scheme
from tradewind.couplers.regrid.weights import Triplets
from tradewind.couplers.regrid.weights.bilinear import poles_of
from tradewind.couplers.regrid.weights.triplets import coalesce
from tradewind.errors import GridError, SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

LAUNCHERS = ("PMI", "PMIX", "OMPI", "MPI", "HYDRA", "SLURM", "PRTE", "I_MPI", "MV2")
"""Beginnings of the names by which launchers tell a process that it is a rank."""
NAMES = {
    Method.CONSERVATIVE: "CONSERVE",
    Method.CONSERVATIVE_2ND: "CONSERVE_2ND",
    Method.BILINEAR: "BILINEAR",
    Method.PATCH: "PATCH",
    Method.NEAREST_S2D: "NEAREST_STOD",
    Method.NEAREST_D2S: "NEAREST_DTOS",
}


def weights(source: Grid, target: Grid, scheme: Scheme) -> Triplets:
    """Return ESMPy's weights, repeated (row, column) pairs added up; not collective: call it on one rank.

    Raises
    ------
    GridError
        When ESMPy refuses the grids; holds what it said.
    """
    under_mpi = "mpi4py.MPI" in sys.modules or any(n.startswith(LAUNCHERS) for n in os.environ)
    make = in_child if under_mpi else in_process
    return make(source, target, scheme.method, scheme.norm)


def in_child(source: Grid, target: Grid, method: Method, norm: Norm) -> Triplets:
    """Make weights in a child process that knows nothing of MPI; grids and weights travel as weight files."""
    nothing = np.zeros(0, dtype=np.int64)
    empty = Triplets(nothing, nothing, np.zeros(0), np.zeros(target.size), source.size)
    with TemporaryDirectory() as folder:
        ask, answer = Path(folder, "ask.nc"), Path(folder, "answer.nc")
        mapfile.write_map(ask, mapfile.WeightMap(source, target, empty, {}))
        command = [sys.executable, "-m", "tradewind.couplers.esmf", str(ask), str(answer), method, norm]
        clean = {k: v for k, v in os.environ.items() if not k.startswith(LAUNCHERS)}
        done = subprocess.run(command, env=clean, capture_output=True, text=True, check=False)
        if done.returncode:
            raise _refused(source, target, done.stderr.strip()[-2000:])
        return mapfile.read_map(answer).weights


def _refused(source: Grid, target: Grid, why: str) -> GridError:
    return GridError(f"ESMPy makes no weights from {source!r} to {target!r}: {why}", where="esmpy")


def in_process(source: Grid, target: Grid, method: Method, norm: Norm) -> Triplets:
    """Make weights here."""
    _start()
    try:
        return _weights(source, target, method, norm)
    except (ValueError, RuntimeError) as error:
        raise _refused(source, target, str(error)) from error


def _start() -> None:
    try:
        import esmpy
    except ImportError as error:
        raise SpecError(
            f"esmpy is installed but broken: {error}", where="esmpy", hint='mend it, or use backend="native"'
        ) from error
    esmpy.Manager()


def _weights(source: Grid, target: Grid, method: Method, norm: Norm) -> Triplets:
    import esmpy

    a, b = _field(source, method), _field(target, method)
    fraction = _field(target, method) if method.is_conservative else None
    regrid = esmpy.Regrid(
        a,
        b,
        regrid_method=esmpy.RegridMethod[NAMES[method]],
        norm_type=esmpy.NormType[norm.name] if method.is_conservative else None,
        pole_method=_pole_method(source, method),
        src_mask_values=[0],
        dst_mask_values=[0],
        unmapped_action=esmpy.UnmappedAction.IGNORE,
        factors=True,
        dst_frac_field=fraction,
    )
    found = regrid.get_weights_dict(deep_copy=True)
    row, col, value = coalesce(*(np.ravel(found[k]) for k in ("row_dst", "col_src", "weights")))
    row, col = row - 1, col - 1
    if fraction is None:
        covered = np.isin(np.arange(target.size), row).astype(np.float64)
    else:
        covered = np.array(fraction.data, dtype=np.float64).ravel(order="F")
    return Triplets(row, col, value, covered, source.size)


def _pole_method(source: Grid, method: Method) -> Any:
    """Return ESMF's default, the mean of the last row, for grids that reach both poles, else no pole.

    ESMF would close a tropical belt, or the open side of a hemisphere, with triangles to the pole.
    """
    import esmpy

    closes = (
        method in {Method.BILINEAR, Method.PATCH} and len(source.shape) == 2 and len(poles_of(source)) == 2
    )
    return esmpy.PoleMethod.ALLAVG if closes else esmpy.PoleMethod.NONE


def _field(grid: Grid, method: Method) -> Any:
    import esmpy

    if grid.kind is GridKind.POINTS:
        return esmpy.Field(_locstream(grid))
    if len(grid.shape) == 2:
        nodes = node_coordinates(grid)
        if nodes is not None or not method.is_conservative:
            return esmpy.Field(_grid(grid, nodes if method.is_conservative else None))
    return esmpy.Field(_mesh(grid), meshloc=esmpy.MeshLoc.ELEMENT)


def _locstream(grid: Grid) -> Any:
    import esmpy

    out = esmpy.LocStream(grid.size, coord_sys=esmpy.CoordSys.SPH_DEG)
    out["ESMF:Lon"], out["ESMF:Lat"] = grid.lon, grid.lat
    out["ESMF:Mask"] = grid.mask.astype(np.int32)
    return out


def _grid(grid: Grid, nodes: tuple[Array, Array] | None) -> Any:
    """Return an ESMPy grid; its first dimension is the longitude-like one, so arrays are turned over."""
    import esmpy

    stagger = esmpy.StaggerLoc
    around = {"num_peri_dims": 1, "periodic_dim": 0, "pole_dim": 1} if grid.periodic else {}
    places = [stagger.CENTER] + ([stagger.CORNER] if nodes else [])
    out = esmpy.Grid(
        np.array(grid.shape[::-1]), staggerloc=places, coord_sys=esmpy.CoordSys.SPH_DEG, **around
    )
    for axis, values in enumerate((grid.lon, grid.lat)):
        out.get_coords(axis, stagger.CENTER)[...] = values.reshape(grid.shape).T
        if nodes:
            out.get_coords(axis, stagger.CORNER)[...] = nodes[axis].T
    mask = out.add_item(esmpy.GridItem.MASK, stagger.CENTER)
    mask[...] = grid.mask.reshape(grid.shape).T.astype(np.int32)
    return out


def node_coordinates(grid: Grid) -> tuple[Array, Array] | None:
    """Return longitudes and latitudes of the nodes between the cells of a structured grid.

    Shape ``(ny + 1, nx + 1)``, or ``(ny + 1, nx)`` where the last column closes on the first. None where
    neighbouring cells do not share corners in any regular way.
    """
    if grid.lon_corners is None or grid.lat_corners is None or grid.lon_corners.shape[1] != 4:
        return None
    around = np.arange(4)
    turns = [np.roll(order, k) for order in (around, around[::-1]) for k in range(4)]
    vectors = grid.corners.reshape(*grid.shape, 4, 3)
    fitting = next((t for t in turns if _meet(vectors[:, :, t])), None)
    if fitting is None:
        return None
    corners = (c[:, fitting].reshape(*grid.shape, 4) for c in (grid.lon_corners, grid.lat_corners))
    lon, lat = (_nodes(c) for c in corners)
    return (lon[:, :-1], lat[:, :-1]) if grid.periodic else (lon, lat)


def _meet(corners: Array) -> bool:
    """Return whether corners 0..3 stand low-left, low-right, up-right, up-left of rows and columns."""
    right = np.allclose(corners[:, :-1, [1, 2]], corners[:, 1:, [0, 3]], rtol=0, atol=1e-10)
    return right and np.allclose(corners[:-1, :, [3, 2]], corners[1:, :, [0, 1]], rtol=0, atol=1e-10)


def _nodes(corners: Array) -> Array:
    low = np.concatenate([corners[:, :, 0], corners[:, -1:, 1]], axis=1)
    top = np.concatenate([corners[-1:, :, 3], corners[-1:, -1:, 2]], axis=1)
    return np.concatenate([low, top], axis=0)


def _mesh(grid: Grid) -> Any:
    import esmpy

    number = topology.node_numbers(grid.corners)
    _, first = np.unique(number, return_index=True)
    lon, lat = (np.asarray(c).reshape(-1)[first] for c in (grid.lon_corners, grid.lat_corners))
    fresh = number != np.roll(number, 1, axis=1)
    out = esmpy.Mesh(parametric_dim=2, spatial_dim=2, coord_sys=esmpy.CoordSys.SPH_DEG)
    ids = np.arange(len(first)) + 1
    out.add_nodes(len(ids), ids, np.stack([lon, lat], axis=1).ravel(), np.zeros(len(ids)))
    out.add_elements(
        grid.size,
        np.arange(grid.size) + 1,
        fresh.sum(axis=1),
        number[fresh],
        element_mask=grid.mask.astype(np.int32),
        element_coords=np.stack([grid.lon, grid.lat], axis=1).ravel(),
    )
    return out


def main(arguments: list[str]) -> None:
    """Read grids from a weight file, make weights and write them to another (see `in_child`)."""
    ask, answer, method, norm = arguments
    content = mapfile.read_map(Path(ask))
    made = in_process(content.source, content.target, Method(method), Norm(norm))
    mapfile.write_map(Path(answer), mapfile.WeightMap(content.source, content.target, made, {}))


if __name__ == "__main__":
    main(sys.argv[1:])
