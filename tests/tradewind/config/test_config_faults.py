"""Faults of a run config: each named with its line, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradewind.config import load_config
from tradewind.errors import ConfigError, did_you_mean

GOOD = {
    "run": "run: {start: 1996-01-10, stop: 1996-01-20, step: 6h}",
    "components": "components: {inventory: {plugin: emissions}, transport: {plugin: transport}}",
    "exchanges": "exchanges: [{from: inventory.flux, to: transport.flux}]",
    "observations": "observations: {operator: column}",
    "control": "control: {field: inventory.flux, prior_error: 0.5}",
    "solve": "solve: {method: analytical}",
}
LINE = {section: number for number, section in enumerate(GOOD, start=1)}


def faults(folder: Path, **changed: str) -> tuple[str, ...]:
    """Return the faults of the good config with some of its one-line sections replaced."""
    file = folder / "a.yaml"
    file.write_text("\n".join((GOOD | changed).values()))
    try:
        load_config(file)
    except ConfigError as error:
        return tuple(fault.replace(f"{folder}/", "") for fault in error.faults)
    return ()


def test_the_good_config_has_none(tmp_path: Path) -> None:
    assert faults(tmp_path) == ()


@pytest.mark.parametrize(
    ("section", "text", "expected"),
    [
        ("run", "run: {start: 2000-01-02, stop: 2000-01-01, step: 6h}",
         "run.stop: stop (2000-01-01 00:00:00) must be after start (2000-01-02 00:00:00)"),
        ("run", "run: {start: 2000-01-01, stop: 2000-01-01, step: 6h}", "run.stop: stop (2000-01-01"),
        ("run", "run: {start: 2000-01-01, stop: 2000-01-02, step: 7h}",
         "run.step: the step (7:00:00) must divide the period (1 day, 0:00:00)"),
        ("run", "run: {start: 2000-01-01, stop: 2000-01-02, step: 6}",
         "run.step: 6 is not a duration, write for example 6h, 30min or 1d"),
        ("run", "run: {start: 2000, stop: 2000-01-02, step: 6h}", "run.start: 2000 is not a date"),
        ("run", "run: {start: 2000-01-01, stop: 2000-01-02}", "run.step: missing key"),
        ("run", "run: {start: 2000-01-01, stop: 2000-01-02, step: 6h, threads: 0}", "run.threads: input"),
        ("run", "run: tomorrow", "run: input should be a valid"),
        ("components", "components: {inventory: {plugin: a}, transport: {plugin: b, run_ass: guarded}}",
         "components.transport.run_ass: unknown key, did you mean 'run_as'?"),
        ("components", "components: {inventory: {plugin: a}, transport: {plugin: b, run_as: surrogate}}",
         "components.transport.run_as: surrogate needs a surrogate, name one under `surrogate:`"),
        ("components", "components: {inventory: {plugin: a}, transport: {plugin: b, options: [1]}}",
         "components.transport.options: settings map keys to values, not [1]"),
        ("components", "components: {inventory: {}, transport: {plugin: b}}",
         "components.inventory.plugin: missing key"),
        ("components",
         "components: {inventory: {plugin: a}, transport: {plugin: b, policies: [{policy: c, polcy: d}]}}",
         "components.transport.policies.0.polcy: unknown key, did you mean 'policy'?"),
        ("components", "components: {inventory: {plugin: a}, transport: {plugin: b}, a b: {plugin: c}}",
         "components.a b: string should match pattern"),
        ("exchanges", "exchanges: [{from: inventry.flux, to: transport.flux}]",
         "exchanges.0.from: there is no component 'inventry', did you mean 'inventory'?"),
        ("exchanges", "exchanges: [{from: inventory.flux, to: transprt.flux}]",
         "exchanges.0.to: there is no component 'transprt', did you mean 'transport'?"),
        ("exchanges",
         "exchanges: [{from: inventory.a, to: transport.x}, {from: inventory.b, to: transport.x}]",
         "exchanges.1.to: the import 'transport.x' already comes from 'inventory.a'"),
        ("exchanges", "exchanges: [{from: inventory.flux, to: transport.flux, regrid: conserv}]",
         "did you mean 'conservative'?"),
        ("exchanges", "exchanges: [{from: inventory, to: transport.flux}]",
         "exchanges.0.from: 'inventory' is not of the form component.variable"),
        ("exchanges", "exchanges: [{frm: inventory.flux, from: inventory.flux, to: transport.flux}]",
         "exchanges.0.frm: unknown key, did you mean 'from'?"),
        ("observations", "observations: {operator: column, of: transprt.ch4}",
         "observations.of: there is no component 'transprt'"),
        ("control", "control: {field: inventry.flux, prior_error: 0.5}",
         "control.field: there is no component 'inventry', did you mean 'inventory'?"),
        ("control", "control: {field: inventory.flux, prior_error: -0.5}",
         "control.prior_error: input should be greater than 0, not -0.5"),
        ("control", "control: {field: inventory.flux, prior_error: .inf}", "control.prior_error: input"),
        ("control", "control: {field: inventory.flux, prior_error: '0.5'}", "control.prior_error: input"),
        ("run", "run: {start: 2000-01-01, stop: 2000-01-02, step: 6h, seed: true}", "run.seed: input should"),
        ("control", "", "solve: a method needs the section `control:`"),
        ("solve", "solv: {method: analytical}", "solv: unknown key, did you mean 'solve'?"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_line(tmp_path: Path, section: str, text: str, expected: str) -> None:
    (fault,) = faults(tmp_path, **{section: text})
    line = LINE["solve"] if expected.startswith("solve:") else LINE[section]
    assert fault.startswith(f"a.yaml:{line}: ")
    assert expected in fault


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("run_ass", ["run_as", "plugin"], "did you mean 'run_as'?"),
        ("xyz", ["b", "a"], "known: a, b"),
        ("xyz", [], "none is known"),
    ],
)
def test_the_nearest_name_is_offered_or_all(name: str, known: list[str], hint: str) -> None:
    assert did_you_mean(name, known) == hint


def test_all_faults_come_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        run="run: {start: 2000-01-01, stop: 2000-01-02, step: 7h, sed: 1}",
        components="components: {inventory: {plugin: emissions}, transport: {plugn: transport}}",
        exchanges="exchanges: [{from: inventory.flux, to: nowhere.flux}]",
        solve="solve: {}",
    )
    assert [fault.split(": ")[:2] for fault in found] == [
        ["a.yaml:1", "run.step"],
        ["a.yaml:1", "run.sed"],
        ["a.yaml:2", "components.transport.plugin"],
        ["a.yaml:2", "components.transport.plugn"],
        ["a.yaml:3", "exchanges.0.to"],
        ["a.yaml:6", "solve.method"],
    ]


def test_the_message_lists_what_the_attribute_holds(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("rn: {}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "a.yaml")
    assert str(caught.value).splitlines() == [
        "3 faults in the run config",
        *(f"  {fault}" for fault in caught.value.faults),
    ]


def test_a_key_of_any_kind_is_reported(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, solve="solve: {method: analytical}\n1: x")
    assert fault.startswith("a.yaml:7: 1: ")
