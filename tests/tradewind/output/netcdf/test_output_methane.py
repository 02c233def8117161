"""Totals, other hyper-parameters, periods, a plume and a footprint in the file of an inversion."""

from __future__ import annotations

from dataclasses import replace

import cf_xarray  # noqa: F401
import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.output import files
from tradewind.output.netcdf.inversion import posterior_dataset, write_posterior


@pytest.fixture
def ds(methane):
    return posterior_dataset(methane)


class TestTotals:
    def test_have_names_units_and_errors(self, ds, methane):
        assert ds["aggregate_region"].values.tolist() == ["all", "west", "north"]
        assert ds["aggregate_posterior"].attrs["units"] == "Tg yr-1"
        assert ds["aggregate_posterior_covariance"].attrs["units"] == "(Tg yr-1)2"
        variance = np.diag(ds["aggregate_posterior_covariance"])
        np.testing.assert_allclose(ds["aggregate_posterior_sigma"] ** 2, variance)
        np.testing.assert_array_equal(ds["aggregate_prior"], methane.aggregates.prior)

    def test_range_over_what_is_kept(self, ds):
        kept = ds["variant_kept"].values.astype(bool)
        totals = ds["variant_aggregate"].values[kept]
        np.testing.assert_array_equal(ds["aggregate_least"], totals.min(0))
        np.testing.assert_array_equal(ds["aggregate_greatest"], totals.max(0))

    def test_are_left_out_where_there_are_none(self, result):
        assert not [name for name in posterior_dataset(result) if "aggregate" in str(name)]


class TestVariants:
    def test_have_their_hyper_parameters(self, ds):
        assert ds.sizes["variant"] == 12
        assert set(np.unique(ds["variant_prior_error"])) == {0.5, 1.0, 2.0}
        assert "variant_boundary_error" not in ds
        assert ds["variant_x"].dims == ("variant", "element")

    def test_effects_are_means_of_them(self, ds):
        row = int(np.flatnonzero((ds["effect_parameter"] == "gamma") & (ds["effect_value"] == 0.5))[0])
        chosen = (ds["variant_gamma"] == 0.5) & (ds["variant_kept"] == 1)
        assert int(ds["effect_count"][row]) == int(chosen.sum())
        np.testing.assert_allclose(ds["effect_dofs"][row], ds["variant_dofs"][chosen].mean())
        totals = ds["variant_aggregate"].values[chosen.values].mean(0)
        np.testing.assert_allclose(ds["effect_aggregate"][row], totals)


class TestPeriods:
    def test_lie_on_a_time_axis(self, ds):
        assert ds["period"].attrs["standard_name"] == "time"
        assert ds["period_bnds"].shape == (5, 2)
        assert ds["period_x_posterior"].dims == ("period", "element")
        assert ds["period_aggregate_sigma"].attrs["comment"]


class TestPlumeAndFootprint:
    def test_the_plume_lies_on_its_grid(self, ds, methane):
        plume = methane.examples.plume
        assert ds["plume"].dims == ("lat", "lon")
        np.testing.assert_array_equal(ds["plume"].values.ravel(), plume.field)
        assert int(ds["plume_element"]) == 3

    def test_the_column_stands_at_its_windows_observations(self, ds):
        seen = ds["plume_seen"].values
        np.testing.assert_array_equal(seen[10:20], np.arange(10.0))
        assert np.isnan(seen[:10]).all()
        assert np.isnan(seen[20:]).all()

    def test_the_row_names_its_observation(self, ds):
        assert int(ds["footprint_observation"]) == 14
        np.testing.assert_array_equal(ds["footprint"], np.arange(24.0))

    def test_a_plume_on_another_grid_has_coordinates_of_its_own(self, methane):
        from tradewind.couplers.grids import Grid

        other = Grid.latlon(20.0 + np.arange(4.0), -110.0 + np.arange(5.0))
        plume = replace(methane.examples.plume, grid=other, field=torch.zeros(20, dtype=torch.float64))
        ds = posterior_dataset(replace(methane, examples=replace(methane.examples, plume=plume)))
        assert ds["plume"].dims == ("lat_2", "lon_2")
        assert ds["posterior"].dims == ("lat", "lon")


class TestStreams:
    def test_have_bias_and_rmse_of_simulated_minus_observed(self, ds):
        # one stream: that of everything
        assert float(ds["stream_bias_prior"][0]) == pytest.approx(float(ds["bias_prior"]))
        assert float(ds["stream_rmse_posterior"][0]) == pytest.approx(float(ds["rmse_posterior"]))

    def test_of_several_add_up(self, methane):
        named = {
            w: replace(o, coordinates={**o.coordinates, "stream": np.array(["a"] * 4 + ["b"] * 6)})
            for w, o in methane.observations.items()
        }
        ds = posterior_dataset(replace(methane, observations=named))
        assert ds["stream_name"].values.tolist() == ["a", "b"]
        assert float((ds["stream_bias_prior"] * [0.4, 0.6]).sum()) == pytest.approx(float(ds["bias_prior"]))


class TestWhatWasNotUsed:
    def test_is_counted(self, ds):
        assert ds["dropped_reason"].values.tolist() == ["its value is missing", "damaged file"]
        assert ds["dropped_count"].values.tolist() == [12, 1]

    def test_elements_on_a_bound_are_marked(self, methane):
        active = torch.zeros(24, dtype=torch.bool)
        active[5] = True
        posterior = replace(methane.posterior, details={"active": active})
        assert np.flatnonzero(posterior_dataset(replace(methane, posterior=posterior))["x_at_bound"]) == [5]


class TestTheFile:
    def test_is_read_back_and_understood(self, methane, ds, tmp_path):
        write_posterior(methane, tmp_path / "p.nc")
        with xr.open_dataset(tmp_path / "p.nc") as stored:
            xr.testing.assert_equal(stored.load(), ds)
            assert "period" in stored.cf.coordinates["time"]

    def test_large_matrices_are_the_same_written_some_rows_at_a_time(self, methane, tmp_path, monkeypatch):
        write_posterior(methane, tmp_path / "whole.nc")
        monkeypatch.setattr(files, "LARGE", 100)
        monkeypatch.setattr(files, "CHUNK", 5)
        write_posterior(methane, tmp_path / "parts.nc")
        with xr.open_dataset(tmp_path / "whole.nc") as whole, xr.open_dataset(tmp_path / "parts.nc") as parts:
            assert parts["averaging_kernel"].encoding["chunksizes"] == (5, 5)
            xr.testing.assert_identical(parts.load(), whole.load())
