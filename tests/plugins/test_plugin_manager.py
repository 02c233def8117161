"""Loading plugins: only those named, each error with its plugin, nothing shared."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tradewind.errors import PluginError
from tradewind.markers import hookimpl
from tradewind.plugins import hooks
from tradewind.plugins.manager import PluginManager, Provenance
from tradewind.plugins.registry import Role, StandsIn

PLAIN = {"factory": "builtins:dict", "summary": "A dict."}


class Wind:
    """A good plugin: one component, one surrogate, one policy."""

    @hookimpl
    def tradewind_register_component(self, register: Any) -> None:
        register("wind", **PLAIN)

    @hookimpl
    def tradewind_register_surrogate(self, register: Any) -> None:
        register("wind-net", **PLAIN, stands_in_for="step", component="wind")

    @hookimpl
    def tradewind_register_policy(self, register: Any) -> None:
        register("watch", **PLAIN, order=3)


class Registers:
    """A plugin that registers one component with whatever it is given."""

    def __init__(self, name: str, **declared: Any) -> None:
        self.name, self.declared = name, declared

    @hookimpl
    def tradewind_register_component(self, register: Any) -> None:
        register(self.name, **self.declared)


class Misspelt:
    @hookimpl
    def tradewind_register_compnent(self, register: Any) -> None: ...


class WrongArguments:
    @hookimpl
    def tradewind_register_component(self, registry: Any) -> None: ...


class Unmarked:
    def tradewind_register_component(self, register: Any) -> None: ...


class Fails:
    @hookimpl
    def tradewind_register_component(self, register: Any) -> None:
        raise ZeroDivisionError("by design")


class Quits:
    @hookimpl
    def tradewind_register_component(self, register: Any) -> None:
        sys.exit(3)


class Wraps:
    @hookimpl(wrapper=True)
    def tradewind_register_component(self, register: Any) -> Any:
        return (yield)


class Answers:
    @hookimpl
    def tradewind_step(self, call: Any) -> None: ...


@pytest.fixture
def manager() -> PluginManager:
    return PluginManager.load()


def test_the_built_in_plugin_is_always_loaded(manager: PluginManager) -> None:
    assert [p.plugin for p in manager.provenance()] == ["builtin"]


def test_the_built_in_plugin_may_be_named() -> None:
    assert [p.plugin for p in PluginManager.load(["builtin"]).provenance()] == ["builtin"]


def test_what_a_plugin_registers_can_be_found(manager: PluginManager) -> None:
    manager.register("wind", Wind())
    found = manager.descriptor(Role.SURROGATE, "wind-net")
    assert (found.plugin, found.component, found.stands_in_for) == ("wind", "wind", StandsIn.STEP)
    assert manager.descriptor(Role.POLICY, "watch").order == 3


def test_two_managers_share_nothing(manager: PluginManager) -> None:
    manager.register("wind", Wind())
    other = PluginManager.load()
    assert "wind" not in {d.name for d in other.available()}
    other.register("wind", Wind())


def test_the_same_name_may_have_two_roles(manager: PluginManager) -> None:
    manager.register("wind", Wind())
    solver = SimpleNamespace(tradewind_register_solver=hookimpl(lambda register: register("wind", **PLAIN)))
    manager.register("solver", solver)
    assert manager.descriptor(Role.SOLVER, "wind").plugin == "solver"


def test_a_name_registered_twice_names_both_plugins(manager: PluginManager) -> None:
    manager.register("first", Registers("wind", **PLAIN))
    with pytest.raises(PluginError, match="component 'wind' is registered by plugin 'first' and by 'second'"):
        manager.register("second", Registers("wind", **PLAIN))


@pytest.mark.parametrize(
    ("plugin", "expected"),
    [
        (Misspelt(), "no hook 'tradewind_register_compnent', did you mean 'tradewind_register_component'?"),
        (WrongArguments(), "registry"),
        (Unmarked(), "implements no hook of tradewind.*@tradewind.markers.hookimpl"),
        (object(), "implements no hook"),
        (Wraps(), "tradewind_register_component would never be called here"),
        (Answers(), "tradewind_step would never be called here"),
        (Fails(), "tradewind_register_component failed: ZeroDivisionError: by design"),
        (Quits(), "tradewind_register_component failed: SystemExit: 3"),
        (Registers("x", factory="a:b"), "registering component 'x': 'summary' is missing"),
        (Registers("x", **PLAIN, opions="a:b"), "'opions' is unknown, did you mean 'options'?"),
        (Registers("x", summary="", factory=dict), "'factory' is <class 'dict'>, not a string such as"),
        (Registers("x", summary="", factory="pkg.mod"), "'factory' is 'pkg.mod', not a string such as"),
        (Registers("x", **PLAIN, order=1), "'order' is unknown"),
    ],
)
def test_a_broken_plugin_is_named_with_its_fault(
    manager: PluginManager, plugin: object, expected: str
) -> None:
    with pytest.raises(PluginError, match=expected.replace("?", r"\?")) as caught:
        manager.register("broken", plugin)
    assert str(caught.value).startswith("plugin 'broken': ")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("hook", "declared", "expected"),
    [
        ("surrogate", {"stands_in_for": "steps", "component": "a"}, "not one of step, window, linearization"),
        ("surrogate", {"stands_in_for": "step"}, "'component' is missing"),
        ("policy", {"order": "first"}, "'order' is 'first', not an integer"),
        ("policy", {"order": True}, "not an integer"),
        ("policy", {}, "'order' is missing"),
    ],
)
def test_roles_demand_what_they_need(
    manager: PluginManager, hook: str, declared: dict[str, Any], expected: str
) -> None:
    def implementation(register: Any) -> None:
        register("x", **PLAIN, **declared)

    plugin = SimpleNamespace(**{f"tradewind_register_{hook}": hookimpl(implementation)})
    with pytest.raises(PluginError, match=expected):
        manager.register("broken", plugin)


def test_the_cause_is_kept(manager: PluginManager) -> None:
    with pytest.raises(PluginError) as caught:
        manager.register("broken", Fails())
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_missing_descriptor_names_the_nearest_and_what_is_loaded(manager: PluginManager) -> None:
    manager.register("wind", Wind())
    with pytest.raises(PluginError) as caught:
        manager.descriptor(Role.SURROGATE, "wind-nt")
    text = str(caught.value)
    assert "no surrogate is called 'wind-nt'" in text
    assert "did you mean 'wind-net'?" in text
    assert "loaded plugins: builtin, wind" in text


def test_what_is_available_is_sorted(manager: PluginManager) -> None:
    manager.register("b", Registers("zonda", **PLAIN))
    manager.register("a", Registers("bora", **PLAIN))
    names = [d.name for d in manager.available(Role.COMPONENT)]
    assert names == sorted(names)
    assert {"bora", "zonda"} <= set(names)


def test_a_descriptor_builds_lazily(manager: PluginManager) -> None:
    manager.register("lazy", Registers("x", factory="no.such.module:Thing", summary=""))
    descriptor = manager.descriptor(Role.COMPONENT, "x")
    with pytest.raises(PluginError, match=r"^plugin 'lazy': 'no.such.module:Thing' cannot be imported"):
        descriptor.build()


def test_without_options_every_key_is_refused(manager: PluginManager) -> None:
    manager.register("plain", Registers("x", **PLAIN))
    model = manager.descriptor(Role.COMPONENT, "x").options_model()
    assert model.model_validate({}).model_dump() == {}
    with pytest.raises(ValueError, match="Extra inputs"):
        model.model_validate({"a": 1})


def test_an_options_model_must_be_a_model(manager: PluginManager) -> None:
    manager.register("odd", Registers("x", **PLAIN, options="builtins:dict"))
    with pytest.raises(
        PluginError, match="plugin 'odd', component 'x': 'builtins:dict' is no pydantic model"
    ):
        manager.descriptor(Role.COMPONENT, "x").options_model()


def test_the_factory_s_own_errors_pass(manager: PluginManager) -> None:
    manager.register("int", Registers("x", factory="builtins:int", summary=""))
    with pytest.raises(ValueError, match="invalid literal"):
        manager.descriptor(Role.COMPONENT, "x").build("soon")


def test_every_role_has_a_hook_of_one_sentence() -> None:
    specified = {name for name in vars(hooks) if name.startswith("tradewind_")}
    assert specified == {role.hook for role in Role} | {"tradewind_step", "tradewind_linearize"}
    for name in specified:
        assert len(getattr(hooks, name).__doc__.splitlines()) == 1


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder on the import path with an importable plugin."""
    (tmp_path / "breeze_plugin.py").write_text(
        "from tradewind.markers import hookimpl\n"
        "__version__ = '1.2'\n"
        "class Breeze:\n"
        "    @hookimpl\n"
        "    def tradewind_register_component(self, register):\n"
        "        register('breeze', factory='builtins:dict', summary='')\n"
        "breeze = Breeze()\n"
        "def fail():\n"
        "    raise OSError('never called')\n"
    )
    (tmp_path / "broken_plugin.py").write_text("raise KeyError('half written')\n")
    (tmp_path / "typo_plugin.py").write_text("def plugin(:\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("breeze_plugin", "broken_plugin", "typo_plugin"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.parametrize("name", ["breeze_plugin:breeze", "breeze_plugin:Breeze"])
def test_a_plugin_is_named_by_module_and_object_or_class(package: Path, name: str) -> None:
    manager = PluginManager.load([name])
    assert manager.descriptor(Role.COMPONENT, "breeze").plugin == name
    assert manager.provenance()[-1] == Provenance(name, "1.2", str(package / "breeze_plugin.py"))


def test_a_plugin_named_twice_is_loaded_once(package: Path) -> None:
    assert len(PluginManager.load(["breeze_plugin:breeze"] * 2).provenance()) == 2


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("broken_plugin:plugin", "cannot be imported: KeyError: 'half written'"),
        ("typo_plugin:plugin", "cannot be imported: SyntaxError"),
        ("breeze_plugin:absent", "cannot be imported: AttributeError"),
        ("no_such_plugin:plugin", "cannot be imported: ModuleNotFoundError"),
        (":plugin", "cannot be imported: ValueError"),
    ],
)
def test_a_plugin_that_fails_at_import_is_named(package: Path, name: str, expected: str) -> None:
    with pytest.raises(PluginError, match=expected) as caught:
        PluginManager.load([name])
    assert str(caught.value).startswith(f"plugin {name!r}: ")
    assert caught.value.__cause__ is not None


def test_a_failed_load_says_nothing_of_its_own(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PluginError):
        PluginManager.load(["broken_plugin:plugin"])
    assert capsys.readouterr() == ("", "")
