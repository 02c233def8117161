"""The page of the cap says what its sources say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CAP = ROOT / "fortran_stubs" / "nuopc"
PAGE = (ROOT / "docs" / "nuopc.md").read_text()


def test_every_attribute_is_in_the_table():
    options = (CAP / "options.f90").read_text()
    listed = re.search(r"known\((\d+)\) = \[character\(10\) ::(.*?)\]", options, re.S)
    assert listed
    known = re.findall(r'"(\w+)"', listed[2])
    assert len(known) == int(listed[1])
    assert sorted(re.findall(r"^\| `tradewind_(\w+)` \|", PAGE, re.M)) == sorted(known)


def test_every_error_is_in_the_table():
    cases = re.findall(r"case \(([\w, ]+)\); esmf_code = (\w+)", (CAP / "errors.f90").read_text())
    names = {n.replace("code_", "").replace("_", " "): c for group, c in cases for n in group.split(", ")}
    rows = re.findall(r"((?:`[a-z ]+`(?:, )?)+) \| `(ESMF_\w+)`", PAGE)
    table = {name: code for group, code in rows for name in re.findall(r"`([a-z ]+)`", group)}
    assert table.pop("model") == "ESMF_FAILURE"
    assert table == names


@pytest.mark.parametrize(
    "name", ["bucket.py", "bucket.yaml", "esmxBuild.yaml", "esmxRun.yaml", "rain_gauge.f90"]
)
def test_the_example_is_there(name):
    assert (CAP / "examples" / name).is_file()


def test_the_page_shows_the_example():
    shown = PAGE.replace("/opt/tradewind/lib/", "")
    for name in ("esmxRun.yaml", "esmxBuild.yaml"):
        assert (CAP / "examples" / name).read_text() in shown
