"""The model's box: shapes, areas and faces by hand, and boxes that are refused."""

from __future__ import annotations

import math

import pytest

from tradewind.errors import GridError
from tradewind.plugins.transport.domain import EARTH_RADIUS, SCALE_HEIGHT, Domain

HALVES = (1.0, 0.5, 0.0)
BOX = Domain(-110.0, -107.0, 30.0, 32.0, 0.5, HALVES)


def test_cells_fill_the_box():
    assert BOX.shape == (4, 6)
    assert BOX.lat.tolist() == [30.25, 30.75, 31.25, 31.75]
    assert BOX.lon_edges.tolist() == [-110.0, -109.5, -109.0, -108.5, -108.0, -107.5, -107.0]


def test_a_spacing_that_no_binary_number_meets_still_counts_cells():
    assert Domain(0.0, 0.9, 0.0, 0.6, 0.1, HALVES).shape == (6, 9)


def test_areas_are_nearly_those_between_parallels_and_meridians():
    # the grid joins corners by great circles, which bulge a little beyond parallels
    band = EARTH_RADIUS**2 * math.radians(0.5) * (math.sin(math.radians(30.5)) - 0.5)
    assert float(BOX.area[0, 0]) == pytest.approx(band, rel=1e-5)


def test_areas_are_those_of_the_grid():
    cells = BOX.area.expand(BOX.shape).reshape(-1) / EARTH_RADIUS**2
    assert cells.tolist() == pytest.approx(BOX.grid.area.tolist(), rel=1e-14)


def test_faces_between_rows_shrink_towards_the_pole():
    side = EARTH_RADIUS * math.radians(0.5)
    assert BOX.face_height == pytest.approx(side, rel=1e-15)
    assert float(BOX.face_width[0, 0]) == pytest.approx(side * math.cos(math.radians(30.0)), rel=1e-14)
    assert BOX.face_width.shape == (5, 1)


def test_layers_share_the_air_by_pressure():
    domain = Domain(0.0, 2.0, 0.0, 2.0, 1.0, (1.0, 0.9, 0.4, 0.0))
    assert domain.thickness.tolist() == pytest.approx([0.1, 0.5, 0.4])
    assert domain.middle.tolist() == pytest.approx([0.95, 0.65, 0.2])
    assert float(domain.height[1]) == pytest.approx(-SCALE_HEIGHT * math.log(0.65))


@pytest.mark.parametrize("edges", [(0.0, 2.2, 0.0, 2.0), (0.0, 2.0, 0.0, 1.0)])
def test_a_box_that_is_not_made_of_cells_is_refused(edges):
    with pytest.raises(GridError, match="not two or more cells of 1"):
        Domain(*edges, 1.0, HALVES)


@pytest.mark.parametrize("sigma", [(1.0, 0.5), (0.9, 0.0), (1.0, 0.4, 0.6, 0.0), (1.0, 0.5, 0.5, 0.0)])
def test_layers_that_do_not_fall_from_ground_to_top_are_refused(sigma):
    with pytest.raises(GridError, match="fall from 1 to 0"):
        Domain(0.0, 2.0, 0.0, 2.0, 1.0, sigma)
