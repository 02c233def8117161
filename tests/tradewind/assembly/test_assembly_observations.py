"""Observations of a run config: one stream or several, prepared, and checked before an inversion."""

from __future__ import annotations

from pathlib import Path

import docblocks
import numpy as np
import pytest
import xarray as xr

from tradewind.assembly import assemble
from tradewind.couplers.assimilation.observing import ObservationNetwork, PreparedOperator
from tradewind.errors import ConfigError, DataError
from tradewind.execute import execute
from tradewind.output.fit import diagnosis_of
from tradewind.plugins.observations.point import PointOperator

CONFIG = """\
run: {start: 2000-01-01, stop: 2000-01-02, step: 6h, window: 12h}
components:
  circle: {plugin: lorenz-96, options: {initial: 8.0}}
observations:
  %s
"""
POINT = "operator: point, of: circle.x, options: {file: seen.nc, variable: x}"
SOLVE = """\
control: {field: circle.x, change: add, prior_error: 1.0}
solve: {method: analytical}
"""


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a config with observations as told, and four of them in two places."""
    hours = np.array([12, 12, 24, 24])
    time = np.datetime64("2000-01-01", "ns") + hours * np.timedelta64(1, "h")
    ds = xr.Dataset({"time": ("obs", time), "latitude": ("obs", np.zeros(4))})
    ds["longitude"] = ("obs", [0.0, 9.0, 0.0, 9.0])
    ds["x"] = ("obs", [8.0, 8.5, 20.0, 8.0], {"units": "1"})
    ds["x_uncertainty"] = ("obs", np.ones(4), {"units": "1"})
    ds.to_netcdf(tmp_path / "seen.nc")

    def write(observations: str, more: str = "") -> Path:
        (tmp_path / "run.yaml").write_text(CONFIG % observations + more)
        return tmp_path / "run.yaml"

    return write


def test_one_stream_is_its_operator(write):
    assert isinstance(assemble(write(f"{{{POINT}}}")).observe, PointOperator)


def test_several_streams_are_a_network_with_names_of_their_own(write):
    run = assemble(write(f"- {{{POINT}}}\n  - {{{POINT}}}\n  - {{name: third, {POINT}}}"))
    assert isinstance(run.observe, ObservationNetwork)
    assert list(run.observe.streams) == ["point", "point-2", "third"]
    assert [len(seen) for seen in run.observe.windows(run.windows).values()] == [6, 6]


def test_streams_are_prepared_one_by_one(write):
    thin = "thin: {length: 20, distance: degrees}"
    run = assemble(write(f"- {{{POINT}, {thin}}}\n  - {{{POINT}, error: {{inflation: 3}}}}"))
    assert run.notes == ["point: 2 of 4 observations kept by thinning"]
    seen = run.observe.windows(run.windows)[run.windows[0]]
    assert seen.y.tolist() == [8.5, 8.0, 8.5]  # 9 E is nearer to the middle of the box than 0 E
    assert seen.covariance.diagonal().tolist() == [1.0, 9.0, 9.0]


def faults(path):
    with pytest.raises(ConfigError) as caught:
        assemble(path)
    return [fault.rpartition("run.yaml:")[2] for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("observations", "fault"),
    [
        ("{operator: point, off: circle.x}", "5: observations.off: unknown key, did you mean 'of'?"),
        (f"- {{{POINT}}}\n  - {{{POINT}, thin: {{}}}}", "6: observations.1.thin.length: missing key"),
        (f"- {{{POINT}}}\n  - {{{POINT}, thinn: 1}}", "6: observations.1.thinn: unknown key, did you mean"),
        (f"[{{{POINT.replace('circle.x', 'circle.y')}}}]", "5: observations.0.of: no component exports"),
        (f"[{{{POINT.replace('seen', 'lost')}}}]", "5: observations.0.options: "),
        (
            "[{operator: point, options: {fil: a}}]",
            "5: observations.0.options.fil: unknown key, did you mean",
        ),
        ("8", "4: observations: write a mapping, or a list of these"),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(write, observations, fault):
    assert [found for found in faults(write(observations)) if found.startswith(fault)]


def test_a_solver_must_be_told_how_far_the_background_may_be_off(write):
    (fault,) = faults(write(f"{{{POINT}, reject: {{departure: 3}}}}", SOLVE))
    assert fault.startswith("5: observations.reject: 'analytical' has no members")


# ---------------------------------------------------------------------- before an inversion
def test_what_is_too_far_is_not_used_and_counted(write):
    reject = "reject: {departure: 3, background_error: 1}"
    found = execute(write(f"{{{POINT}, {reject}}}", SOLVE))
    assert [len(seen) for seen in found.observations.values()] == [2, 1]
    assert "1 of 4 observations rejected: background check" in found.notes
    (rejected,) = found.rejected.values()
    assert (rejected.y.tolist(), rejected.background.tolist()) == ([20.0], [8.0])
    assert diagnosis_of(found).rejected == {"observations": {"background check": 1}}
    # as if it had not been there
    with xr.open_dataset(write(f"{{{POINT}}}", SOLVE).with_name("seen.nc")) as ds:
        fewer = ds.load().isel(obs=[0, 1, 3])
    fewer.to_netcdf(write(f"{{{POINT}}}", SOLVE).with_name("seen.nc"))
    expected = execute(write(f"{{{POINT}}}", SOLVE))
    assert np.array_equal(found.posterior.mean, expected.posterior.mean)


def test_a_limit_of_one_stream_is_not_that_of_another(write):
    reject = "reject: {departure: 3, background_error: 1}"
    found = execute(write(f"- {{{POINT}, {reject}}}\n  - {{{POINT}}}", SOLVE))
    assert [len(seen) for seen in found.observations.values()] == [4, 3]


def test_an_inversion_without_any_left_is_refused(write):
    path = write(f"{{{POINT}, reject: {{departure: 0.001, background_error: 0.001}}}}", SOLVE)
    path.write_text(path.read_text().replace("initial: 8.0", "initial: 5.0"))
    with pytest.raises(DataError, match="the background check rejects all observations"):
        execute(path)


# ---------------------------------------------------------------------- an operator of the user's own
@pytest.fixture
def own():
    """Return the plugin that the docs show."""
    page = Path(docblocks.__file__).with_name("observations.md")
    (code,) = [b.text for b in docblocks.blocks(page) if b.marks.get("file") == "mean_of_all.py"]
    return code


def test_an_operator_of_the_users_own_is_thirty_lines(write, tmp_path, own):
    assert len([line for line in own.splitlines() if line.strip()]) <= 30
    (tmp_path / "own.py").write_text(own)
    mean = "operator: mean-of-all, of: circle.x, options: {value: 2.0}"
    path = write(f"- {{{POINT}}}\n  - {{{mean}, error: {{inflation: 2}}}}")
    path.write_text("plugins: [own.py]\n" + path.read_text())
    run = assemble(path)
    assert isinstance(run.observe.streams["mean-of-all"], PreparedOperator)
    seen = run.observe.windows(run.windows)[run.windows[0]]
    assert seen.y.tolist() == [8.0, 8.5, 2.0]
    assert seen.covariance.diagonal().tolist() == [1.0, 1.0, 4.0]
