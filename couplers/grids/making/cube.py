"""The cubed sphere: six faces of a cube, blown up."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids import sphere
from tradewind.errors import GridError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Pair: TypeAlias = tuple[Array, Array]

MOST = 10_000


def equiangular(n: int) -> tuple[Pair, Pair]:
    """Return corners ``(6 n², 4)`` and centres ``(6 n²,)``, degrees, longitudes first, of n x n cells a face.

    Lines of equal angle on the faces, drawn from the centre of the sphere (Ronchi, Iacono and Paolucci,
    1996, doi 10.1006/jcph.1996.0047): with a, b in [-45, 45] degrees the faces are (1, tan a, tan b),
    (-tan a, 1, tan b), (-1, -tan a, tan b), (tan a, -1, tan b), (-tan b, tan a, 1) and (tan b, tan a, -1):
    four around the equator from longitude 315 eastwards, then north, then south. Cell ``f n² + j n + i``
    is the i-th along a and the j-th along b of face f.

    Raises
    ------
    GridError
        When n is no positive whole number.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or not 1 <= n <= MOST:
        raise GridError(f"{n!r} cells along the edges of a cube", where="cubed sphere", hint=f"1 to {MOST}")
    steps = np.arange(-n, n + 1)
    tangent = np.tan(np.pi / 4 * steps / n)
    tangent[[0, -1]] = -1.0, 1.0  # so that faces meet in the same digits
    nodes = sphere.lon_lat(_faces(tangent[::2]))
    around = [(slice(None, -1), slice(None, -1)), (slice(None, -1), slice(1, None))]
    around += [(slice(1, None), slice(1, None)), (slice(1, None), slice(None, -1))]
    lon, lat = (np.stack([c[:, j, i] for j, i in around], axis=-1).reshape(-1, 4) for c in nodes)
    x, y = sphere.lon_lat(_faces(tangent[1::2]))
    return (lon, lat), (x.reshape(-1), y.reshape(-1))


def _faces(tangent: Array) -> Array:
    """Return points ``(6, m, m, 3)`` on the faces of the cube of half side 1, rows along b."""
    a, b = np.meshgrid(tangent, tangent)
    one = np.ones_like(a)
    faces = [(one, a, b), (-a, one, b), (-one, -a, b), (a, -one, b), (-b, a, one), (b, a, -one)]
    return np.stack([np.stack(f, axis=-1) for f in faces])
