"""From ``control:`` to a control: parameters, states, priors, periods, and all faults at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.assembly import assemble
from tradewind.check import check
from tradewind.couplers.assimilation import Control
from tradewind.couplers.assimilation.control import (
    Bounded,
    FieldControl,
    JointControl,
    PeriodicControl,
    ScaledField,
)
from tradewind.couplers.assimilation.covariance import dense
from tradewind.errors import ConfigError

USER_CODE = """
def step(amount, rate, hours):
    return {"amount": amount * (1 - rate * hours)}
"""
CONFIG = """\
run: {start: 2000-01-01, stop: 2000-01-05, step: 6h, window: 1d}
components:
  circle: {plugin: lorenz-96, options: {changes: {9: 9.0}}}
  source:
    plugin: constant
    options:
      grid: {lat: [0.5, 1.5], lon: [0.5, 1.5, 2.5]}
      fields: {flux: {value: 2.0, units: kg m-2 s-1, kind: flux}}
  wider:
    plugin: constant
    options:
      grid: {lat: [0.5, 1.5], lon: [0.5, 1.5, 2.5]}
      fields: {pool: {value: [1.0, 4.0], units: kg m-2}}
"""
Build = Callable[..., Control]


@pytest.fixture
def path(tmp_path: Path) -> Callable[[str], Path]:
    def write(control: str) -> Path:
        (tmp_path / "run.yaml").write_text(f"{CONFIG}{control}\n")
        return tmp_path / "run.yaml"

    return write


@pytest.fixture
def build(path) -> Build:
    """Return a function that builds the control of a text."""

    def build(control: str, *overrides: str) -> Control:
        found = assemble(path(control), overrides).control
        assert found is not None
        return found

    return build


def only_fault(path: Path) -> str:
    (fault,) = check(path).faults
    return fault


# ---------------------------------------------------------------------- priors
def test_a_parameter_is_scaled_from_its_default(build):
    found = build("control: {field: source.flux, prior_error: 0.5}")
    assert isinstance(found, ScaledField)
    assert found.to_fields(found.prior)["source.flux"].tolist() == [2.0] * 6
    assert found.covariance.diagonal().tolist() == [0.25] * 6


def test_a_state_begins_where_its_component_does(build):
    found = build("control: {field: circle.x, change: add, prior_error: 0.6}")
    field = found.to_fields(found.prior)["circle.x"]
    assert field.tolist() == [9.0 if i == 9 else 8.0 for i in range(40)]
    assert found.prior.tolist() == [0.0] * 40


def test_the_circle_of_oops_is_four_lines_of_a_config(build):
    found = build("""
control:
  field: circle.x
  change: add
  prior_error: 0.6
  correlation: {kind: gaussian, length: 9, distance: degrees}
""")
    apart = np.minimum(np.arange(40), 40 - np.arange(40))
    row = 0.36 * np.exp(-(apart**2) / 2.0)
    expected = np.stack([np.roll(row, k) for k in range(40)])
    assert dense(found.covariance).numpy() == pytest.approx(expected, abs=1e-14)


def test_levels_are_part_of_a_field(build):
    found = build("control: {field: wider.pool, per: cell, prior_error: 0.5}")
    assert found.to_fields(found.prior)["wider.pool"].tolist() == [[1.0] * 6, [4.0] * 6]
    assert len(found.prior) == 12


def test_a_number_is_a_prior_of_its_own(build):
    found = build("control: {field: source.flux, change: add, prior: -3, prior_error: 1}")
    assert found.to_fields(found.prior)["source.flux"].tolist() == [-3.0] * 6


def test_a_file_is_a_prior_in_the_units_of_the_field(build, tmp_path):
    values = np.arange(6.0).reshape(2, 3)
    coords = {
        "lat": ("lat", [0.5, 1.5], {"standard_name": "latitude", "units": "degrees_north"}),
        "lon": ("lon", [0.5, 1.5, 2.5], {"standard_name": "longitude", "units": "degrees_east"}),
    }
    xr.Dataset({"e": (("lat", "lon"), values, {"units": "g m-2 s-1"})}, coords).to_netcdf(tmp_path / "e.nc")
    found = build("control: {field: source.flux, prior: {file: e.nc, variable: e}, prior_error: 1}")
    field = found.to_fields(found.prior)["source.flux"]
    assert field.tolist() == pytest.approx((np.arange(6.0) / 1000).tolist())


# ---------------------------------------------------------------------- changes and periods
def test_bounds_reach_the_change(build):
    found = build("control: {field: source.flux, change: bounded, bounds: [0, 5], prior_error: 1}")
    assert found.change == Bounded(0.0, 5.0)


@pytest.mark.parametrize("change", ["scale", "add", "lognormal"])
def test_every_change_starts_at_the_prior(build, change):
    found = build(f"control: {{field: source.flux, change: {change}, prior_error: 0.5}}")
    assert type(found.change).__name__.lower() == change
    assert found.to_fields(found.prior)["source.flux"].tolist() == [2.0] * 6


def test_each_period_has_elements_of_its_own(build):
    found = build("control: {field: source.flux, per: total, prior_error: 0.5, every: 2d}")
    assert isinstance(found, PeriodicControl)
    assert [str(period) for period in found.periods] == [
        "2000-01-01 00:00/2000-01-03 00:00",
        "2000-01-03 00:00/2000-01-05 00:00",
    ]


def test_the_last_period_may_be_shorter_and_time_correlates(build):
    found = build(
        "control: {field: source.flux, per: total, prior_error: 0.5, every: 3d, correlation: {time: 2d}}"
    )
    assert [period.seconds / 86400 for period in found.periods] == [3.0, 1.0]
    assert dense(found.covariance)[0, 1].item() == pytest.approx(0.25 * np.exp(-1.0))  # middles 1.5 and 3.5


def test_several_fields_are_one_control(build):
    found = build(
        "control: [{field: source.flux, prior_error: 0.5}, {field: circle.x, change: add, prior_error: 1}]"
    )
    assert isinstance(found, JointControl)
    assert found.targets == ("source.flux", "circle.x")
    assert [type(part) for part in found.parts] == [ScaledField, FieldControl]


def test_overrides_reach_an_entry(build):
    found = build("control: {field: source.flux, prior_error: 0.5}", "control.prior_error=0.25")
    assert torch.equal(found.covariance.diagonal(), torch.full((6,), 0.0625).double())


def test_estimated_variances_are_told(path):
    correlation = "{kind: diffusion, length: 300, samples: 50}"
    text = f"control: {{field: source.flux, prior_error: 1, correlation: {correlation}}}"
    notes = assemble(path(text)).notes
    # sqrt(2 / 50) / 2 = 10 %
    assert "source.flux: the prior's standard deviations are estimated, to 10.0% (one sigma)" in notes


# ---------------------------------------------------------------------- refused
@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            "field: source.flx",
            "source has no parameter 'flx' and no such state, did you mean 'flux'?",
        ),
        (
            "field: circle.x, change: bounded, bounds: [0, 5]",
            "circle.x: the prior is not inside (0, 5) (8.0)",
        ),
        ("field: source.flux, prior: {file: none.nc, variable: e}", "control.prior: "),
        ("field: source.flux, per: region", "control: control: no regions are given"),
        ("field: source.flux, prior: -1", "control: source.flux: the prior is negative (-1.0) in cell 0"),
        ("field: source.flux, every: 18h", "control.every: source.flux: the window"),
        ("field: source.flux, every: 5h", "control.every: every: 2000-01-01 05:00:00 is the end of no step"),
        (
            "field: source.flux, per: total, correlation: {kind: diffusion, length: 9}",
            "control: correlation: diffusion",
        ),
    ],
)
def test_what_cannot_be_controlled_is_named(path, keys, expected):
    fault = only_fault(path(f"control: {{{keys}, prior_error: 1}}"))
    assert "run.yaml:14: " in fault
    assert expected in fault


def test_faults_of_all_entries_come_at_once(path):
    text = """control:
  - {field: source.flx, prior_error: 1}
  - {field: circle.x, change: lognormal, prior_error: 1, prior: -1}
  - {field: wider.pool, prior_error: 1}
  - {field: wider.pool, prior_error: 2}"""
    faults = check(path(text)).faults
    assert [fault.split(": ")[0].rpartition("/")[2] for fault in faults] == [
        f"run.yaml:{n}" for n in (15, 16, 18)
    ]
    assert "control.3.field: wider.pool is controlled by an entry before this one" in faults[2]


OPAQUE = """
from tradewind import Grid, Spec, State, Variable, hookimpl
from tradewind.plugins.options import Options

class Program:
    def __init__(self, options):
        self.x = Variable("x", "1", Grid.points([0.0], [0.0]))

    def describe(self):
        return Spec(state=(self.x,), exports=(self.x,), parameters=(Variable("p", "1"),), opaque=("files",))

    def initialize(self, spec, layouts, members):
        raise AssertionError("a program is not started to be looked at")

    def step(self, state, imports, parameters, interval):
        return {}, state

    def finalize(self):
        pass

@hookimpl
def tradewind_register_component(register):
    options = "tradewind.plugins.options:Options"
    register("program", factory=f"{__name__}:Program", options=options, summary="a program with files")
"""


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("program.x", "control.field: the state also lies in files, which no value can be put into"),
        ("program.p", "control.field: program gives 'p' no prior value (say `prior: …`)"),
    ],
)
def test_what_has_no_prior_is_refused(tmp_path, field, expected):
    (tmp_path / "opaque.py").write_text(OPAQUE)
    path = tmp_path / "run.yaml"
    path.write_text(
        "plugins: [opaque.py]\n"
        "run: {start: 2000-01-01, stop: 2000-01-02, step: 6h}\n"
        "components: {program: {plugin: program}}\n"
        f"control: {{field: {field}, prior_error: 1}}\n"
    )
    assert expected in only_fault(path)
    path.write_text(path.read_text().replace("prior_error", "prior: 2, prior_error"))
    if field == "program.p":
        found = assemble(path).control
        assert found.to_fields(found.prior)["program.p"].item() == 2.0


def test_a_fault_in_an_entry_is_no_control(path):
    with pytest.raises(ConfigError):
        assemble(path("control: [{field: source.flux, prior_error: 1}, {field: source.x, prior_error: 1}]"))
