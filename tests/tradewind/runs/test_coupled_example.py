"""The coupled example: what it is made of, what its first window moves, and its data."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import docblocks
import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.assembly import assemble
from tradewind.bench.exchange import example
from tradewind.config.source import parse_yaml
from tradewind.couplers.coupling.time.timing import Reduction
from tradewind.couplers.grids import Grid
from tradewind.errors import LedgerError

EXAMPLES = Path(__file__).parents[3] / "examples"
HOUR = timedelta(hours=1)
YEAR, RADIUS = 365.25 * 86400, 6_371_000.0


@pytest.fixture(scope="module")
def assembly():
    return assemble(EXAMPLES / "coupled.yaml")


@pytest.fixture(scope="module")
def first_window(assembly):
    """Return the run at the end of its first window."""
    run = assembly.run()
    run.advance(assembly.windows[0].stop)
    return run


# ---------------------------------------------------------------------- what it is made of
def test_it_fits_one_screen():
    lines = (EXAMPLES / "coupled.yaml").read_text().splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 110


def test_the_config_on_the_page_is_the_example():
    page = docblocks.blocks(EXAMPLES.parent / "docs" / "coupled.md")
    (block,) = [b for b in page if b.marks.get("file") == "coupled.yaml"]
    example = parse_yaml((EXAMPLES / "coupled.yaml").read_text())
    assert parse_yaml(block.text.replace("examples/", "")) == example


def test_grids_and_steps_are_three_and_differ(assembly):
    grids = {m.component.describe().exports[0].grid.fingerprint for m in assembly.members.values()}
    steps = {name: p.step or assembly.clock.step for name, p in by_name(assembly).items()}
    assert len(grids) == 3
    assert steps == {"inventory": 6 * HOUR, "wetlands": HOUR, "transport": 3 * HOUR}


def by_name(assembly):
    return {p.name: p for p in assembly.run().participants}


def test_two_exchanges_merge_and_one_of_them_is_averaged_and_late(assembly):
    steady, late = assembly.exchanges
    assert steady.target.port == late.target.port == "transport.methane_flux"
    assert (late.timing.every, late.timing.reduction, late.timing.lag) == (6 * HOUR, Reduction.MEAN, 1)
    assert steady.timing.lag == 0


@pytest.mark.parametrize("run_as", ["reference", "surrogate", "guarded", "shadow"])
def test_who_answers_is_one_setting(run_as):
    assembly = example.assembled(f"components.transport.run_as={run_as}")
    assert assembly.members["transport"].section.run_as == run_as


# ---------------------------------------------------------------------- what it moves
def test_the_budget_of_every_period_closes(first_window):
    assert len(first_window.ledger) == 4
    assert max(abs(entry.residual) for entry in first_window.ledger) <= 1e-15


def test_nothing_lies_beyond_the_models_box(first_window):
    assert {(entry.unmapped, entry.withheld) for entry in first_window.ledger} == {(0.0, 0.0)}


def test_what_arrives_in_the_second_period_left_the_wetlands_in_the_first(assembly, first_window):
    late = assembly.exchanges[1]
    wetlands = assembly.members["wetlands"]
    start = assembly.windows[0].start
    sent = []
    for hour in range(6):
        interval = replace(assembly.windows[0], start=start + hour * HOUR, stop=start + (hour + 1) * HOUR)
        state = wetlands.component.initialize(wetlands.spec, wetlands.layouts, 1)
        exports, _ = wetlands.component.step(state, {}, wetlands.defaults, interval)
        sent.append(late.source.integral(exports["methane_flux"]))
    arrived = [entry.arrived for entry in first_window.ledger if entry.exchange == late.name]
    assert arrived[1] == pytest.approx(np.mean(sent), rel=1e-14)


def test_before_the_start_the_wetlands_send_the_mean_of_a_day(assembly, first_window):
    late = assembly.exchanges[1]
    with xr.open_dataset(EXAMPLES / "coupled_wetlands.nc") as ds:
        mean = torch.from_numpy(ds["mean_flux"].values.reshape(1, -1))
    arrived = [entry.arrived for entry in first_window.ledger if entry.exchange == late.name]
    assert arrived[0] == pytest.approx(late.source.integral(mean), rel=1e-14)


def test_taking_the_last_hour_of_six_would_stop_the_run():
    assembly = example.assembled("exchanges.1.time=instant")
    with pytest.raises(LedgerError, match=r"wetlands\.methane_flux -> transport\.methane_flux"):
        assembly.run().advance(assembly.windows[0].stop)


def test_the_whole_chain_has_an_exact_adjoint():
    assembly = example.assembled()
    assembly.windows = assembly.windows[1:2]
    assert example.dot_test(assembly) < 1e-14


# ---------------------------------------------------------------------- its data
def test_its_data_are_small_and_say_where_they_come_from():
    for name in ("coupled_wetlands.nc", "coupled_columns.nc"):
        assert (EXAMPLES / name).stat().st_size < 100_000
        with xr.open_dataset(EXAMPLES / name) as ds:
            assert ds.attrs["license"] == "CC0-1.0"
            assert ds.attrs["history"] == "built by examples/build_coupled.py"
            assert ds.attrs["source"].startswith("simulated twin, seed")


def test_the_wetlands_emit_what_the_script_says():
    # 0.12 and 0.35 Tg a year
    with xr.open_dataset(EXAMPLES / "coupled_wetlands.nc") as ds:
        area = Grid.from_dataset(ds).area * RADIUS**2
        total = float((ds["mean_flux"].values.ravel() * area).sum()) * YEAR / 1e9
    assert total == pytest.approx(0.47, rel=1e-12)


def test_the_mean_over_any_whole_day_is_the_mean():
    with xr.open_dataset(EXAMPLES / "coupled_wetlands.nc") as ds:
        flux, mean = ds["methane_flux"].values, ds["mean_flux"].values
    for first in (0, 3, 7):
        np.testing.assert_allclose(flux[first : first + 8].mean(axis=0), mean, rtol=1e-6)


def test_the_wetlands_breathe_by_local_time():
    # 14 h at 97.5 W is 20.5 UTC: of the records every three hours, the nearest is that of 21 UTC
    with xr.open_dataset(EXAMPLES / "coupled_wetlands.nc") as ds:
        cell = ds["methane_flux"].sel(lat=33.5, lon=-97.5)
        day = cell.sel(time="1996-01-17")
        assert day["time"].dt.hour.values[int(np.argmax(day.values))] == 21
        assert float(day.max() / cell.mean()) == pytest.approx(1.6, rel=0.01)
