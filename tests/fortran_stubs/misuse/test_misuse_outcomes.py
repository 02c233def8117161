"""How a wrong call is judged: by code, rank and traps; the end of a process is never a named status."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from tradewind.bench.fortran import memory, misuse
from tradewind.bench.fortran.misuse import Outcome
from tradewind.bench.fortran.misuse_cases import CASES, CONFIGS, Case, Company
from tradewind.bench.fortran.misuse_places import PLACES, environment, furnish

CASE = Case("short", "an array that is too short", "shape")
GOOD = Outcome("shape", 0, trapping=True, together=True, goes_on=True, message="too short")


def test_the_expected_status_is_named():
    assert misuse.is_named(CASE, GOOD)


@pytest.mark.parametrize(
    "other",
    [{"code": "kind"}, {"code": ""}, {"rank": 1}, {"trapping": False}, {"together": False}, {"message": ""}],
)
def test_anything_else_is_not(other):
    assert not misuse.is_named(CASE, GOOD._replace(**other))


def test_what_is_harmless_needs_no_words():
    assert misuse.is_named(replace(CASE, code="ok"), GOOD._replace(code="ok", rank=-1, message=""))


def test_a_closed_session_has_no_rank():
    assert misuse.is_named(replace(CASE, code="closed"), GOOD._replace(code="closed", rank=-1))


def test_a_line_of_the_program_is_read():
    words = ["short", "4", "shape", "0", "pond", "inflow", "T", "T", "T", "too short"]
    assert misuse.read(words) == GOOD


def ended(returncode: int, stderr: str) -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess(["misuse"], returncode, "", stderr)


@pytest.mark.parametrize(("returncode", "how"), [(-11, "signal 11: dead"), (3, "exit 3: dead")])
def test_the_end_of_a_process_is_told_as_what_it_was(returncode, how):
    outcome = misuse.ended(CASE, ended(returncode, "running\ndead\n"))
    assert outcome.message == how
    assert not misuse.is_named(CASE, outcome)


def test_an_end_that_the_config_asks_for_names_its_reason():
    case = Case("x", "x", "shape", Company.TWO, rank=1, ends=True)
    printed = "tradewind: rank 1: put of pond, inflow: shape: too short\nAbort(4)\n"
    assert misuse.is_named(case, misuse.ended(case, ended(4, printed)))
    assert not misuse.is_named(case, misuse.ended(case, ended(-6, printed)))


def test_one_case_that_ends_the_process_leaves_the_others(tmp_path):
    program = tmp_path / "program"
    line = "$case\\t4\\tshape\\t0\\tpond\\tinflow\\tT\\tT\\tT\\ttoo short\\n"
    program.write_text(
        f'#!/bin/sh\nfor case in "$@"; do [ $case = long ] && kill -SEGV $$; printf "{line}"; done\n'
    )
    program.chmod(0o755)
    cases = [CASE, replace(CASE, call="long"), replace(CASE, call="empty")]
    found = dict(misuse.tried(program, cases, tmp_path, {}))
    assert found[cases[0]] == found[cases[2]] == GOOD
    assert found[cases[1]].message.startswith("signal 11")


def test_a_case_is_told_with_the_file_of_its_config():
    assert misuse.argument(CASE) == "short"
    assert misuse.argument(replace(CASE, call="whole@cut")) == "whole@cut.yaml"
    assert misuse.argument(replace(CASE, call="whole@a.safetensors")) == "whole@a.safetensors"


def test_names_are_unique_and_configs_known():
    assert len({case.name for case in CASES}) == len(CASES)
    absent = {"missing", "binary", "missing.safetensors", "damaged.safetensors"}
    assert {case.call.partition("@")[2] for case in CASES} <= {"", *CONFIGS, *absent}
    assert {case.environment for case in CASES} == {"", *PLACES}


def test_a_case_has_what_it_needs(tmp_path):
    furnish(tmp_path, memory.sources())
    assert (tmp_path / "run.yaml").read_text() == CONFIGS["run"]
    assert environment("", tmp_path, memory.sources()) == {}
    first = environment("numpy", tmp_path, memory.sources())["PYTHONPATH"]
    assert "broken" in (tmp_path / first / "numpy" / "__init__.py").read_text()


def test_leaks_are_ours_when_our_library_is_on_the_stack():
    text = """\
==1==ERROR: LeakSanitizer: detected memory leaks

Direct leak of 8 byte(s) in 1 object(s) allocated from:
    #0 in malloc
    #1 in PyObject_Malloc (/usr/lib/libpython3.11.so)

Indirect leak of 8 byte(s) in 1 object(s) allocated from:
    #0 in malloc
    #1 in keep_part (/prefix/lib/libtradewind.so.0)
"""
    assert memory.findings(text) == {"sanitizer_errors": 0, "sanitizer_leaks": 1}
    worse = (
        text
        + "x.c:3:1: runtime error: signed integer overflow\n==1==ERROR: AddressSanitizer: heap-use-after-free"
    )
    assert memory.findings(worse)["sanitizer_errors"] == 2
