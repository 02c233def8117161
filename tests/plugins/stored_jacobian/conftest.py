"""A component of two grids and a Jacobian of two windows."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
from scipy import sparse

from tradewind.couplers.assimilation.linearization import WindowModel
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Spec, Variable
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.output import files
from tradewind.output.netcdf.coordinates import periods
from tradewind.plugins.stored_jacobian.layout import Ends, Piece, dataset
from tradewind.plugins.stored_jacobian.surrogate import ends_of

START, DAY = datetime(2019, 1, 1), timedelta(days=1)
WINDOWS = tuple(Interval(START + k * DAY, START + (k + 1) * DAY) for k in range(2))
# three rows (cells seen) by four columns (cells that emit); the last column is not known
FIRST = np.array([[1.0, 0.0, 2.0, 0.0], [0.0, 3.0, 0.0, 0.0], [0.0, 0.0, 4.0, 0.0]])
KNOWN = np.array([True, True, True, False])


@pytest.fixture
def given() -> Grid:
    return Grid.points([10.0, 20.0, 30.0, 40.0], [0.0, 1.0, 2.0, 3.0])


@pytest.fixture
def wanted() -> Grid:
    return Grid.points([15.0, 25.0, 35.0], [0.5, 1.5, 2.5])


@pytest.fixture
def model(given, wanted) -> WindowModel:
    spec = Spec(
        imports=(Variable("flux", "kg m-2 s-1", given),),
        exports=(Variable("column", "1e-9", wanted),), linear=True,
    )  # fmt: skip
    layouts = {"flux": Layout(given), "column": Layout(wanted)}
    return WindowModel("transport", spec, "flux", "column", layouts, reference=lambda: None)


@pytest.fixture
def ends(model) -> Ends:
    return ends_of(model)


@pytest.fixture
def pieces() -> tuple[Piece, ...]:
    return tuple(
        Piece(window, sparse.csr_array(factor * FIRST), KNOWN)
        for window, factor in zip(WINDOWS, (1.0, 10.0), strict=True)
    )


@pytest.fixture
def write(tmp_path, pieces, ends):
    """Return a function that writes the file, with what is changed in its dataset."""

    def written(change=lambda ds: ds):
        path = tmp_path / "K.nc"
        found = dataset(pieces, ends).assign(periods("time", "window", WINDOWS, "end"))
        files.write_netcdf(change(found), path)
        return path

    return written
