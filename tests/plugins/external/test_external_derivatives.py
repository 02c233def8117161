"""Programs for derivatives: what they are given, in whose units, and what becomes of their answer."""

from __future__ import annotations

from datetime import datetime

import netCDF4
import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.couplers.coupling.component import Interval, StepCall
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import ModelError
from tradewind.plugins.external.derivatives import external

HOUR = Interval(datetime(2000, 1, 1), datetime(2000, 1, 1, 1))
ONES = (("lat", "lon"), np.ones((3, 4)))
ADJOINT = {"import_inflow": ONES, "state_amount": ONES, "parameter_rate": ((), 1.0)}
TANGENT = {"export_level": ONES, "state_amount": ONES}


@pytest.fixture
def model(script, tmp_path):
    """Return a model whose derivatives answer with ones in the model's units, and a call of it."""

    def make(**changes):
        options = script(
            imports={"inflow": {"file": "in.nc", "units": "kg s-1", "file_units": "g s-1"}},
            state={"amount": {"file": "restart.nc", "units": "kg", "file_units": "g", "initial": 1.0}},
            parameters={"rate": {"file": "in.nc", "units": "s-1", "file_units": "h-1", "default": 0.5}},
            exports={"level": {"file": "output.nc", "units": "m", "file_units": "cm"}},
            restart=[{"file": "memory.bin"}],
            adjoint={"command": ["adjoint", "{mode}"]},
            tangent={"command": ["tangent", "{mode}"], "given": "dx.nc", "found": "dy.nc"},
            keep="always", **changes,
        )  # fmt: skip
        for name, answer, file in (("adjoint", ADJOINT, "found.nc"), ("tangent", TANGENT, "dy.nc")):
            xr.Dataset(answer).to_netcdf(options.template / f"{name}.nc")
            program = options.template / name
            program.write_text(f"#!/bin/sh\necho $1 > said\ncp {name}.nc {file}\n")
            program.chmod(0o755)
        (options.template / "memory.bin").write_bytes(b"memory")
        return external(options)

    return make


def call_of(component, members=2):
    spec = component.describe()
    variables = (*spec.imports, *spec.exports, *spec.state)
    layouts = {v.name: Layout(v.grid) for v in variables}
    state = component.initialize(spec, layouts, members)
    inflow = torch.full((members, 12), 2.0, dtype=torch.float64)
    rate = torch.full((members,), 0.5, dtype=torch.float64)
    return StepCall("pond", state, {"inflow": inflow}, {"rate": rate}, HOUR)


def folders(component):
    return [path for path in component.options.scratch.iterdir() if not path.name.startswith("tradewind")]


def field(value, k=1, members=2):
    return torch.full((k, members, 12), value, dtype=torch.float64)


def test_an_adjoint_answers_in_the_models_units(model):
    component = model()
    found = component.vjp(call_of(component), {("export", "level"): field(1.0)})
    assert found.keys() == {("import", "inflow"), ("state", "amount"), ("parameter", "rate")}
    # per g and per 1/h in the file, per kg and per 1/s here
    torch.testing.assert_close(found["import", "inflow"], field(1000.0))
    torch.testing.assert_close(found["state", "amount"], field(1000.0))
    torch.testing.assert_close(found["parameter", "rate"], torch.full((1, 2), 3600.0, dtype=torch.float64))


def test_a_tangent_answers_in_the_models_units(model):
    component = model()
    found = component.jvp(call_of(component), {("import", "inflow"): field(1.0)})
    torch.testing.assert_close(found["export", "level"], field(0.01))
    torch.testing.assert_close(found["state", "amount"], field(0.001))


def test_an_adjoint_is_given_the_step_and_all_cotangents(model):
    component = model()
    component.vjp(call_of(component, members=1), {("export", "level"): field(1.0, members=1)})
    (run,) = folders(component)
    assert run.name.startswith("adjoint-adjoint-20000101T0000-member0-")
    assert (run / "said").read_text() == "adjoint\n"
    assert (run / "memory.bin").read_bytes() == b"memory"
    with netCDF4.Dataset(run / "in.nc") as ds:
        assert ds["inflow"][0, 0] == pytest.approx(2000.0)
        assert float(ds["rate"][:]) == pytest.approx(1800.0)
    with netCDF4.Dataset(run / "restart.nc") as ds:
        assert ds["amount"][0, 0] == pytest.approx(1000.0)
    with netCDF4.Dataset(run / "given.nc") as ds:
        assert set(ds.variables) == {"export_level", "state_amount"}
        assert ds["export_level"][0, 0] == pytest.approx(0.01)  # per m here, per cm there
        assert not ds["state_amount"][:].any()


def test_a_tangent_is_given_its_own_files(model):
    component = model()
    component.jvp(call_of(component, members=1), {("parameter", "rate"): torch.ones(1, 1)})
    (run,) = folders(component)
    assert (run / "said").read_text() == "tangent\n"
    with netCDF4.Dataset(run / "dx.nc") as ds:
        assert set(ds.variables) == {"import_inflow", "state_amount", "parameter_rate"}
        assert float(ds["parameter_rate"][:]) == pytest.approx(3600.0)


def test_only_what_is_not_zero_is_run(model):
    component = model()
    cotangent = field(0.0, k=3)
    cotangent[1, 0] = 1.0
    found = component.vjp(call_of(component), {("export", "level"): cotangent})
    assert len(folders(component)) == 1
    asked = found["import", "inflow"] != 0
    assert asked[1, 0].all()
    assert asked.sum() == 12


def test_a_derivative_that_fails_is_named(model):
    component = model()
    (component.options.template / "adjoint").write_text("#!/bin/sh\necho no convergence\nexit 4\n")
    with pytest.raises(ModelError, match=r"^adjoint run of member 0, .*exit code 4; it said last: no conv"):
        component.vjp(call_of(component), {("export", "level"): field(1.0)})


def test_a_derivative_may_have_a_launcher_of_its_own(model):
    component = model(launcher=["env", "WAY=model"])
    assert component.runner.derivative("adjoint").launcher is None
    (component.options.template / "adjoint").write_text(
        "#!/bin/sh\necho $WAY > said\ncp adjoint.nc found.nc\n"
    )
    component.vjp(call_of(component, members=1), {("export", "level"): field(1.0, members=1)})
    (run,) = folders(component)
    assert (run / "said").read_text() == "model\n"
