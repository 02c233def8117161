"""The model that shifts a field."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import torch

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import State
from tradewind.errors import GridError
from tradewind.plugins.idealised.options import ShiftOptions
from tradewind.plugins.idealised.shift import Shift
from tradewind.testing import ComponentConformance

GRID = {"lat": {"centres": [0.0, 1.0, 2.0]}, "lon": {"centres": [0.0, 1.0]}}
HOUR = Interval(datetime(2000, 1, 1), datetime(2000, 1, 1) + timedelta(hours=1))


class TestConformance(ComponentConformance):
    def component(self):
        return Shift(ShiftOptions(grid=GRID, rows=1, columns=1, changes={2: 9.0}))


@pytest.mark.parametrize(
    ("said", "moved"),
    [
        ({"rows": 1}, [4, 5, 0, 1, 2, 3]),
        ({"rows": -1}, [2, 3, 4, 5, 0, 1]),
        ({"columns": 1}, [1, 0, 3, 2, 5, 4]),
    ],
)
def test_rows_go_round(said, moved):
    x = torch.arange(6, dtype=torch.float64)[None]
    exports, state = Shift(ShiftOptions(grid=GRID, **said)).step(State({"x": x}), {}, {}, HOUR)
    assert exports["x"][0].tolist() == moved
    assert state.fields["x"][0].tolist() == moved


def test_a_grid_without_rows_is_refused(tmp_path):
    from tradewind.couplers.grids import Grid

    Grid.points([0.0, 1.0], [0.0, 1.0]).to_file(tmp_path / "points.nc")
    with pytest.raises(GridError, match="no rows and columns"):
        Shift(ShiftOptions(grid={"file": tmp_path / "points.nc"})).describe()
