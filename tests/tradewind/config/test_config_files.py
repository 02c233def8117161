"""Reading a run config: the documented example, its lines, overrides, and files that are none."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tradewind.config import ConfigSource, RunAs, RunConfig, load_config
from tradewind.config.sections.control import Per
from tradewind.config.sections.regridding import Regrid
from tradewind.config.sections.values import Endpoint
from tradewind.errors import ConfigError

Write = Callable[[str], Path]
EXAMPLE = """\
run: {start: 1996-01-10, stop: 1996-01-20, step: 6h}
components:
  inventory: {plugin: gridded-emissions, options: {file: prior.nc}}
  transport:
    plugin: transport                 # the reference model
    surrogate: jacobian-emulator      # what may stand in for it
    run_as: guarded                   # reference | surrogate | guarded | shadow
exchanges:
  - {from: inventory.methane_flux, to: transport.methane_flux, regrid: conservative}
observations: {operator: column, options: {file: columns.nc}}
control: {field: inventory.methane_flux, per: cluster, prior_error: 0.5}
solve: {method: analytical}
output: {file: posterior.nc, report: posterior.html}
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Path:
        Path("permian.yaml").write_text(text, encoding="utf-8")
        return Path("permian.yaml")

    return write


@pytest.fixture
def example(write: Write) -> RunConfig:
    return load_config(write(EXAMPLE))


def test_the_example_says_what_it_says(example: RunConfig) -> None:
    transport, (exchange,) = example.components["transport"], example.exchanges
    assert (example.run.start, example.run.stop) == (datetime(1996, 1, 10), datetime(1996, 1, 20))
    assert (transport.plugin, transport.surrogate) == ("transport", "jacobian-emulator")
    assert transport.run_as is RunAs.GUARDED
    assert exchange.source == Endpoint("inventory", "methane_flux")
    assert exchange.regrid.method is Regrid.CONSERVATIVE
    (control,) = example.control
    assert (control.per, control.prior_error) == (Per.CLUSTER, 0.5)


def test_ten_days_are_forty_steps_of_six_hours(example: RunConfig) -> None:
    assert example.run.step == timedelta(hours=6)
    assert example.run.steps == 40


def test_imports_know_where_they_come_from(example: RunConfig) -> None:
    assert example.imports_of("transport") == {"methane_flux": Endpoint("inventory", "methane_flux")}
    assert example.imports_of("inventory") == {}


def test_output_lands_beside_the_config(write: Write, tmp_path: Path) -> None:
    config = load_config(tmp_path / write(EXAMPLE))
    assert config.output.file == tmp_path / "posterior.nc"


def test_a_config_cannot_be_changed(example: RunConfig) -> None:
    with pytest.raises(ValueError, match="frozen"):
        example.run.seed = 3  # type: ignore[misc]


def test_only_run_and_components_are_needed(write: Write) -> None:
    text = "run: {start: 2000-01-01, stop: 2000-01-02, step: 1h}\ncomponents: {a: {plugin: b}}\n"
    config = load_config(write(text))
    assert (config.solve, config.exchanges, config.plugins) == (None, (), ())


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("run", "step"), 1),
        (("components",), 2),
        (("components", "inventory", "options", "file"), 3),
        (("components", "transport", "run_as"), 7),
        (("exchanges", 0, "to"), 9),
        (("exchanges", 7), 8),
        (("solve", "options", "absent"), 12),
        (("absent",), 1),
        ((), 1),
    ],
)
def test_settings_know_their_line(example: RunConfig, keys: tuple[str | int, ...], line: int) -> None:
    assert example.source.line_of(*keys) == line
    assert example.source.where(*keys) == f"permian.yaml:{line}"


def test_without_a_file_there_is_no_line() -> None:
    assert ConfigSource().where("run") == "run config"


def test_an_override_replaces_and_says_so(write: Write) -> None:
    override = "components.transport.run_as=reference"
    config = load_config(write(EXAMPLE), [override])
    assert config.components["transport"].run_as is RunAs.REFERENCE
    assert config.source.where("components", "transport", "run_as") == f"--set {override}"
    assert config.source.where("components", "transport", "plugin") == "permian.yaml:5"


def test_overrides_are_yaml_values(write: Write) -> None:
    overrides = ["run.seed=3", "control.prior_error=1e-1", "components.inventory.options={species: NO}"]
    config = load_config(write(EXAMPLE), overrides)
    assert config.run.seed == 3
    assert [control.prior_error for control in config.control] == [0.1]
    assert config.components["inventory"].options == {"species": "NO"}


def test_an_override_reaches_into_lists_and_absent_sections(write: Write) -> None:
    overrides = ["exchanges.0.regrid=bilinear", "components.transport.options.levels=6"]
    config = load_config(write(EXAMPLE), overrides)
    assert config.exchanges[0].regrid.method is Regrid.BILINEAR
    assert config.components["transport"].options == {"levels": 6}


def test_the_last_override_wins(write: Write) -> None:
    config = load_config(write(EXAMPLE), ["run.seed=1", "run.seed=2"])
    assert config.run.seed == 2
    assert config.source.where("run", "seed") == "--set run.seed=2"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (
            "components.trnsport.run_as=reference",
            "there is no 'components.trnsport', did you mean 'transport'?",
        ),
        ("rn.seed=1", "there is no 'rn', did you mean 'run'?"),
        ("exchanges.1.regrid=none", "there is no 'exchanges.1', known: 0"),
        ("run.start.hour=3", "there is no 'run.start.hour', none is known"),
        ("run.seed", "write it as path=value"),
        ("=3", "write it as path=value"),
        ("run.seed=[", "'[' is not a YAML value"),
        ("run.sed=1", "run.sed: unknown key, did you mean 'seed'?"),
        ("components.transport.run_as=guardd", "not 'guardd', did you mean 'guarded'?"),
    ],
)
def test_a_wrong_override_is_named(write: Write, override: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(EXAMPLE), [override])
    (fault,) = caught.value.faults
    assert fault.startswith(f"--set {override}: ")
    assert expected in fault


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("run: {start: 1\ncomponents: [", 2, "this is not YAML"),
        ("run: 1\nrun: 2\n", 2, 'duplicate key "run"'),
        ("components:\n  a: {plugin: b}\n  a: {plugin: c}\n", 3, 'duplicate key "a"'),
        ("a: *nowhere\n", 1, "undefined alias"),
        ("a: 1\n---\nb: 2\n", 2, "single document"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, "could not determine a constructor"),
        ("", 1, "the run config is empty"),
        ("# only a comment\n", 1, "the run config is empty"),
        ("- a\n- b\n", 1, "maps keys to values"),
        ("just words\n", 1, "maps keys to values"),
        ("%YAML 1.1\n---\na: NO\n", 1, "YAML 1.1 reads `NO` as false"),
    ],
)
def test_what_is_no_mapping_is_one_error_with_its_line(
    write: Write, text: str, line: int, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(text))
    assert str(caught.value).startswith(f"permian.yaml:{line}: ")
    assert expected in str(caught.value)


@pytest.mark.parametrize("junk", [b"\x89HDF\r\n\x1a\n\x00\x00", b"run:\n\xff\xfe", b"a: \x00", b"[" * 9000])
def test_junk_is_one_clear_error(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "junk.yaml").write_bytes(junk)
    with pytest.raises(ConfigError, match=r"junk\.yaml.*this is not"):
        load_config(tmp_path / "junk.yaml")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.yaml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read") as caught:
            load_config(path)
        assert str(caught.value).startswith(f"{path}: ")


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbf" + EXAMPLE.encode())
    assert load_config(tmp_path / "a.yaml").run.steps == 40


def test_errors_travel_between_ranks(write: Write) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write("run: 1\nrun: 2\n"))
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301
