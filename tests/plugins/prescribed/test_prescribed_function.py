"""A few lines of user code as a component: what it is given, what it may return, how its faults are told."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from textwrap import dedent

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tradewind.couplers.coupling.component import Component, Interval
from tradewind.couplers.coupling.fields import Kind
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import DataError, PluginError
from tradewind.plugins.prescribed.function import FunctionComponent
from tradewind.plugins.prescribed.options import FunctionOptions
from tradewind.testing import ComponentConformance

DAY = Interval(datetime(2000, 1, 1), datetime(2000, 1, 1) + timedelta(days=1))
GRID = {"lat": [30.0, 31.0], "lon": [-103.0, -102.0, -101.0]}
TANK = """
    def fill(imports, state, parameters, interval):
        amount = state["amount"] + interval.seconds * imports["inflow"]
        level = parameters["rate"][:, None] * amount
        return {"level": level}, {"amount": amount}
"""
TANK_PORTS = {
    "imports": {"inflow": {"units": "kg s-1", "kind": "flux"}},
    "exports": {"level": {"units": "m"}},
    "state": {"amount": {"units": "kg", "extent": "extensive", "initial": 1.0}},
    "parameters": {"rate": {"value": 0.5, "units": "m kg-1"}},
}


@pytest.fixture
def make(tmp_path):
    """Return a function that makes a component of a text of Python."""

    def build(text, function="fill", **said):
        file = tmp_path / "mine.py"
        file.write_text(dedent(text))
        said = {"exports": {"y": {"units": "K"}}, "grid": GRID, **said}
        return FunctionComponent(FunctionOptions(file=file, function=function, **said))

    return build


@pytest.fixture
def tank(make):
    return make(TANK, **TANK_PORTS)


class Trial:
    """A component with its layouts, stepped with ones."""

    def __init__(self, component, members=2):
        self.component, self.members = component, members
        self.spec = component.describe()
        variables = (*self.spec.imports, *self.spec.exports, *self.spec.state, *self.spec.parameters)
        self.layouts = {v.name: Layout(v.grid) for v in variables if v.grid is not None}
        self.state = component.initialize(self.spec, self.layouts, members)
        self.parameters = {
            k: v.expand(members, *v.shape[1:]) for k, v in component.defaults(self.layouts).items()
        }

    def ones(self, variable):
        lengths = [n for _, n in variable.extra]
        return torch.ones(self.members, *lengths, variable.grid.size, dtype=torch.float64)

    def step(self, state=None, interval=DAY):
        imports = {v.name: self.ones(v) for v in self.spec.imports}
        return self.component.step(state or self.state, imports, self.parameters, interval)


def stepped(component):
    return Trial(component).step()[0]


# ---------------------------------------------------------------------- what it says of itself
def test_it_is_a_component(tank):
    assert isinstance(tank, Component)


def test_the_config_declares_its_variables(tank):
    spec = tank.describe()
    assert (spec.imports[0].units, spec.imports[0].kind) == ("kg s-1", Kind.FLUX_INTENSIVE)
    assert spec.state[0].kind is Kind.STATE_EXTENSIVE
    assert spec.parameters[0].grid is None
    assert (spec.differentiable, spec.linear) == (True, False)


def test_what_cannot_be_differentiated_says_so(make):
    component = make(TANK, **TANK_PORTS, differentiable=False)
    assert component.describe().differentiable is False


def test_levels_are_counted_or_named(make):
    exports = {"a": {"units": "K", "levels": 3}, "b": {"units": "K", "levels": [850.0, 500.0]}}
    a, b = make("def fill(): ...", exports=exports).describe().exports
    assert (a.extra, a.levels) == ((("level", 3),), ())
    assert (b.extra, b.levels) == ((("level", 2),), (850.0, 500.0))


# ---------------------------------------------------------------------- a step
def test_state_goes_in_and_comes_out(tank):
    trial = Trial(tank)
    exports, state = trial.step(interval=Interval(DAY.start, DAY.start + timedelta(seconds=10)))
    # 1 kg to begin with, 1 kg s-1 over 10 s, half a metre to the kilogram
    assert state.fields["amount"].tolist() == [[11.0] * 6] * 2
    assert exports["level"].tolist() == [[5.5] * 6] * 2


def test_it_asks_for_what_it_needs(make):
    component = make(
        "def fill(interval, cells):\n    y = cells.lat + interval.start.year\n"
        "    return {'y': y.expand(cells.members, -1)}"
    )
    assert stepped(component)["y"].tolist() == [[2030.0] * 3 + [2031.0] * 3] * 2


def test_arguments_with_defaults_need_not_be_given(make):
    component = make("def fill(cells, scale=2.0):\n    return {'y': scale * cells.lon.expand(2, -1)}")
    assert stepped(component)["y"][0].tolist() == [-206.0, -204.0, -202.0] * 2


def test_parameters_are_numbers_or_fields(make):
    said = {"a": {"value": 2.0}, "b": {"value": 3.0, "per": "cell"}}
    component = make(
        "def fill(parameters):\n    return {'y': parameters['a'][:, None] * parameters['b']}", parameters=said
    )
    assert {k: tuple(v.shape) for k, v in Trial(component).parameters.items()} == {"a": (2,), "b": (2, 6)}
    assert stepped(component)["y"].tolist() == [[6.0] * 6] * 2


@pytest.mark.parametrize(("initial", "expected"), [(3.0, [3.0, 3.0]), ([1.0, 2.0], [1.0, 2.0])])
def test_a_state_begins_with_one_number_or_one_for_each_level(make, initial, expected):
    state = {"s": {"units": "K", "levels": 2, "initial": initial}}
    found = Trial(make("def fill(state): ...", state=state)).state.fields["s"]
    assert found.shape == (2, 2, 6)
    assert found[1, :, 0].tolist() == expected


def test_torch_differentiates_it(tank):
    trial = Trial(tank)
    rate = torch.tensor([0.5, 0.5], dtype=torch.float64, requires_grad=True)
    trial.parameters = {"rate": rate}
    trial.step(interval=Interval(DAY.start, DAY.start + timedelta(seconds=10)))[0]["level"].sum().backward()
    assert rate.grad.tolist() == [66.0, 66.0]  # 11 kg in six cells


# ---------------------------------------------------------------------- looked at before it is run
def test_nothing_is_run_before_the_first_step(make, tmp_path):
    text = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\ndef fill(cells): return {}"
    trial = Trial(make(text))
    assert not (tmp_path / "ran").exists()
    with pytest.raises(PluginError, match="returned no export 'y'"):
        trial.step()
    assert (tmp_path / "ran").exists()


def test_a_missing_file_is_named(tmp_path):
    options = FunctionOptions(
        file=tmp_path / "absent.py", function="f", exports={"y": {"units": "K"}}, grid=GRID
    )
    with pytest.raises(
        PluginError, match=r"absent\.py: cannot be read: No such file .* \(`file` is relative"
    ):
        FunctionComponent(options).describe()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("def fil(): ...", r"mine\.py defines no 'fill' \(did you mean 'fill?'\?\)"),
        ("x = 1", r"defines no 'fill'"),
        ("def fill(import_): ...", r"there is no 'import_' to be given \(it may ask for imports, state"),
        ("def fill(:\n", r"mine\.py, function 'fill', line 1: SyntaxError"),
    ],
)
def test_a_function_that_cannot_be_called_is_refused_before_it_is_run(make, text, match):
    with pytest.raises(PluginError, match=match):
        make(text).describe()


@pytest.mark.parametrize(
    "text",
    [
        "fill = lambda cells: {'y': cells.lat.expand(2, -1)}",
        "def same(f): return f\n@same\ndef fill(cells):\n    return {'y': cells.lat.expand(2, -1)}",
    ],
)
def test_a_function_may_be_made_by_other_means_than_def(make, text):
    assert stepped(make(text))["y"][0, 0] == 30.0


def test_what_is_found_out_late_is_told_all_the_same(make):
    with pytest.raises(PluginError, match="there is no 'a' to be given"):
        stepped(make("fill = lambda a: {}"))
    with pytest.raises(PluginError, match="function 'fill': is a int, no function"):
        stepped(make("fill = 3"))


# ---------------------------------------------------------------------- faults of the user's
def test_what_it_raises_is_told_with_file_function_and_line(make):
    text = "def helper(x):\n    return x['absent']\n\ndef fill(imports):\n    return helper(imports)\n"
    with pytest.raises(PluginError, match=r"mine\.py, function 'fill', line 2: KeyError: 'absent'") as told:
        stepped(make(text))
    assert isinstance(told.value.__cause__, KeyError)


def test_shapes_that_torch_refuses_are_told_with_the_line(make):
    text = "import torch\ndef fill(cells):\n    y = cells.lat\n    return {'y': y + torch.ones(5)}\n"
    with pytest.raises(PluginError, match="line 4: RuntimeError: The size of tensor"):
        stepped(make(text))


def test_a_file_that_cannot_be_run_is_told_with_the_line(make):
    with pytest.raises(PluginError, match=r"line 2: ModuleNotFoundError: No module named 'absent_package'"):
        stepped(make("x = 1\nimport absent_package\ndef fill(): ...\n"))


@pytest.mark.parametrize(
    ("returned", "match"),
    [
        ("None", r"returned a NoneType \(return a mapping of exports\)"),
        ("{}", r"returned no export 'y' \(it returned \[\]\)"),
        ("{'y': one, 'z': one}", r"returned export 'z' \(declared are \['y'\]\)"),
        ("{'y': one[:, :4]}", r"returned export 'y' as a float64 tensor of shape \(2, 4\)"),
        (
            "{'y': one[0]}",
            r"as a float64 tensor of shape \(6,\) \(declared is a float64 tensor of shape \(2, 6\)",
        ),
        ("{'y': one.float()}", r"as a float32 tensor of shape \(2, 6\)"),
        ("{'y': 1.0}", r"returned export 'y' as a float"),
    ],
)
def test_what_is_not_declared_is_refused(make, returned, match):
    text = f"import torch\ndef fill():\n    one = torch.ones(2, 6).double()\n    return {returned}"
    with pytest.raises(PluginError, match=match):
        stepped(make(text))


def test_where_there_is_state_two_mappings_are_returned(make):
    text = "def fill(state):\n    return state"
    with pytest.raises(PluginError, match=r"returned a dict \(return two mappings, exports and state\)"):
        stepped(make(text, state={"s": {"units": "K", "initial": 0.0}}))


def test_state_in_another_shape_is_refused(make):
    text = "def fill(state):\n    return {'y': state['s']}, {'s': state['s'][:1]}"
    with pytest.raises(PluginError, match=r"returned state 's' as a float64 tensor of shape \(1, 6\)"):
        stepped(make(text, state={"s": {"units": "K", "initial": 0.0}}))


def test_changing_what_was_given_is_refused(make):
    text = "def fill(imports):\n    imports['x'] += 1\n    return {'y': imports['x']}"
    with pytest.raises(PluginError, match=r"changes import 'x' in place \(write x = x \+ 1"):
        stepped(make(text, imports={"x": {"units": "K"}}))


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"exports": {}}, "at least 1 item"),
        ({"parameters": {"y": {"value": 1.0}}}, "a parameter needs a name of its own, 'y' is taken"),
        (
            {"state": {"s": {"units": "K", "levels": 3, "initial": [1.0, 2.0]}}},
            "2 initial values for 3 levels",
        ),
        ({"state": {"s": {"units": "K", "initial": [1.0, 2.0]}}}, "2 initial values for no levels"),
        ({"seed": 1.5}, "seed"),
        ({"function": "a.b"}, "function"),
    ],
)
def test_settings_that_do_not_fit_are_refused(make, said, match):
    with pytest.raises(ValidationError, match=match):
        make("def fill(): ...", **{"function": "fill", **said})


# ---------------------------------------------------------------------- random numbers
WALK = """
    def fill(state, random):
        x = state["x"] + random.normal(state["x"])
        return {"y": x + random.uniform(x)}, {"x": x}
"""
X = {"x": {"units": "K", "initial": 0.0}}


def walked(component, steps=3, members=2):
    trial = Trial(component, members)
    state = trial.state
    for _ in range(steps):
        exports, state = trial.step(state)
    return exports["y"], state


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(make):
    first, again, other = (walked(make(WALK, state=X, seed=seed))[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.isclose(first, other).any()


def test_every_member_cell_and_step_has_numbers_of_its_own(make):
    y, state = walked(make(WALK, state=X))
    assert len(torch.unique(torch.cat([y.flatten(), state.fields["x"].flatten()]))) == 24


def test_a_member_draws_the_same_whoever_else_there_is(make):
    alone, among = (walked(make(WALK, state=X), members=members)[0] for members in (1, 5))
    assert torch.equal(alone[0], among[0])


def test_a_walk_goes_on_from_a_saved_state_with_the_same_bits(make):
    component = make(WALK, state=X)
    whole, _ = walked(component, 5)
    _, half = walked(component, 2)
    saved = component.save_state(half)
    assert all(isinstance(content, bytes) for content in saved.values())
    later = Trial(make(WALK, state=X, seed=99))
    state = later.component.load_state(half.fields, saved)
    for _ in range(3):
        exports, state = later.step(state)
    assert torch.equal(exports["y"], whole)


@pytest.mark.parametrize("saved", [{"random": b"[1]"}, {"random": b"?"}, {}])
def test_a_damaged_or_missing_stream_is_refused(make, saved):
    with pytest.raises(DataError, match="holds no streams of random numbers"):
        make(WALK, state=X).load_state({}, saved)


def test_a_step_taken_again_draws_again_what_it_drew(make):
    trial = Trial(make(WALK, state=X))
    assert torch.equal(trial.step()[0]["y"], trial.step()[0]["y"])


def test_normal_numbers_are_numpys(make):
    text = "def fill(random, cells):\n    return {'y': random.normal(cells.lat.expand(2, -1))}"
    found = stepped(make(text, seed=7))["y"]
    seed = np.random.SeedSequence(7, spawn_key=(1,))
    assert found[1].tolist() == np.random.Generator(np.random.PCG64(seed)).standard_normal(6).tolist()


def test_draws_have_shapes_of_fields(make):
    text = "def fill(random, cells):\n    return {'y': random.normal(cells.lat)}"
    with pytest.raises(
        PluginError, match=r"line 2: random: draws are of shape \(2,\) or \(2, \*extra, 6\), not"
    ):
        stepped(make(text))


def test_what_draws_is_not_linear(make):
    with pytest.raises(PluginError, match="draws random numbers"):
        make(WALK, state=X, linear=True).describe()


def test_no_streams_are_kept_where_none_are_asked_for(tank):
    trial = Trial(tank)
    assert not trial.state.extras
    assert tank.save_state(trial.state) == {}
    assert tank.load_state(trial.state.fields, {}) == trial.state


# ---------------------------------------------------------------------- conformance
class TestTank(ComponentConformance):
    @pytest.fixture(autouse=True)
    def _made(self, make):
        self.component_of = lambda: make(TANK, **TANK_PORTS, linear=True)

    def component(self):
        return self.component_of()


class TestNonlinear(ComponentConformance):
    @pytest.fixture(autouse=True)
    def _made(self, make):
        text = """
            import torch

            def fill(imports, state, parameters):
                s = torch.tanh(state["s"].mean(-2, keepdim=True) * imports["x"]) + parameters["p"][:, None, :]
                return {"y": s.prod(-2)}, {"s": s}
        """
        ports = {
            "imports": {"x": {"units": "1", "levels": 2}},
            "exports": {"y": {"units": "1"}},
            "state": {"s": {"units": "1", "levels": 2, "initial": 0.3}},
            "parameters": {"p": {"value": 0.5, "per": "cell"}},
        }
        self.component_of = lambda: make(text, **ports)

    def component(self):
        return self.component_of()


class TestWalk(ComponentConformance):
    """Draws do not stand in the way of derivatives, members or repetition."""

    @pytest.fixture(autouse=True)
    def _made(self, make):
        self.component_of = lambda: make(WALK, state=X)

    def component(self):
        return self.component_of()


def test_the_module_is_that_of_the_text(make):
    component = make("def fill(cells): return {'y': cells.lat.expand(2, -1)}")
    stepped(component)
    source = component.function.source
    assert source.module_name in sys.modules
    assert list(component.inputs()) == [component.options.file]
