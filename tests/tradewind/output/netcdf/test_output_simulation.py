"""A forward run as a file, a table and JSON."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import datetime, timedelta

import cf_xarray  # noqa: F401
import cftime
import numpy as np
import pytest
import torch
import xarray as xr
from rich.console import Console

from tradewind.budget import EARTH_RADIUS, Budget, Counted
from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Kind, Variable
from tradewind.couplers.coupling.ledger import LedgerEntry
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.parallel import Serial
from tradewind.errors import DataError
from tradewind.output.netcdf.simulation import simulation_dataset, write_simulation
from tradewind.output.terminal.summary import summary
from tradewind.output.terminal.table import print_table
from tradewind.output.writing import write_outputs
from tradewind.results import CallRecord, FieldSeries, SimulationResult

START, HOUR = datetime(2000, 1, 1), timedelta(hours=1)
FLUX, LEVEL = "inventory.flux -> air.flux", "air.t -> land.t"
COARSE = Grid.latlon([10.0, 30.0], [0.0, 20.0, 40.0])
POINTS = Grid.points([0.0, 1.0, 2.0, 3.0], [50.0, 51.0, 52.0, 53.0])


def span(start: int, stop: int, since=START) -> Interval:
    return Interval(since + start * HOUR, since + stop * HOUR)


def budgets(since=START) -> tuple[Budget, Budget]:
    """Return a flux exchanged every hour, and a state every two."""
    fluxes = [LedgerEntry(FLUX, span(n, n + 1, since), 4.0, 3.0, 0.5, 0.125) for n in range(4)]
    states = [LedgerEntry(LEVEL, span(n, n + 2, since), 10.0, 10.0) for n in (0, 2)]
    return (
        Budget(FLUX, "kg m-2 s-1", Counted.FLUX, True, tuple(fluxes)),
        Budget(LEVEL, "K", Counted.STATE, True, tuple(states)),
    )


def seen(window: Interval) -> Observations:
    places = {
        "time": np.array([window.stop] * 2, dtype="datetime64[ns]"),
        "latitude": np.array([10.0, 30.0]),
        "longitude": np.array([0.0, 20.0]),
    }
    y = torch.tensor([5.0, 7.0], dtype=torch.float64)
    return Observations(y, DiagonalCovariance(torch.tensor([4.0, 9.0], dtype=torch.float64)), places)


def series(port: str, grid: Grid | None, extra=(), since=START, **more) -> FieldSeries:
    shape = (4, *(n for _, n in extra), *(() if grid is None else (grid.size,)))
    values = torch.arange(int(np.prod(shape)), dtype=torch.float64).reshape(shape)
    variable = Variable(port.partition(".")[2], "kg", grid, Kind.STATE_EXTENSIVE, extra, **more)
    return FieldSeries(port, variable, [since + (n + 1) * HOUR for n in range(4)], values)


@pytest.fixture
def forward() -> SimulationResult:
    windows = (span(0, 2), span(2, 4))
    simulated = torch.tensor([6.0, 7.0], dtype=torch.float64)
    return SimulationResult(
        name="toy",
        windows=windows,
        budgets=budgets(),
        observations={w: seen(w) for w in windows},
        simulated=dict.fromkeys(windows, simulated),
        fields=(series("air.mass", COARSE, (("layer", 2),)), series("land.snow", POINTS)),
        calls=(CallRecord("air", "transport", "step", 4, 4, 0.5),),
        provenance={"tradewind": "0.1.0", "observed": "methane", "observed_units": "nmol mol-1"},
        notes=("a note",),
    )


@pytest.fixture
def ds(forward):
    return simulation_dataset(forward)


# ---------------------------------------------------------------------- ledger
class TestLedger:
    def test_lies_on_period_and_exchange(self, ds):
        assert ds["ledger_left"].dims == ("period", "exchange")
        assert ds["exchange_name"].values.tolist() == [FLUX, LEVEL]

    def test_lists_all_periods_by_their_ends_the_longest_last(self, ds):
        hours = (ds["period_time_bnds"].values - np.datetime64(START)) / np.timedelta64(1, "h")
        assert hours.tolist() == [[0, 1], [1, 2], [0, 2], [2, 3], [3, 4], [2, 4]]

    def test_is_missing_where_an_exchange_has_no_such_period(self, ds):
        nan = np.nan
        np.testing.assert_array_equal(ds["ledger_arrived"][:, 0], [3, 3, nan, 3, 3, nan])
        np.testing.assert_array_equal(ds["ledger_arrived"][:, 1], [nan, nan, 10, nan, nan, 10])

    def test_holds_every_part_and_the_residual(self, ds):
        first = {part: float(ds[f"ledger_{part}"][0, 0]) for part in
                 ("left", "arrived", "unmapped", "withheld", "residual")}  # fmt: skip
        # (3 + 0.5 + 0.125 - 4) / 4
        assert first == {
            "left": 4.0, "arrived": 3.0, "unmapped": 0.5, "withheld": 0.125, "residual": -0.09375,
        }  # fmt: skip

    def test_says_units_by_exchange_where_they_differ(self, ds):
        assert "units" not in ds["ledger_left"].attrs
        assert ds["exchange_units"].values.tolist() == ["kg m-2 s-1 sr", "K sr"]
        assert ds["ledger_residual"].attrs["units"] == "1"

    def test_has_units_where_all_share_them(self, forward):
        ds = simulation_dataset(replace(forward, budgets=budgets()[:1]))
        assert ds["ledger_left"].attrs["units"] == "kg m-2 s-1 sr"

    def test_says_what_an_entry_is(self, ds):
        assert ds["exchange_entries"].values.tolist() == [
            "rate: mean over the period",
            "mean over the period",
        ]

    def test_without_exchanges_is_absent(self, forward):
        assert not [n for n in simulation_dataset(replace(forward, budgets=())).variables if "ledger" in n]

    def test_without_entries_has_no_periods(self, forward):
        empty = replace(budgets()[0], entries=())
        assert simulation_dataset(replace(forward, budgets=(empty,))).sizes["period"] == 0


# ---------------------------------------------------------------------- observations and fields
class TestObservations:
    def test_stand_beside_what_was_simulated(self, ds):
        np.testing.assert_array_equal(ds["y"], [5, 7, 5, 7])
        np.testing.assert_array_equal(ds["y_sigma"], [2, 3, 2, 3])
        np.testing.assert_array_equal(ds["y_simulated"], [6, 7, 6, 7])
        assert ds["y_simulated"].attrs["units"] == "nmol mol-1"

    def test_keep_their_places_times_and_windows(self, ds):
        np.testing.assert_array_equal(ds["observation_latitude"], [10, 30, 10, 30])
        np.testing.assert_array_equal(ds["window_of_observation"], [0, 0, 1, 1])
        assert ds["observation_time"].values[2] == np.datetime64("2000-01-01T04")

    def test_are_absent_where_there_are_none(self, forward):
        ds = simulation_dataset(replace(forward, observations={}, simulated={}))
        assert not {"y", "y_simulated", "observation_time"} & set(ds.variables)


class TestFields:
    def test_lie_on_time_levels_and_their_grid(self, ds):
        assert ds["air_mass"].dims == ("time", "air_mass_layer", "lat", "lon")
        assert ds["air_mass"].shape == (4, 2, 2, 3)
        np.testing.assert_array_equal(ds["air_mass"].values.ravel(), np.arange(48))

    def test_of_another_grid_have_its_dimensions(self, ds):
        assert ds["land_snow"].dims == ("time", "cell_2")
        assert ds["land_snow"].encoding["coordinates"] == "lat_2 lon_2"
        np.testing.assert_array_equal(ds["lat_2"], [50, 51, 52, 53])

    def test_of_one_grid_share_its_dimensions(self, forward):
        fields = (series("air.mass", COARSE), series("air.t", COARSE))
        ds = simulation_dataset(replace(forward, fields=fields))
        assert ds["air_mass"].dims == ds["air_t"].dims == ("time", "lat", "lon")

    def test_of_no_place_lie_on_time(self, forward):
        ds = simulation_dataset(replace(forward, fields=(series("air.total", None),)))
        assert ds["air_total"].dims == ("time",)

    def test_have_their_names_units_and_cell_methods(self, forward):
        fields = (series("air.mass", COARSE, cell_methods="time: mean"),)
        found = simulation_dataset(replace(forward, fields=fields))["air_mass"]
        assert found.attrs == {"long_name": "air.mass", "units": "kg", "cell_methods": "time: mean"}

    def test_whose_names_become_one_are_told_apart(self, forward):
        fields = (series("a-b.c", COARSE), series("a_b.c", COARSE))
        assert {"a_b_c_0", "a_b_c_1"} <= set(simulation_dataset(replace(forward, fields=fields)).data_vars)

    @pytest.mark.parametrize("calendar", ["noleap", "360_day"])
    def test_times_of_other_calendars_come_back(self, forward, tmp_path, calendar):
        since = cftime.datetime(2000, 2, 28, calendar=calendar)
        windows = (span(0, 4, since),)
        fields, path = (series("air.mass", COARSE, since=since),), tmp_path / "forward.nc"
        result = replace(forward, windows=windows, budgets=budgets(since), fields=fields, observations={})
        write_simulation(result, path)
        with xr.open_dataset(path) as ds:
            assert ds["time"].values[0] == since + HOUR
            assert ds["time"].values[0].calendar == calendar
            assert ds["period_time"].values[-1] == since + 4 * HOUR


class TestFile:
    def test_is_read_back_as_written(self, forward, ds, tmp_path):
        path = tmp_path / "forward.nc"
        write_simulation(forward, path)
        with xr.open_dataset(path) as stored:
            for name in ("ledger_left", "air_mass", "y_simulated", "period_time_bnds", "time"):
                np.testing.assert_array_equal(stored[name].values, ds[name].values)
            assert stored.attrs["Conventions"].startswith("CF-")
            assert stored.attrs["title"] == "Forward run: toy"
            assert stored.attrs["comment"] == "a note"
        with xr.open_dataset(path, group="performance") as performance:
            assert performance["calls"].values.tolist() == [4]

    def test_names_bounds_and_coordinates_as_cf_does(self, forward, tmp_path):
        path = tmp_path / "forward.nc"
        write_simulation(forward, path)
        with xr.open_dataset(path) as stored:
            assert "period_time" in stored["ledger_left"].coords
            assert stored["ledger_left"].cf["time"].name == "period_time"
            assert stored["air_mass"].cf["latitude"].name == "lat"

    def test_is_written_by_the_outputs_without_a_report(self, forward, tmp_path):
        paths = write_outputs(forward, Serial(), tmp_path / "forward.nc", tmp_path / "report.html")
        assert paths == (tmp_path / "forward.nc",)
        assert [p.name for p in tmp_path.iterdir()] == ["forward.nc"]

    def test_cannot_be_written_into_a_folder_that_is_not_there(self, forward, tmp_path):
        with pytest.raises(DataError, match="does not exist"):
            write_outputs(forward, Serial(), tmp_path / "none" / "forward.nc")


# ---------------------------------------------------------------------- terminal and programs
def printed(result, width=120) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_table(result, console)
    return console.file.getvalue()


class TestTable:
    def test_has_one_line_of_totals_for_each_exchange(self, forward):
        # 4 h of 4 sr kg m-2 s-1: 57 600 s sr times the square of the earth's radius
        kilograms = 4 * 3600 * 4 * EARTH_RADIUS**2
        assert f"{kilograms:.2e}" == "2.34e+18"
        lines = [line.split() for line in printed(forward).splitlines()]
        assert lines[1] == ["left", "arrived", "unmapped", "withheld", "residual", "worst", "period"]
        assert " ".join(lines[2]) == f"{FLUX} in kg"
        numbers = "2.34 × 10¹⁸ 1.75 × 10¹⁸ 2.92 × 10¹⁷ 7.31 × 10¹⁶ −0.094 −0.094"
        assert " ".join(lines[3]) == numbers

    def test_says_that_states_are_means(self, forward):
        assert f"{LEVEL} in K sr (mean over time)" in printed(forward)

    def test_says_how_well_observations_are_met(self, forward):
        # simulated less observed: 1, 0, 1, 0
        assert "4 observations, simulated minus observed: bias +0.500 nmol mol⁻¹, RMSE 0.707" in printed(
            forward
        )

    def test_says_what_was_there_already(self, forward):
        assert "2 windows\n" in printed(forward)
        assert "2 windows, 1 of them from restart files" in printed(replace(forward, resumed=1))

    def test_shows_who_answered_and_notes(self, forward):
        text = printed(forward)
        assert "transport" in text
        assert "note: a note" in text

    def test_breaks_no_number_where_the_terminal_is_narrow(self, forward):
        narrow, wide = (printed(forward, width).splitlines() for width in (80, 120))
        assert [line.rstrip() for line in narrow[:6]] == [line.rstrip() for line in wide[:6]]

    def test_is_lean_without_exchanges(self, forward):
        bare = replace(forward, budgets=(), observations={}, simulated={}, fields=(), calls=(), notes=())
        assert printed(bare) == "toy: forward run\n2 windows\n"


class TestSummary:
    def test_has_totals_and_residuals_by_exchange(self, forward):
        told = summary(forward)["exchanges"]
        assert told[LEVEL] == {
            "left": 10.0, "arrived": 10.0, "unmapped": 0.0, "withheld": 0.0, "units": "K sr",
            "residual": 0.0, "residual_max": 0.0, "periods": 2,
        }  # fmt: skip
        assert told[FLUX]["residual"] == pytest.approx(-0.09375, rel=1e-12)
        assert told[FLUX]["residual_max"] == 0.09375

    def test_has_the_fit_and_counts(self, forward):
        told = summary(forward)
        assert (told["name"], told["windows"], told["resumed_windows"], told["observations"]) == (
            "toy",
            2,
            0,
            4,
        )
        assert (told["bias_simulated"], told["rmse_simulated"]) == (0.5, pytest.approx(0.5**0.5))

    def test_survives_json_with_null_where_a_number_is_not_known(self, forward):
        lost = replace(budgets()[0], entries=(LedgerEntry(FLUX, span(0, 1), float("nan"), 1.0),))
        bare = replace(forward, budgets=(lost,), observations={}, simulated={})
        told = json.loads(json.dumps(summary(bare), allow_nan=False))
        assert told["exchanges"][FLUX]["left"] is None
        assert told["exchanges"][FLUX]["residual_max"] is None
        assert "bias_simulated" not in told
