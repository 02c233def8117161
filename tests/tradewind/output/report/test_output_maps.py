"""Scales and edges of maps."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.couplers.grids import Grid
from tradewind.output.report.maps import Map, Scale, degrees, edges, extent


class TestScale:
    def test_two_fields_share_one(self):
        scale = Scale.sequential(np.array([0.0, 1.0]), np.array([0.0, 5.0]))
        assert scale.low == 0.0
        assert 4.5 < scale.high <= 5.0

    def test_negative_values_are_seen(self):
        assert Scale.sequential(np.array([-2.0, 3.0])).low == -2.0

    def test_changes_are_white_at_zero(self):
        scale = Scale.diverging(np.array([-1.0, 0.5]))
        assert scale.low == -scale.high

    def test_small_numbers_get_a_power_of_ten(self):
        scale = Scale.sequential(np.full(4, 2.5e-9))
        assert (scale.exponent, scale.high) == (-9, pytest.approx(2.5))
        assert scale.label("kg m-2 s-1") == "10⁻⁹ kg m⁻² s⁻¹"
        np.testing.assert_allclose(scale.shown(np.array([2.5e-9])), [2.5])

    def test_a_plain_share_has_none(self):
        scale = Scale.sequential(np.array([0.0, 0.4]))
        assert (scale.exponent, scale.label("1")) == (0, "dimensionless")

    def test_maps_side_by_side_share_the_power(self):
        wide, narrow = Scale.sequential(np.full(3, 4e-9)), Scale.sequential(np.full(3, 4e-11))
        assert narrow.exponent == -12
        assert narrow.like(wide) == Scale("viridis", 0.0, pytest.approx(0.04), -9)

    @pytest.mark.parametrize(
        ("values", "ends"),
        [((0.0, 1.0), "neither"), ((0.0, 2.0), "max"), ((-1.0, 1.0), "min"), ((-1.0, 2.0), "both")],
    )
    def test_arrows_say_what_lies_beyond(self, values, ends):
        assert Scale("viridis", 0.0, 1.0).extend(np.array(values)) == ends

    @pytest.mark.parametrize("value", [0.0, np.nan])
    def test_a_field_of_nothing_has_a_scale(self, value):
        for scale in (Scale.sequential(np.full(3, value)), Scale.diverging(np.full(3, value))):
            assert scale.high > scale.low


@pytest.mark.parametrize(
    ("value", "ends", "text"),
    [
        (-102.5, "EW", "102.5°W"),
        (258.0, "EW", "102°W"),
        (30.0, "NS", "30°N"),
        (0.0, "EW", "0°"),
        (-5, "NS", "5°S"),
    ],
)
def test_degrees(value, ends, text):
    assert degrees(value, ends) == text


def test_edges_follow_the_order_of_the_cells():
    grid = Grid.latlon([31.0, 30.0], [-105.0, -104.0, -103.0])
    lon, lat = edges(grid)
    np.testing.assert_allclose(lon, [-105.5, -104.5, -103.5, -102.5])
    np.testing.assert_allclose(lat, [31.5, 30.5, 29.5])


def test_a_region_across_the_date_line_is_drawn_in_one_piece():
    grid = Grid.latlon([0.0, 1.0], [178.0, 179.0, -180.0, -179.0])
    west, east, _, _ = extent(grid)
    assert east - west == pytest.approx(4.0)


def test_masked_cells_are_not_drawn():
    grid = Grid.latlon([0.0, 1.0], [10.0, 11.0], mask=[[1, 1], [1, 0]])
    field = np.array([1.0, 1.0, 1.0, 1e9])
    kept = Map(grid, field, "1", Scale("viridis", 0.0, 1.0)).svg("a map")
    same = Map(grid, np.array([1.0, 1.0, 1.0, 2.0]), "1", Scale("viridis", 0.0, 1.0)).svg("a map")
    assert kept == same


def curvilinear():
    x, y = np.meshgrid(np.arange(3.0) - 105, np.arange(2.0) + 30)
    corner_x, corner_y = np.meshgrid(np.arange(4.0) - 105.5, np.arange(3.0) + 29.5)
    return Grid.curvilinear(x, y, corner_x, corner_y)


def mesh():
    x, y = np.meshgrid(np.arange(4.0) - 105.5, np.arange(3.0) + 29.5)
    first = (np.arange(2)[:, None] * 4 + np.arange(3)).ravel()
    return Grid.mesh(x.ravel(), y.ravel(), np.stack([first, first + 1, first + 5, first + 4], 1))


def points():
    return Grid.points(np.arange(6.0) - 105, np.arange(6.0) + 30)


@pytest.mark.parametrize("grid", [curvilinear, mesh, points])
def test_any_grid_is_drawn(grid):
    flat, rising = (
        Map(grid(), field, "1", Scale("viridis", 0.0, 5.0)).svg("a map")
        for field in (np.zeros(6), np.arange(6.0))
    )
    assert flat.startswith("<svg")
    assert flat != rising


@pytest.mark.parametrize("value", [0.0, -1e-12, np.nan, 1e30])
def test_flat_fields_are_drawn(value):
    grid, field = Grid.latlon([0.0, 1.0], [10.0, 11.0]), np.full(4, value)
    assert Map(grid, field, "kg", Scale.sequential(field)).svg("flat")
