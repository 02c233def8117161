"""Beside DAPPER: how scores are compared, and DAPPER itself as an oracle where it is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tradewind.bench.assimilation import dapper
from tradewind.bench.assimilation.dapper import Theirs, z_score
from tradewind.errors import DataError

THERE = find_spec("dapper") is not None


def test_a_score_equal_to_theirs_is_zero():
    assert z_score(0.2, Theirs((0.19, 0.2, 0.21), 0.004)) == pytest.approx(0.0, abs=1e-12)


def test_a_score_above_theirs_by_two_sigma_and_two_percent_is_one():
    assert z_score(0.2 + 0.008 + 0.004, Theirs((0.2, 0.2, 0.2), 0.004)) == pytest.approx(1.0)


@pytest.mark.shared
def test_single_analyses_are_those_that_dapper_stored(shared: Path):
    assert dapper.member_error(shared / "reference") <= 1e-12


@pytest.mark.skipif(THERE, reason="DAPPER is installed")
def test_without_dapper_the_benchmark_says_how_to_get_it(tmp_path: Path):
    with pytest.raises(DataError, match=r"DAPPER is not here.*tradewind\[dapper\]"):
        dapper._theirs(tmp_path / "none.nc")
