"""A model in an executable as a component: what it takes, gives and remembers."""

from __future__ import annotations

import gc
from dataclasses import replace
from datetime import datetime

import netCDF4
import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.couplers.coupling.component import Component, Interval
from tradewind.couplers.coupling.fields import PerMember, State
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import DataError, ModelError, SpecError
from tradewind.plugins.external.component import External
from tradewind.plugins.external.derivatives import ExternalWithAdjoint, ExternalWithBoth, external

HOUR = Interval(datetime(2000, 1, 1), datetime(2000, 1, 1, 1))
REMEMBERS = """
cat memory.txt given.txt > new.txt 2> /dev/null
mv new.txt memory.txt
cp answer.nc output.nc
"""
"""Appends a line, which tells the member, to its restart file."""


def layouts_of(spec):
    variables = (*spec.imports, *spec.exports, *spec.state, *spec.parameters)
    return {v.name: Layout(v.grid) for v in variables if v.grid is not None}


def begun(component, members=1):
    spec = component.describe()
    layouts = layouts_of(spec)
    state = component.initialize(spec, layouts, members)
    defaults = component.defaults(layouts)
    return state, {k: v.expand(members, *v.shape[1:]) for k, v in defaults.items()}


@pytest.fixture
def remembering(script):
    """Return a model whose restart file grows by a line, ``{member} {start}``, at every step."""

    def make(**changes):
        restart = [{"file": "memory.txt", "at_start": "absent"}]
        options = script(REMEMBERS, rendered=["given.txt"], restart=restart, **changes)
        (options.template / "given.txt").write_text("member {member} at {start:%H}\n")
        return External(options)

    return make


def memory(state):
    return [
        kept.contents().get("memory.txt", b"").decode().split("\n")[:-1] for kept in state.extras["restart"]
    ]


# ---------------------------------------------------------------------- what it is
def test_it_is_a_component_with_the_derivatives_that_it_has(script):
    plain = external(script())
    adjoint = external(script(adjoint={"command": ["model"]}))
    both = external(script(adjoint={"command": ["model"]}, tangent={"command": ["model"]}))
    assert isinstance(plain, Component)
    assert [type(c) for c in (plain, adjoint, both)] == [External, ExternalWithAdjoint, ExternalWithBoth]
    assert [(hasattr(c, "vjp"), hasattr(c, "jvp")) for c in (plain, adjoint, both)] == [
        (False, False),
        (True, False),
        (True, True),
    ]
    assert [c.describe().differentiable for c in (plain, adjoint, both)] == [False, True, True]


def test_defaults_are_the_same_everywhere(script):
    parameters = {
        "rate": {"file": "p.nc", "units": "s-1", "default": 0.5},
        "depth": {"file": "p.nc", "units": "m", "default": 2.0, "grid": "model", "extra": {"level": 2}},
        "open": {"file": "p.nc", "units": "1"},
    }
    component = External(script(parameters=parameters))
    found = component.defaults(layouts_of(component.describe()))
    assert found.keys() == {"rate", "depth"}
    assert found["rate"].tolist() == [0.5]
    assert torch.equal(found["depth"], torch.full((1, 2, 12), 2.0, dtype=torch.float64))


# ---------------------------------------------------------------------- state
STATE = {"amount": {"file": "restart.nc", "variable": "AMOUNT", "units": "kg", "file_units": "g"}}


def test_the_first_state_is_that_of_the_template_in_our_units(script, tools):
    options = script(state=STATE)
    tools.restart_file(options.template / "restart.nc")
    state, _ = begun(External(options), members=2)
    expected = torch.from_numpy(tools.AMOUNT.ravel() / 1000)
    torch.testing.assert_close(state.fields["amount"], expected.expand(2, 12), rtol=1e-15, atol=0)
    assert state.extras == {"restart": (None, None)}


def test_the_first_state_may_be_a_number(script):
    state, _ = begun(External(script(state={"amount": STATE["amount"] | {"initial": 3.0}})), members=2)
    assert torch.equal(state.fields["amount"], torch.full((2, 12), 3.0, dtype=torch.float64))


def test_a_template_without_a_first_state_is_refused(script):
    component = External(script(state=STATE))
    with pytest.raises(DataError, match=r"restart\.nc: the template lacks this file"):
        component.verify(None)
    with pytest.raises(DataError, match=r"restart\.nc: the template lacks this file"):
        begun(component)


def test_a_template_without_a_restart_file_is_refused(script):
    component = External(script(restart=[{"file": "memory.bin"}]))
    with pytest.raises(
        DataError, match=r"memory\.bin: the template lacks this restart file .*at_start: absent"
    ):
        component.verify(None)
    with pytest.raises(DataError, match="the template lacks this restart file"):
        begun(component)


def test_the_new_state_is_read_from_where_the_model_writes_it(script):
    settings = STATE["amount"] | {"output": "output.nc", "initial": 0.0}
    answer = {"AMOUNT": (("lat", "lon"), 1000.0 + np.zeros((3, 4)), {"units": "g"})}
    options = script(answer=answer, state={"amount": settings}, exports={})
    component = External(options)
    state, _ = begun(component)
    (exports, new) = component.step(state, {}, {}, HOUR)
    assert exports == {}
    assert new.fields["amount"].tolist() == [[1.0] * 12]


# ---------------------------------------------------------------------- memory
def test_every_member_has_a_memory_of_its_own(remembering):
    component = remembering()
    state, _ = begun(component, members=2)
    assert memory(state) == [[], []]
    _, state = component.step(state, {}, {}, HOUR)
    _, state = component.step(state, {}, {}, replace(HOUR, start=HOUR.stop))
    assert memory(state) == [["member 0 at 00", "member 0 at 01"], ["member 1 at 00", "member 1 at 01"]]


def test_an_earlier_state_can_be_gone_on_from(remembering):
    component = remembering()
    start, _ = begun(component)
    _, one = component.step(start, {}, {}, HOUR)
    _, two = component.step(one, {}, {}, HOUR)
    _, again = component.step(one, {}, {}, HOUR)
    assert memory(start) == [[]]
    assert len(memory(one)[0]) == 1
    assert memory(two) == memory(again) == [["member 0 at 00"] * 2]


def test_files_go_with_the_states_that_name_them(remembering):
    component = remembering()
    folder = component.options.scratch
    start, _ = begun(component, members=2)
    _, one = component.step(start, {}, {}, HOUR)
    assert len(list(folder.iterdir())) == 1 + 2  # all members began with the same
    del start
    gc.collect()
    assert len(list(folder.iterdir())) == 2
    del one
    gc.collect()
    assert list(folder.iterdir()) == []


def test_members_are_selected_and_put_back_with_their_memory(remembering):
    component = remembering()
    start, _ = begun(component, members=3)
    _, state = component.step(start, {}, {}, HOUR)
    some = torch.tensor([2, 0])
    picked = state.select(some)
    assert memory(picked) == [["member 2 at 00"], ["member 0 at 00"]]
    _, stepped = component.step(picked, {}, {}, HOUR)
    assert [len(m) for m in memory(state.merge(stepped, some))] == [2, 1, 2]


def test_memory_survives_as_bytes(remembering):
    component = remembering()
    start, _ = begun(component, members=2)
    _, state = component.step(start, {}, {}, HOUR)
    saved = component.save_state(state)
    assert all(type(name) is str and type(content) is bytes for name, content in saved.items())
    other = External(component.options)
    begun(other, members=2)
    restored = other.load_state(state.fields, saved)
    assert isinstance(restored.extras["restart"], PerMember)
    assert memory(restored) == memory(state)


def test_a_cold_start_survives_as_bytes(remembering):
    component = remembering()
    start, _ = begun(component, members=2)
    restored = component.load_state({}, component.save_state(start))
    assert memory(restored) == [[], []]


def test_memory_of_another_model_is_refused(remembering, script):
    component = remembering()
    with pytest.raises(DataError, match="what was saved of the model holds nothing"):
        component.load_state({}, {})
    with pytest.raises(DataError, match=r"holds files that the model does not carry: clock\.bin"):
        component.load_state({}, {"members": b"1", "0/clock.bin": b""})


def test_a_state_of_somebody_else_is_refused(remembering):
    component = remembering()
    begun(component)
    with pytest.raises(SpecError, match="the state has lost the model's restart files"):
        component.step(State(), {}, {}, HOUR)


def test_members_are_known_where_nothing_is_given(script):
    component = External(script())
    two, _ = begun(component, members=2)
    begun(component, members=1)  # another run of the same component
    assert component.step(two, {}, {}, HOUR)[0]["level"].shape == (2, 12)
    assert component.step(two.select(torch.tensor([1])), {}, {}, HOUR)[0]["level"].shape == (1, 12)
    saved = component.save_state(two)
    assert component.step(component.load_state({}, saved), {}, {}, HOUR)[0]["level"].shape == (2, 12)


# ---------------------------------------------------------------------- what the model is given
def test_a_member_is_given_its_own_fields(script, grid_file):
    place = {"file": "in.nc", "units": "K"}
    options = script(
        imports={"t": place}, parameters={"rate": place | {"units": "s-1", "default": 1.0}}, keep="always"
    )
    component = External(options)
    state, _ = begun(component, members=2)
    given = torch.arange(24.0, dtype=torch.float64).reshape(2, 12)
    component.step(state, {"t": given}, {"rate": torch.tensor([0.5, 0.25])}, HOUR)
    for folder in options.scratch.iterdir():
        member = int(folder.name.partition("-member")[2][0])
        with netCDF4.Dataset(folder / "in.nc") as ds:
            assert ds["t"][:].ravel().tolist() == given[member].tolist()
            assert float(ds["rate"][:]) == [0.5, 0.25][member]


def test_missing_values_do_not_reach_the_model(script, tmp_path):
    options = script(f"touch {tmp_path}/started", imports={"t": {"file": "in.nc", "units": "K"}})
    component = External(options)
    state, _ = begun(component)
    bad = torch.full((1, 12), torch.nan, dtype=torch.float64)
    with pytest.raises(
        DataError, match=r"member 0, 2000-01-01 00:00/.*, t in in\.nc: 12 missing or infinite"
    ):
        component.step(state, {"t": bad}, {}, HOUR)
    assert not (tmp_path / "started").exists()


def test_exports_of_all_members_come_in_double_precision(script):
    answer = {"LEVEL": (("lat", "lon"), np.ones((3, 4), dtype=np.float32))}
    component = External(script(answer=answer))
    state, _ = begun(component, members=3)
    exports, _ = component.step(state, {}, {}, HOUR)
    assert torch.equal(exports["level"], torch.ones(3, 12, dtype=torch.float64))


def test_cells_that_the_grid_masks_out_may_be_missing(script, grid_file, tmp_path):
    with xr.open_dataset(grid_file) as ds:
        masked = ds.load().assign(mask=(("lat", "lon"), np.array([[0, 1, 1, 1]] + [[1] * 4] * 2, dtype="i1")))
    masked["mask"].attrs["long_name"] = "active cells"
    masked.to_netcdf(tmp_path / "masked.nc")
    values = np.ones((3, 4))
    values[0, 0] = np.nan
    options = script(answer={"LEVEL": (("lat", "lon"), values)}, grid={"file": tmp_path / "masked.nc"})
    component = External(options)
    state, _ = begun(component)
    exports, _ = component.step(state, {}, {}, HOUR)
    assert exports["level"][0].tolist() == [0.0] + [1.0] * 11


def test_a_member_that_fails_is_named(script):
    component = External(
        script('test "$1" = 1 && exit 7; cp answer.nc output.nc', command=["model", "{member}"])
    )
    state, _ = begun(component, members=3)
    with pytest.raises(ModelError, match=r"forward run of member 1, .*ended with exit code 7"):
        component.step(state, {}, {}, HOUR)


def test_nothing_must_be_finalized(script):
    assert External(script()).finalize() is None
