"""Single settings: durations, dates, endpoints, paths."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tradewind.config.paths import FOLDER, RelativePath
from tradewind.config.sections.values import Date, Duration, Endpoint
from tradewind.config.source import parse_yaml

DURATION, DATE, PATH = TypeAdapter(Duration), TypeAdapter(Date), TypeAdapter(RelativePath)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6h", 21600), ("30min", 1800), ("1d", 86400), ("90s", 90), ("1.5h", 5400), ("1d 12h", 129600),
        ("1h30min", 5400), (" 6 h ", 21600), ("PT6H", 21600),
    ],
)  # fmt: skip
def test_durations_by_hand(text: str, seconds: int) -> None:
    assert DURATION.validate_python(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["6", 6, 6.0, True, "h", "6 hours", "", "6h7", "-6h", None, "0h", "P0D"])
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        DURATION.validate_python(value)


@given(st.integers(0, 9), st.integers(0, 23), st.integers(0, 59), st.integers(1, 59))
def test_amounts_of_a_duration_add_up(d: int, h: int, m: int, s: int) -> None:
    assert DURATION.validate_python(f"{d}d{h}h{m}min{s}s") == timedelta(d, s, minutes=m, hours=h)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1996-01-10", datetime(1996, 1, 10)),
        ("1996-01-10T06:00", datetime(1996, 1, 10, 6)),
        ("1996-01-10 06:00:00", datetime(1996, 1, 10, 6)),
        ("1996-01-10T06:00Z", datetime(1996, 1, 10, 6)),
        ("1996-01-10T06:00+02:00", datetime(1996, 1, 10, 4)),
    ],
)
def test_dates_are_utc_without_zone(text: str, expected: datetime) -> None:
    assert DATE.validate_python(text) == expected


@pytest.mark.parametrize("value", [1996, 19960110, 0.5, True, "1996-13-45", "soon"])
def test_numbers_are_not_taken_for_seconds_since_1970(value: object) -> None:
    with pytest.raises(ValidationError):
        DATE.validate_python(value)


def test_an_endpoint_splits_at_the_first_dot() -> None:
    assert Endpoint.parse("a-b.c.d") == Endpoint("a-b", "c.d")
    assert str(Endpoint.parse("a.b")) == "a.b"


@pytest.mark.parametrize("text", ["a", "a.", ".b", "", None, 3, ["a", "b"]])
def test_what_is_no_endpoint_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"component\.variable"):
        Endpoint.parse(text)


def test_relative_paths_start_at_the_config() -> None:
    assert PATH.validate_python("a/b.nc", context={FOLDER: Path("/runs")}) == Path("/runs/a/b.nc")


def test_absolute_paths_stay() -> None:
    assert PATH.validate_python("/data/b.nc", context={FOLDER: Path("/runs")}) == Path("/data/b.nc")


def test_without_a_config_paths_stay() -> None:
    assert PATH.validate_python("b.nc") == Path("b.nc")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"), ("yes", "yes"), ("on", "on"), ("off", "off"), ("true", True), ("1e-3", 1e-3),
        ("010", 10), ("12:30:00", "12:30:00"), ("1996-01-10", "1996-01-10"), ("=", "="), ("null", None),
        ("6h", "6h"), ("0x10", 16), ("[NO, O3]", ["NO", "O3"]),
    ],
)  # fmt: skip
def test_yaml_is_that_of_version_1_2(text: str, value: object) -> None:
    assert parse_yaml(text) == value
