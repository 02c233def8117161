"""Whatever is given to a constructor, the answer is a grid or a `GridError`: nothing else, and no warning."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid
from tradewind.errors import GridError

GARBAGE = {
    "nothing": [],
    "text": "abc",
    "words": np.array(["a", "b"]),
    "ragged": [[1, 2], [3]],
    "a dictionary": {1: 2},
    "an object": object(),
    "complex": np.array([1j, 2.0]),
    "one number": 5.0,
    "nan": np.full(6, np.nan),
    "infinite": np.full(6, np.inf),
    "three dimensions": np.zeros((2, 2, 2)),
    "dates": np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]"),
    "masked": np.ma.masked_all(6),
}
LAT, LON, FACES = np.arange(3.0), np.arange(4.0), [[0, 1, 2]]
X, Y = np.meshgrid(LON, LAT)
NODES = ([0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
CALLS: dict[str, Callable] = {
    "latlon lat": lambda bad: Grid.latlon(bad, LON),
    "latlon lon": lambda bad: Grid.latlon(LAT, bad),
    "latlon lat_bounds": lambda bad: Grid.latlon(LAT, LON, lat_bounds=bad),
    "latlon lon_bounds": lambda bad: Grid.latlon(LAT, LON, lon_bounds=bad),
    "latlon mask": lambda bad: Grid.latlon(LAT, LON, mask=bad),
    "latlon area": lambda bad: Grid.latlon(LAT, LON, area=bad),
    "curvilinear lon": lambda bad: Grid.curvilinear(bad, Y),
    "curvilinear corners": lambda bad: Grid.curvilinear(X, Y, bad, bad),
    "mesh nodes": lambda bad: Grid.mesh(bad, bad, FACES),
    "mesh faces": lambda bad: Grid.mesh(*NODES, bad),
    "mesh centres": lambda bad: Grid.mesh(*NODES, FACES, centres=(bad, [0.0])),
    "polygons": lambda bad: Grid.polygons(bad, bad),
    "cubed_sphere": Grid.cubed_sphere,
    "with_mask": lambda bad: Grid.latlon(LAT, LON).with_mask(bad),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("bad", GARBAGE)
def test_garbage_is_refused(call, bad):
    with pytest.raises(GridError):
        CALLS[call](GARBAGE[bad])


SHAPES = st.sampled_from([(), (1,), (3,), (4,), (3, 4), (4, 3), (4, 5), (3, 4, 4), (3, 4, 2)])
NUMBERS = st.one_of(st.floats(-400, 400), st.sampled_from([0.0, 90.0, -90.0, 360.0, np.nan, 1e20]))


@st.composite
def arrays(draw) -> np.ndarray:
    shape = draw(SHAPES)
    n = int(np.prod(shape))
    return np.array(draw(st.lists(NUMBERS, min_size=n, max_size=n))).reshape(shape)


@pytest.mark.parametrize("call", sorted(set(CALLS) - {"cubed_sphere"}))
@settings(max_examples=40, deadline=None)
@given(values=arrays())
def test_any_numbers_make_a_sound_grid_or_are_refused(call, values):
    try:
        grid = CALLS[call](values)
    except GridError:
        return
    assert np.isfinite(grid.centres).all()
    if grid.has_corners:
        assert (grid.polygon_area[grid.mask] > 0).all()
