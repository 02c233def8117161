"""Short forms of settings, what is said of all variables and of one, and faults that are told once."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from tradewind.plugins.prescribed.options import (
    DatasetOptions,
    FunctionOptions,
    Missing,
    Moment,
    TimeMethod,
    VariableOptions,
)


def dataset(variables="x", **said):
    return DatasetOptions.model_validate({"file": "a.nc", "variables": variables, **said})


def faults(model, **said):
    with pytest.raises(ValidationError) as told:
        model.model_validate(said)
    return [(".".join(map(str, e["loc"])), e["msg"]) for e in told.value.errors()]


@pytest.mark.parametrize(
    "variables",
    ["x", ["x"], {"x": "x"}, {"x": {}}, {"x": {"name": "x"}}],
    ids=["name", "list", "names", "empty", "full"],
)
def test_one_variable_can_be_said_in_many_ways(variables):
    assert dataset(variables).asked == dataset("x").asked
    assert dataset(variables).asked["x"].name == "x"


@pytest.mark.parametrize("file", ["a.nc", ["a.nc"]])
def test_one_file_needs_no_list(file):
    assert dataset(file=file).file == (Path("a.nc"),)


def test_paths_are_relative_to_the_config():
    said = {"file": ["a.nc", "b_*.nc"], "variables": "x"}
    found = DatasetOptions.model_validate(said, context={"folder": Path("/data")})
    assert found.file == (Path("/data/a.nc"), Path("/data/b_*.nc"))


def test_what_is_said_of_one_variable_goes_before_what_is_said_of_all():
    said = dataset(
        {"a": {"name": "x", "time": "mean", "scale": 0.0}, "b": "y"}, time="nearest", at="start", scale=2.0
    )
    a, b = said.asked["a"], said.asked["b"]
    assert (a.name, a.time, a.at, a.scale) == ("x", TimeMethod.MEAN, Moment.START, 0.0)
    assert (b.name, b.time, b.at, b.scale) == ("y", TimeMethod.NEAREST, Moment.START, 2.0)
    assert (a.missing, b.missing) == (Missing.REFUSE, Missing.REFUSE)


def test_what_nobody_says_is_left_to_the_file():
    assert dataset().asked["x"] == VariableOptions(name="x", scale=1.0, missing=Missing.REFUSE)


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"variables": 3}, "variables"),
        ({"variables": {"x": {"kind": "flow"}}}, "variables.x.kind"),
        ({"variables": {"x": {"naem": "y"}}}, "variables.x.naem"),
        ({"variables": "x", "file": 3}, "file"),
        ({"variables": "x", "time": "average"}, "time"),
        ({"variables": "x", "scale": float("inf")}, "scale"),
    ],
)
def test_a_fault_is_told_once_where_it_stands(said, where):
    (fault,) = faults(DatasetOptions, **{"file": "a.nc", **said})
    assert fault[0].startswith(where)
    assert "union" not in fault[0]


@pytest.mark.parametrize("levels", [0, 1.5, True, [], ["a"], "three"])
def test_levels_are_counted_or_named(levels):
    said = {"file": "a.py", "function": "f", "grid": {"file": "a.nc"}}
    ((where, what),) = faults(FunctionOptions, **said, exports={"y": {"units": "K", "levels": levels}})
    assert where == "exports.y.levels"
    assert "write how many levels there are" in what


def test_the_schema_knows_the_short_forms():
    schema = DatasetOptions.model_json_schema()["properties"]
    kinds = {part.get("type") for part in schema["variables"]["anyOf"]}
    assert kinds == {"string", "array", "object"}
    assert {part.get("type") for part in schema["file"]["anyOf"]} == {"string", "array"}
