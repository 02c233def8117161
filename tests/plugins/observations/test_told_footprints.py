"""Footprints that the emulator has told, as the observation operator reads them."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
import torch

from tradewind.couplers.operators import dot_test
from tradewind.plugins.observations.footprint import FootprintOperator
from tradewind.plugins.observations.options import FootprintOptions
from tradewind.surrogates.checkpoint import ErrorModel
from tradewind.surrogates.domain import Domain
from tradewind.surrogates.footprints.emulator import UNITS, FootprintEmulator
from tradewind.surrogates.footprints.files import FootprintHeader
from tradewind.surrogates.footprints.fitting import Ensemble
from tradewind.surrogates.footprints.observations import Hours, Window
from tradewind.surrogates.footprints.plume import KNOBS, Plume
from tradewind.surrogates.footprints.situations import FEATURES, Situations

CELLS = (2, 2)


@pytest.fixture
def hours():
    each = {
        "latitude": 0.0, "longitude": 0.0, "height": 50.0, "wind_speed": 6.0, "wind_from": 225.0,
        "mixing_height": 500.0, "temperature": 15.0, "pressure": 1000.0,
    }  # fmt: skip
    numbers = {name: np.full(2, value) for name, value in each.items()}
    return Hours(np.array([2.0, 3.0]), np.zeros(2, dtype=np.int64), np.full(2, "inert"), **numbers)


def emulator_of(hours, window):
    features = Situations.of(hours, window).features
    header = FootprintHeader(
        parameters=len(KNOBS),
        members=1,
        knobs=tuple(KNOBS),
        firmness=0.1,
        tracers=("inert",),
        features=FEATURES,
        training_period=("2020-01-01", "2020-01-02"),
        domain=Domain.around(torch.cat([features - 1, features + 1])).bounds(),
        error=ErrorModel(floor=0.0, relative=0.1),
    )
    return FootprintEmulator(Ensemble([Plume()], 0.1), header)


@pytest.fixture
def told(hours):
    """Return rows of K on four cells around the inlet."""
    edges = np.array([-0.5, 0.0, 0.5])
    window = Window(edges, edges)
    return emulator_of(hours, window).rows(hours, window)


@pytest.fixture
def operator(told, write, air, windows):
    values = told.reshape(-1, *CELLS)
    file = write([2.0, 3.0], *[[0.0, 0.0]] * 3, footprint=(("obs", "lat", "lon"), values, {"units": UNITS}))
    options = FootprintOptions(file=file, variable="gas", units="1e-9")
    made = FootprintOperator(options, air(units="umol m-2 s-1", step=timedelta(hours=1)))
    made.windows(windows)
    return made


def test_a_row_times_a_flux_is_the_mole_fraction(operator, told, windows, simulate):
    flux = {k: [1.0, 2.0, 3.0, 4.0] for k in range(13)}
    # micromoles of flux, and billionths of moles observed
    expected = 1e3 * told @ np.array([1.0, 2.0, 3.0, 4.0])
    assert simulate(operator, windows[0], flux) == pytest.approx(expected.tolist())


def test_it_has_its_adjoint(operator, windows):
    looks = operator.looks(windows[0]).values()
    assert max(dot_test(look.linearize(torch.zeros(4).double())) for look in looks) <= 1e-13


def test_the_cell_that_the_wind_comes_from_is_felt_most(told):
    # a south-westerly, and the south-western cell is the first
    assert told.argmax(axis=1).tolist() == [0, 0]
