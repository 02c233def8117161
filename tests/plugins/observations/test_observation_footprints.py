"""Footprints: sensitivities from a file, to a flux at the times before an observation."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
import torch

from tradewind.couplers.operators import dot_test
from tradewind.errors import ConfigError, DataError, UnitsError
from tradewind.plugins.observations.footprint import FootprintOperator
from tradewind.plugins.observations.options import FootprintOptions

UNITS = {"units": "ppb m2 s umol-1"}
FLUX = {k: [float(k), 10.0 * k, 100.0 * k, 1000.0 * k] for k in range(13)}
"""Micromoles per square metre and second, by the hour at which its step ends."""
ONE = [[1.0, 2.0], [0.0, 0.5]]


@pytest.fixture
def footprint(write, air, windows):
    """Return a function that gives an operator of footprints on the four cells."""

    def footprint(hours, values, dims=("obs", "lat", "lon"), attrs=UNITS, **options):
        n, coordinates = len(hours), options.pop("coordinates", {})
        more = {"footprint": (dims, np.array(values, dtype=float), attrs)} | coordinates
        file = write(hours, [0.0] * n, [0.0] * n, [0.0] * n, **more)
        step = options.pop("step", timedelta(hours=1))
        settings = FootprintOptions(file=file, variable="gas", units="1e-9", **options)
        operator = FootprintOperator(settings, air(units="umol m-2 s-1", step=step))
        operator.windows(windows)
        return operator

    return footprint


def test_an_observation_is_the_sum_of_sensitivity_times_flux(footprint, windows, simulate):
    operator = footprint([2.0, 3.0], [ONE, np.ones((2, 2))])
    # hour 2: 1 * 2 + 2 * 20 + 0.5 * 2000; hour 3: 3 + 30 + 300 + 3000
    assert simulate(operator, windows[0], FLUX) == [1042.0, 3333.0]


def test_lags_look_back_step_by_step_and_no_further_than_the_window(footprint, windows, simulate):
    values = [[[[1.0, 0.0], [0.0, 0.0]]] * 3] * 2
    operator = footprint([4.0, 6.0], values, ("obs", "lag", "lat", "lon"))
    assert simulate(operator, windows[0], FLUX) == [4.0 + 3.0 + 2.0]
    assert simulate(operator, windows[1], FLUX) == [6.0 + 5.0]  # hour 4 is the window before


def test_a_lag_of_two_steps_sees_their_mean(footprint, windows, simulate):
    values = [[[[1.0, 0.0], [0.0, 0.0]], [[10.0, 0.0], [0.0, 0.0]]]]
    operator = footprint([4.0], values, ("obs", "lag", "lat", "lon"), lag="2h")
    assert simulate(operator, windows[0], FLUX) == [(4 + 3) / 2 + 10 * (2 + 1) / 2]


def test_sensitivities_are_converted(footprint, windows, simulate):
    operator = footprint([1.0], [ONE], attrs={"units": "ppm m2 s umol-1"})
    assert simulate(operator, windows[0], FLUX) == pytest.approx([1e3 * (1 + 20 + 500)])


def test_cells_may_stand_in_one_row(footprint, windows, simulate):
    operator = footprint([1.0], [[1.0, 2.0, 0.0, 0.5]], ("obs", "cell"))
    assert simulate(operator, windows[0], FLUX) == [521.0]


def test_a_footprint_is_its_own_adjoint(footprint, windows):
    (look,) = footprint([1.0], [ONE]).looks(windows[0]).values()
    assert dot_test(look.linearize(torch.zeros(4).double())) <= 1e-14
    assert look.linearize(torch.zeros(4)).adjoint(torch.ones(1).double()).tolist() == [1.0, 2.0, 0.0, 0.5]


def test_a_footprint_with_gaps_is_counted(footprint):
    operator = footprint([1.0, 1.0], [ONE, [[np.nan, 0.0], [0.0, 0.0]]])
    assert operator.notes == ["1 of 2 observations dropped: its footprint is missing"]


def test_footprints_of_another_size_are_refused(footprint):
    with pytest.raises(DataError, match=r"footprints of shape \(3,\) for a grid of shape \(2, 2\)"):
        footprint([1.0], [[1.0, 2.0, 3.0]], ("obs", "cell"))


def test_footprints_in_another_order_are_refused(footprint):
    upside_down = {"lat": ("lat", [31.5, 30.5]), "lon": ("lon", [258.5, 259.5])}
    with pytest.raises(DataError, match="'lat' are not the centres of the flux's grid"):
        footprint([1.0], [ONE], coordinates=upside_down)


def test_units_that_do_not_make_the_observations_are_refused(footprint):
    with pytest.raises(UnitsError):
        footprint([1.0], [ONE], attrs={"units": "ppb"})


def test_a_lag_of_a_part_of_a_step_is_refused(footprint):
    with pytest.raises(ConfigError, match="no whole number of steps"):
        footprint([1.0], [ONE], lag="90min")
