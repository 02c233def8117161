"""Opening a run config: plugins are loaded, and their options validated by the models they name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tradewind.config import json_schema, load_config, open_config
from tradewind.errors import ConfigError
from tradewind.plugins.manager import PluginManager
from tradewind.plugins.registry import Role

FAKE = """
from pydantic import BaseModel, Field
from tradewind.markers import hookimpl
from tradewind.plugins.options import Options, RelativePath

class Window(Options):
    length: int = 3

class Model(Options):
    file: RelativePath
    levels: int = Field(default=3, ge=1)
    window: Window = Window()

class Net(Options):
    checkpoint: RelativePath = "net.safetensors"

class Method(Options):
    iterations: int = 10

def built(options):
    return options

def path(name):
    return f"{__name__}:{name}"

FACTORY = path("built")

@hookimpl
def tradewind_register_component(register):
    register("fake-transport", options=path("Model"), factory=FACTORY, summary="Moves air.")
    register("fake-inventory", factory=FACTORY, summary="Emits.")

@hookimpl
def tradewind_register_surrogate(register):
    register("fake-net", options=path("Net"), factory=FACTORY, summary="Guesses.",
             stands_in_for="linearization", component="fake-transport")

@hookimpl
def tradewind_register_policy(register):
    register("fake-budget", options=path("Method"), factory=FACTORY, summary="Counts.", order=5)

@hookimpl
def tradewind_register_solver(register):
    register("fake-solver", options=path("Method"), factory=FACTORY, summary="Solves.")

@hookimpl
def tradewind_register_filter(register):
    register("fake-filter", options=path("Method"), factory=FACTORY, summary="Filters.")

@hookimpl
def tradewind_register_observation_operator(register):
    register("fake-column", options=path("Method"), factory=FACTORY, summary="Looks.")
"""
CONFIG = """\
plugins: [fake.py]
run: {start: 1996-01-10, stop: 1996-01-20, step: 6h}
components:
  inventory: {plugin: fake-inventory}
  transport:
    plugin: fake-transport
    options: {file: winds.nc}
    surrogate: fake-net
    run_as: guarded
    policies: [fake-budget, {policy: fake-budget, options: {iterations: 2}}]
exchanges: [{from: inventory.flux, to: transport.flux}]
observations: {operator: fake-column}
control: {field: inventory.flux, prior_error: 0.5}
solve: {method: fake-solver, options: {iterations: 5}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fake.py").write_text(FAKE)
    (tmp_path / "a.yaml").write_text(CONFIG)
    return tmp_path


def faults(folder: Path, old: str, new: str, *overrides: str) -> list[str]:
    """Return the faults of the config with `old` replaced by `new`."""
    assert old in CONFIG
    (folder / "a.yaml").write_text(CONFIG.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        open_config(folder / "a.yaml", overrides)
    return [fault.replace(f"{folder}/", "") for fault in caught.value.faults]


def test_options_become_what_the_plugin_declares(folder: Path) -> None:
    config, _ = open_config(folder / "a.yaml")
    assert config.components["transport"].options.levels == 3
    assert config.components["transport"].options.window.length == 3
    assert config.solve is not None
    assert config.solve.options.iterations == 5


def test_paths_in_options_are_beside_the_config(folder: Path) -> None:
    config, _ = open_config(folder / "a.yaml")
    assert config.components["transport"].options.file == folder / "winds.nc"


def test_policies_are_named_or_given_options(folder: Path) -> None:
    policies = open_config(folder / "a.yaml")[0].components["transport"].policies
    assert [p.options.iterations for p in policies] == [10, 2]


def test_options_build_what_they_configure(folder: Path) -> None:
    config, manager = open_config(folder / "a.yaml")
    options = config.components["transport"].options
    assert manager.descriptor(Role.COMPONENT, "fake-transport").build(options) is options


def test_reading_alone_leaves_options_as_written(folder: Path) -> None:
    config = load_config(folder / "a.yaml")
    assert config.components["transport"].options == {"file": "winds.nc"}


def test_a_filter_is_a_method_too(folder: Path) -> None:
    config, _ = open_config(folder / "a.yaml", ["solve.method=fake-filter"])
    assert config.solve is not None
    assert config.solve.options.iterations == 5


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("{file: winds.nc}", "{fil: winds.nc, file: a}",
         "a.yaml:7: components.transport.options.fil: unknown key, did you mean 'file'?"),
        ("{file: winds.nc}", "{}", "a.yaml:7: components.transport.options.file: missing key"),
        ("{file: winds.nc}", "{file: a, levels: 0}",
         "a.yaml:7: components.transport.options.levels: input should be greater than or equal to 1, not 0"),
        ("{file: winds.nc}", "\n      file: a\n      window: {lenght: 3}",
         "a.yaml:9: components.transport.options.window.lenght: unknown key, did you mean 'length'?"),
        ("{iterations: 2}", "{iteration: 2}",
         "a.yaml:10: components.transport.policies.1.options.iteration: unknown key"),
        ("{plugin: fake-inventory}", "{plugin: fake-inventory, options: {a: 1}}",
         "a.yaml:4: components.inventory.options.a: unknown key, none is known"),
        ("plugin: fake-transport", "plugin: fake-trnsport",
         "'fake-trnsport' (did you mean 'fake-transport'?; loaded plugins: builtin, fake.py"),
        ("surrogate: fake-net", "surrogate: fake-nett", "'fake-nett' (did you mean 'fake-net'?"),
        ("operator: fake-column", "operator: fake-colum", "did you mean 'fake-column'?"),
        ("method: fake-solver", "method: fake-solvr", "did you mean 'fake-solver'?"),
        ("method: fake-solver", "method: fake-filtr",
         "no solver or filter is called 'fake-filtr' (did you mean 'fake-filter'?"),
    ],
)  # fmt: skip
def test_faults_of_options_have_lines(folder: Path, old: str, new: str, expected: str) -> None:
    assert any(expected in fault for fault in faults(folder, old, new))


def test_a_surrogate_stands_in_for_its_own_kind_only(folder: Path) -> None:
    (fault,) = faults(folder, "plugin: fake-inventory", "plugin: fake-inventory, surrogate: fake-net")
    assert fault == (
        "a.yaml:4: components.inventory.surrogate: "
        "'fake-net' stands in for 'fake-transport', not for 'fake-inventory'"
    )


def test_faults_of_plugins_and_of_the_rest_come_together(folder: Path) -> None:
    found = faults(folder, "{file: winds.nc}", "{fil: winds.nc}", "run.stop=1990-01-01", "exchanges.0.to=a.b")
    assert [fault.partition(": ")[2].partition(":")[0] for fault in found] == [
        "run.stop",
        "components.transport.options.file",
        "components.transport.options.fil",
        "exchanges.0.to",
    ]


def test_an_overridden_option_is_reported_as_such(folder: Path) -> None:
    (fault,) = faults(folder, "run_as: guarded", "run_as: shadow", "components.transport.options.levels=0")
    assert fault.startswith(
        "--set components.transport.options.levels=0: components.transport.options.levels"
    )


@pytest.mark.parametrize(
    ("plugins", "expected"),
    [
        ("[absent.py]", "absent.py: the plugin file cannot be read: No such file"),
        ("[fake.py, no-such-plugin]", "no plugin 'no-such-plugin' is installed"),
        ("['no.such.module:plugin']", "cannot be imported: ModuleNotFoundError"),
        ("[3]", "input should be a valid string"),
        ("fake.py", "input should be a valid tuple"),
    ],
)
def test_missing_plugins_are_faults_of_the_config(folder: Path, plugins: str, expected: str) -> None:
    found = faults(folder, "[fake.py]", plugins, "run.step=7h")
    assert any(f.startswith("a.yaml:1: plugins") and expected in f for f in found)
    assert any("run.step" in f for f in found)


def test_the_schema_points_to_each_plugin_s_options(folder: Path) -> None:
    schema = json_schema(open_config(folder / "a.yaml")[1])
    rules = schema["$defs"]["ComponentSection"]["allOf"]
    chosen = {r["if"]["properties"]["plugin"]["const"]: r for r in rules if "plugin" in r["if"]["properties"]}
    pointer = chosen["fake-transport"]["then"]["properties"]["options"]["$ref"]
    assert set(follow(schema, pointer)["properties"]) == {"file", "levels", "window"}


def test_every_reference_of_the_schema_leads_somewhere(folder: Path) -> None:
    schema = json_schema(open_config(folder / "a.yaml")[1])
    pointers = list(references(schema))
    assert len(pointers) > 10
    for pointer in pointers:
        assert isinstance(follow(schema, pointer), dict)


def test_the_schema_allows_a_policy_by_name_alone() -> None:
    policies = json_schema(PluginManager.load())["$defs"]["ComponentSection"]["properties"]["policies"]
    assert policies["items"]["anyOf"] == [{"type": "string"}, {"$ref": "#/$defs/PolicySection"}]


def test_a_missing_plugin_is_found_on_its_own_line(folder: Path) -> None:
    found = faults(folder, "[fake.py]", "\n  - fake.py\n  - no-such-plugin")
    assert any(f.startswith("a.yaml:3: plugins.1: no plugin 'no-such-plugin'") for f in found)


def test_the_schema_of_the_config_names_its_keys() -> None:
    schema = json_schema(PluginManager.load())
    assert {"run", "components", "exchanges", "control", "solve"} <= set(schema["properties"])
    assert {"from", "to", "regrid"} <= set(schema["$defs"]["ExchangeSection"]["properties"])


def follow(schema: dict[str, Any], pointer: str) -> Any:
    """Return what a JSON pointer within `schema` leads to."""
    found: Any = schema
    for key in pointer.removeprefix("#/").split("/"):
        found = found[key]
    return found


def references(part: Any) -> list[str]:
    """Return all pointers in a part of a schema."""
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [r for value in part.values() for r in references(value)]
    return [r for item in part for r in references(item)] if isinstance(part, list) else []


def test_config_and_manager_load_nothing_heavy() -> None:
    code = (
        "import sys, tradewind.config, tradewind.plugins.manager, tradewind.plugins.caller;"
        "print(sorted({'torch', 'esmpy', 'mpi4py', 'xarray', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
