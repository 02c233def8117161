"""Boxes of space and time."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.observing import Boxes
from tradewind.couplers.assimilation.places import EARTH_RADIUS_KM, Distance, positions, separations
from tradewind.couplers.coupling.component import Interval
from tradewind.errors import DataError


def boxes(window, observations, *args):
    return Boxes(*args).of(observations, window)[0].tolist()


def test_degrees_count_from_the_south_pole_and_greenwich(seen, windows):
    places = seen([0.1, 1.9, 2.1, -0.1, 0.1], [0.1, 1.9, 0.1, 0.1, -0.1], np.zeros(5))
    # south first, then eastwards: the fifth, then the first two, the third, and 359.9 E
    assert boxes(windows[0], places, 2.0, Distance.DEGREES) == [1, 1, 2, 3, 0]


def test_kilometres_keep_boxes_as_wide_as_high(seen, windows):
    # 500 km are 4.5 degrees of latitude, and at 60 N nine degrees of longitude
    places = seen([0.1, 8.0, 10.0], [60.0] * 3, np.zeros(3))
    assert boxes(windows[0], places, 500.0, Distance.KM) == [0, 0, 1]


def test_a_plane_does_not_close(seen, windows):
    places = seen([0.5, 360.5, 720.5], [0.5] * 3, np.zeros(3))
    assert boxes(windows[0], places, 1.0, Distance.PLANE) == [0, 1, 2]
    assert boxes(windows[0], places, 1.0, Distance.DEGREES) == [0, 0, 0]


def test_time_is_cut_from_the_windows_start_and_its_end_belongs_to_the_last(seen, windows):
    places = seen([0.1] * 4, [0.1] * 4, np.zeros(4), hours=[1.0, 6.0, 23.0, 24.0])
    assert boxes(windows[0], places, 1.0, Distance.DEGREES, timedelta(hours=6)) == [0, 1, 2, 2]
    assert boxes(windows[0], places, 1.0, Distance.DEGREES) == [0, 0, 0, 0]


def test_heights_do_not_share_a_box(seen, windows):
    places = seen([0.1] * 3, [0.1] * 3, np.zeros(3), vertical=np.array([850.0, 500.0, 850.0]))
    assert boxes(windows[0], places, 1.0, Distance.DEGREES) == [1, 0, 1]


def test_an_edge_that_rounding_misses_is_an_edge(seen, windows):
    # 3 * 0.1 lies a bit above 0.3
    places = seen([3 * 0.1, 0.3], [0.05] * 2, np.zeros(2))
    assert boxes(windows[0], places, 0.1, Distance.DEGREES) == [0, 0]


def test_the_centre_is_nearest(seen, windows):
    off = Boxes(2.0, Distance.DEGREES).of(seen([1.0, 1.5, 0.0], [1.0, 1.0, 1.0], np.zeros(3)), windows[0])[1]
    # a quarter of a side along the parallel at 1 N, then half a side
    assert off == pytest.approx([0.0, 1 / 16, 1 / 4], rel=1e-3)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90)), min_size=2, max_size=8))
def test_no_two_of_a_box_are_farther_apart_than_its_diagonal(places):
    lon, lat = (np.array(part) for part in zip(*places, strict=True))
    where = {"longitude": lon, "latitude": lat}
    day = Interval(datetime(2000, 1, 1), datetime(2000, 1, 2))
    box, _ = Boxes(1000.0).of(Observations(torch.zeros(len(lon)), None, where), day)
    at = positions(lon, lat, Distance.KM)
    apart = separations(at, at, Distance.KM)
    same = box[:, None] == box
    # a row's boxes are at most twice as wide as high, at its edge towards the equator a little more
    assert apart[same].max() <= EARTH_RADIUS_KM * np.hypot(2.6, 1.0) * (1000.0 / EARTH_RADIUS_KM)


def test_observations_without_places_cannot_be_boxed(windows):
    nowhere = Observations(torch.zeros(2).double(), None, {"longitude": np.zeros(2)})
    with pytest.raises(DataError, match="observations have no latitude"):
        Boxes(1.0).of(nowhere, windows[0])
