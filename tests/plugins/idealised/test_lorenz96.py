"""Lorenz-96: by hand, against JEDI's numbers, its derivatives, and the compiled steps bit by bit."""

from __future__ import annotations

from datetime import datetime, timedelta

import netCDF4
import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tradewind.assembly import assemble
from tradewind.couplers.assimilation.sampling import containing_cells
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import State
from tradewind.errors import ConfigError, DataError
from tradewind.plugins.idealised.lorenz96 import Lorenz96, advance, circle, tendency
from tradewind.plugins.idealised.options import Lorenz96Options
from tradewind.testing import ComponentConformance

EIGHT = torch.tensor([8.0], dtype=torch.float64)


def field(members: int = 3, size: int = 40) -> torch.Tensor:
    return torch.from_numpy(8.0 + np.random.default_rng(1).standard_normal((members, size)))


class TestConformance(ComponentConformance):
    def component(self):
        return Lorenz96(Lorenz96Options(size=6, changes={2: 9.0}, unit="1d"))


# ---------------------------------------------------------------------- by hand
def test_the_tendency_is_that_of_the_equation():
    # n = 4, x = (1, 2, 3, 4), F = 10: dx_0 = (x_1 - x_2) x_3 - x_0 + F = (2 - 3) 4 - 1 + 10 = 5, and so on
    x = torch.tensor([[1.0, 2.0, 3.0, 4.0]], dtype=torch.float64)
    found = tendency(x, torch.tensor([10.0], dtype=torch.float64))
    assert found.tolist() == [[5.0, (3 - 4) * 1 - 2 + 10, (4 - 1) * 2 - 3 + 10, (1 - 2) * 3 - 4 + 10]]


def test_where_all_points_are_equal_it_relaxes_to_the_forcing():
    # dx/dt = F - x: one step of RK4 is the exponential's Taylor series up to h^4
    h = 0.1
    series = 1 - h + h**2 / 2 - h**3 / 6 + h**4 / 24
    x = advance(torch.full((1, 5), 3.0, dtype=torch.float64), EIGHT, h)
    assert torch.allclose(x, torch.full_like(x, 8 - 5 * series), rtol=0, atol=1e-14)


def test_its_error_falls_with_the_fourth_power_of_the_step():
    x, exact = field(1), advance(field(1), EIGHT, 0.4 / 512, 512)
    coarse, fine = ((advance(x, EIGHT, 0.4 / n, n) - exact).abs().max() for n in (16, 32))
    assert 12 < coarse / fine < 20


@pytest.mark.shared
@pytest.mark.parametrize(
    ("cell", "value", "steps", "name"),
    [(9, 9.0, 16, "truth_24h"), (19, 7.0, 16, "forecast_24h"), (19, 7.0, 48, "forecast_72h")],
)
def test_forward_runs_of_oops(shared, cell, value, steps, name):
    model = Lorenz96(Lorenz96Options(changes={cell: value}))
    x, now = State({"x": model.start[None]}), datetime(2010, 1, 1)
    for _ in range(steps):
        step = Interval(now, now + timedelta(minutes=90))
        x, now = model.step(x, {}, {"forcing": EIGHT}, step)[1], step.stop
    with netCDF4.Dataset(shared / "reference" / "oops_l95.nc") as ds:
        assert np.abs(x.fields["x"][0].numpy() - ds[name][:]).max() < 1e-13


# ---------------------------------------------------------------------- compiled
@pytest.mark.parametrize("size", [4, 40])
def test_compiled_steps_have_the_bits_of_torch(size):
    x, forcing = field(5, size), torch.linspace(7.0, 9.0, 5, dtype=torch.float64)
    followed = advance(x, forcing, 0.05, 7)
    with torch.no_grad():
        assert torch.equal(advance(x, forcing, 0.05, 7), followed)


def test_compiled_steps_read_members_that_share_one_forcing_and_fields_that_do_not_lie_in_a_row():
    x = field(5, 8).T.contiguous().T
    with torch.no_grad():
        found = advance(x, EIGHT.expand(5), 0.05)
    assert torch.equal(found, advance(x, EIGHT.expand(5), 0.05))


def test_derivatives_are_torchs_even_where_no_gradient_is_recorded():
    x = field(2)
    wanted = torch.func.jvp(lambda z: advance(z, EIGHT.expand(2), 0.05), (x,), (x,))[1]
    with torch.no_grad():
        found = torch.func.jvp(lambda z: advance(z, EIGHT.expand(2), 0.05), (x,), (x,))[1]
    assert torch.equal(found, wanted)
    assert wanted.abs().max() > 1


def test_single_precision_stays_single():
    with torch.no_grad():
        assert advance(field().float(), EIGHT.float().expand(3), 0.05).dtype == torch.float32


# ---------------------------------------------------------------------- grid, time, start
def test_every_point_lies_in_its_own_cell():
    grid = circle(40)
    rows = containing_cells(grid, np.array([9.0, 350.9, -4.4]), np.array([0.0, 4.0, -4.0]))
    assert rows.indices.tolist() == [1, 39, 0]


def test_six_hours_are_a_twentieth_unless_another_unit_is_said():
    x, six = field(1), Interval(datetime(2000, 1, 1), datetime(2000, 1, 1, 6))
    for options, h, steps in (({}, 0.05, 1), ({"unit": "12h", "substeps": 4}, 0.125, 4)):
        model = Lorenz96(Lorenz96Options(**options))
        exports, state = model.step(State({"x": x}), {}, {"forcing": EIGHT}, six)
        assert torch.equal(exports["x"], advance(x, EIGHT, h, steps))
        assert torch.equal(state.fields["x"], exports["x"])


def test_it_begins_as_the_config_says():
    assert Lorenz96(Lorenz96Options(size=4, forcing=5.0)).start.tolist() == [5.0] * 4
    assert Lorenz96(Lorenz96Options(size=4, initial=1, changes={3: 2})).start.tolist() == [1, 1, 1, 2]
    assert Lorenz96(Lorenz96Options(size=4, initial=[1, 2, 3, 4])).start.tolist() == [1, 2, 3, 4]


def test_it_begins_from_a_group_of_a_file(tmp_path):
    with netCDF4.Dataset(tmp_path / "x.nc", "w") as ds:
        group = ds.createGroup("later")
        group.createDimension("point", 4)
        group.createVariable("x", "f8", ("point",))[:] = [4, 3, 2, 1]
    options = Lorenz96Options(size=4, file=tmp_path / "x.nc", variable="later/x", changes={0: 9})
    assert Lorenz96(options).start.tolist() == [9, 3, 2, 1]
    assert list(Lorenz96(options).inputs()) == [tmp_path / "x.nc"]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"initial": [1.0, 2.0]}, "2 values for 40 cells"),
        ({"changes": {40: 1.0}}, "there is no cell 40"),
        ({"file": "missing.nc", "variable": "x"}, "cannot be read"),
    ],
)
def test_what_does_not_fit_is_a_fault_of_the_config(tmp_path, said, error):
    (tmp_path / "run.yaml").write_text(
        "run: {start: 2000-01-01, stop: 2000-01-02, step: 6h}\n"
        f"components:\n  model: {{plugin: lorenz-96, options: {said}}}\n"
    )
    with pytest.raises(ConfigError, match=error) as caught:
        assemble(tmp_path / "run.yaml")
    assert "run.yaml:3" in str(caught.value)


def test_a_file_with_holes_is_refused(tmp_path):
    with netCDF4.Dataset(tmp_path / "x.nc", "w") as ds:
        ds.createDimension("point", 4)
        ds.createVariable("x", "f8", ("point",))[:] = [4, np.nan, 2, 1]
    with pytest.raises(DataError, match="4 values, 3 of them finite"):
        _ = Lorenz96(Lorenz96Options(size=4, file=tmp_path / "x.nc", variable="x")).start


@pytest.mark.parametrize(
    "said", [{"size": 3}, {"initial": "nan"}, {"initial": 1.0, "file": "a", "variable": "b"}, {"file": "a"}]
)
def test_options_that_make_no_sense_are_refused(said):
    with pytest.raises(ValidationError):
        Lorenz96Options(**said)
