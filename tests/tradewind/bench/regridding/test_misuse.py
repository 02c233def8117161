"""Wrong calls of regridding: every one is caught, and what ESMPy makes of them is put in words."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tradewind import bench
from tradewind.bench.regridding import misuse, misuse_esmpy
from tradewind.bench.regridding.misuse_cases import CASES, UNSAID, Case, source, target
from tradewind.errors import SpecError, TradewindError

needs_esmpy = pytest.mark.skipif(importlib.util.find_spec("esmpy") is None, reason="ESMPy is not installed")
MENDED = {"clockwise", "unmapped", "thread"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_wrong_call_is_caught(case):
    assert misuse.caught(case)


@pytest.mark.parametrize("case", [c for c in CASES if c.name not in MENDED], ids=lambda case: case.name)
def test_what_cannot_be_mended_is_refused_with_what_and_where(case):
    with pytest.raises(TradewindError) as told:
        case.wrong()
    assert told.value.what
    assert told.value.where


@pytest.mark.parametrize("case", [c for c in CASES if c.name in MENDED], ids=lambda case: case.name)
def test_what_can_be_mended_gives_the_right_result(case):
    assert case.wrong() != UNSAID


@pytest.mark.parametrize("case", [c for c in CASES if c.applied], ids=lambda case: case.name)
def test_a_regridder_that_is_used_wrongly_names_both_grids(case):
    with pytest.raises(TradewindError) as told:
        case.wrong()
    assert repr(source()) in str(told.value)
    assert repr(target()) in str(told.value)


def test_there_are_more_than_thirty_cases_of_different_names():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) > 30


def test_every_call_of_esmpy_is_that_of_a_case():
    assert set(misuse_esmpy.CALLS) <= {case.name for case in CASES}


def test_silence_is_not_caught():
    assert not misuse.caught(Case("silent", "", lambda: UNSAID))


def test_an_error_of_a_regridder_that_names_no_grids_is_not_caught():
    def wrong() -> str:
        raise SpecError("wrong shape")

    assert misuse.caught(Case("built", "", wrong))
    assert not misuse.caught(Case("applied", "", wrong, applied=True))


def test_an_error_that_is_not_ours_is_not_caught():
    def wrong() -> str:
        raise KeyError("cells")

    with pytest.raises(KeyError):
        misuse.caught(Case("foreign", "", wrong))


def test_the_figures_are_flat_and_name_every_case(monkeypatch):
    monkeypatch.setattr(misuse, "in_esmpy", lambda name: None)
    found = misuse.figures(bench._silent)
    assert found["misuse_cases"] == found["misuse_caught"] == len(CASES)
    assert found["swapped_fields_tradewind"].startswith("raised SpecError: Regridder from")
    assert found["swapped_fields_esmpy"] is None
    assert {f"{case.name}_says" for case in CASES} <= set(found)


def test_temporary_folders_are_not_told():
    (swapped,) = (case for case in CASES if case.name == "swapped_in_file")
    assert misuse.here(swapped).startswith("raised GridError: weights.nc, source: latlon grid 12x24")


def test_without_esmpy_its_column_is_empty(monkeypatch):
    monkeypatch.setattr(misuse, "find_spec", lambda name: None)
    assert misuse.in_esmpy("swapped_fields") is None


def test_what_esmpy_does_not_have_is_no_call(monkeypatch):
    monkeypatch.setattr(misuse, "find_spec", lambda name: name)
    assert misuse.in_esmpy("wrong_device") == "no such call"


def test_ranks_are_not_shown_where_there_are_none(monkeypatch):
    monkeypatch.setattr(misuse, "find_spec", lambda name: name)
    monkeypatch.setattr(misuse, "_has_ranks", lambda: False)
    assert misuse.in_esmpy("some_ranks") is None


def test_other_calls_are_tried(monkeypatch):
    monkeypatch.setattr(misuse, "find_spec", lambda name: name)
    assert misuse.in_esmpy("swapped_fields", launch=lambda name: f"tried {name}") == "tried swapped_fields"


def done(code: int, out: str = "", err: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess([], code, out, err)


def test_a_signal_is_a_crash():
    assert misuse.in_words(done(-11)) == "crashed: signal 11"


def test_what_was_raised_is_told_by_its_last_line():
    said = 'Traceback:\n  File "x.py"\nValueError: rc = 506\n[WARNING] yaksa: leaked\n'
    assert misuse.in_words(done(1, err=said)) == "raised ValueError: rc = 506"


def test_errors_of_esmpy_go_by_their_short_names():
    said = "esmpy.util.exceptions.GridArgumentError: no\n"
    assert misuse.in_words(done(1, err=said)) == "raised GridArgumentError: no"


def test_noise_before_the_outcome_is_passed_over():
    out = 'noise of ESMF\n\n{"low": 1.5, "high": 3.0, "zeros": 0, "left": 0, "missing": 0, "cells": 4}\n'
    assert misuse.in_words(done(0, out)) == "returned values from 1.5 to 3"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.0, 1.5, 2.0], "returned values from 1 to 2, as if nothing were wrong"),
        ([0.0, 0.0], "returned 0 everywhere"),
        ([0.0, 1.5], "returned values from 0 to 1.5, 1 of 2 are 0"),
        ([1.0, np.nan], "returned values from 1 to 1, 1 of 2 are NaN"),
        ([np.nan, np.nan], "returned no number: 2 of 2 are NaN"),
        ([-3.0, 1.0], "returned values from -3 to 1"),
        ([1.0, 2.00001], "returned values from 1 to 2"),
        ([0.0, 6.9e-310], "returned what was in memory before"),
        ([1.0, 3.7e233], "returned what was in memory before"),
    ],
)
def test_a_field_in_words(values, words):
    assert misuse.returned(misuse_esmpy.outcome(values)) == words


def test_a_masked_field_is_missing_there():
    found = misuse_esmpy.outcome(np.ma.masked_array([1.0, 5.0], mask=[False, True]))
    assert (found["missing"], found["high"]) == (1, 1.0)


def in_a_script(monkeypatch, tmp_path, text: str) -> None:
    """Put a script in the place of the call of ESMPy."""
    script = tmp_path / "python"
    script.write_text(f"#!{sys.executable}\n{text}\n")
    script.chmod(0o755)
    monkeypatch.setattr(misuse, "sys", SimpleNamespace(executable=str(script)))


def test_a_call_that_does_not_come_back_has_hung(monkeypatch, tmp_path):
    in_a_script(monkeypatch, tmp_path, "import time; time.sleep(60)")
    monkeypatch.setattr(misuse, "SECONDS", 0.5)
    assert misuse.tried("swapped_fields") == "hung: ended after 0.5 s"


def test_a_call_that_kills_its_process_has_crashed(monkeypatch, tmp_path):
    in_a_script(monkeypatch, tmp_path, "import os; os.abort()")
    assert misuse.tried("swapped_fields") == "crashed: signal 6"


def test_a_call_that_raises_is_told(monkeypatch, tmp_path):
    in_a_script(monkeypatch, tmp_path, "raise ValueError('rc = 506')")
    assert misuse.tried("swapped_fields") == "raised ValueError: rc = 506"


def test_the_benchmark_is_known_by_its_name():
    assert "misuse" in bench.BENCHMARKS


@needs_esmpy
def test_esmpy_adds_up_other_numbers_when_fields_are_of_another_type():
    assert misuse.tried("integers").startswith("returned ")


@needs_esmpy
def test_esmpy_says_nothing_of_swapped_longitudes_and_latitudes():
    assert misuse.tried("swapped_axes").endswith("as if nothing were wrong")
