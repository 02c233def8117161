"""What observations see of a field: cells, levels, areas, heights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from pydantic import ValidationError

from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import dot_test
from tradewind.errors import ConfigError, DataError, GridError
from tradewind.plugins.observations.area_mean import AreaMeanOperator
from tradewind.plugins.observations.options import AreaMeanOptions, FlagOptions, PointOptions, ProfileOptions
from tradewind.plugins.observations.point import PointOperator
from tradewind.plugins.observations.profile import ProfileOperator

FIELD = torch.tensor([1.0, 2.0, 3.0, 4.0]).double()
LAYERS = torch.stack([FIELD, 10 * FIELD, 100 * FIELD])


@pytest.fixture
def seen(write, windows):
    """Return a function that gives an operator of observations at places, at the end of an hour."""

    def seen(kind, options, observed, lon, lat, **more):
        settings = options.pop("model")
        file = write(np.ones(len(lon)), lon, lat, np.arange(len(lon)) + 1.0, **more)
        operator = kind(settings(file=file, variable="gas", **options), observed)
        operator.windows(windows)
        return operator

    return seen


def shown(operator, window, field):
    (look,) = operator.looks(window).values()
    assert dot_test(look.linearize(field)) <= 1e-14
    assert torch.equal(look(torch.stack([field, 2 * field]))[1], look(2 * field))
    return look(field).tolist()


# ---------------------------------------------------------------------- points
def test_a_level_is_picked(seen, air, windows):
    observed = air(levels=3)
    operator = seen(
        PointOperator, {"model": PointOptions, "level": 1}, observed, [-100.4, -101.4], [30.4, 31.4]
    )
    assert shown(operator, windows[0], LAYERS) == [20.0, 30.0]


@pytest.mark.parametrize(
    ("levels", "level", "message"),
    [(3, None, "has 3 levels .*`level`"), (0, 1, "has no levels"), (3, 3, "no level 3 .*from 0 to 2")],
)
def test_a_level_must_be_there(seen, air, levels, level, message):
    with pytest.raises(ConfigError, match=message):
        seen(PointOperator, {"model": PointOptions, "level": level}, air(levels), [-101.4], [30.4])


def test_points_are_read_at_the_nearest_centre_within_reach(seen, air, windows):
    grid = Grid.points([0.0, 1.0, 2.0], [0.0, 0.0, 0.0], mask=[True, True, False])
    options = {"model": PointOptions, "sampling": "nearest"}
    operator = seen(PointOperator, options, air(grid=grid), [0.4, 0.6, 1.9, 3.1], [0.0, 0.0, 0.1, 0.0])
    assert shown(operator, windows[0], FIELD[:3]) == [1.0, 2.0, 2.0]
    assert operator.notes == ["1 of 4 observations dropped: it is outside of the grid"]


def test_points_have_no_cells_to_be_in(seen, air):
    with pytest.raises(GridError, match="sampling: nearest"):
        seen(PointOperator, {"model": PointOptions}, air(grid=Grid.points([0.0], [0.0])), [0.0], [0.0])


# ---------------------------------------------------------------------- static limits
def test_limits_drop_and_say_why(seen, air):
    options = {
        "model": PointOptions, "between": [2.0, 4.0], "max_uncertainty": 2.0,
        "flag": FlagOptions(variable="quality", good=(0, 1)),
    }  # fmt: skip
    lon, lat = [-101.4] * 6, [30.4] * 6
    sigma = ("obs", [1.0, 1.0, 1.0, 3.0, 1.0, 1.0], {"units": "1e-9"})
    quality = ("obs", [0, 1, 2, 0, 0, 0])
    operator = seen(PointOperator, options, air(), lon, lat, gas_uncertainty=sigma, quality=quality)
    assert operator.soundings.value.tolist() == [2.0]
    assert operator.notes == [
        "3 of 6 observations dropped: its value is not between 2 and 4",
        "1 of 6 observations dropped: its uncertainty is above 2",
        "1 of 6 observations dropped: its quality is none of 0, 1",
    ]


# ---------------------------------------------------------------------- profiles
def test_heights_lie_on_straight_lines_between_levels(seen, air, windows):
    options = {"model": ProfileOptions, "vertical": "height", "levels": [100.0, 200.0, 400.0]}
    height = ("obs", [100.0, 150.0, 350.0, 400.0])
    operator = seen(ProfileOperator, options, air(levels=3), [-101.4] * 4, [30.4] * 4, height=height)
    # of 1, 10 and 100: half way up, three quarters of the way up
    assert shown(operator, windows[0], LAYERS) == pytest.approx([1.0, 5.5, 77.5, 100.0])
    coordinates = operator.windows(windows)[windows[0]].coordinates
    assert coordinates["vertical"].tolist() == [100.0, 150.0, 350.0, 400.0]


def test_pressures_may_fall_and_be_the_variables_own(seen, air, windows):
    observed = air(levels=3)
    own = replace(observed, variable=replace(observed.variable, levels=(900.0, 500.0, 100.0)))
    options = {"model": ProfileOptions, "vertical": "p"}
    operator = seen(ProfileOperator, options, own, [-101.4] * 2, [30.4] * 2, p=("obs", [700.0, 1000.0]))
    assert shown(operator, windows[0], LAYERS) == pytest.approx([5.5])
    assert operator.notes == ["1 of 2 observations dropped: its p is beyond the levels"]


@pytest.mark.parametrize(
    ("count", "levels", "message"),
    [
        (3, [1.0, 2.0], "2 coordinates for the 3 levels"),
        (3, None, "0 coordinates"),
        (3, [1, 3, 2], "neither rise"),
        (0, [1.0], "observe a variable by level"),
    ],
)
def test_levels_must_be_told_one_by_one(seen, air, count, levels, message):
    options = {"model": ProfileOptions, "vertical": "height", "levels": levels}
    with pytest.raises(ConfigError, match=message):
        seen(ProfileOperator, options, air(count), [-101.4], [30.4], height=("obs", [1.0]))


def test_a_single_level_is_read_at_its_height_only(seen, air, windows):
    options = {"model": ProfileOptions, "vertical": "height", "levels": [10.0]}
    operator = seen(ProfileOperator, options, air(levels=1), [-101.4], [30.4], height=("obs", [10.0]))
    assert shown(operator, windows[0], LAYERS[:1]) == [1.0]


# ---------------------------------------------------------------------- areas
def test_a_mean_around_a_place_is_weighted_by_area(seen, air, windows):
    # between the centres of the two western cells, 111 km apart
    options = {"model": AreaMeanOptions, "radius": 60.0}
    observed = air()
    operator = seen(AreaMeanOperator, options, observed, [-101.5, -101.5], [31.0, 30.5])
    a, _, b, _ = observed.layout.grid.area.reshape(-1)
    assert shown(operator, windows[0], FIELD) == pytest.approx([(a * 1 + b * 3) / (a + b), 1.0], rel=1e-12)


def test_a_place_without_cells_around_it_is_outside(seen, air):
    options = {"model": AreaMeanOptions, "radius": 1.0}
    operator = seen(AreaMeanOperator, options, air(), [-101.5, -101.1], [30.5, 30.5])
    assert operator.notes == ["1 of 2 observations dropped: it is outside of the grid"]


def test_a_mean_of_a_region_takes_its_cells(seen, air, windows, tmp_path):
    xr.Dataset({"region": (("lat", "lon"), [[7, 7], [-1, 8]])}).to_netcdf(tmp_path / "regions.nc")
    options = {"model": AreaMeanOptions, "regions": tmp_path / "regions.nc"}
    region = ("obs", [7, 8, 9])
    operator = seen(AreaMeanOperator, options, air(), [-101.5] * 3, [30.5] * 3, region=region)
    assert shown(operator, windows[0], FIELD) == pytest.approx([1.5, 4.0])  # 1 and 2 have equal areas
    assert operator.notes == ["1 of 3 observations dropped: it is outside of the grid"]


def test_regions_of_another_grid_are_refused(seen, air, tmp_path):
    xr.Dataset({"region": ("cell", [1, 2])}).to_netcdf(tmp_path / "regions.nc")
    options = {"model": AreaMeanOptions, "regions": tmp_path / "regions.nc"}
    with pytest.raises(DataError, match="2 labels for 4 cells"):
        seen(AreaMeanOperator, options, air(), [-101.5], [30.5], region=("obs", [1]))


def test_an_area_is_a_circle_or_a_region(seen, air):
    with pytest.raises(ConfigError, match="give `radius`, or `regions`"):
        seen(AreaMeanOperator, {"model": AreaMeanOptions}, air(), [-101.5], [30.5])


@pytest.mark.parametrize("wrong", [{"radius": -1.0}, {"sampling": "cell"}])
def test_settings_of_areas_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        AreaMeanOptions(file="a.nc", variable="gas", **wrong)
