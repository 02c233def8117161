"""The loop of a filter as a file, a table and figures."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from rich.console import Console

from tradewind.couplers.ranks.parallel import Serial
from tradewind.errors import SpecError
from tradewind.output.netcdf.assimilation import assimilation_dataset, write_assimilation
from tradewind.output.terminal.summary import summary
from tradewind.output.terminal.table import print_table
from tradewind.output.writing import write_outputs


@pytest.fixture(scope="module")
def dataset(looped):
    return assimilation_dataset(looped)


@pytest.fixture(scope="module")
def file(looped, tmp_path_factory):
    path = tmp_path_factory.mktemp("loop") / "loop.nc"
    write_assimilation(looped, path)
    return path


class TestFields:
    def test_means_and_spreads_lie_on_time_and_their_grids(self, dataset, looped):
        for stage in ("forecast", "analysis", "forecast_spread", "analysis_spread"):
            found = dataset[f"ocean_temperature_{stage}"]
            assert found.dims == ("time", "lat_2", "lon_2")
            np.testing.assert_array_equal(
                found.values.reshape(12, 24), getattr(looped.fields[1], stage).numpy()
            )
        assert dataset["ocean_temperature_analysis"].units == "K"
        assert dataset["atmosphere_x_analysis"].dims == ("time", "lat", "lon")

    def test_elements_of_a_control_have_names(self, dataset):
        assert dataset["inventory_flux_analysis"].dims == ("time", "inventory_flux_element")
        assert list(dataset["inventory_flux_element_name"].values) == ["30N 100W", "30N 99W", "31N 100W"]

    def test_the_last_members_are_kept(self, dataset, looped):
        found = dataset["atmosphere_x_members"]
        assert found.dims == ("member", "lat", "lon")
        np.testing.assert_array_equal(found.values.reshape(9, 40), looped.members["atmosphere.x"].numpy())

    def test_times_are_those_of_the_analyses(self, dataset):
        assert str(dataset["time"].values[0]) == "2000-01-01T06:00:00.000000000"

    def test_of_another_size_are_refused(self, looped):
        first, *others = looped.fields
        wrong = replace(looped, fields=(replace(first, analysis=first.analysis[:, :-1]), *others))
        with pytest.raises(SpecError, match=r"atmosphere.x.*40"):
            assimilation_dataset(wrong)


class TestObservations:
    def test_rejected_ones_are_there_with_their_reason(self, dataset, looped):
        reasons = dataset["y_reason"].values
        assert dataset.sizes["observation"] == 480
        rejected = int(dataset["rejected"])
        assert (reasons == "background check").sum() == rejected > 0
        assert int(dataset["rejection_count"].sum()) == rejected
        assert int(dataset["used"]) == 480 - rejected

    def test_stand_beside_what_was_simulated(self, dataset, looped):
        np.testing.assert_array_equal(dataset["y"].values[:40], looped.departures[0].y)
        np.testing.assert_array_equal(dataset["y_forecast_spread"].values[:40],
                                      looped.departures[0].background_sigma)  # fmt: skip
        assert list(dataset["window_of_observation"].values[[0, 40, -1]]) == [0, 1, 11]
        assert dataset["observation_stream"].values[1] == "ships"


class TestDiagnostics:
    def test_are_variables(self, dataset):
        used = dataset["y_reason"].values == ""
        d_b = (dataset["y"] - dataset["y_forecast"]).values[used]
        d_a = (dataset["y"] - dataset["y_analysis"]).values[used]
        assert float(dataset["innovation_rms"]) == pytest.approx(np.sqrt((d_b**2).mean()))
        assert float(dataset["desroziers_observation"]) == pytest.approx((d_a * d_b).mean())
        assert dataset["window_chi_square"].dims == ("window",)
        assert list(dataset["stream_name"].values) == ["buoys", "ships"]
        assert float(dataset["stream_share"].sum()) == pytest.approx(1.0)
        assert int(dataset["rank_count"].sum()) == used.sum()
        assert dataset["desroziers_observation"].units == "(K)2"

    def test_a_loop_without_observations_has_a_file_too(self, make_loop, tmp_path, departures_without):
        bare = make_loop(2, departures=departures_without(2))
        write_assimilation(bare, tmp_path / "bare.nc")
        with xr.open_dataset(tmp_path / "bare.nc") as found:
            assert int(found["used"]) == 0
            assert "rank_count" not in found

    def test_figures_are_json(self, looped):
        told = json.loads(json.dumps(summary(looped), allow_nan=False))
        assert told["members"] == 9
        assert told["observations"] == told["diagnostics"]["used"] + told["diagnostics"]["rejected"]
        assert told["diagnostics"]["streams"]["ships"]["used"] < 240
        assert set(told["fields"]["atmosphere.x"]) == {"forecast_spread", "analysis_spread", "increment"}


class TestFile:
    def test_can_be_read_again(self, file, dataset):
        with xr.open_dataset(file) as found:
            xr.testing.assert_equal(found["atmosphere_x_analysis"], dataset["atmosphere_x_analysis"])
            assert found.attrs["Conventions"] == "CF-1.10"
            assert found["lat"].attrs["standard_name"] == "latitude"
        with xr.open_dataset(file, group="performance") as found:
            assert dict(zip(found["part"].values, found["part_seconds"].values, strict=True)) == {
                "forecast": 1.25,
                "analysis": 0.25,
            }

    def test_has_the_same_numbers_every_time(self, looped, dataset):
        xr.testing.assert_identical(assimilation_dataset(looped), dataset)


class TestTable:
    @pytest.mark.parametrize(
        "line",
        ["l96: letkf, 9 members, 12 analyses", "buoys", "ocean.temperature", "spread over skill",
         "rank histogram: flat with p", "rejected of ships", "background check", "forecast 1.2 s",
         "lorenz-96"],
    )  # fmt: skip
    def test_holds(self, looped, line):
        console = Console(file=io.StringIO(), width=100)
        print_table(looped, console)
        assert line in console.file.getvalue()


def test_one_call_writes_both(make_loop, departures_without, tmp_path):
    small = make_loop(1, fields=(), departures=departures_without(1))
    paths = write_outputs(small, Serial(), tmp_path / "loop.nc", tmp_path / "loop.html")
    assert [p.name for p in paths] == ["loop.nc", "loop.html"]
    assert all(p.stat().st_size > 1000 for p in paths)
