"""Settings of an external model: what a user may write, and what is refused before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from tradewind.couplers.coupling.fields import Kind
from tradewind.plugins.external.options import ExternalOptions, GridFile, Keep, NetCDF
from tradewind.plugins.options import FOLDER

LEVEL = {"file": "output.nc", "units": "m", "grid": "none"}


def options(**changes):
    return ExternalOptions(**{"command": ["model"], "template": "here"} | changes)


def test_little_must_be_said():
    found = options()
    assert (found.keep, found.netcdf, found.retries, found.timeout) == (Keep.FAILED, NetCDF.OFFSET, 0, None)
    assert (found.launcher, found.environment, found.linear) == ((), {}, False)


def test_numbers_in_a_command_are_words():
    found = options(launcher=["mpiexec", "-n", 4], command=["model", 0.5], environment={"THREADS": 2})
    assert found.launcher == ("mpiexec", "-n", "4")
    assert found.command == ("model", "0.5")
    assert found.environment == {"THREADS": "2"}


def test_paths_are_relative_to_the_run_config():
    raw = {
        "command": ["bin/model", "bin/input"],
        "launcher": ["mpiexec", "-n", 2],
        "template": "here",
        "scratch": "/scratch",
        "grid": {"file": "grid.nc"},
        "adjoint": {"command": ["../adjoint"]},
    }
    found = ExternalOptions.model_validate(raw, context={FOLDER: "/runs/a"})
    assert found.command == ("/runs/a/bin/model", "bin/input")
    assert found.launcher[0] == "mpiexec"
    assert (found.template, found.scratch) == (Path("/runs/a/here"), Path("/scratch"))
    assert found.grid == GridFile(file=Path("/runs/a/grid.nc"))
    assert found.adjoint.command == ("/runs/a/../adjoint",)


def test_variables_live_on_the_models_grid_and_parameters_nowhere():
    found = options(
        grid={"file": "grid.nc"},
        exports={"a": LEVEL | {"grid": "model"}, "b": {"file": "o.nc", "units": "1"}},
        parameters={"rate": {"file": "p.nc", "units": "s-1"}},
    )
    assert [v.grid for v in found.exports.values()] == ["model", "model"]
    assert found.parameters["rate"].grid == "none"
    assert found.exports["b"].kind is Kind.STATE_INTENSIVE


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"command": []}, "at least 1 item"),
        ({"command": "model --fast"}, "valid tuple"),
        ({"exports": {"a": {"file": "o.nc", "units": "m"}}}, "a live on the model's grid: give grid"),
        ({"exports": {"a": LEVEL | {"file": "/tmp/o.nc"}}}, "'/tmp/o.nc' is no file of a run directory"),
        ({"exports": {"a": LEVEL | {"file": "../o.nc"}}}, "is no file of a run directory"),
        ({"restart": [{"file": ""}]}, "is no file of a run directory"),
        ({"exports": {"a": LEVEL | {"extra": {"level": 0}}}}, "greater than 0"),
        ({"exports": {"a": LEVEL | {"kind": "flux"}}}, "flux, intensive"),
        ({"exports": {"a": LEVEL | {"record": "first"}}}, "last"),
        ({"exports": {"a": {"file": "o.nc", "grid": "none"}}}, "Field required"),
        ({"timeout": 0}, "greater than 0"),
        ({"retries": -1}, "greater than or equal to 0"),
        ({"keep": "yes"}, "'never', 'failed' or 'always'"),
        ({"tangent": {"command": ["tangent"]}}, "a tangent alone serves no method"),
        ({"environment": {"A": None}}, "valid string"),
        ({"unknown": 1}, "Extra inputs"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes, what):
    with pytest.raises(ValidationError, match=what):
        options(**changes)
