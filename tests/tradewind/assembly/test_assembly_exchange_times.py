"""Times, units and levels of exchanges: what is chosen, what is said, what is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.assembly import assemble
from tradewind.couplers.coupling.exchange import Exchange
from tradewind.couplers.coupling.levels import LevelWeights, OneLevel
from tradewind.couplers.coupling.time.timing import Interpolation, Reduction, Timing
from tradewind.couplers.grids import Grid

STATE = "kind: STATE_INTENSIVE, units: K"
HOUR = timedelta(hours=1)


def exchange_of(path: Path) -> Exchange:
    (exchange,) = assemble(path).exchanges
    return exchange


def notes_of(path: Path) -> list[str]:
    return assemble(path).notes


# ---------------------------------------------------------------------- periods and reductions
def test_by_default_an_exchange_happens_at_every_step_of_the_run(config):
    timing = exchange_of(config({"a": ""}, a="", sink="")).timing
    assert timing == Timing(every=6 * HOUR)


def test_the_period_is_what_both_steps_divide(config):
    timing = exchange_of(config({"a": ""}, a="2h|", sink="3h|")).timing
    assert timing.every == 6 * HOUR


def test_a_flux_of_several_steps_is_averaged_and_it_is_said(config):
    path = config({"a": ""}, a="1h|", sink="")
    assert exchange_of(path).timing.reduction is Reduction.MEAN
    assert "a.field -> sink.field: mean of 6 steps of 1 h (a flux: its total is kept)" in notes_of(path)


def test_of_a_state_the_last_counts_and_it_is_said(config):
    path = config({"a": ""}, a="1h|" + STATE, sink=STATE)
    assert exchange_of(path).timing.reduction is Reduction.INSTANT
    assert "a.field -> sink.field: instant of 6 steps of 1 h (a state: the last counts)" in notes_of(path)


def test_the_last_of_a_flux_is_allowed_with_a_warning(config):
    path = config({"a": "time: instant"}, a="1h|", sink="")
    assert exchange_of(path).timing.reduction is Reduction.INSTANT
    assert any("only the last counts, though it is a flux; time: mean keeps" in n for n in notes_of(path))


@pytest.mark.parametrize("word", ["mean", "min", "max"])
def test_what_is_asked_for_is_done(config, word):
    path = config({"a": f"time: {word}, every: 3h"}, a="1h|", sink="3h|")
    assert exchange_of(path).timing == Timing(every=3 * HOUR, reduction=Reduction(word))
    assert any(f"{word} of 3 steps of 1 h (as asked)" in n for n in notes_of(path))


def test_equal_steps_need_no_word(config):
    assert notes_of(config({"a": ""}, a="2h|", sink="2h|")) == []


@pytest.mark.parametrize(
    ("keys", "steps", "words"),
    [
        (
            "every: 4h",
            ("1h|", "2h|"),
            "its period of 4 h does not divide the coupling interval of 6 h",
        ),
        ("every: 12h", ("", ""), "its period of 12 h does not divide the coupling interval"),
        ("every: 3h", ("2h|", "3h|"), "its period of 3:00:00 is no multiple of the source's step of 2:00:00"),
        ("every: 1h", ("1h|", "3h|"), "its period of 1:00:00 is no multiple of the target's step of 3:00:00"),
        ("lag: 4h, initial: 0.0", ("", ""), "a lag of 4 h is no whole number of periods of 6 h"),
        ("lag: 6h", ("", ""), "a lag needs a value for the time before the start (give it `initial`"),
        ("interpolate: linear", ("", "1h|"), "an interpolation in time needs a value for the time before"),
        ("time: sum", ("6h|", "1h|"), "the sum of 6:00:00 would be given 6 times"),
        (
            "interpolate: linear, time: mean, initial: 0.0",
            ("1h|", "1h|"),
            "a.field is a flux: between means of periods, linear interpolation does not keep its total",
        ),
    ],
)
def test_times_that_do_not_fit_are_refused(config, only_fault, keys, steps, words):
    fault = only_fault(config({"a": keys}, a=steps[0], sink=steps[1]))
    assert "run.yaml:7: exchanges.0" in fault
    assert words in fault


def test_a_lag_is_a_time_or_a_number_of_periods(config):
    for keys in ("lag: 6h, every: 3h", "lag: 2, every: 3h", "lag: PT6H, every: 3h"):
        assert exchange_of(config({"a": f"{keys}, initial: 1.5"}, a="3h|", sink="3h|")).timing == Timing(
            every=3 * HOUR, lag=2, initial=1.5
        )


def test_values_between_periods_are_for_states(config):
    path = config({"a": "interpolate: linear, initial: 280"}, a=STATE, sink="1h|" + STATE)
    timing = exchange_of(path).timing
    assert timing == Timing(every=6 * HOUR, interpolation=Interpolation.LINEAR, initial=280.0)


# ---------------------------------------------------------------------- units
def of_ten(exchange: Exchange) -> float:
    """Return what 10 everywhere becomes."""
    n = exchange.source.layout.n_local
    return float(exchange.forward(torch.full((1, n), 10.0, dtype=torch.float64))[0, 0])


@pytest.mark.parametrize(
    ("source", "target", "keys", "expected"),
    [
        (STATE.replace("K", "degC"), STATE, "", 283.15),
        (STATE.replace("K", "degC"), STATE, "scale: 2.0, offset: 1.0", 2 * 283.15 + 1),
        ("units: kg m-2 s-1", "units: g m-2 s-1", "", 1e4),
        ("units: kg m-2 s-1", "units: g m-2 s-1", "scale: 0.5, offset: 3.0", 5003.0),
        ("units: kg m-2 s-1", "units: mol m-2 s-1", "molar_mass: 16.04", 1e4 / 16.04),
        ("units: kg m-2 s-1", "units: mol m-2 s-1", "molar_mass: 0.01604 kg mol-1", 1e4 / 16.04),
        ("units: ppb", "units: kg kg-1", "molar_mass: 16.04", 1e-8 * 16.04 / 28.9644),
        ("units: kg m-2 s-1", "units: kg m-2", "time: integral", 10.0),
        ("units: kg m-2 h-1", "units: g m-2", "time: integral", 1e4 / 3600),
    ],
)
def test_units_scale_and_offset_by_hand(config, source, target, keys, expected):
    exchange = exchange_of(config({"a": keys}, a=source, sink=target))
    assert of_ten(exchange) == pytest.approx(expected, rel=1e-14)


def test_the_import_may_be_told_its_units(config, only_fault):
    assert exchange_of(config({"a": "units: K"}, a=STATE.replace("K", "degC"), sink=STATE)).offset == 273.15
    fault = only_fault(config({"a": "units: degC"}, a=STATE, sink=STATE))
    assert "exchanges.0.units: sink.field is in 'K', not in 'degC'" in fault


@pytest.mark.parametrize(
    ("source", "target", "keys", "words"),
    [
        ("units: kg m-2 s-1", "units: mol m-2 s-1", "", "give the species' molar_mass"),
        ("units: kg kg-1", "units: ppb", "", "give the molar_mass of the species"),
        ("units: kg m-2 s-1", "units: K", "molar_mass: 16.04", "cannot become 'K'"),
        ("units: kg m-2 s-1", "units: kg m-2 s-1", "time: integral", "(an integral over time)"),
        ("units: kg m-2 s-1", "units: kg m-2", "", "cannot become 'kg m-2'"),
        (STATE.replace("K", "degC"), STATE, "time: sum", "the sum of values in 'degC' means nothing"),
    ],
)
def test_units_that_do_not_fit_are_refused(config, only_fault, source, target, keys, words):
    assert words in only_fault(config({"a": keys}, a=source, sink=target))


def test_a_molar_mass_that_changes_nothing_is_said(config):
    notes = notes_of(config({"a": "molar_mass: 16.04"}, a="", sink="units: g m-2 s-1"))
    assert any("molar_mass changes nothing, kg m-2 s-1 becomes g m-2 s-1 without it" in n for n in notes)


# ---------------------------------------------------------------------- initial fields
def write_field(path: Path, name: str = "t", units: str | None = "degC", **changes: object) -> None:
    grid = Grid.latlon(np.arange(5.0, 40, 10), np.arange(5.0, 40, 10))
    ds = grid.to_dataset()
    values = np.arange(16.0).reshape(4, 4)
    values.flat[list(changes.get("missing", ()))] = np.nan
    ds[name] = (("lat", "lon"), values, {} if units is None else {"units": units})
    ds.transpose("lon", "lat", ...).to_netcdf(path)


LAGGED = "lag: 1, initial: {file: before.nc, variable: t}"


def test_initial_values_come_from_a_file_in_the_exports_units(config, tmp_path):
    write_field(tmp_path / "before.nc")
    initial = exchange_of(config({"a": LAGGED}, a=STATE, sink=STATE)).timing.initial
    assert isinstance(initial, torch.Tensor)
    assert initial.tolist() == [v + 273.15 for v in range(16)]


def test_one_initial_field_serves_all_levels(config, tmp_path):
    write_field(tmp_path / "before.nc")
    path = config({"a": LAGGED}, a=STATE + ", levels: 3", sink=STATE + ", levels: 3")
    initial = exchange_of(path).timing.initial
    assert initial.shape == (3, 16)
    assert torch.equal(initial[0], initial[2])


def test_gaps_matter_on_active_cells_only(config, tmp_path, only_fault):
    write_field(tmp_path / "before.nc", missing=[0, 4])
    hidden = STATE + ", hidden: 1"  # the first column, of which both are
    assert exchange_of(config({"a": LAGGED}, a=hidden, sink=hidden)).timing.initial[0] == 0.0
    fault = only_fault(config({"a": LAGGED}, a=STATE, sink=STATE))
    assert "2 values are missing or infinite on active cells" in fault


@pytest.mark.parametrize(
    ("changes", "keys", "words"),
    [
        ({}, "file: other.nc, variable: t", "other.nc"),
        ({}, "file: before.nc, variable: s", "no variable 's' (known: "),
        ({"units": "m"}, "file: before.nc, variable: t", "cannot become 'K'"),
        ({"units": None}, "file: before.nc, variable: t", "units are missing"),
    ],
)
def test_files_that_cannot_be_used_are_refused(config, tmp_path, only_fault, changes, keys, words):
    write_field(tmp_path / "before.nc", **changes)
    fault = only_fault(config({"a": f"lag: 1, initial: {{{keys}}}"}, a=STATE, sink=STATE))
    assert "run.yaml:7: exchanges.0" in fault
    assert words in fault


def test_a_field_on_another_grid_is_refused(config, tmp_path, only_fault):
    write_field(tmp_path / "before.nc")
    west = STATE + ", west: 10"
    assert "latlon grid 4x4" in only_fault(config({"a": LAGGED}, a=west, sink=west))


def test_a_file_that_is_none_is_refused(config, tmp_path, only_fault):
    (tmp_path / "before.nc").write_text("nothing")
    assert "cannot be read" in only_fault(config({"a": LAGGED}, a=STATE, sink=STATE))


# ---------------------------------------------------------------------- levels
def rising(levels: int) -> torch.Tensor:
    """Return 1, 2, 3 ... by level, the same in all 16 cells."""
    return torch.arange(1.0, levels + 1).double()[None, :, None].expand(1, levels, 16)


@pytest.mark.parametrize(
    ("source", "target", "keys", "expected"),
    [
        ("levels: 3", "", "levels: {select: 0}", [1]),
        ("levels: 3", "", "levels: {select: [-1]}", [3]),
        ("levels: 3", "levels: 1", "levels: {select: [1]}", [2]),
        ("levels: 3", "levels: 2", "levels: {select: [2, 0]}", [3, 1]),
        ("levels: 3", "", "levels: sum", [6]),
        ("levels: 3", "", "levels: {sum: {weights: [0.5, 0.25, 0.25]}}", [1.75]),
        ("levels: 2", "levels: 2", "levels: {interpolate: {from: [0, 10], to: [5, 10]}}", [1.5, 2]),
        (
            "levels: 2, coordinates: [1000, 250]",
            "levels: 1, coordinates: [500]",
            "levels: {interpolate: {along: log}}",
            [1.5],
        ),
        ("levels: 2, coordinates: [0, 1]", "coordinates: [0.5]", "levels: interpolate", [1.5]),
        ("levels: 2", "levels: 1", "levels: {layers: {from: [0, 1, 4], to: [0, 4]}}", [1.75]),
        ("levels: 2", "levels: 1", "levels: {layers: {from: [0, 1, 4], to: [0, 4], keep: amount}}", [3]),
    ],
)
def test_levels_by_hand(config, source, target, keys, expected):
    exchange = exchange_of(config({"a": keys}, a=source, sink=target))
    found = exchange.forward(rising(exchange.source.variable.extra[0][1]))
    assert found[..., 0].flatten().tolist() == pytest.approx(expected, rel=1e-14)
    assert found.shape[1:-1] == tuple(n for _, n in exchange.target.variable.extra)


def test_one_level_is_a_level_where_the_import_has_one(config):
    flat = exchange_of(config({"a": "levels: {select: 0}"}, a="levels: 3", sink=""))
    assert isinstance(flat.levels, OneLevel)
    kept = exchange_of(config({"a": "levels: {select: 0}"}, a="levels: 3", sink="levels: 1"))
    assert isinstance(kept.levels, LevelWeights)


def test_levels_come_before_cells(config):
    exchange = exchange_of(
        config({"a": "levels: sum"}, a=f"{STATE}, levels: 3", sink=f"{STATE}, width: 20, columns: 2")
    )
    assert exchange.forward(rising(3)).shape == (1, 4)
    assert torch.allclose(exchange.forward(rising(3)), torch.tensor(6.0).double(), rtol=1e-13)


@pytest.mark.parametrize(
    ("source", "target", "keys", "words"),
    [
        ("levels: 3", "", "", "a.field has 3 of level, sink.field no levels (say which under `levels`"),
        ("levels: 3", "levels: 2", "", "a.field has 3 of level, sink.field 2 of level"),
        ("", "", "levels: sum", "a.field has no levels (remove `levels`)"),
        ("levels: 3", "", "levels: {select: 3}", "level 3 of 3 (0 is the first, 2 or -1 the last)"),
        ("levels: 3", "levels: 3", "levels: {select: [0, 1]}", "`levels` makes 2 of them, sink.field has 3"),
        ("levels: 3", "levels: 1", "levels: interpolate", "the coordinates of 'field' are not known"),
        ("levels: 3", "levels: 1", "levels: layers", "the interfaces of 'field' are not known"),
        ("levels: 2", "levels: 1", "levels: {layers: {from: [0, 1], to: [0, 1]}}", "needs 3"),
        (
            "levels: 2",
            "",
            "levels: {interpolate: {from: [0, 1], to: [2]}}",
            "levels at 2 lie outside of 0 to 1",
        ),
        ("levels: 3", "", "levels: {sum: {weights: [1.0]}}", "1 weights for 3 levels"),
    ],
)
def test_levels_that_do_not_fit_are_refused(config, only_fault, source, target, keys, words):
    fault = only_fault(config({"a": keys}, a=source, sink=target))
    assert "run.yaml:7: exchanges.0" in fault
    assert words in fault


def test_a_fault_of_a_file_does_not_hide_one_of_levels(config):
    from tradewind.check import check

    path = config({"a": "lag: 1, initial: {file: none.nc, variable: t}"}, a="levels: 2", sink="")
    assert len(check(path).faults) == 2


def test_the_dataset_of_these_tests_is_turned_on_purpose(tmp_path):
    write_field(tmp_path / "x.nc")
    with xr.open_dataset(tmp_path / "x.nc") as ds:
        assert ds.t.dims == ("lon", "lat")
