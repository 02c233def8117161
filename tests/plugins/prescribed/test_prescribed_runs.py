"""Prescribed components in a run config: checked, run, and recorded."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import numpy as np
import pytest
import torch

from tradewind.accounts import input_files
from tradewind.assembly import assemble
from tradewind.check import check
from tradewind.errors import ConfigError

CONFIG = """\
run: {start: 2000-01-01, stop: 2000-01-02, step: 6h}
components:
  sky: {plugin: dataset, step: 1h, options: {file: "x*.nc", variables: {rain: x}}}
  spring:
    plugin: constant
    options:
      grid: {file: x.nc}
      fields: {water: {value: 0.5, units: kg m-2 s-1, kind: flux}}
  bucket:
    plugin: function
    step: 3h
    options:
      file: bucket.py
      function: fill
      grid: {file: x.nc}
      imports: {rain: {units: kg m-2 s-1, kind: flux}, spring: {units: kg m-2 s-1, kind: flux}}
      state: {water: {units: kg m-2, initial: 1.0}}
      exports: {water: {units: kg m-2}}
exchanges:
  - {from: sky.rain, to: bucket.rain}
  - {from: spring.water, to: bucket.spring}
"""
FILL = """
def fill(imports, state, interval):
    water = state["water"] + interval.seconds * (imports["rain"] + imports["spring"])
    return {"water": water}, {"water": water}
"""


@pytest.fixture
def config(write):
    """Return a config beside its data: rain grows from 0 to 24 in a day."""
    write(np.arange(9) * 3.0, np.arange(9) * 3)
    (write.folder / "bucket.py").write_text(FILL)
    path = write.folder / "bucket.yaml"
    path.write_text(CONFIG)
    return path


def test_a_day_of_rain_fills_the_bucket(config):
    run = assemble(config).run()
    run.advance(run.clock.stop)
    # a line from 0 to 24 has the mean 12: 86 400 s of 12 times the cell's weight, and of 0.5
    expected = [1.0 + 86400 * (12.0 * weight + 0.5) for weight in range(1, 7)]
    assert run.get("bucket.water")[0].tolist() == pytest.approx(expected, rel=1e-14)


def test_rain_of_less_and_less_is_differentiated(config):
    run = assemble(config).run()
    with run.recording():
        run.put("sky.rain_scale", torch.ones(1, 6, dtype=torch.float64))
        run.advance(run.clock.stop)
        found = run.vjp({("bucket.water", run.clock.stop): torch.ones(1, 1, 6, dtype=torch.float64)})
    (gradient,) = (v for (port, _), v in found.items() if port == "sky.rain_scale")
    assert gradient.flatten().tolist() == pytest.approx([86400 * 12.0 * weight for weight in range(1, 7)])


def test_factors_and_numbers_can_be_estimated(config):
    config.write_text(CONFIG + "control: {field: sky.rain_scale, per: cell, prior_error: 0.5}\n")
    control = assemble(config).control
    assert control.to_fields(control.prior)["sky.rain_scale"].tolist() == [1.0] * 6
    config.write_text(CONFIG + "control: {field: spring.water, per: total, prior_error: 0.5}\n")
    control = assemble(config).control
    assert control.to_fields(2.0 * control.prior)["spring.water"].tolist() == [1.0] * 6


def test_the_total_of_a_factor_is_an_area_not_a_mass(config):
    from tradewind.couplers.assimilation import Posterior
    from tradewind.findings.controlled import controlled_fields

    config.write_text(CONFIG + "control: {field: sky.rain_scale, per: total, prior_error: 0.5}\n")
    assembly = assemble(config)
    control = assembly.control
    posterior = Posterior(2.0 * control.prior, torch.tensor([[0.01]], dtype=torch.float64))
    (field,) = controlled_fields(control, posterior, assembly.variable, assembly.parameters)
    found = field.totals
    assert found.units == "m2"
    assert found.prior == pytest.approx(float(control.layout.grid.area.sum()) * 6_371_000.0**2)
    assert (found.posterior, found.posterior_sigma) == pytest.approx((2 * found.prior, 0.1 * found.prior))


def test_check_tells_of_data_that_end_early_with_the_line(config):
    config.write_text(CONFIG.replace("stop: 2000-01-02,", "stop: 2000-01-03,"))
    report = check(config)
    (fault,) = report.faults
    assert "bucket.yaml:3" in fault
    assert "do not cover 2000-01-01 00:00:00 to 2000-01-03 00:00:00" in fault
    assert "they hold from 2000-01-01 00:00:00 to 2000-01-02 00:00:00" in fault


def test_check_tells_of_all_faults_and_runs_no_code(config, tmp_path):
    text = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\ndef fil(): ...\n"
    (tmp_path / "bucket.py").write_text(text)
    config.write_text(CONFIG.replace("{rain: x}", "{rain: y}"))
    faults = "\n".join(check(config).faults)
    assert "no variable 'y'" in faults
    assert "defines no 'fill'" in faults
    assert not (tmp_path / "ran").exists()


def test_check_tells_what_becomes_of_records(config):
    assert "note       sky: rain is a flux, intensive: mean over a step, of 9 records" in check(config).lines


def test_check_of_a_sound_config_runs_no_code(config, tmp_path):
    text = f"from pathlib import Path\nPath(__file__).with_name('ran').touch()\n{FILL}"
    (tmp_path / "bucket.py").write_text(text)
    assert not check(config).faults
    assert not (tmp_path / "ran").exists()


def test_what_was_read_is_recorded_with_the_users_code(config, tmp_path):
    files = {path.name: path for path in input_files(assemble(config))}
    assert {"x.nc", "bucket.py"} <= set(files)
    function = assemble(config).members["bucket"].component.function
    assert function.source.sha256 == hashlib.sha256((tmp_path / "bucket.py").read_bytes()).hexdigest()


def test_a_method_that_needs_gradients_hears_that_there_are_none(config):
    config.write_text(CONFIG.replace("function: fill", "function: fill\n      differentiable: false"))
    assert not assemble(config).members["bucket"].spec.differentiable


def test_an_unknown_option_is_refused_with_the_nearest(config):
    config.write_text(CONFIG.replace("file: bucket.py", "fiel: bucket.py"))
    with pytest.raises(ConfigError, match=r"fiel.*file"):
        assemble(config)


def test_a_walk_goes_on_after_a_restart_with_the_same_bits(config, tmp_path):
    (tmp_path / "bucket.py").write_text(
        FILL.replace("interval):", "interval, random):").replace(
            "+ interval", "+ random.normal(state['water']) + interval"
        )
    )
    whole = assemble(config).run()
    whole.advance(whole.clock.stop)
    first = assemble(config).run()
    first.advance(first.clock.start + timedelta(hours=12))
    first.save(tmp_path / "half.tw")
    second = assemble(config).run()
    second.restore(tmp_path / "half.tw")
    second.advance(second.clock.stop)
    assert torch.equal(second.get("bucket.water"), whole.get("bucket.water"))


def test_a_climatology_and_a_series_meet_in_a_year_without_leap_days(write):
    edges = np.cumsum([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) * 24.0
    noleap = {"calendar": "noleap"}
    bounds = np.stack([edges[:-1], edges[1:]], 1)
    write(range(1, 13), bounds.mean(1), name="months.nc", since="1850-01-01", bounds=bounds, time=noleap)
    write(range(365), np.arange(365) * 24, name="days.nc", since="2004-01-01", units="K", time=noleap)
    path = write.folder / "noleap.yaml"
    path.write_text(
        "run: {start: 2004-02-28, stop: 2004-03-02, step: 1d, calendar: noleap}\n"
        "components:\n"
        "  months: {plugin: dataset, options: {file: months.nc, variables: x, cycle: year}}\n"
        "  days: {plugin: dataset, options: {file: days.nc, variables: x}}\n"
    )
    run, seen = assemble(path).run(), []
    for interval in run.clock:
        run.advance(interval.stop)
        seen.append(tuple(round(float(run.get(f"{name}.x")[0, 0]), 9) for name in ("months", "days")))
    # 28 February, then 1 March: of months the mean, of days what holds at the end
    assert seen == [(2.0, 59.0), (3.0, 60.0)]
