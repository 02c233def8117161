"""Fewer observations: thinned, or averaged to super-observations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.assimilation.observing import Boxes, Joining, Thinning, Uncertainty
from tradewind.couplers.assimilation.places import Distance

TWO = Boxes(2.0, Distance.DEGREES)


# ---------------------------------------------------------------------- thinning
def test_the_one_nearest_to_the_centre_is_kept(seen, windows):
    remade = Thinning(TWO)(seen([0.1, 0.9, 1.9, 2.1], [1.0] * 4, [1.0, 2.0, 3.0, 4.0]), windows[0])
    assert remade.observations.y.tolist() == [2.0, 4.0]
    assert remade.observations.coordinates["longitude"].tolist() == [0.9, 2.1]
    assert remade.matrix.toarray().tolist() == [[0, 1, 0, 0], [0, 0, 0, 1]]


def test_of_those_equally_near_the_earliest_is_kept(seen, windows):
    remade = Thinning(TWO)(seen([1.0] * 3, [1.0] * 3, [1.0, 2.0, 3.0], hours=[5, 4, 4]), windows[0])
    assert remade.observations.y.tolist() == [2.0]  # and then the least


def test_nothing_stays_nothing(seen, windows):
    assert len(Thinning(TWO)(seen([], [], []), windows[0]).observations) == 0
    assert len(Joining(TWO)(seen([], [], []), windows[0]).observations) == 0


tenths = st.integers(-30, 30).map(lambda n: n / 10)
many = st.lists(st.tuples(tenths, tenths, tenths, st.integers(0, 23)), min_size=1, max_size=12)


@settings(max_examples=20)
@given(many, st.randoms())
def test_what_is_kept_does_not_depend_on_the_order(seen_, day, found, shuffle):
    def kept(values):
        lon, lat, y, hours = zip(*values, strict=True)
        left = Thinning(TWO)(seen_(lon, lat, list(y), hours), day).observations
        where = left.coordinates
        return sorted(zip(where["longitude"], where["latitude"], left.y.tolist(), where["time"], strict=True))

    other = list(found)
    shuffle.shuffle(other)
    assert kept(found) == kept(other)


# ---------------------------------------------------------------------- super-observations
def test_a_box_becomes_its_mean(seen, windows):
    some = seen([0.5, 1.5, 3.0], [0.5, 1.5, 1.0], [1.0, 3.0, 7.0], hours=[1, 3, 5])
    remade = Joining(TWO)(some, windows[0])
    assert remade.observations.y.tolist() == [2.0, 7.0]
    assert remade.matrix.toarray().tolist() == [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]
    where = remade.observations.coordinates
    assert where["longitude"].tolist() == [1.0, 3.0]
    assert where["latitude"].tolist() == [1.0, 1.0]
    assert where["count"].tolist() == [2, 1]
    assert where["time"].tolist() == np.array(["2000-01-01T02", "2000-01-01T05"], "datetime64[ns]").tolist()


def test_places_on_both_sides_of_greenwich_have_their_mean_between(seen, windows):
    # on a plane a box may hold both conventions of longitude
    some = seen([359.0, -1.0], [1.0, 1.0], [1.0, 3.0])
    where = Joining(TWO)(some, windows[0]).observations.coordinates
    assert where["longitude"].tolist() == [359.0]


@pytest.mark.parametrize(
    ("uncertainty", "variance"),
    [
        # s(4)² = 225 (0.45/4 + 0.55) + 20.25; of the total sO² s(4)²/s(1)² with s(1)² = 245.25
        (Uncertainty.INSTRUMENT, 225 * 0.6625 + 20.25),
        (Uncertainty.TOTAL, 225 * (225 * 0.6625 + 20.25) / 245.25),
    ],
)
def test_the_error_of_a_mean_falls_to_what_its_members_share(seen, windows, uncertainty, variance):
    some = seen([1.0] * 4, [1.0] * 4, [0.0] * 4, sigma=15.0)
    joining = Joining(TWO, correlation=0.55, transport_error=4.5, uncertainty=uncertainty)
    found = joining(some, windows[0]).observations.covariance.diagonal()
    assert found.tolist() == pytest.approx([variance], rel=1e-14)


@pytest.mark.parametrize("uncertainty", Uncertainty)
def test_one_alone_keeps_its_error(seen, windows, uncertainty):
    joining = Joining(TWO, correlation=0.3, uncertainty=uncertainty)
    found = joining(seen([1.0], [1.0], [0.0], sigma=2.0), windows[0]).observations
    assert found.covariance.diagonal().tolist() == [4.0]


def test_errors_that_know_nothing_of_each_other_fall_with_the_root(seen, windows):
    some = seen([1.0] * 4, [1.0] * 4, [0.0] * 4, sigma=[1.0, 2.0, 3.0, 4.0])
    found = Joining(TWO, correlation=0.0)(some, windows[0]).observations
    assert found.covariance.diagonal().tolist() == [30.0 / 16.0]


@settings(max_examples=20)
@given(many)
def test_the_sum_is_conserved(seen_, day, found):
    lon, lat, y, hours = zip(*found, strict=True)
    remade = Joining(TWO)(seen_(lon, lat, list(y), hours), day)
    count = torch.from_numpy(remade.observations.coordinates["count"])
    assert float(count.sum()) == len(y)
    assert float((count * remade.observations.y).sum()) == pytest.approx(sum(y), abs=1e-12)
    assert remade.matrix.sum(axis=1).tolist() == pytest.approx([1.0] * len(count))


@pytest.fixture(scope="module")
def seen_():
    """Return `seen` for hypothesis, which wants fixtures that do not change."""
    from datetime import datetime

    from tradewind.couplers.assimilation import Observations
    from tradewind.couplers.assimilation.covariance import DiagonalCovariance

    def seen(lon, lat, y, hours):
        time = np.datetime64(datetime(2000, 1, 1), "ns") + np.array(hours) * np.timedelta64(1, "h")
        where = {"time": time, "latitude": np.array(lat), "longitude": np.array(lon)}
        return Observations(
            torch.tensor(y, dtype=torch.float64), DiagonalCovariance(torch.ones(len(y)).double()), where
        )

    return seen


@pytest.fixture(scope="module")
def day():
    from datetime import datetime

    from tradewind.couplers.coupling.component import Interval

    return Interval(datetime(2000, 1, 1), datetime(2000, 1, 2))
