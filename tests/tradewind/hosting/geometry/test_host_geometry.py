"""The grid of a field, by reserved names, before a host has said which cells it has."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tradewind import Grid
from tradewind.couplers.esmf_shapes import Share
from tradewind.couplers.ranks.parallel import Serial
from tradewind.hosting.failing import CallError, Code
from tradewind.hosting.geometry import Described
from tradewind.hosting.session import Session

CONFIG = """
run: {start: 2000-01-01, stop: 2000-01-02, step: 6h}
components:
  soil:
    plugin: function
    options:
      file: soil.py
      function: warm
      grid: {lat: {start: 0, stop: 1, step: 1}, lon: {start: 10, stop: 12, step: 1}}
      imports: {air: {units: K, levels: 2}}
      exports: {ground: {units: K}}
host: {on_error: return}
"""
VALUE = 0


@pytest.fixture
def soil(tmp_path):
    (tmp_path / "soil.py").write_text("def warm(imports):\n    return {'ground': imports['air'][:, 0]}\n")
    path = tmp_path / "run.yaml"
    path.write_text(CONFIG)
    session = Session(str(path), Serial())
    yield session.component("soil")
    session.close()


def got(part, name, length, dtype=np.float64, **how):
    array = np.zeros(length, dtype=dtype)
    part.get(VALUE, name, array, how.get("units"), 0, False, how.get("convert", False))
    return array


def test_a_summary_of_rows_and_columns(soil):
    told = got(soil, "ground@grid", 10, np.int64)
    # rows and columns, 6 cells, 3 by 2, open, 4 x 3 nodes between, nothing shared, all active
    assert_array_equal(told[:8], [1, 6, 3, 2, 0, 12, 0, 0])
    assert told[9] == 0


def test_fields_of_one_grid_have_one_fingerprint(soil):
    assert got(soil, "ground@grid", 10, np.int64)[8] == got(soil, "air@grid", 10, np.int64)[8] > 0


def test_centres_and_nodes(soil):
    assert_array_equal(got(soil, "ground@lon", 6), [10, 11, 12, 10, 11, 12])
    assert_array_equal(got(soil, "ground@lat", 6), [0, 0, 0, 1, 1, 1])
    assert_array_equal(got(soil, "ground@node_lon", 12), [9.5, 10.5, 11.5, 12.5] * 3)
    assert_array_equal(got(soil, "ground@node_lat", 12), np.repeat([-0.5, 0.5, 1.5], 4))
    assert_array_equal(got(soil, "ground@mask", 6, np.int32), 1)


def test_asking_settles_nothing(soil):
    assert [f[4] for f in soil.fields()] == [(6, 2), (6,)]
    got(soil, "ground@grid", 10, np.int64)
    soil.set_grid([1, 2, 3, 4, 5, 6], [10, 11, 12] * 2, [0, 0, 0, 1, 1, 1])
    assert soil.fields()[1][4] == (6,)


def test_units_that_will_be_refused_are_refused_at_once(soil):
    with pytest.raises(CallError) as caught:
        got(soil, "ground@grid", 10, np.int64, units="degC")
    assert caught.value.code == Code.UNITS
    assert got(soil, "ground@grid", 10, np.int64, units="degC", convert=True)[0] == 1
    with pytest.raises(CallError, match=r"kg"):
        got(soil, "ground@grid", 10, np.int64, units="kg", convert=True)


def test_what_is_not_there_is_told_with_what_is(soil):
    with pytest.raises(CallError, match=r"no ground@lom.*did you mean 'lon'"):
        got(soil, "ground@lom", 6)


@pytest.mark.parametrize(("length", "dtype"), [(5, np.float64), (6, np.float32)])
def test_another_size_or_kind_is_refused(soil, length, dtype):
    with pytest.raises(CallError, match=r"ground@lon is float64 of shape \(6,\)"):
        got(soil, "ground@lon", length, dtype)


def test_two_ranks_share_polygons_and_agree_on_nodes():
    # two squares beside each other: six nodes, two of them touched by both
    squares = Grid.polygons([[0, 1, 1, 0], [1, 2, 2, 1]], [[0, 0, 1, 1], [0, 0, 1, 1]])
    parts = [Described(squares, Share(rank, 2)).parts for rank in range(2)]
    assert [list(p["elements"]()) for p in parts] == [[1], [2]]
    assert [list(p["corners"]()) for p in parts] == [[4], [4]]
    nodes = [set(p["nodes"]()) for p in parts]
    assert len(nodes[0] & nodes[1]) == 2
    assert sorted(nodes[0] | nodes[1]) == [1, 2, 3, 4, 5, 6]
    # the first rank has what both touch
    assert list(parts[0]["owners"]()) == [0] * 4
    assert sorted(parts[1]["owners"]()) == [0, 0, 1, 1]
    lon = parts[1]["node_lon"]()[parts[1]["connections"]() - 1]
    assert_array_equal(lon, [1, 2, 2, 1])


def test_points_are_shared_in_blocks():
    places = Grid.points([0.0, 1.0, 2.0], [5.0, 6.0, 7.0], mask=[True, False, True])
    parts = Described(places, Share(1, 2)).parts
    assert_array_equal(parts["elements"](), [2, 3])
    assert_array_equal(parts["element_lat"](), [6, 7])
    assert_array_equal(parts["element_mask"](), [0, 1])
    assert_array_equal(parts["grid"]()[:8], [3, 3, 0, 0, 0, 0, 2, 0])
    assert parts["grid"]()[9] == 1


def test_a_grid_around_the_globe_closes():
    globe = Grid.latlon(np.arange(-75, 90, 30.0), np.arange(0, 360, 45.0))
    told = Described(globe, Share()).parts["grid"]()
    assert_array_equal(told[:6], [1, 48, 8, 6, 1, 7 * 8])


def test_a_field_without_a_grid_has_no_more_than_that():
    parts = Described(None, Share()).parts
    assert list(parts) == ["grid"]
    assert not parts["grid"]().any()
