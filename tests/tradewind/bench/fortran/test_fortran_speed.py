"""What the program that measures calls has printed, as figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradewind.bench.fortran.speed import Inputs, compiled, figures, read
from tradewind.errors import DataError
from tradewind.fortran.installation import Installation

PRINTED = """\
crossing     0        0.0746        0.5543
crossing_guarded     0        0.0871        0.5854
embedded     1       10.3812       28.3226
apart_embedded     1    0.0000E+00
frozen     1        6.1571       12.5119
apart_frozen     1    5.9605E-08
frozen  1024      286.8812      400.0000
apart_frozen  1024    1.1921E-07
"""


def test_the_least_of_all_rounds_is_the_figure():
    found = figures(read(PRINTED))
    assert (found["crossing_us"], found["crossing_guarded_us"]) == (0.0746, 0.0871)
    assert (found["embedded_us_1"], found["frozen_us_1"], found["frozen_us_1024"]) == (10.38, 6.157, 286.9)


def test_engines_are_compared_where_they_are_farthest_apart():
    assert figures(read(PRINTED))["engines_apart"] == 1.1921e-07


def test_what_was_not_measured_is_null():
    found = figures(read(PRINTED))
    assert {found[f"ftorch_us_{n}"] for n in (1, 64, 1024)} == {None}
    assert figures(read(""))["engines_apart"] is None


def test_medians_are_kept_beside_the_least():
    assert read(PRINTED).middle["frozen", 1024] == 400.0


def test_ways_without_a_file_are_left_out():
    inputs = Inputs(Path("net.safetensors"), config=Path("run.yaml"))
    assert inputs.arguments(7) == ["net.safetensors", "-", "run.yaml", "-", "7"]


def test_a_library_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="not installed there"):
        compiled(tmp_path, Installation(tmp_path / "nowhere"))
