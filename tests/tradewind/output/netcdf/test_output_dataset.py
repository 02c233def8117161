"""The posterior in a file: where it is, in which units, and the same bits every time."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import cf_xarray  # noqa: F401
import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.grids import Grid
from tradewind.errors import SpecError
from tradewind.output.netcdf.inversion import posterior_dataset, write_posterior
from tradewind.output.netcdf.performance import performance_dataset


@pytest.fixture
def ds(result):
    return posterior_dataset(result)


@pytest.fixture
def stored(result, tmp_path):
    path = tmp_path / "posterior.nc"
    write_posterior(result, path)
    return path


class TestFields:
    def test_lie_on_latitude_and_longitude(self, ds, result):
        assert ds["posterior"].dims == ("lat", "lon")
        np.testing.assert_array_equal(ds["lat"], [30.0, 30.5, 31.0, 31.5])
        np.testing.assert_array_equal(ds["lon"], -105.0 + 0.5 * np.arange(6))
        np.testing.assert_array_equal(ds["posterior"].values.ravel(), result.posterior_field.numpy())

    @pytest.mark.parametrize("name", ["prior", "posterior", "posterior_sigma"])
    def test_have_the_units_of_the_target(self, ds, name):
        assert ds[name].attrs["units"] == "kg m-2 s-1"
        assert "inventory.methane_flux" in ds[name].attrs["long_name"]

    def test_bounds_are_the_edges(self, ds):
        np.testing.assert_array_equal(ds["lat_bnds"][1], [30.25, 30.75])
        np.testing.assert_array_equal(ds["lon_bnds"][0], [-105.25, -104.75])

    def test_bounds_run_as_the_coordinate_runs(self, result, change_field):
        cells = result.grid.size
        falling = Grid.latlon([31.5, 31.0, 30.5, 30.0], -105.0 + 0.5 * np.arange(6))
        assert falling.size == cells
        ds = posterior_dataset(change_field(result, grid=falling))
        np.testing.assert_array_equal(ds["lat_bnds"][0], [31.75, 31.25])

    def test_points_have_one_dimension(self, result, change_field):
        grid = Grid.points(np.linspace(-105, -102, 24), np.linspace(30, 31, 24))
        ds = posterior_dataset(change_field(result, grid=grid))
        assert ds["posterior"].dims == ds["lat"].dims == ("cell",)
        assert "lat_bnds" not in ds

    def test_curvilinear_coordinates_have_two(self, result, change_field):
        x, y = np.meshgrid(np.arange(6.0), np.arange(4.0))
        corner_x, corner_y = np.meshgrid(np.arange(7.0) - 0.5, np.arange(5.0) - 0.5)
        grid = Grid.curvilinear(x - 105, y + 30, corner_x - 105, corner_y + 30)
        ds = posterior_dataset(change_field(result, grid=grid))
        assert ds["lon"].dims == ("y", "x")
        assert ds["lon_bnds"].shape == (4, 6, 4)
        assert ds["posterior"].encoding["coordinates"] == "lat lon"

    def test_of_another_length_are_refused(self, result, change_field):
        with pytest.raises(SpecError, match=r"sensitivity: shape \(23,\): .* on a grid of 24 cells"):
            posterior_dataset(change_field(result, sensitivity=torch.zeros(23)))

    def test_cells_without_an_element_are_marked(self, result, change_field):
        cluster = result.cluster.clone()
        cluster[5] = -1
        ds = posterior_dataset(change_field(result, element=cluster))
        assert int(ds["element_of_cell"].values.ravel()[5]) == -1
        assert ds["element_of_cell"].dtype == np.int32


class TestControl:
    def test_vectors_and_matrices(self, ds, result):
        np.testing.assert_array_equal(ds["x_posterior"], result.posterior.mean)
        np.testing.assert_array_equal(ds["averaging_kernel"], result.posterior.averaging_kernel)
        np.testing.assert_allclose(ds["x_posterior_sigma"] ** 2, np.diag(ds["posterior_covariance"]))

    def test_dofs_is_the_trace(self, ds):
        assert float(ds["dofs"]) == pytest.approx(np.trace(ds["averaging_kernel"]), rel=1e-14)

    def test_a_method_without_a_covariance(self, result):
        posterior = replace(result.posterior, covariance=None, averaging_kernel=None, dofs=None)
        ds = posterior_dataset(replace(result, posterior=posterior))
        assert not {"posterior_covariance", "averaging_kernel", "x_posterior_sigma", "dofs"} & set(ds)

    def test_units_that_nobody_told_are_not_guessed(self, result):
        ds = posterior_dataset(replace(result, provenance={}))
        assert "units" not in ds["x_prior"].attrs
        assert "units" not in ds["y"].attrs

    def test_the_covariance_has_squared_units(self, result):
        told = {"control_units": "kg m-2 s-1"}
        ds = posterior_dataset(replace(result, provenance=told))
        assert ds["posterior_covariance"].attrs["units"] == "(kg m-2 s-1)2"

    def test_a_vector_of_another_length_is_refused(self, result):
        with pytest.raises(SpecError, match=r"shape \(5,\) for 6 elements"):
            posterior_dataset(replace(result, prior_sigma=torch.ones(5)))


class TestObservations:
    def test_keep_their_place_and_window(self, ds, result):
        window = result.windows[1]
        assert ds.sizes["observation"] == 30
        places = ds["observation_latitude"].values[10:20]
        np.testing.assert_array_equal(places, result.observations[window].coordinates["latitude"])
        np.testing.assert_array_equal(ds["window_of_observation"][10:20], np.ones(10))
        assert (ds["observation_time"][10:20] == np.datetime64("1996-01-17")).all()

    def test_simulations_stand_beside_them(self, ds):
        bias = float((ds["y_posterior"] - ds["y"]).mean())
        assert float(ds["bias_posterior"]) == pytest.approx(bias, rel=1e-12)
        assert ds["y_posterior"].attrs["units"] == ds["rmse_prior"].attrs["units"] == "nmol mol-1"

    def test_windows_have_ends_and_bounds(self, ds):
        assert ds["window"].values[0] == np.datetime64("1996-01-16")
        assert ds["window_bnds"].values[0, 0] == np.datetime64("1996-01-15")

    def test_times_with_a_zone_are_told_in_utc(self, result):
        window = Interval(datetime(1996, 1, 15, tzinfo=UTC), datetime(1996, 1, 16, tzinfo=UTC))
        ds = posterior_dataset(replace(result, windows=[window], observations={}))
        assert ds["window_bnds"].values[0, 0] == np.datetime64("1996-01-15")

    def test_none_at_all(self, result, tmp_path):
        bare = replace(result, observations={w: Observations(torch.zeros(0), None) for w in result.windows})
        bare = replace(bare, posterior=replace(result.posterior, simulated={}))
        write_posterior(bare, tmp_path / "none.nc")
        with xr.open_dataset(tmp_path / "none.nc") as ds:
            assert ds.sizes["observation"] == 0
            assert np.isnan(ds["bias_prior"])


def test_scalars_carry_units(ds, result):
    assert float(ds["total_posterior"]) == result.totals.posterior
    assert ds["total_posterior_sigma"].attrs["units"] == "Tg yr-1"
    assert float(ds["cost_observations_after"]) == 28.75


class TestAttributes:
    def test_follow_cf(self, ds):
        assert ds.attrs["Conventions"] == "CF-1.10"
        assert ds.attrs["history"] == "2026-01-02T03:04:05+00:00 tradewind run permian.yaml"
        assert ds.attrs["source"] == "tradewind 0.1.0"

    def test_hold_the_provenance(self, ds, result):
        assert ds.attrs["config"] == result.provenance["config"]
        assert json.loads(ds.attrs["versions"]) == {"numpy": "2.0", "torch": "2.13.0"}

    def test_any_provenance_can_be_stored(self, result, tmp_path):
        odd = {"a b": True, "1st": [1, None], "none": None, "when": datetime(2026, 1, 1), "ratio": 0.5}
        write_posterior(replace(result, provenance=odd), tmp_path / "odd.nc")
        with xr.open_dataset(tmp_path / "odd.nc") as ds:
            assert ds.attrs["a_b"] == 1
            assert json.loads(ds.attrs["provenance_1st"]) == [1, None]
            assert ds.attrs["ratio"] == 0.5
            assert "none" not in ds.attrs

    def test_notes_are_kept(self, ds):
        assert ds.attrs["comment"] == "The third level was interpolated in the vertical."


class TestFile:
    def test_reads_back_to_the_bit(self, stored, ds):
        with xr.open_dataset(stored) as read:
            xr.testing.assert_equal(read, ds)

    def test_is_understood_by_cf_software(self, stored):
        with xr.open_dataset(stored) as read:
            assert set(read.cf.axes) >= {"X", "Y"}
            assert read.cf["posterior"].cf["latitude"].name == "lat"
            assert read.cf.bounds["lat"] == ["lat_bnds"]

    def test_every_number_says_what_it_is(self, ds):
        assert [n for n, v in ds.data_vars.items() if "long_name" not in v.attrs] == []

    def test_is_read_as_a_grid(self, stored, result):
        with xr.open_dataset(stored) as read:
            assert Grid.from_dataset(read[["posterior", "lat_bnds", "lon_bnds"]]) == result.grid


class TestPerformance:
    def test_has_a_group_of_its_own(self, stored):
        with xr.open_dataset(stored, group="performance") as read:
            assert list(read["plugin"].values) == ["jacobian-emulator", "transport"]
            np.testing.assert_array_equal(read["calls"], [3, 1])
            assert read["seconds"].attrs["units"] == "s"

    def test_nothing_that_varies_is_among_the_numbers(self, result, make_result):
        slower = [replace(call, seconds=9.0 * call.seconds, calls=call.calls + 1) for call in result.calls]
        told = dict(result.provenance) | {"created": "tomorrow", "ranks": 3, "torch_threads": 2}
        other = posterior_dataset(make_result(calls=slower, provenance=told))
        xr.testing.assert_equal(other, posterior_dataset(result))

    def test_a_run_without_calls(self, result):
        assert performance_dataset(result.name, ()).sizes["record"] == 0
