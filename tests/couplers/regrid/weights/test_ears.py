"""Polygons in triangles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import sphere
from tradewind.couplers.regrid.weights.ears import ears


def cut(lon: list[float], lat: list[float]) -> np.ndarray | None:
    points = sphere.unit_vectors(np.array(lon), np.array(lat))
    out = np.empty((len(lon) - 2, 3), dtype=np.int64)
    return out if ears(np.arange(len(lon)), len(lon), points, out) else None


def test_a_triangle_is_its_own_ear():
    assert sorted(cut([0.0, 10.0, 5.0], [0.0, 0.0, 8.0])[0]) == [0, 1, 2]


def test_a_hollow_quadrilateral_is_cut_from_its_hollow_corner():
    found = cut([0.0, 20.0, 6.0, 0.0], [0.0, 0.0, 5.0, 20.0])
    assert all(2 in triangle and 0 in triangle for triangle in found)


def test_the_sharpest_ear_goes_first():
    # a long spike at corner 2: its sides have the largest inner product
    found = cut([0.0, 4.0, 30.0, 4.0, 0.0], [0.0, 0.0, 2.0, 4.0, 4.0])
    assert found[0].tolist() == [1, 2, 3]


def test_a_polygon_that_runs_clockwise_has_no_ears():
    assert cut([0.0, 0.0, 10.0, 10.0], [0.0, 10.0, 10.0, 0.0]) is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.3, 1.0), min_size=4, max_size=9))
def test_triangles_fill_any_star(radii):
    turn = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    lon, lat = 10 * np.array(radii) * np.cos(turn), 10 * np.array(radii) * np.sin(turn)
    corners = sphere.unit_vectors(lon, lat)
    found = cut(list(lon), list(lat))
    parts = sphere.polygon_areas(corners[found])
    assert (parts > 0).all()
    assert parts.sum() == pytest.approx(sphere.polygon_areas(corners[None])[0], rel=1e-11)
