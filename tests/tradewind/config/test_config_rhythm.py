"""How often: lengths of time, and cycles of the calendar."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from tradewind.config.sections.rhythm import RestartSection, Rhythm
from tradewind.couplers.coupling.time.alarms import Cycle

READ = TypeAdapter(Rhythm).validate_python


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("6h", timedelta(hours=6)),
        ("1d 12h", timedelta(hours=36)),
        ("P1DT6H", timedelta(hours=30)),
        (timedelta(hours=1), timedelta(hours=1)),
        ("month", Cycle.MONTH),
        ("year", Cycle.YEAR),
        (Cycle.YEAR, Cycle.YEAR),
    ],
)
def test_is_read(text, meaning):
    assert READ(text) == meaning


@pytest.mark.parametrize("text", ["daily", "6", 6, None, "0h", "months", "", ["6h"]])
def test_anything_else_is_refused(text):
    with pytest.raises(ValidationError):
        READ(text)


def test_what_could_be_written_is_said():
    with pytest.raises(ValidationError, match="6h, 30min or 1d, or month or year"):
        READ("daily")


def test_restart_files_need_a_folder():
    with pytest.raises(ValidationError, match="folder"):
        RestartSection.model_validate({"every": "6h"})
    assert RestartSection.model_validate({"folder": "x"}).every is None
