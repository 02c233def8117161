"""A forward run, held against sums done by hand: what the source draws, what the tank holds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.budget import EARTH_RADIUS
from tradewind.check import check
from tradewind.couplers.grids import Grid
from tradewind.errors import ConfigError, DataError, LedgerError
from tradewind.execute import execute
from tradewind.results import SimulationResult
from tradewind.simulation import simulate

EXCHANGE = "source.flux -> tank.inflow"
COARSE = ([10.0, 30.0], [0.0, 20.0, 40.0])


def drawn(hours: int) -> np.ndarray:
    """Return what the source exports in the first hours of a window, shape ``(hour, 6)``."""
    draws = [torch.rand(6, generator=torch.Generator().manual_seed(1000 + n), dtype=torch.float64).numpy()
             for n in range(hours)]  # fmt: skip
    return 1.0 + np.cumsum(draws, axis=0)


def areas() -> np.ndarray:
    """Return the areas of the source's cells in m2, between great circles, shape ``(6,)``."""
    return Grid.latlon(*COARSE).area * EARTH_RADIUS**2


class TestLedger:
    def test_counts_every_hour_of_every_window(self, toy_run):
        """Both windows begin anew, so they send the same; an hour of 1 kg m-2 s-1 is 3600 kg m-2."""
        (budget,) = simulate(toy_run()).budgets
        expected = 2 * 3600 * float((drawn(12) * areas()).sum())
        assert budget.total("left") == pytest.approx(expected, rel=1e-13)
        assert budget.weight.units == "kg"

    def test_closes_with_what_the_tank_does_not_reach(self, toy_run):
        """The source goes from 0 to 40 N, the tank from 2.5 to 37.5 N: 1/8 of the degrees is lost."""
        (budget,) = simulate(toy_run()).budgets
        assert budget.total("unmapped") / budget.total("left") == pytest.approx(1 / 8, rel=0.02)
        assert abs(budget.residual) < 1e-14
        assert abs(budget.worst.residual) < 1e-14

    def test_has_an_entry_for_each_period_in_order(self, toy_run):
        (budget,) = simulate(toy_run()).budgets
        hours = [(e.interval.start.hour, e.interval.seconds) for e in budget.entries]
        assert hours == [(0, 21600), (6, 21600), (12, 21600), (18, 21600)]

    def test_is_in_the_file(self, toy_run):
        path = toy_run()
        result = execute(path)
        with xr.open_dataset(path.with_name("forward.nc")) as ds:
            stored = ds["ledger_left"].values[:, 0].tolist()
            assert ds["exchange_name"].values.tolist() == [EXCHANGE]
        assert stored == [e.left for e in result.budgets[0].entries]


class TestTolerances:
    CHANGES = (("time: mean", "time: instant, tolerance: 1.0e-6"),)

    def test_stop_the_run_and_name_exchange_and_period(self, toy_run):
        """The flux grows from hour to hour: its last value, held for six, is more than what left."""
        path = toy_run(*self.CHANGES)
        with pytest.raises(LedgerError) as caught:
            execute(path)
        assert EXCHANGE in str(caught.value)
        assert "2000-01-01 00:00/2000-01-01 06:00" in str(caught.value)
        flux = drawn(6)
        residual = (flux[-1] @ areas() - flux.mean(0) @ areas()) / (flux.mean(0) @ areas())
        assert f"residual is {residual:.3g}" in str(caught.value)

    def test_leave_no_output(self, toy_run):
        path = toy_run(*self.CHANGES)
        with pytest.raises(LedgerError):
            execute(path)
        assert sorted(p.name for p in path.parent.iterdir() if p.suffix == ".nc") == ["levels.nc"]

    def test_let_pass_what_is_within(self, toy_run):
        result = simulate(toy_run(("time: mean", "time: mean, tolerance: 1.0e-12")))
        assert len(result.budgets[0].entries) == 4


class TestObservations:
    def test_are_simulated_at_the_end_of_each_window(self, toy_run):
        """The tank's cells at (10, 5), (15, 15) and (30, 25) lie within one cell of the source each."""
        result = simulate(toy_run())
        held = 3600 * drawn(12).sum(0).reshape(2, 3)
        expected = [held[0, 0], held[0, 1], held[1, 1]]
        assert len(result.simulated) == 2
        for values in result.simulated.values():
            assert values.tolist() == pytest.approx(expected, rel=1e-12)

    def test_may_be_absent(self, toy_run):
        path = toy_run()
        result = execute(path, ["observations=null"])
        assert all(len(y) == 0 for y in result.simulated.values())
        with xr.open_dataset(path.with_name("forward.nc")) as ds:
            assert "y" not in ds
            assert "ledger_left" in ds

    def test_that_are_not_finite_are_refused(self, toy_run):
        with pytest.raises(DataError, match=r"simulated observation \[0\] is inf"):
            simulate(toy_run(("plugin: source,", "plugin: source, options: {strength: 1.0e+308},")))


class TestFields:
    def test_are_read_at_the_ends_of_coupling_intervals(self, toy_run):
        level, amount, flux = simulate(toy_run()).fields
        assert [t.hour for t in level.times] == [6, 12, 18, 0]
        assert level.values.shape == (4, 42)
        assert amount.values.shape == (4, 2, 42)
        assert torch.equal(amount.values[:, 0], level.values)
        np.testing.assert_allclose(flux.values[1], drawn(12)[-1])

    def test_begin_anew_with_each_window(self, toy_run):
        level = simulate(toy_run()).fields[0].values
        assert torch.equal(level[:2], level[2:])
        assert bool((level[1] > level[0]).all())

    def test_come_as_often_as_asked(self, toy_run):
        result = simulate(toy_run(), ["output.every=12h"])
        assert [t.day for t in result.fields[0].times] == [1, 2]

    def test_within_a_coupling_interval_are_refused(self, toy_run):
        with pytest.raises(ConfigError, match=r"output.every.*03:00"):
            simulate(toy_run(), ["output.every=3h"])

    def test_that_never_come_are_refused(self, toy_run):
        with pytest.raises(ConfigError, match=r"output\.every"):
            simulate(toy_run(), ["output.every=month"])

    def test_that_nobody_has_are_refused_with_the_nearest(self, toy_run):
        with pytest.raises(ConfigError, match=r"'tank.lvel' is exported, .* did you mean 'tank.level'"):
            simulate(toy_run(), ["output.fields=[tank.lvel]"])

    def test_of_a_component_that_is_not_there_are_refused(self, toy_run):
        with pytest.raises(ConfigError, match=r"no component 'tnak', did you mean 'tank'"):
            simulate(toy_run(), ["output.fields=[tnak.level]"])

    def test_without_a_file_are_noted(self, toy_run):
        result = simulate(toy_run(), ["output.file=null"])
        assert "output.fields are written nowhere: name an output.file" in result.notes

    def test_may_be_imports(self, toy_run):
        (inflow,) = simulate(toy_run(), ["output.fields=[tank.inflow]"]).fields
        assert inflow.values[0, 0].item() == pytest.approx(drawn(6)[:, 0].mean(), rel=1e-13)


def test_check_says_what_a_forward_run_does(toy_run):
    lines = check(toy_run(), ["run.restart={folder: restart, every: 1h}"]).lines
    assert "forward    2 windows, each from the initial state" in lines
    assert "fields     tank.level, tank.amount, source.flux: 4 times" in lines
    assert lines[-1].endswith("restart: 24 times")
    assert "forward    1 window, from the initial state" in check(toy_run((", window: 12h", ""))).lines


class TestRun:
    def test_without_exchanges_observations_and_output(self, tmp_path, toy_run):
        path = toy_run()
        path.write_text(
            "plugins: [toys.py]\nrun: {start: 2000-01-01, stop: 2000-01-02, step: 6h}\n"
            "components: {source: {plugin: source}}\n"
        )
        result = execute(path)
        assert isinstance(result, SimulationResult)
        assert (result.budgets, result.fields, len(result.windows)) == ((), (), 1)

    def test_is_one_window_where_the_config_names_none(self, toy_run):
        result = simulate(toy_run((", window: 12h", "")))
        assert len(result.windows) == 1
        # the source's walk goes on
        assert bool((result.fields[0].values[3] > 2 * result.fields[0].values[1]).all())

    def test_says_who_answered(self, toy_run):
        calls = {c.component: c.calls for c in simulate(toy_run()).calls}
        assert calls == {"source": 24, "tank": 8}

    def test_shows_how_far_it_is(self, toy_run):
        shown = []

        def progress(name, length):
            shown.append((name, length))
            return lambda: shown.append(1)

        simulate(toy_run(), progress=progress)
        # steps end every hour
        assert shown == [("simulate", 24), *[1] * 24]

    def test_writes_nothing_unless_executed(self, toy_run):
        path = toy_run()
        before = sorted(path.parent.iterdir())
        simulate(path)
        assert sorted(p for p in path.parent.iterdir() if p.name != "__pycache__") == before

    def test_of_other_calendars_keeps_their_times(self, toy_run):
        path = toy_run(("window: 12h", "calendar: 360_day"), ("start: 2000-01-01", "start: 2000-02-29"),
                       ("stop: 2000-01-02", "stop: 2000-02-30"))  # fmt: skip
        execute(path, ["observations=null"])
        with xr.open_dataset(path.with_name("forward.nc")) as ds:
            assert ds["time"].values[-1].isoformat() == "2000-02-30T00:00:00"
            assert ds["period_time_bnds"].values[0, 0].day == 29
