"""Time in a run config: the calendar, components' own steps, and an explicit sequence."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel

from tradewind.config import RunConfig, json_schema, load_config
from tradewind.config.sections.models import RunSection
from tradewind.config.sections.values import Date
from tradewind.config.source import parse_yaml
from tradewind.couplers.coupling.time.calendars import Calendar
from tradewind.errors import ConfigError
from tradewind.plugins.manager import PluginManager

LAND = """\
run:
  calendar: {calendar}
  start: {start}
  stop: {stop}
  step: {step}
  sequence: {sequence}
components:
  land:
    plugin: land
    step: {land}
  air:
    plugin: air
exchanges: [{{from: land.flux, to: air.flux}}]
"""
PLAIN = {
    "calendar": "standard", "start": "1996-02-28", "stop": "1996-03-02", "step": "6h", "sequence": "null",
    "land": "null",
}  # fmt: skip


def load(folder: Path, overrides: tuple[str, ...] = (), **changed: str) -> RunConfig:
    file = folder / "a.yaml"
    file.write_text(LAND.format_map(PLAIN | changed))
    return load_config(file, overrides)


def faults(folder: Path, overrides: tuple[str, ...] = (), **changed: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, overrides, **changed)
    return [fault.replace(f"{folder}/", "") for fault in caught.value.faults]


# ---------------------------------------------------------------------- calendar
def test_a_run_is_in_the_standard_calendar_unless_it_says_otherwise() -> None:
    run = RunSection.model_validate({"start": "1996-02-28", "stop": "1996-03-02", "step": "6h"})
    assert run.calendar is Calendar.STANDARD
    assert run.start == datetime(1996, 2, 28)


@pytest.mark.parametrize(
    ("name", "calendar", "steps"),
    [
        ("standard", Calendar.STANDARD, 12), ("proleptic_gregorian", Calendar.STANDARD, 12),
        ("noleap", Calendar.NOLEAP, 8), ("365_day", Calendar.NOLEAP, 8), ("360_day", Calendar.DAYS_360, 16),
    ],
)  # fmt: skip
def test_the_end_of_february_has_as_many_steps_as_its_calendar_has_days(
    tmp_path: Path, name: str, calendar: Calendar, steps: int
) -> None:
    run = load(tmp_path, calendar=name).run
    assert (run.calendar, run.steps) == (calendar, steps)
    assert (run.start, run.stop) == (calendar.time(1996, 2, 28), calendar.time(1996, 3, 2))


def test_the_30th_of_february_needs_no_quotes(tmp_path: Path) -> None:
    assert parse_yaml("1996-02-30") == "1996-02-30"
    run = load(tmp_path, calendar="360_day", start="1996-02-30", stop="1996-03-01T12:00").run
    assert run.stop - run.start == timedelta(hours=36)


@pytest.mark.parametrize(
    ("calendar", "start", "words"),
    [
        ("noleap", "1996-02-29", "1996-02-29 does not exist in the noleap calendar: that month has 28 days"),
        (
            "standard",
            "1996-02-30",
            "1996-02-30 does not exist in the standard calendar: that month has 29 days",
        ),
        (
            "360_day",
            "1996-01-31",
            "1996-01-31 does not exist in the 360_day calendar: that month has 30 days",
        ),
        ("noleap", "1996-02-28T25:00", "'1996-02-28T25:00' is not a moment of the noleap calendar"),
        ("noleap", "soon", "'soon' is not a date (write for example 1996-01-10"),
        ("noleap", "1996", "1996 is not a date, write for example 1996-01-10"),
    ],
)
def test_a_date_that_the_calendar_does_not_have(
    tmp_path: Path, calendar: str, start: str, words: str
) -> None:
    (fault,) = faults(tmp_path, calendar=calendar, start=start)
    assert fault.startswith(f"a.yaml:3: run.start: {words}")


def test_a_calendar_that_is_not_known(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, calendar="nolap")
    assert fault == (
        "a.yaml:2: run.calendar: input should be 'standard', 'noleap' or '360_day', not 'nolap', "
        "did you mean 'noleap'?"
    )


def test_the_calendar_may_stand_last(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("run: {start: 1996-02-30, stop: 1996-03-01, step: 6h, calendar: 360_day}\n"
                    "components: {land: {plugin: land}}")  # fmt: skip
    assert load_config(file).run.steps == 4


def test_the_calendar_may_be_set_from_the_command_line(tmp_path: Path) -> None:
    assert load(tmp_path, ("run.calendar=noleap",)).run.steps == 8


def test_stop_and_start_are_compared_in_their_calendar(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, calendar="360_day", start="1996-02-30", stop="1996-02-29")
    assert fault.startswith("a.yaml:4: run.stop: stop (1996-02-29 00:00:00) must be after start (1996-02-30")


def test_a_period_is_as_long_as_its_calendar_says(tmp_path: Path) -> None:
    # 28 February to 2 March: three days of 24 hours, two without the leap day
    assert load(tmp_path, step="36h").run.steps == 2
    (fault,) = faults(tmp_path, step="36h", calendar="noleap")
    assert fault == "a.yaml:5: run.step: the step (1 day, 12:00:00) must divide the period (2 days, 0:00:00)"


@pytest.mark.parametrize("calendar", list(Calendar))
def test_dates_are_written_as_text(calendar: Calendar) -> None:
    class Period(BaseModel):
        calendar: Calendar = Calendar.STANDARD
        start: Date

    period = Period(calendar=calendar, start="1996-02-28T06:00")
    assert period.model_dump_json() == f'{{"calendar":"{calendar}","start":"1996-02-28T06:00:00"}}'
    assert Period.model_validate_json(period.model_dump_json()) == period


# ---------------------------------------------------------------------- steps of components
def test_a_component_may_have_a_step_of_its_own(tmp_path: Path) -> None:
    config = load(tmp_path, land="2h")
    assert config.components["land"].step == timedelta(hours=2)
    assert config.components["air"].step is None


@pytest.mark.parametrize(("land", "better"), [("4h", "3:00:00"), ("12h", "6:00:00"), ("35min", "0:30:00")])
def test_a_step_that_does_not_divide_the_runs(tmp_path: Path, land: str, better: str) -> None:
    (fault,) = faults(tmp_path, land=land)
    assert fault.startswith("a.yaml:10: components.land.step: the step (")
    assert f"must divide run.step (6:00:00), as {better}" in fault


@pytest.mark.parametrize(("land", "words"), [("6", "6 is not a duration"), ("0h", "longer than nothing")])
def test_a_step_that_is_no_duration_is_one_fault(tmp_path: Path, land: str, words: str) -> None:
    (fault,) = faults(tmp_path, land=land)
    assert fault.startswith("a.yaml:10: components.land.step: ")
    assert words in fault


def test_a_step_from_the_command_line_is_named_as_typed(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, ("components.land.step=4h",))
    assert fault.startswith("--set components.land.step=4h: components.land.step: the step (4:00:00) must")


def test_what_is_wrong_elsewhere_hides_no_step(tmp_path: Path) -> None:
    assert len(faults(tmp_path, start="soon", land="4h")) == 2


# ---------------------------------------------------------------------- sequence
def test_a_sequence_names_the_components_in_order(tmp_path: Path) -> None:
    assert load(tmp_path, sequence="[air, land]").run.sequence == ("air", "land")
    assert load(tmp_path).run.sequence is None


@pytest.mark.parametrize(
    ("sequence", "expected"),
    [
        ("[land, air, ar]", ["run.sequence.2: there is no component 'ar', did you mean 'air'?"]),
        ("[land, air, land]", ["run.sequence.2: 'land' stands here twice"]),
        ("[air]", ["run.sequence: leaves out 'land'"]),
        ("[]", ["run.sequence: leaves out 'land', 'air'"]),
        ("[lnd, air]", ["run.sequence: leaves out 'land'",
                        "run.sequence.0: there is no component 'lnd', did you mean 'land'?"]),
        ("land", ["run.sequence: input should be a valid tuple, not 'land'"]),
    ],
)  # fmt: skip
def test_a_sequence_names_each_component_once(tmp_path: Path, sequence: str, expected: list[str]) -> None:
    assert sorted(faults(tmp_path, sequence=sequence)) == sorted(f"a.yaml:6: {fault}" for fault in expected)


def test_numbers_in_a_sequence_are_refused(tmp_path: Path) -> None:
    assert faults(tmp_path, sequence="[land, air, 3]")


# ---------------------------------------------------------------------- schema
def test_editors_know_the_keys() -> None:
    definitions = json_schema(PluginManager.load())["$defs"]
    run, component = (definitions[name]["properties"] for name in ("RunSection", "ComponentSection"))
    assert definitions["Calendar"]["enum"] == ["standard", "noleap", "360_day"]
    assert run["calendar"]["default"] == "standard"
    assert run["start"] == {
        "type": "string",
        "examples": ["1996-01-10", "1996-01-10T06:00"],
        "title": "Start",
    }
    assert {"sequence"} <= run.keys()
    assert {"step"} <= component.keys()
