"""What is wrong with a run is said at once, with file and line, before anything starts."""

from __future__ import annotations

import os
import re

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from tradewind.assembly import assemble
from tradewind.check import check
from tradewind.cli import app
from tradewind.errors import ConfigError

FLUX = "inventory.methane_flux"


def line_of(path, text):
    """Return the number of the first line of the config that holds `text`."""
    return next(n for n, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def only_fault(path, overrides=()):
    report = check(path, overrides)
    assert len(report.faults) == 1, report.faults
    assert report.lines == ()
    return report.faults[0]


def test_a_sound_config_shows_the_plan(small_run):
    report = check(small_run())
    assert report.faults == ()
    plan = "\n".join(report.lines)
    assert "1996-01-16 00:00:00 to 1996-01-17 00:00:00, 4 steps of 6:00:00" in plan
    assert "inventory: gridded-emissions answers" in plan
    assert "transport: transport answers" in plan
    assert "inventory.methane_flux -> transport.methane_flux, kg m-2 s-1 times 1" in plan
    assert "conservative, dstarea by the" in plan
    assert (
        "transport.methane_column: 20 observations in 2 windows" in plan
        or "20 observations, 2 windows" in plan
    )
    assert "inventory.methane_flux: 9 elements" in plan
    order = ["every 6 h:", "inventory", "inventory.methane_flux -> transport.methane_flux", "transport"]
    assert [line[10:].strip() for line in report.lines[4:8]] == order
    assert "analytical" in plan


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("surrogate", "jacobian-emulator answers in place of transport"),
        ("guarded", "jacobian-emulator answers within its domain, transport elsewhere"),
        ("shadow", "transport answers, jacobian-emulator runs in its shadow"),
    ],
)
def test_the_plan_says_who_answers(small_run, kind, words):
    plan = check(small_run(), [f"components.transport.run_as={kind}"]).lines
    assert any(words in line for line in plan)


def test_a_check_starts_nothing_and_writes_nothing(small_run):
    path = small_run()
    before = sorted(p.name for p in path.parent.iterdir())
    check(path)
    assert sorted(p.name for p in path.parent.iterdir()) == before


# ---------------------------------------------------------------------- one fault each
def test_a_misspelled_key(small_run):
    path = small_run(("substep: 1080", "subsetp: 540"))
    fault = only_fault(path)
    assert f"run.yaml:{line_of(path, 'subsetp')}: components.transport.options.subsetp" in fault
    assert "did you mean 'substep'?" in fault


def test_a_misspelled_variable(small_run):
    path = small_run(("to: transport.methane_flux", "to: transport.methane_flx"))
    report = check(path)
    assert any(
        "transport has no import 'methane_flx', did you mean 'methane_flux'?" in f for f in report.faults
    )
    assert all(re.search(r"run\.yaml:\d+: ", fault) for fault in report.faults)


def test_a_wrong_unit(small_run, pieces):
    path = small_run()
    pieces.flux(units="kg m-3").to_netcdf(path.with_name("prior.nc"))
    fault = only_fault(path)
    assert f"run.yaml:{line_of(path, 'from: inventory')}: exchanges.0" in fault
    assert "kg m-3" in fault
    assert "kg m-2 s-1" in fault


def test_a_unit_that_the_exchange_does_not_expect(small_run):
    path = small_run(("regrid: conservative", "regrid: conservative, units: g m-2 s-1"))
    assert "transport.methane_flux is in 'kg m-2 s-1', not in 'g m-2 s-1'" in only_fault(path)


def test_grids_that_do_not_overlap(small_run, pieces):
    path = small_run()
    pieces.flux(lon=np.array([10.25, 10.75, 11.25])).to_netcdf(path.with_name("prior.nc"))
    fault = only_fault(path)
    assert f"run.yaml:{line_of(path, 'from: inventory')}: exchanges.0" in fault
    assert "do not overlap" in fault


def test_different_grids_that_are_said_to_be_one(small_run):
    path = small_run(("regrid: conservative", "regrid: none"))
    fault = only_fault(path)
    assert "live on different grids" in fault
    assert "name a method under regrid:" in fault


def test_without_a_method_a_flux_is_regridded_as_a_flux(small_run):
    plan = check(small_run((", regrid: conservative", ""))).lines
    assert any(
        "conservative, dstarea by the" in x and "flux, intensive: its total is kept" in x for x in plan
    )


def test_a_flux_by_a_method_that_does_not_keep_it(small_run):
    path = small_run(("regrid: conservative", "regrid: bilinear"))
    fault = only_fault(path)
    assert f"run.yaml:{line_of(path, 'from: inventory')}: exchanges.0" in fault
    assert "'methane_flux' is a flux, intensive: bilinear does not keep its integral" in fault


def test_a_nan_in_the_winds(small_run, pieces, tmp_path):
    with xr.open_dataset(pieces.weather) as ds:
        spoilt = ds.load()
    wind = next(v for v in spoilt.data_vars.values() if v.attrs.get("standard_name") == "eastward_wind")
    wind[dict.fromkeys(wind.dims[:1], 3)] = np.nan
    spoilt.to_netcdf(tmp_path / "spoilt.nc")
    path = small_run((str(pieces.weather), str(tmp_path / "spoilt.nc")))
    fault = only_fault(path)
    assert re.search(
        r"run\.yaml:\d+: components\.transport\.options: .*spoilt\.nc: .* missing or infinite", fault
    )


def test_a_nan_in_the_inventory(small_run, pieces):
    path = small_run()
    spoilt = pieces.flux()
    spoilt["methane_flux"][1, 1] = np.nan
    spoilt.to_netcdf(path.with_name("prior.nc"))
    assert "1 missing or infinite values" in only_fault(path)


def test_a_truncated_checkpoint(small_run):
    path = small_run(("run_as: reference", "run_as: guarded"))
    file = path.with_name("net.safetensors")
    file.write_bytes(file.read_bytes()[:-100])
    fault = only_fault(path)
    assert f"run.yaml:{line_of(path, 'surrogate_options')}: components.transport.surrogate_options" in fault
    assert "net.safetensors: is truncated" in fault


def test_a_checkpoint_of_another_model(small_run):
    path = small_run(("run_as: reference", "run_as: guarded"), ("substep: 1080", "scheme: van_leer"))
    assert "was trained for scheme upwind, the model runs with van_leer" in only_fault(path)


def test_a_missing_plugin(small_run):
    path = small_run(("method: analytical", "method: analytcal"))
    fault = only_fault(path)
    assert f"run.yaml:{line_of(path, 'analytcal')}: solve.method" in fault
    assert "did you mean 'analytical'?" in fault


def test_a_plugin_that_is_not_installed(small_run):
    path = small_run(("run: {", "plugins: [geos-chem]\nrun: {"))
    fault = only_fault(path)
    assert "run.yaml:1" in fault
    assert "geos-chem" in fault


@pytest.mark.parametrize("name", ["prior.nc", "columns.nc"])
def test_a_missing_file(small_run, name):
    path = small_run()
    path.with_name(name).unlink()
    fault = only_fault(path)
    assert f"run.yaml:{line_of(path, name)}" in fault
    assert name in fault


def test_an_import_that_nothing_feeds(small_run):
    path = small_run()
    text = path.read_text().splitlines()
    path.write_text("\n".join(line for line in text if "exchanges" not in line and "from: inv" not in line))
    report = check(path)
    assert any("its import 'methane_flux' is fed by no exchange" in fault for fault in report.faults)


def test_windows_that_do_not_fit(small_run):
    fault = only_fault(small_run(("window: 12h", "window: 9h")))
    assert "run.yaml:1: run.window" in fault


def test_windows_of_another_length_than_the_emulators(small_run):
    path = small_run(("run_as: reference", "run_as: surrogate"), ("window: 12h", "window: 6h"))
    faults = check(path).faults
    assert any("answers windows of 12:00:00, the run has windows of 6:00:00" in fault for fault in faults)


def test_a_run_that_the_winds_do_not_cover(small_run):
    path = small_run(("start: 1996-01-16, stop: 1996-01-17", "start: 1997-01-16, stop: 1997-01-17"))
    assert any("no winds for 1997-01-16" in fault for fault in check(path).faults)


@pytest.mark.parametrize("calendar", ["noleap", "360_day"])
def test_winds_and_observations_of_the_world_in_a_run_of_another_calendar(small_run, calendar):
    path = small_run(("step: 6h,", f"step: 6h, calendar: {calendar},"))
    winds, seen = check(path).faults
    assert "components.transport.options: weather: 1996-01-16" in winds
    assert f"is of the {calendar} calendar" in winds
    assert "of the standard calendar" in winds
    assert f"observations are made in the standard calendar, the run's is {calendar}" in seen


def test_observations_that_belong_to_no_window(small_run, pieces):
    path = small_run()
    late = pieces.columns()
    late["time"] = late["time"] + np.timedelta64(400, "D")
    late.to_netcdf(path.with_name("columns.nc"))
    assert "20 of 20 observations left out: they were made in no window" in only_fault(path)


@pytest.mark.parametrize(
    ("file", "what"),
    [("nowhere/posterior.nc", "does not exist"), (".", "this is a folder")],
)
def test_an_output_that_cannot_be_written(small_run, file, what):
    path = small_run(("file: posterior.nc", f"file: {file}"))
    fault = only_fault(path)
    assert f"run.yaml:{line_of(path, 'output')}: output.file" in fault
    assert what in fault


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only(small_run, tmp_path):
    folder = tmp_path / "sealed"
    folder.mkdir(mode=0o500)
    path = small_run(("file: posterior.nc", f"file: {folder}/posterior.nc"))
    assert "cannot be written" in only_fault(path)


def test_a_surrogate_of_the_linearization_sees_nothing_within_a_window(small_run):
    path = small_run(("run_as: reference", "run_as: surrogate"), ("file: columns.nc", "file: early.nc"))
    with xr.open_dataset(path.with_name("columns.nc")) as ds:
        early = ds.load()
    early["time"] = early["time"] - np.timedelta64(6, "h")
    early.to_netcdf(path.with_name("early.nc"))
    assert "its surrogate knows one export at a window's end, and something else" in only_fault(path)
    assert check(path, ["components.transport.run_as=guarded"]).faults == ()


def test_a_control_of_something_that_is_no_parameter(small_run):
    path = small_run(("field: inventory.methane_flux", "field: inventory.methane_flx"))
    fault = only_fault(path)
    assert f"run.yaml:{line_of(path, 'control')}: control.field" in fault
    assert "inventory has no parameter 'methane_flx' and no such state, did you mean 'methane_flux'?" in fault


# ---------------------------------------------------------------------- all of them
@pytest.fixture
def five_faults(small_run):
    """A misspelled key, a wrong variable, a truncated checkpoint, a missing file, a folder for a file."""
    path = small_run(
        ("substep: 1080", "subsetp: 540"),
        ("run_as: reference", "run_as: guarded"),
        ("from: inventory.methane_flux", "from: inventory.methane_flx"),
        ("file: posterior.nc", "file: nowhere/posterior.nc"),
    )
    file = path.with_name("net.safetensors")
    file.write_bytes(file.read_bytes()[:-100])
    path.with_name("columns.nc").unlink()
    return path


WORDS = (
    "did you mean 'substep'?",
    "net.safetensors: is truncated",
    "did you mean 'methane_flux'?",
    "columns.nc",
    "nowhere does not exist",
)


def test_five_faults_are_said_at_once_in_the_order_of_their_lines(five_faults):
    faults = check(five_faults).faults
    assert len(faults) == 5, faults
    for fault, words in zip(faults, WORDS, strict=True):
        assert words in fault
        assert re.search(r"run\.yaml:\d+: ", fault)
    with pytest.raises(ConfigError, match="5 faults in the run config"):
        assemble(five_faults)


@pytest.mark.parametrize("command", ["check", "run"])
def test_the_command_line_says_them_all_with_exit_code_2(five_faults, command):
    before = sorted(p.name for p in five_faults.parent.iterdir())
    done = CliRunner().invoke(app, [command, str(five_faults)])
    assert done.exit_code == 2
    for words in WORDS:
        assert words in done.stderr
    assert "Traceback" not in done.output
    assert sorted(p.name for p in five_faults.parent.iterdir()) == before


def test_an_error_while_running_leaves_no_half_written_file(small_run, pieces):
    # every source lies outside of the domain: found when the first window is linearized
    path = small_run(("run_as: reference", "run_as: surrogate"))
    pieces.checkpoint(path.with_name("net.safetensors"), widest=1e-3)
    done = CliRunner().invoke(app, ["run", str(path)])
    assert done.exit_code == 2
    assert "outside the emulator's domain" in done.stderr
    assert "Traceback" not in done.output
    assert not [p for p in path.parent.iterdir() if "posterior" in p.name]


def test_the_command_line_runs_what_the_check_approves(small_run):
    path = small_run()
    assert CliRunner().invoke(app, ["check", str(path)]).exit_code == 0
    done = CliRunner().invoke(app, ["run", str(path)])
    assert done.exit_code == 0, done.output
    assert path.with_name("posterior.nc").is_file()


def test_a_substep_that_is_too_long_for_any_wind_of_the_run_is_found_before_it_starts(small_run):
    fault = only_fault(small_run(("substep: 1080", "substep: 3600")))
    assert "substep 3600 s is too long for the winds of" in fault
    assert re.search(r"use at most \d+ s", fault)


def test_an_inventory_that_reaches_beyond_the_model_is_said_with_what_it_loses(small_run, pieces):
    path = small_run()
    # half of the western column of three lies west of the model's edge at 113 W
    pieces.flux(lon=np.array([-113.0, -112.5, -112.0])).to_netcdf(path.with_name("prior.nc"))
    (said,) = [note for note in assemble(path).notes if "lost" in note]
    share = float(re.search(r"([\d.]+)% of the source's area", said)[1])
    assert share == pytest.approx(100 / 6, abs=0.1)


def test_an_inventory_within_the_model_loses_nothing(small_run):
    assert not [note for note in assemble(small_run()).notes if "lost" in note]


def test_an_operator_that_observes_other_units_than_the_export(small_run):
    operator = "{operator: point, options: {file: columns.nc, variable: xch4, units: '1e-6'}}"
    path = small_run(("{operator: column, options: {file: columns.nc}}", operator))
    assert "observes 1e-6, but 'methane_column' is exported in 1e-9" in only_fault(path)
