"""Keys of an exchange: short and long forms, defaults, and one clear sentence for whatever is wrong."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tradewind.config import json_schema, load_config
from tradewind.config.sections.exchanging import ExchangeSection
from tradewind.config.sections.levels import LevelsSection
from tradewind.config.sections.values import Endpoint
from tradewind.couplers.coupling.how import Along, Conserve, Keep, Merge, Outside, Side
from tradewind.couplers.coupling.time.timing import Interpolation, Reduction
from tradewind.errors import ConfigError
from tradewind.plugins.manager import PluginManager

CONFIG = """\
run: {{start: 2000-01-01, stop: 2000-01-02, step: 6h}}
components: {{a: {{plugin: b}}, c: {{plugin: d}}}}
exchanges:
  - {{from: a.x, to: c.y, {keys}}}
"""
HOUR = timedelta(hours=1)


def exchange(folder: Path, keys: str) -> ExchangeSection:
    file = folder / "a.yaml"
    file.write_text(CONFIG.format(keys=keys))
    return load_config(file).exchanges[0]


def fault(folder: Path, keys: str) -> str:
    with pytest.raises(ConfigError) as caught:
        exchange(folder, keys)
    (found,) = caught.value.faults
    return found


def levels(folder: Path, text: str) -> LevelsSection:
    found = exchange(folder, f"levels: {text}").levels
    assert found is not None
    return found


# ---------------------------------------------------------------------- defaults
def test_what_is_not_said_is_left_to_others(tmp_path):
    found = exchange(tmp_path, "norm: dstarea")
    for key in ("every", "time", "interpolate", "initial", "molar_mass", "levels", "conserve"):
        assert getattr(found, key) is None, key
    assert (found.lag, found.scale, found.offset) == (0, 1.0, 0.0)
    assert (found.merge, found.fraction, found.tolerance) == (None, None, None)
    assert not found.merges


def test_all_keys_of_time(tmp_path):
    found = exchange(tmp_path, "every: 3h, time: max, lag: 6h, interpolate: nearest, initial: 2")
    assert (found.every, found.time, found.lag) == (3 * HOUR, Reduction.MAX, 6 * HOUR)
    assert found.interpolate is Interpolation.NEAREST
    assert found.initial.value == 2.0


@pytest.mark.parametrize(("text", "lag"), [("2", 2), ("0", 0), ("90min", 1.5 * HOUR), ("PT6H", 6 * HOUR)])
def test_lags(tmp_path, text, lag):
    initial = ", initial: 0.0" if lag else ""
    assert exchange(tmp_path, f"lag: {text}{initial}").lag == lag


def test_files_lie_beside_the_config(tmp_path):
    found = exchange(tmp_path, "lag: 1, initial: {file: before.nc, variable: t}").initial
    assert (found.file, found.variable, found.value) == (tmp_path / "before.nc", "t", None)


@pytest.mark.parametrize("text", ["16.04", "16.04 g mol-1", "0.01604 kg mol-1"])
def test_molar_masses(tmp_path, text):
    assert exchange(tmp_path, f"molar_mass: {text}").molar_mass == pytest.approx(16.04, rel=1e-14)


def test_conserve_and_tolerance(tmp_path):
    found = exchange(tmp_path, "conserve: global, tolerance: 1.0e-10")
    assert (found.conserve, found.tolerance) == (Conserve.GLOBAL, 1e-10)


# ---------------------------------------------------------------------- fractions
def test_a_number_is_a_fraction(tmp_path):
    found = exchange(tmp_path, "fraction: 0.25")
    assert (found.fraction.value, found.fraction.on, found.merges) == (0.25, Side.TARGET, True)


def test_an_export_is_a_fraction(tmp_path):
    found = exchange(tmp_path, "fraction: a.part").fraction
    assert (found.export, found.is_covered) == (Endpoint("a", "part"), False)
    assert exchange(tmp_path, "fraction: {from: a.part, initial: 0.5}").fraction.initial.value == 0.5


def test_covered_is_a_fraction(tmp_path):
    found = exchange(tmp_path, "fraction: covered").fraction
    assert (found.export, found.is_covered) == (None, True)


def test_a_file_is_a_fraction_of_either_side(tmp_path):
    found = exchange(tmp_path, "fraction: {file: f.nc, variable: land, on: source}").fraction
    assert (found.file, found.variable, found.on) == (tmp_path / "f.nc", "land", Side.SOURCE)


def test_sums_need_no_fraction(tmp_path):
    found = exchange(tmp_path, "merge: sum")
    assert (found.merge, found.merges) == (Merge.SUM, True)


# ---------------------------------------------------------------------- levels
@pytest.mark.parametrize(("text", "select"), [("{select: 0}", (0,)), ("{select: [2, -1]}", (2, -1))])
def test_levels_by_number(tmp_path, text, select):
    assert levels(tmp_path, text).select == select


def test_levels_by_a_word(tmp_path):
    assert levels(tmp_path, "sum").sum.weights is None
    assert levels(tmp_path, "interpolate").interpolate.along is Along.LINEAR
    assert levels(tmp_path, "layers").layers.keep is Keep.MEAN


def test_levels_by_coordinates(tmp_path):
    between = levels(tmp_path, "{interpolate: {from: [1000, 500], to: [700], along: log}}").interpolate
    assert (between.source, between.target, between.along) == ((1000.0, 500.0), (700.0,), Along.LOG)
    layers = levels(tmp_path, "{layers: {from: [0, 1], to: [0, 1], keep: amount, outside: nearest}}").layers
    assert (layers.keep, layers.outside) == (Keep.AMOUNT, Outside.NEAREST)


# ---------------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("keys", "where", "words"),
    [
        ("every: 0h", "every", "a duration must be longer than nothing"),
        ("time: average", "time", "input should be 'instant', 'mean'"),
        ("lag: -1, initial: 0", "lag", "a lag is not negative: nothing is given before it is made"),
        ("lag: soon", "lag", "'soon' is not a duration, write for example 6h"),
        ("lag: 1.5", "lag", "1.5 is no lag, write for example 6h, or 1 for one period"),
        ("lag: true", "lag", "True is no lag"),
        ("initial: 0.0", "initial", "an initial value is of no use without a lag or an interpolation"),
        ("lag: 1, initial: zero", "initial", "give a number or {file: …, variable: …}, not 'zero'"),
        ("lag: 1, initial: {file: a.nc}", "initial", "`file` needs `variable`"),
        ("lag: 1, initial: {value: 1, file: a.nc, variable: t}", "initial", "one of value, file, not 2"),
        ("lag: 1, initial: {}", "initial", "give one of value, file, not 0"),
        ("interpolate: cubic", "interpolate", "input should be 'none', 'linear' or 'nearest'"),
        ("scale: 0", "scale", "a scale of 0 leaves nothing, remove the exchange instead"),
        ("scale: .inf", "scale", "finite"),
        ("offset: .nan", "offset", "finite"),
        ("molar_mass: 0.016", "molar_mass", "a molar mass of 0.016 g mol-1 (write it in g mol-1"),
        ("molar_mass: methane", "molar_mass", "'methane' is no molar mass"),
        ("molar_mass: [16]", "molar_mass", "[16] is no molar mass"),
        ("conserve: glbpos", "conserve", "which is not linear, and an exchange carries exact adjoints"),
        ("conserve: GLBPOS", "conserve", "use global"),
        ("conserve: local", "conserve", "input should be 'global'"),
        ("merge: average", "merge", "input should be 'sum' or 'fractions'"),
        ("tolerance: 0", "tolerance", "greater than 0"),
        ("fraction: 0", "fraction.value", "greater than 0"),
        ("fraction: 1.5", "fraction.value", "less than or equal to 1"),
        ("fraction: ice", "fraction", "a fraction is a number, covered, component.export or {file"),
        ("fraction: {file: f.nc}", "fraction", "`file` needs `variable`"),
        ("fraction: {variable: land}", "fraction", "give one of value, file, from, not 0"),
        ("fraction: {value: 0.5, from: a.x}", "fraction", "give one of value, file, from, not 2"),
        ("fraction: {value: 0.5, on: source}", "fraction", "and there is no file"),
        ("fraction: {value: 0.5, initial: 1}", "fraction", "only the export of a component has an initial"),
        ("fraction: {values: 0.5}", "fraction.values", "unknown key, did you mean 'value'?"),
        ("levels: average", "levels", "no levels 'average'"),
        ("levels: {}", "levels", "levels by one of select, interpolate, layers, sum, not 0"),
        ("levels: {sum: {}, select: 0}", "levels", "not 2"),
        ("levels: {select: []}", "levels.select", "at least 1"),
        ("levels: {layers: {keep: total}}", "levels.layers.keep", "input should be 'mean' or 'amount'"),
        ("laag: 6h", "laag", "unknown key, did you mean 'lag'?"),
    ],
)
def test_faults_have_their_line_and_one_sentence(tmp_path, keys, where, words):
    found = fault(tmp_path, keys)
    assert f"a.yaml:4: exchanges.0.{where}" in found
    assert words in found


def test_merging_by_fractions_needs_one(tmp_path):
    assert "exchanges.0: merge: fractions needs a `fraction`" in fault(tmp_path, "merge: fractions")


# ---------------------------------------------------------------------- several into one
SEVERAL = """\
run: {{start: 2000-01-01, stop: 2000-01-02, step: 6h}}
components: {{a: {{plugin: b}}, b: {{plugin: b}}, c: {{plugin: d}}}}
exchanges:
  - {{from: a.x, to: c.y{first}}}
  - {{from: b.x, to: c.y{second}}}
"""


@pytest.mark.parametrize(
    ("first", "second", "lines"),
    [
        ("", "", [5]),
        (", merge: sum", "", [5]),
        ("", ", merge: sum", [4]),
        (", merge: sum", ", merge: sum", []),
        (", fraction: 0.5", ", merge: sum", []),
        (", fraction: 0.5", ", fraction: a.part", []),
    ],
)
def test_those_that_say_nothing_are_at_fault(tmp_path, first, second, lines):
    file = tmp_path / "a.yaml"
    file.write_text(SEVERAL.format(first=first, second=second))
    try:
        load_config(file)
        found = ()
    except ConfigError as error:
        found = error.faults
    places = [f"a.yaml:{line}: exchanges.{line - 4}.to" for line in lines]
    assert len(found) == len(places)
    assert all(text.partition(": the import")[0].endswith(p) for p, text in zip(places, found, strict=True))
    assert all("say `merge: sum` in each, or give each a `fraction`" in text for text in found)


# ---------------------------------------------------------------------- schema
@pytest.fixture(scope="module")
def schema() -> dict:
    return json_schema(PluginManager.load())


@pytest.mark.parametrize(
    ("section", "key", "short"),
    [
        ("ExchangeSection", "initial", {"type": "number"}),
        ("ExchangeSection", "fraction", {"type": ["number", "string"]}),
        ("ExchangeSection", "levels", {"enum": ["interpolate", "layers", "sum"]}),
        ("LevelsSection", "select", {"type": "integer"}),
    ],
)
def test_the_schema_knows_short_forms(schema, section, key, short):
    assert short in schema["$defs"][section]["properties"][key]["anyOf"]


def test_the_schema_knows_lags_and_exports(schema):
    assert {"type": "integer", "minimum": 0} in schema["$defs"]["ExchangeSection"]["properties"]["lag"][
        "anyOf"
    ]
    assert "covered" in json.dumps(schema["$defs"]["FractionSection"]["properties"]["from"])


def test_nothing_heavy_is_imported_for_these_words():
    import subprocess
    import sys

    code = (
        "import sys, tradewind.config.sections.exchanging;"
        "raise SystemExit(len({'torch', 'pint', 'xarray'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
