"""Boosted trees: told the same weather, and no more."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tradewind.errors import DataError
from tradewind.surrogates.footprints.observations import Footprints
from tradewind.surrogates.footprints.scores import r_squared
from tradewind.surrogates.footprints.trees import BACK, Scale, Trees, tree_features


def test_each_hour_and_cell_is_a_row(make_hours, window):
    rows = tree_features(make_hours(3), window)
    # 6 of the weather now, 4 others, 3 at each time back, 5 of the place
    assert rows.shape == (3 * 121, 6 + 4 + 3 * len(BACK) + 5)
    assert np.isfinite(rows).all()


def test_the_place_is_told_in_the_wind_s_frame(make_hours, window):
    east, north, upwind, across, far = tree_features(make_hours(1, wind_from=180.0), window)[:, -5:].T
    np.testing.assert_allclose(upwind, -north, atol=1e-6)
    np.testing.assert_allclose(across, -east, atol=1e-6)
    np.testing.assert_allclose(far, np.hypot(east, north))


def test_cells_are_in_the_order_of_footprints(make_hours, window):
    east, north = tree_features(make_hours(1), window)[:, -5:-3].T
    assert np.all(np.diff(north.reshape(11, 11), axis=0) > 0)
    assert np.all(np.diff(east.reshape(11, 11), axis=1) > 0)


def test_the_future_is_not_told(draw_hours, window):
    hours = draw_hours(6)
    late = tree_features(hours[4:5], window, hours)
    assert np.array_equal(late, tree_features(hours[4:5], window, hours[:5]))


@pytest.mark.parametrize("scale", Scale)
def test_trees_learn_what_they_see(make_footprints, scale):
    pytest.importorskip("sklearn", reason="needs the extra `trees`")
    footprints = make_footprints(12)
    told = Trees(scale).learn(footprints).tell(footprints.hours, footprints.window)
    assert r_squared(told, footprints.values) > 0.9


@pytest.mark.parametrize("scale", Scale)
def test_scales_go_there_and_back(scale):
    values = np.array([0.0, 1e-3, 2.0])
    np.testing.assert_allclose(scale.back(scale.of(values)), values, atol=1e-15)


def test_without_scikit_learn_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(DataError, match=r"pip install tradewind\[trees\]"):
        Trees()


def test_no_warning_and_no_change_of_what_is_learnt_from(make_footprints):
    pytest.importorskip("sklearn", reason="needs the extra `trees`")
    footprints = make_footprints(4)
    kept = Footprints(footprints.hours, footprints.window, footprints.values.copy())
    Trees().learn(footprints)
    assert np.array_equal(footprints.values, kept.values)
