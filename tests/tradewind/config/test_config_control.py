"""``control:`` of a run config: one mapping or a list, and what does not go together."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tradewind.config import RunConfig, json_schema, load_config
from tradewind.config.sections import control as words
from tradewind.couplers.assimilation.control import Per
from tradewind.couplers.assimilation.covariance import Kernel
from tradewind.couplers.coupling.time.alarms import Cycle
from tradewind.errors import ConfigError
from tradewind.plugins.manager import PluginManager

HEAD = """\
run: {start: 1996-01-10, stop: 1996-01-20, step: 6h}
components: {soil: {plugin: soil}, air: {plugin: air}}
"""
PLAIN = "field: soil.rate, prior_error: 0.5"


def load(folder: Path, control: str, *overrides: str) -> RunConfig:
    file = folder / "a.yaml"
    file.write_text(f"{HEAD}{control}\n")
    return load_config(file, overrides)


def faults(folder: Path, control: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load(folder, control, *overrides)
    return [fault.replace(f"{folder}/", "") for fault in error.value.faults]


def test_words_of_the_config_are_those_of_the_control():
    assert [p.value for p in words.Per] == [p.value for p in Per]
    assert [k.value for k in words.Kernel] == [k.value for k in Kernel]


def test_one_mapping_is_a_list_of_one(tmp_path):
    (alone,) = load(tmp_path, f"control: {{{PLAIN}}}").control
    (listed,) = load(tmp_path, f"control: [{{{PLAIN}}}]").control
    assert alone == listed
    assert (str(alone.field), alone.per, alone.change, alone.prior_error) == (
        "soil.rate",
        "cell",
        "scale",
        0.5,
    )


def test_without_it_nothing_is_controlled(tmp_path):
    assert load(tmp_path, "").control == ()
    assert load(tmp_path, "control:").control == ()


def test_several_entries_say_each_for_itself(tmp_path):
    text = """
control:
  - field: soil.rate
    change: bounded
    bounds: [0, 1]
    prior_error: 1.5
    every: month
  - field: air.temperature
    change: add
    prior: {file: t.nc, variable: t}
    prior_error: 2
    correlation: {kind: matern, length: 300, smoothness: 2.5}
"""
    rate, air = load(tmp_path, text).control
    assert (rate.bounds, rate.every) == ((0.0, 1.0), Cycle.MONTH)
    assert air.correlation.distance == "km"
    assert air.prior.file == tmp_path / "t.nc"


def test_periods_and_their_correlation(tmp_path):
    text = f"control: {{{PLAIN}, every: 24h, correlation: {{time: 3d}}}}"
    (section,) = load(tmp_path, text).control
    assert (section.every, section.correlation.time) == (timedelta(days=1), timedelta(days=3))
    assert section.correlation.length is None


def test_overrides_reach_the_one_and_the_many(tmp_path):
    (alone,) = load(tmp_path, f"control: {{{PLAIN}}}", "control.prior_error=0.25").control
    (first, second) = load(
        tmp_path, f"control: [{{{PLAIN}}}, {{{PLAIN}}}]", "control.1.correlation={length: 3}"
    ).control
    assert alone.prior_error == 0.25
    assert first.correlation is None
    assert second.correlation.length == 3.0


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("change: bounded", "control: `bounds` and `change: bounded` belong together"),
        ("bounds: [0, 1]", "control: `bounds` and `change: bounded` belong together"),
        ("change: bounded, bounds: [1, 0]", "control: nothing lies between 1 and 0"),
        ("change: bounded, bounds: 1", "control.bounds: bounds are two numbers, [least, greatest], not 1"),
        ("change: bounded, bounds: [0, .inf]", "control.bounds.1: input should be a finite number"),
        ("change: added", "control.change: input should be 'scale', 'add', 'lognormal' or 'bounded'"),
        ("per: pixel", "control.per: input should be 'cell', 'cluster', 'region', 'site' or 'total'"),
        ("correlation: {kind: gaussian}", "control.correlation: give a `length`, or a `time`, or both"),
        ("correlation: {length: -1}", "control.correlation.length: input should be greater than 0"),
        ("correlation: {length: .inf}", "control.correlation.length: it is infinite, use per: total"),
        (
            "correlation: {length: 1, smoothness: 2}",
            "a kernel of kind exponential has no smoothness",
        ),
        ("correlation: {length: 1, samples: 9}", "control.correlation: only diffusion estimates"),
        ("correlation: {length: 1, kind: diffusion, distance: plane}", "diffusion goes over the sphere"),
        (
            "correlation: {length: 1, lenght: 2}",
            "correlation.lenght: unknown key, did you mean 'length'?",
        ),
        ("correlation: {length: 1}, correlation_km: 1", "control: the correlation is given twice"),
        ("correlation: {time: 1d}", "control: a correlation in `time` needs periods, see `every`"),
        ("every: daily", "control.every: 'daily' is not a duration"),
        ("prior: rate", "control.prior: give a number or {file: …, variable: …}"),
    ],
)
def test_what_does_not_go_together_is_named_with_its_place(tmp_path, keys, expected):
    (fault,) = faults(tmp_path, f"control: {{{PLAIN}, {keys}}}")
    assert fault.startswith("a.yaml:3: ")
    assert expected in fault


def test_faults_of_a_list_say_which_entry_and_line(tmp_path):
    text = f"control:\n  - {{{PLAIN}}}\n  - field: soil.rate\n    prior_eror: 1\n  - {{{PLAIN}, tile: 0}}"
    assert faults(tmp_path, text) == [
        "a.yaml:5: control.1.prior_error: missing key",
        "a.yaml:6: control.1.prior_eror: unknown key, did you mean 'prior_error'?",
        "a.yaml:7: control.2.tile: input should be greater than 0, not 0",
    ]


def test_components_of_all_entries_are_looked_for(tmp_path):
    text = f"control: [{{{PLAIN}}}, {{field: sol.rate, prior_error: 1}}]"
    (fault,) = faults(tmp_path, text)
    assert "control.1.field: there is no component 'sol', did you mean 'soil'?" in fault


@pytest.mark.parametrize("text", ["control: all", "control: 3"])
def test_anything_else_is_refused(tmp_path, text):
    (fault,) = faults(tmp_path, text)
    assert fault == "a.yaml:3: control: write a mapping, or a list of these"


def test_a_path_of_an_entry_is_that_of_how_it_was_written(tmp_path):
    assert load(tmp_path, f"control: {{{PLAIN}}}").source.entry("control", 0) == ("control",)
    listed = load(tmp_path, f"control: [{{{PLAIN}}}]")
    assert listed.source.entry("control", 0) == ("control", 0)
    assert load(tmp_path, "", f"control=[{{{PLAIN}}}]").source.entry("control", 0) == ("control", 0)
    replaced = load(tmp_path, f"control: [{{{PLAIN}}}]", f"control={{{PLAIN}}}")
    assert replaced.source.entry("control", 0) == ("control",)


def test_the_schema_takes_one_or_many():
    schema = json_schema(PluginManager.load())
    kinds = {branch.get("type", "mapping") for branch in schema["properties"]["control"]["anyOf"]}
    assert kinds == {"mapping", "array", "null"}
    assert {"type": "number"} in schema["$defs"]["ControlSection"]["properties"]["prior"]["anyOf"]
