"""Expected averaging kernels by hand, places of observations, winds, and what memory is counted."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tradewind.budget import EARTH_RADIUS
from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.control import (
    Add,
    Clustering,
    FieldControl,
    JointControl,
    Per,
    PeriodicControl,
    PriorError,
)
from tradewind.couplers.assimilation.covariance import DenseCovariance, DiagonalCovariance
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.plugins.transport.weather import Weather
from tradewind.preview.cost import Size, _memory
from tradewind.preview.information import Seen, enhancement, expected, kernel_diagonal, residence
from tradewind.preview.places import cells_of
from tradewind.preview.winds import CALM, NO_WINDS, Winds, low_winds

GRID = Grid.latlon([0.0, 1.0], [10.0, 11.0, 12.0])
VARIABLES = {"land.flux": Variable("flux", "kg m-2 s-1", GRID), "air.side": Variable("side", "1e-9")}
START = datetime(2020, 1, 1)
WINDOW = Interval(START, START + timedelta(hours=12))
NEXT = Interval(WINDOW.stop, WINDOW.stop + timedelta(hours=12))
FLUX = 1e-9


def flux(sigma=0.5):
    field = torch.full((6,), FLUX, dtype=torch.float64)
    return FieldControl("land.flux", field, Layout(GRID), Clustering(Per.CELL), PriorError(sigma))


def seen_at(lon, lat, sigma=10.0, window=WINDOW, units="1e-9"):
    lon, lat = (np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (lon, lat))
    y = torch.zeros(len(lon), dtype=torch.float64)
    covariance = DiagonalCovariance(torch.full((len(lon),), sigma**2, dtype=torch.float64))
    one = Observations(y, covariance, {"longitude": lon, "latitude": lat})
    return Seen.of({window: one}, NO_WINDS, units)


def found(control, seen):
    return expected(control, seen, VARIABLES.__getitem__)


class TestByHand:
    def test_one_element_is_the_formula(self):
        # two soundings of 10 ppb over the second cell, a flux known to half, air at 5 km an hour
        got = found(flux(), seen_at([11.0, 11.2], [0.0, 0.1]))
        side = math.sqrt(float(GRID.area[1])) * EARTH_RADIUS
        stay = min(side / (5 / 3.6), 43200.0)
        k = 0.4 * 28.9644 / 16.0425 * 9.80665 / 101325 * stay * 1e9
        ratio = (0.5 * FLUX) ** 2 / ((0.5 * FLUX) ** 2 + (10 / k) ** 2 / 2)
        assert got.sensitivity[1] == pytest.approx(ratio, rel=1e-9)
        assert got.soundings.tolist() == [0, 2, 0, 0, 0, 0]
        assert got.dofs == pytest.approx(ratio, rel=1e-9)

    def test_air_stays_no_longer_than_the_window(self):
        assert residence(np.array([1e5]), np.array([1.0]), 43200.0) == [43200.0]
        assert residence(np.array([1e5]), np.array([10.0]), 43200.0) == [1e4]

    def test_mass_balance(self):
        # 1 kg m-2 s-1 for 1 s on 101325 / g kg m-2 of air, less what diffusion takes
        air = 101325 / 9.80665
        assert enhancement(np.array([1.0]))[0] == pytest.approx(0.4 / air * 28.9644 / 16.0425 * 1e9)

    def test_plumes_are_seen_further_downwind(self):
        windy = Winds(np.array([0.0]), np.array([11.0]), np.array([[20.0]]), "here")
        calm = seen_at(11.0, 0.0)
        got = found(flux(), Seen(calm.observations, calm.weights, windy))
        h = got.sensitivity[1] / (1 - got.sensitivity[1])
        passes = 43200.0 * 20.0 / (math.sqrt(float(GRID.area[1])) * EARTH_RADIUS)
        assert got.downwind[1] == pytest.approx(passes * h / (1 + passes * h))

    def test_an_observation_beside_the_grid_counts_for_nothing(self):
        got = found(flux(), seen_at([50.0, np.nan], [0.0, 0.0]))
        assert got.soundings.sum() == 0
        assert got.dofs == 0.0

    def test_other_units_are_converted(self):
        ppb, ppm = seen_at(11.0, 0.0), seen_at(11.0, 0.0, sigma=0.01, units="1e-6")
        assert found(flux(), ppm).dofs == pytest.approx(found(flux(), ppb).dofs)

    def test_of_other_quantities_nothing_is_known(self):
        assert found(flux(), seen_at(11.0, 0.0, units="K")).unknown == 1

    def test_of_elements_that_are_no_fluxes_nothing_is_known(self):
        side = FieldControl(
            "air.side",
            torch.zeros(4, dtype=torch.float64),
            None,
            Clustering(Per.CELL),
            PriorError(5.0),
            Add(),
        )
        got = found(JointControl([flux(), side]), seen_at(11.0, 0.0))
        assert got.unknown == 4
        assert got.dofs == pytest.approx(found(flux(), seen_at(11.0, 0.0)).dofs)
        assert got.target == ("land.flux",) * 6 + ("air.side",) * 4

    def test_periods_have_the_observations_of_their_windows(self):
        control = PeriodicControl(flux(), [WINDOW, NEXT])
        got = found(control, seen_at(11.0, 0.0, window=NEXT))
        assert np.flatnonzero(got.soundings).tolist() == [7]


class TestKernelDiagonal:
    def test_of_independent_errors(self):
        covariance = DiagonalCovariance(torch.tensor([4.0, 9.0], dtype=torch.float64))
        np.testing.assert_allclose(kernel_diagonal(np.array([1.0, 3.0]), covariance), [0.5, 0.75])

    @given(st.floats(-0.95, 0.95), st.floats(0.0, 20.0), st.floats(0.0, 20.0))
    def test_of_errors_that_know_of_each_other(self, r, first, second):
        sa = np.array([[4.0, 6.0 * r], [6.0 * r, 9.0]])
        h = np.diag([first / 4.0, second / 9.0])
        textbook = np.eye(2) - np.linalg.inv(np.eye(2) + sa @ h)
        got = kernel_diagonal(np.array([first, second]), DenseCovariance(torch.from_numpy(sa)))
        np.testing.assert_allclose(got, np.diag(textbook), atol=1e-10)

    def test_what_is_not_known_stays_so(self):
        covariance = DiagonalCovariance(torch.ones(2, dtype=torch.float64))
        got = kernel_diagonal(np.array([np.nan, 1.0]), covariance)
        assert np.isnan(got[0])
        assert got[1] == pytest.approx(0.5)


class TestPlaces:
    def test_each_belongs_to_the_cell_below(self):
        places = {"longitude": [10.4, 371.6, 12.0], "latitude": [0.3, 1.2, 0.9]}
        assert cells_of(GRID, places, 3).tolist() == [0, 5, 5]

    def test_without_coordinates_there_is_none(self):
        assert cells_of(GRID, {}, 2).tolist() == [-1, -1]
        assert len(cells_of(GRID, {"longitude": [], "latitude": []}, 0)) == 0


class TestWinds:
    def weather(self, levels=(100_000.0, 85_000.0, 50_000.0)):
        times = tuple(START + timedelta(hours=6 * k) for k in range(3))
        shape = (3, len(levels), 2, 2)
        speed = torch.arange(1.0, 1.0 + len(levels), dtype=torch.float64)[None, :, None, None].expand(shape)
        lat, lon = torch.tensor([0.0, 1.0]).double(), torch.tensor([10.0, 12.0]).double()
        pressure = torch.full((3, 2, 2), 1e5, dtype=torch.float64)
        return Weather(times, lat, lon, torch.tensor(levels).double(), 3 * speed, 4 * speed, pressure)

    def test_are_means_of_speed_near_the_ground(self):
        # speeds of 5 and 10 m s-1 at the two levels below 850 hPa
        winds = low_winds(self.weather(), START, START + timedelta(hours=12), "file")
        np.testing.assert_allclose(winds.speed, 7.5)

    def test_without_a_low_level_the_lowest_is_taken(self):
        winds = low_winds(self.weather((70_000.0, 50_000.0)), START, START + timedelta(hours=12), "file")
        np.testing.assert_allclose(winds.speed, 5.0)

    def test_are_those_of_the_nearest_point_across_the_date_line(self):
        winds = Winds(np.array([0.0]), np.array([178.0, 182.0]), np.array([[3.0, 8.0]]), "file")
        assert winds.at(np.array([-178.5, 177.0]), np.zeros(2)).tolist() == [8.0, 3.0]

    def test_are_calm_where_nothing_is_known(self):
        assert NO_WINDS.at(np.zeros(2), np.zeros(2)).tolist() == [CALM, CALM]


class TestMemory:
    def size(self, n=100, counts=(500, 20), **changes):
        options = SimpleNamespace(**changes.pop("options", {}))
        return Size(n, counts, options, timedelta(days=28), **({"dense_prior": False} | changes))

    def test_grows_with_the_square_of_the_elements(self):
        small, large = (dict(_memory(self.size(n))) for n in (1000, 2000))
        assert large["solution"] == 4 * small["solution"] == 4 * 4 * 8 * 1000**2

    def test_a_batch_is_no_larger_than_a_window(self):
        assert dict(_memory(self.size()))["batch of K"] == 8 * 500 * 100
        assert dict(_memory(self.size(options={"batch": 64})))["batch of K"] == 8 * 64 * 100

    def test_the_gain_form_keeps_k(self):
        kept = dict(_memory(self.size(options={"form": "gain"})))["K of all windows"]
        assert kept == 8 * 520 * 100 + 16 * 520**2

    def test_periods_keep_products_of_their_own(self):
        asked = dict(_memory(self.size(options={"every": timedelta(days=7)})))
        assert asked["products of all periods"] == 3 * 8 * 100**2

    def test_variants_are_all_combinations(self):
        asked = {
            "prior_error": (0.5, 1.0),
            "observation_error": (1.0,),
            "gamma": None,
            "boundary_error": (1.0, 2.0),
        }
        size = self.size(options={"ensemble": asked})
        assert size.variants == 4
        assert self.size().variants == 0
