"""What stands under ``regrid:``, in its short and its long form, and what may not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tradewind.config import json_schema, load_config
from tradewind.config.sections.models import ExchangeSection
from tradewind.config.sections.regridding import Regrid, RegridSection
from tradewind.couplers.regrid.scheme import (
    Creep,
    InverseDistance,
    Method,
    NearestSource,
    Norm,
    PoleKind,
    Poles,
    Scheme,
)
from tradewind.errors import ConfigError
from tradewind.plugins.manager import PluginManager

CONFIG = """\
run: {{start: 2000-01-01, stop: 2000-01-02, step: 6h}}
components: {{a: {{plugin: b}}, c: {{plugin: d}}}}
exchanges:
  - {{from: a.x, to: c.y, {keys}}}
"""


def exchange(folder: Path, keys: str) -> ExchangeSection:
    file = folder / "a.yaml"
    file.write_text(CONFIG.format(keys=keys))
    return load_config(file).exchanges[0]


def regrid(folder: Path, text: str) -> RegridSection:
    found = exchange(folder, f"regrid: {text}").regrid
    assert found is not None
    return found


def fault(folder: Path, keys: str) -> str:
    with pytest.raises(ConfigError) as caught:
        exchange(folder, keys)
    (found,) = caught.value.faults
    return found


@pytest.mark.parametrize("name", ["none", *Method])
def test_a_name_is_the_method(tmp_path, name):
    assert regrid(tmp_path, name) == RegridSection(method=Regrid(name))


def test_every_method_can_be_named():
    assert {*Regrid} == {"none", *Method}


def test_absent_and_empty_leave_it_to_the_kind(tmp_path):
    assert exchange(tmp_path, "norm: dstarea").regrid is None
    assert regrid(tmp_path, "{}").method is None


def test_a_mapping_says_more(tmp_path):
    text = "{method: bilinear, poles: teeth, extrapolate: nearest}"
    scheme = regrid(tmp_path, text).onto(Scheme(Method.BILINEAR))
    assert scheme == Scheme(Method.BILINEAR, poles=Poles(PoleKind.TEETH), extrapolation=NearestSource())


@pytest.mark.parametrize(
    ("text", "poles"),
    [
        ("none", Poles(PoleKind.NONE)),
        ("allavg", Poles(PoleKind.ALLAVG)),
        ("teeth", Poles(PoleKind.TEETH)),
        ("{npntavg: 3}", Poles(PoleKind.NPNTAVG, 3)),
    ],
)
def test_poles(tmp_path, text, poles):
    assert regrid(tmp_path, f"{{method: bilinear, poles: {text}}}").poles == poles


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("nearest", NearestSource()),
        ("{nearest: {}}", NearestSource()),
        ("inverse_distance", InverseDistance(8, 2.0)),
        ("{inverse_distance: {points: 4, exponent: 1.5}}", InverseDistance(4, 1.5)),
        ("{inverse_distance: {}}", InverseDistance()),
        ("creep", Creep(1)),
        ("{creep: 3}", Creep(3)),
    ],
)
def test_extrapolation(tmp_path, text, value):
    found = regrid(tmp_path, f"{{method: bilinear, extrapolate: {text}}}").extrapolate
    assert found is not None
    assert found.value == value


def test_the_norm_stands_in_either_place(tmp_path):
    assert exchange(tmp_path, "regrid: conservative, norm: dstarea").norm is Norm.DSTAREA
    assert regrid(tmp_path, "{method: conservative, norm: dstarea}").norm is Norm.DSTAREA


def test_what_is_not_said_stays_as_it_is():
    scheme = Scheme(Method.PATCH, Norm.DSTAREA, Poles(PoleKind.TEETH), Creep(2))
    assert RegridSection().onto(scheme) == scheme


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("regrid: conserv", "exchanges.0.regrid.method: input should be 'none', 'bilinear'"),
        ("regrid: conserv", "not 'conserv', did you mean 'conservative'?"),
        ("regrid: 3", "exchanges.0.regrid: "),
        ("regrid: [bilinear]", "exchanges.0.regrid: "),
        ("regrid: {methd: bilinear}", "exchanges.0.regrid.methd: unknown key, did you mean 'method'?"),
        ("regrid: {method: bilinear, poles: teth}", "no poles 'teth', did you mean 'teeth'?"),
        ("regrid: {method: bilinear, poles: {npntavg: 0}}", "averages a whole number of points, not 0"),
        ("regrid: {method: bilinear, poles: {npntavg: true}}", "npntavg averages a whole number of points"),
        ("regrid: {method: bilinear, poles: {npnt: 3}}", "no poles {'npnt': 3}"),
        ("regrid: {method: bilinear, poles: 3}", "no poles 3"),
        ("regrid: {method: bilinear, extrapolate: nearst}", "'nearst', did you mean 'nearest'?"),
        ("regrid: {method: bilinear, extrapolate: {}}", "one of nearest, inverse_distance, creep, not 0"),
        ("regrid: {method: bilinear, extrapolate: {creep: 1, nearest: {}}}", "creep, not 2"),
        ("regrid: {method: bilinear, extrapolate: {creep: 0}}", "extrapolate.creep: input should be greater"),
        ("regrid: {method: bilinear, extrapolate: {inverse_distance: {exponent: 0}}}", "exponent: input"),
        ("regrid: {method: bilinear, extrapolate: {inverse_distance: {exponent: .inf}}}", "finite number"),
        ("regrid: {method: bilinear, extrapolate: {inverse_distance: {pints: 1}}}", "did you mean 'points'?"),
        ("regrid: {method: conservative, extrapolate: nearest}", "conservative with extrapolation"),
        ("regrid: {method: none, norm: dstarea}", "with method: none nothing is regridded"),
        ("regrid: {method: bilinear, limits: {lower: 0}}", "limits are not linear"),
        ("regrid: {method: conservative, norm: dstarea}, norm: fracarea", "the norm is given twice"),
        ("regrid: conservative, norm: dstare", "exchanges.0.norm: input should be 'fracarea' or 'dstarea'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_once_with_its_line(tmp_path, keys, expected):
    found = fault(tmp_path, keys)
    assert found.startswith(f"{tmp_path}/a.yaml:4: exchanges.0.")
    assert expected in found


def test_the_cache_lies_beside_the_config(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(CONFIG.format(keys="regrid: none").replace("step: 6h", "step: 6h, cache: weights"))
    assert load_config(file).run.cache == tmp_path / "weights"


# ---------------------------------------------------------------------- schema
@pytest.fixture(scope="module")
def schema() -> dict:
    return json_schema(PluginManager.load())


def test_the_schema_knows_short_and_long_forms(schema):
    regrid = schema["$defs"]["ExchangeSection"]["properties"]["regrid"]["anyOf"]
    assert {"$ref": "#/$defs/Regrid"} in regrid
    assert {"$ref": "#/$defs/RegridSection"} in regrid
    extrapolate = schema["$defs"]["RegridSection"]["properties"]["extrapolate"]["anyOf"]
    assert {"enum": ["nearest", "inverse_distance", "creep"]} in extrapolate
    assert schema["$defs"]["Regrid"]["enum"] == [*Regrid]


def test_the_schema_lists_the_poles(schema):
    assert '"npntavg"' in json.dumps(schema["$defs"]["RegridSection"]["properties"]["poles"])


def test_what_the_schema_names_exists(schema):
    def refs(part):
        if isinstance(part, dict):
            yield from ([part["$ref"]] if isinstance(part.get("$ref"), str) else [])
            part = list(part.values())
        if isinstance(part, list):
            for inner in part:
                yield from refs(inner)

    names = {ref.removeprefix("#/$defs/").partition("/")[0] for ref in refs(schema)}
    assert names <= schema["$defs"].keys()
