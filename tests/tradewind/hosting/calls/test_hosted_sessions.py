"""Sessions: the coupled run by calls is the run of `tradewind run`, to the bit; windows, times, company."""

from __future__ import annotations

import signal
from datetime import datetime, timedelta

import numpy as np
import pytest
import torch

from tradewind.assembly import assemble
from tradewind.couplers.ranks.parallel import Serial
from tradewind.errors import ConfigError, SpecError
from tradewind.hosting import entry
from tradewind.hosting.failing import CallError, Code
from tradewind.hosting.session import Session
from tradewind.simulation import simulate

COUPLED = """
run: {start: 2020-01-01, stop: 2020-01-02, step: 6h WINDOW}
components:
  sea:
    plugin: host
    options:
      grid: {lat: [0, 10], lon: [0, 10, 20]}
      exports: {source: {units: kg, levels: 2}}
  pond:
    plugin: function
    step: 3h
    options:
      file: functions.py
      function: decay
      grid: {lat: [0, 10], lon: [0, 10, 20]}
      imports: {source: {units: kg, levels: 2}}
      exports: {twice: {units: kg}}
      state: {amount: {units: kg, initial: 1.0}}
      parameters: {kept: {value: 0.5}}
exchanges:
  - {from: sea.source, to: pond.source}
output: {fields: [pond.twice]}
"""
SOURCE = np.arange(12.0).reshape(2, 6)
SUM = np.array([6.0, 8.0, 10.0, 12.0, 14.0, 16.0])
HOUR = 3600.0


@pytest.fixture
def opened(write, tmp_path):
    """Open a config in which a host feeds a pond."""
    write()

    def opening(window: str = "") -> Session:
        path = tmp_path / "coupled.yaml"
        path.write_text(COUPLED.replace(" WINDOW", window))
        return Session(str(path), Serial())

    return opening


def got(part, name: str) -> np.ndarray:
    out = np.zeros(6)
    part.get(0, name, out)
    return out


def decayed(steps: int, amount: float = 1.0) -> np.ndarray:
    """Return what the pond holds after so many steps, worked out by hand."""
    found = np.full(6, amount)
    for _ in range(steps):
        found = found * 0.5 + SUM
    return found


# ---------------------------------------------------------------------- the coupled run
def test_what_a_host_puts_reaches_the_others_by_exchanges(opened):
    session = opened()
    sea, pond = session.component("sea"), session.component("pond")
    sea.put(0, "source", SOURCE)
    session.advance(6 * HOUR)
    assert np.array_equal(got(pond, "amount"), decayed(2))
    session.advance(12 * HOUR)
    assert np.array_equal(got(pond, "twice"), 2 * decayed(4))


def test_advancing_is_the_run_of_python_to_the_bit(opened):
    session = opened()
    sea, pond = session.component("sea"), session.component("pond")
    run = assemble(session.assembly.config.source.file).run()
    for k in range(1, 5):
        values = np.sin(np.arange(12.0) * k).reshape(2, 6)
        sea.put(0, "source", values)
        run.put("sea.source", torch.from_numpy(values)[None])
        session.advance(k * 6 * HOUR)
        run.advance(datetime(2020, 1, 1) + k * timedelta(hours=6))
        assert np.array_equal(got(pond, "twice"), run.get("pond.twice")[0].numpy())


def test_independent_windows_begin_anew_and_what_was_put_holds(opened):
    session = opened(", window: 12h")
    sea, pond = session.component("sea"), session.component("pond")
    sea.put(0, "source", SOURCE)
    session.advance(18 * HOUR)
    assert np.array_equal(got(pond, "amount"), decayed(2))


def test_windows_of_a_config_are_those_of_tradewind_run(write, tmp_path):
    write()
    path = tmp_path / "alone.yaml"
    path.write_text(
        COUPLED.replace(" WINDOW", ", window: 12h")
        .replace("plugin: host", "plugin: constant")
        .replace(
            "exports: {source: {units: kg, levels: 2}}",
            "fields: {source: {units: kg, value: [1.0, 2.5]}}",
        )
    )
    session, whole = Session(str(path), Serial()), simulate(path).fields[0]
    pond = session.component("pond")
    for time, expected in zip(whole.times, whole.values, strict=True):
        session.advance((time - datetime(2020, 1, 1)).total_seconds())
        assert np.array_equal(got(pond, "twice"), expected.numpy())


def test_a_state_that_is_put_goes_into_the_run(opened):
    session = opened()
    sea, pond = session.component("sea"), session.component("pond")
    sea.put(0, "source", SOURCE)
    pond.put(0, "amount", np.full(6, 64.0))
    session.advance(6 * HOUR)
    assert np.array_equal(got(pond, "amount"), decayed(2, 64.0))


def test_what_an_exchange_delivers_can_be_got(opened):
    session = opened()
    sea, pond = session.component("sea"), session.component("pond")
    sea.put(0, "source", SOURCE)
    session.advance(6 * HOUR)
    out = np.zeros((2, 6))
    pond.get(0, "source", out)
    assert np.array_equal(out, SOURCE)


def test_what_is_not_a_number_in_bound_memory_does_not_enter_the_run(opened):
    session = opened()
    source = SOURCE.copy()
    session.component("sea").bind("source", source)
    source[1, 2] = np.nan
    with pytest.raises(CallError, match="NaN") as caught:
        session.advance(6 * HOUR)
    assert (caught.value.code, caught.value.field) == (Code.DATA, "source")


def test_bound_memory_takes_part_in_the_run(opened):
    session = opened()
    sea, pond = session.component("sea"), session.component("pond")
    source, amount = SOURCE.copy(), np.ones(6)
    sea.bind("source", source)
    pond.bind("amount", amount)
    session.advance(6 * HOUR)
    assert np.array_equal(amount, decayed(2))
    amount[:] = 1.0
    source[:] = 0.0
    session.advance(12 * HOUR)
    assert np.array_equal(amount, np.full(6, 0.25))


def test_a_host_that_has_put_nothing_is_named(opened):
    with pytest.raises(SpecError) as caught:
        opened().advance(6 * HOUR)
    assert entry.told(caught.value)[:3] == (Code.FIELD, "sea", "source")


def test_the_run_stays_where_it_was_when_an_advance_is_refused(opened):
    session = opened()
    session.component("sea").put(0, "source", SOURCE)
    session.advance(6 * HOUR)
    for wrong in (1.0, 3 * HOUR, 1000 * HOUR):
        with pytest.raises(ConfigError):
            session.advance(wrong)
    assert session.times()[0] == 6 * HOUR


# ---------------------------------------------------------------------- time
def test_times_are_seconds_since_the_start(opened):
    session = opened()
    assert session.times() == (0.0, 24 * HOUR, 6 * HOUR)
    assert session.seconds("2020-01-01T06:00") == 6 * HOUR


def test_a_date_that_is_none_is_refused(opened):
    with pytest.raises(ConfigError, match="is not a date"):
        opened().seconds("tomorrow")


# ---------------------------------------------------------------------- company
def test_sessions_stand_side_by_side(opened):
    one, other = opened(), opened()
    one.component("sea").put(0, "source", SOURCE)
    other.component("sea").put(0, "source", SOURCE * 0)
    one.advance(6 * HOUR)
    other.advance(6 * HOUR)
    assert np.array_equal(got(one.component("pond"), "amount"), decayed(2))
    assert np.array_equal(got(other.component("pond"), "amount"), np.full(6, 0.25))


def test_a_component_is_the_same_however_often_it_is_asked_for(opened):
    session = opened()
    assert session.component("pond") is session.component("pond")


def test_closing_twice_is_closing_once(opened):
    session = opened()
    session.close()
    session.close()


def test_no_signal_handlers_are_installed(opened):
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGFPE)]
    session = opened()
    session.component("sea").put(0, "source", SOURCE)
    session.advance(6 * HOUR)
    assert before == [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGFPE)]


# ---------------------------------------------------------------------- the section host:
def test_a_call_without_a_status_aborts_unless_the_config_says_return(write):
    assert Session(write(), Serial()).abort_on_error
    assert not Session(write(more="host: {on_error: return}"), Serial()).abort_on_error


def test_an_unknown_key_of_the_section_is_a_fault(write):
    with pytest.raises(ConfigError, match="on_errors"):
        Session(write(more="host: {on_errors: return}"), Serial())


def test_imports_that_no_exchange_feeds_are_the_hosts(write):
    path = write()
    with pytest.raises(ConfigError, match="fed by no exchange"):
        assemble(path)
    Session(path, Serial())
    assemble(write(more="host: {}"))


# ---------------------------------------------------------------------- the entry
def test_a_config_is_opened_by_its_path(write):
    session = entry.open(write(), None)
    assert isinstance(session, Session)
    assert session.comm.size == 1
    assert entry.nothing() is None


def test_a_config_with_faults_is_told_with_all_of_them(write):
    with pytest.raises(ConfigError) as caught:
        entry.open(write(more="host: {a: 1, b: 2}"), None)
    code, component, field, message, trace = entry.told(caught.value)
    assert (code, component, field) == (Code.CONFIG, "", "")
    assert message.startswith("2 faults in the config")
    assert "ConfigError" in trace


def test_a_missing_config_is_told(tmp_path):
    with pytest.raises(ConfigError) as caught:
        entry.open(str(tmp_path / "none.yaml"), None)
    assert entry.told(caught.value)[0] == Code.CONFIG


def test_a_described_component_takes_no_grid(opened):
    pond = opened().component("pond")
    pond.describe()
    with pytest.raises(CallError) as caught:
        pond.set_grid(np.arange(1, 7), np.zeros(6), np.zeros(6))
    assert caught.value.code is Code.ORDER
