"""An external model in a run config: checked with its line before anything runs, then run."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tradewind.assembly import assemble
from tradewind.errors import ConfigError

CONFIG = """\
plugins: [stand.py]
run: {start: 2000-01-01, stop: 2000-01-01T04:00, step: 1h}
components:
  pond:
    plugin: external
    options:
      command: [pond]
      template: template
      rendered: [pond.txt]
      grid: {file: grid.nc}
      scratch: scratch
      exports:
        level: {file: output.nc, variable: LEVEL, units: m}
      restart:
        - {file: memory.bin}
"""
STAND = '''
"""A surrogate that gives nothing but zeros."""
import torch
from tradewind import hookimpl
from tradewind.couplers.coupling.component import Step


class Flat:
    def __init__(self, options, component):
        pass

    def tradewind_step(self, call):
        return Step({"level": torch.zeros(1, 12, dtype=torch.float64)}, call.state)


@hookimpl
def tradewind_register_surrogate(register):
    register(
        "flat", factory=f"{__name__}:Flat", stands_in_for="step", component="external",
        summary="a level of zero wherever one looks",
    )
'''


@pytest.fixture
def config(script, tmp_path):
    script(None).template.joinpath("model").unlink()
    template = tmp_path / "template"
    (template / "pond").write_text("#!/bin/sh\necho more >> memory.bin; cp answer.nc output.nc\n")
    (template / "pond").chmod(0o755)
    (template / "pond.txt").write_text("{start} {member}")
    (template / "memory.bin").write_bytes(b"begin\n")
    (tmp_path / "stand.py").write_text(STAND)
    (tmp_path / "run.yaml").write_text(CONFIG)
    return tmp_path / "run.yaml"


def test_a_config_becomes_a_run(config):
    assembly = assemble(config)
    run = assembly.run(members=2)
    run.advance(run.clock.stop)
    assert run.get("pond.level").tolist() == [list(1.0 + np.arange(12.0))] * 2
    memory = run.moment.states["pond"].extras["restart"]
    assert [kept.contents()["memory.bin"] for kept in memory] == [b"begin\n" + b"more\n" * 4] * 2
    assembly.finalize()


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("command", "[lake]", "no program 'lake' in the template or on the search path"),
        ("command", "[./lake]", "lake: there is no such program"),
        ("command", "[pond, '{begin}']", r"unknown placeholder \{begin\}"),
        ("template", "nowhere", "there is no such template"),
        ("rendered", "[lake.txt]", "no file is called 'lake.txt'"),
        ("restart", "[{file: lake.bin}]", "the template lacks this restart file"),
        ("grid", "{file: lake.nc}", "no such file"),
        ("keep", "all", "'never', 'failed' or 'always'"),
        ("imports", "{t: {file: ../t.nc, units: K}}", "is no file of a run directory"),
    ],
)
def test_faults_are_found_before_anything_runs(config, key, value, what):
    with pytest.raises(ConfigError, match=rf"pond\.options.*{what}"):
        assemble(config, [f"components.pond.options.{key}={value}"])


def test_the_check_starts_nothing(config, scratch):
    (config.parent / "template" / "pond").write_text(f"#!/bin/sh\ntouch {scratch}/started\n")
    assemble(config)
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("run_as", ["guarded", "shadow"])
def test_members_cannot_be_guarded_where_restart_files_are_carried(config, run_as):
    overrides = ["components.pond.surrogate=flat", f"components.pond.run_as={run_as}"]
    if run_as == "shadow":
        assemble(config, overrides)
        return
    with pytest.raises(
        ConfigError, match=r"pond\.run_as: a surrogate cannot make memory\.bin for the members"
    ):
        assemble(config, overrides)
    assemble(config, [*overrides, "components.pond.options.restart=[]"])


def test_a_guard_among_the_policies_is_refused_too(config):
    overrides = ["components.pond.surrogate=flat", "components.pond.run_as=surrogate"]
    with pytest.raises(ConfigError, match=r"a surrogate cannot make memory\.bin"):
        assemble(config, [*overrides, "components.pond.policies=[guard]"])


def test_a_method_that_needs_gradients_is_refused(config, tmp_path, grid_file):
    coords = {
        "time": ("obs", np.array(["2000-01-01T04"], dtype="datetime64[ns]"), {"standard_name": "time"}),
        "latitude": ("obs", [20.0], {"standard_name": "latitude"}),
        "longitude": ("obs", [5.0], {"standard_name": "longitude"}),
    }
    fields = {"level": ("obs", [1.0], {"units": "m"}), "level_uncertainty": ("obs", [0.1], {"units": "m"})}
    xr.Dataset(fields, coords).to_netcdf(tmp_path / "gauge.nc")
    overrides = [
        "components.pond.options.parameters={rate: {file: p.nc, units: s-1, grid: model, default: 1}}",
        "observations={operator: point, options: {file: gauge.nc, variable: level, units: m}}",
        "control={field: pond.rate, prior_error: 0.5}",
        "solve={method: analytical}",
    ]
    with pytest.raises(ConfigError, match=r"components\.pond: has no adjoint, and the method"):
        assemble(config, overrides)
    assemble(config, [*overrides, "components.pond.options.adjoint={command: [pond]}"])
