"""The weather before an hour: of its own run, interpolated, and never of the future."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.surrogates.footprints.history import LONGEST, History, age_edges, at_ages


def test_ages_begin_now_and_are_close_together_first():
    edges = age_edges()
    assert edges[0] == 0.0
    assert edges[-1] == pytest.approx(LONGEST)
    assert np.all(np.diff(np.diff(edges)[1:]) > 0)


def test_between_hours_weather_is_interpolated(make_hours):
    hours = make_hours(3)
    found = at_ages(hours, hours, np.array([0.0, 10.0, 20.0]), np.array([0.0, 0.5, 1.25]))
    assert found[2].tolist() == pytest.approx([20.0, 15.0, 7.5])


def test_before_the_first_hour_it_is_that_of_the_first(make_hours):
    hours = make_hours(2)
    found = at_ages(hours, hours, np.array([3.0, 4.0]), np.array([5.0]))
    assert found.ravel().tolist() == [3.0, 3.0]


def test_the_future_is_not_looked_at(make_hours):
    hours = make_hours(6)
    calm, storm = np.ones(6), np.ones(6)
    storm[4:] = 100.0
    ages = np.array([0.0, 0.5, 3.0])
    before, after = (at_ages(hours, hours, series, ages)[:4] for series in (calm, storm))
    assert np.array_equal(before, after)


def test_other_runs_are_not_looked_at(make_hours):
    run = np.array([0, 0, 1, 1])
    hours = make_hours(4, run=run)
    found = at_ages(hours, hours, np.array([1.0, 1.0, 9.0, 9.0]), np.array([0.0, 2.5]))
    assert np.array_equal(found, np.array([[1.0, 1.0], [1.0, 1.0], [9.0, 9.0], [9.0, 9.0]]))


def test_the_weather_of_hours_that_are_not_told_is_known(make_hours):
    known = make_hours(4, wind_speed=np.array([1.0, 2.0, 3.0, 4.0]))
    found = History.of(known[3:], known, np.array([0.5, 1.5]))
    assert found.eastward.item() == pytest.approx(3.0)


def test_an_hour_without_weather_is_bridged(make_hours):
    hours = make_hours(3, mixing_height=np.array([100.0, np.nan, 300.0]))
    found = History.of(hours[2:], hours, np.array([0.5, 1.5]))
    assert found.mixing_height.item() == pytest.approx(200.0)


def test_nothing_is_known_before_anything_was(make_hours):
    late, early = make_hours(1, time=5.0), make_hours(1, time=1.0)
    assert np.isnan(at_ages(early, late, np.array([1.0]), np.array([0.0]))).all()


def test_the_order_of_known_hours_does_not_matter(draw_hours):
    hours = draw_hours(12)
    shuffled = hours[np.random.default_rng(1).permutation(12)]
    assert np.array_equal(History.of(hours).eastward, History.of(hours, shuffled).eastward)
