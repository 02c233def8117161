"""A mesh of three cells that every convention of meshes is tried with.

3-----4-----5        cells: quadrilateral 0 1 4 3 and triangles 1 2 5, 1 5 4
|     |   / |
0-----1-----2        longitudes 10, 12, 14; latitudes 40, 42
"""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.couplers.grids import Grid

NODE_LON = np.array([10.0, 12, 14, 10, 12, 14])
NODE_LAT = np.array([40.0, 40, 40, 42, 42, 42])
FACES = np.array([[0, 1, 4, 3], [1, 2, 5, -1], [1, 5, 4, -1]])
CENTRES = (np.array([11.0, 13.3, 12.7]), np.array([41.0, 40.7, 41.3]))


@pytest.fixture(scope="session")
def mixed() -> Grid:
    """Return the three cells as built by hand."""
    return Grid.mesh(NODE_LON, NODE_LAT, FACES, centres=CENTRES)
