"""What the tests of point methods share: weights as a full matrix, and meshes of mixed polygons."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
import pytest

from tradewind.couplers.grids import Grid
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.weights import Scheme, Triplets, generate

Matrix = Callable[..., np.ndarray]


def dense(made: Triplets) -> np.ndarray:
    out = np.zeros((made.n_target, made.n_source))
    np.add.at(out, (made.row, made.col), made.value)
    return out


@pytest.fixture(scope="session")
def matrix() -> Matrix:
    """Return a function that gives native weights ``(n_target, n_source)`` of a scheme."""
    return lambda source, target, scheme, rows=None: dense(generate(source, target, scheme, rows))


@pytest.fixture(scope="session")
def esmpys() -> Callable[[Grid, Grid, Scheme], np.ndarray]:
    """Return a function that gives ESMPy's weights, or skip where it is absent."""
    if importlib.util.find_spec("esmpy") is None:
        pytest.skip("ESMPy is not installed")
    return lambda source, target, scheme: Regridder.build(
        source, target, scheme, backend="esmpy"
    ).weights.toarray()


def globe_faces(nx: int, ny: int) -> tuple[np.ndarray, np.ndarray, list[list[int]]]:
    """Return nodes and faces of a globe of quadrilaterals whose first and last row are triangles."""
    lon, lat = np.meshgrid(np.arange(nx) * 360 / nx, np.linspace(-90, 90, ny + 1))
    faces = []
    for j in range(ny):
        for i in range(nx):
            low, high = j * nx, (j + 1) * nx
            quad = [low + i, low + (i + 1) % nx, high + (i + 1) % nx, high + i]
            del quad[{0: 1, ny - 1: 3}.get(j, 4) : {0: 2, ny - 1: 4}.get(j, 4)]
            faces.append(quad)
    return lon.ravel(), lat.ravel(), faces


def mesh_of(lon: np.ndarray, lat: np.ndarray, faces: list[list[int]], **extras: object) -> Grid:
    padded = np.full((len(faces), max(map(len, faces))), -1)
    for k, face in enumerate(faces):
        padded[k, : len(face)] = face
    return Grid.mesh(lon, lat, padded, **extras)


@pytest.fixture(scope="session")
def globe() -> Grid:
    """24 x 12 cells as a mesh, nodes moved about; some cells are cut in two, some joined to hexagons."""
    lon, lat, faces = globe_faces(24, 12)
    rng = np.random.default_rng(3)
    inner = np.abs(lat) < 89
    lon[inner] += rng.uniform(-2, 2, inner.sum())
    lat[inner] += rng.uniform(-2, 2, inner.sum())
    mixed, taken = [], set()
    for k, face in enumerate(faces):
        luck, column = rng.random(), k % 24
        if k in taken:
            continue
        if len(face) == 4 and luck < 0.3:
            mixed += [face[:3], [face[0], face[2], face[3]]]
        elif len(face) == 4 and luck < 0.6 and column < 23:
            a, b, c, d = face
            _, right, corner, _ = faces[k + 1]
            mixed.append([a, b, right, corner, c, d])
            taken.add(k + 1)
        else:
            mixed.append(face)
    return mesh_of(lon, lat, mixed)


@pytest.fixture(scope="session")
def triangles() -> Grid:
    """The 24 x 12 globe, every quadrilateral cut in two: six cells around most nodes."""
    lon, lat, faces = globe_faces(24, 12)
    cut = [part for f in faces for part in ([f[:3], [f[0], *f[2:]]] if len(f) == 4 else [f])]
    return mesh_of(lon, lat, cut)


@pytest.fixture(scope="session")
def scattered() -> Grid:
    """300 points all over the globe."""
    rng = np.random.default_rng(0)
    return Grid.points(rng.uniform(-180, 180, 300), np.rad2deg(np.arcsin(rng.uniform(-1, 1, 300))))
