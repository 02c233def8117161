"""Both outputs of a run, or neither on a path that cannot work."""

from __future__ import annotations

import pytest

from tradewind.couplers.ranks.parallel import Serial
from tradewind.errors import DataError
from tradewind.output.writing import write_outputs


def test_both_are_written(result, tmp_path):
    paths = tmp_path / "posterior.nc", tmp_path / "posterior.html"
    assert write_outputs(result, Serial(), *paths) == paths
    assert sorted(p.name for p in tmp_path.iterdir()) == ["posterior.html", "posterior.nc"]


def test_only_what_is_asked_for(result, tmp_path):
    assert write_outputs(result, Serial(), file=tmp_path / "a.nc") == (tmp_path / "a.nc",)
    assert [p.name for p in tmp_path.iterdir()] == ["a.nc"]


def test_a_hopeless_report_spares_the_work_on_the_file(result, tmp_path):
    with pytest.raises(DataError, match="absent does not exist"):
        write_outputs(result, Serial(), tmp_path / "a.nc", tmp_path / "absent" / "a.html")
    assert list(tmp_path.iterdir()) == []


class Second(Serial):
    """Rank 1 of two, whose neighbour has nothing to complain of."""

    rank, size = 1, 2

    def allgather(self, item):
        return [None, item]


def test_other_ranks_write_nothing(result, tmp_path):
    assert write_outputs(result, Second(), tmp_path / "a.nc") == (tmp_path / "a.nc",)
    assert list(tmp_path.iterdir()) == []
