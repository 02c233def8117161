"""Merging, fractions, what is lost on the way, and totals: by hand, and held to the ledger."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tradewind.assembly import Assembly, assemble
from tradewind.check import check
from tradewind.coupled.run import CoupledRun
from tradewind.couplers.coupling.conserving import GloballyConserving
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import dot_test
from tradewind.couplers.regrid.quantities import QuantityRegridder
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.scheme import Norm
from tradewind.errors import DataError, LedgerError

STATE = "kind: STATE_INTENSIVE, units: K"
FINE = "width: 5, columns: 8"
"""Within the coarse grid: sides along parallels bulge poleward, those of wide cells more."""
WEST = "width: 5, columns: 3"
EAST = "width: 5, columns: 5, west: 15"
BOTH = "columns: 4, rows: 2"
"""Four columns of 10 degrees, of which the second lies half in the west and half in the east."""


def ran(path: Path) -> CoupledRun:
    run = assemble(path).run()
    run.advance(run.clock.stop)
    return run


def norms(assembly: Assembly) -> list[Norm]:
    return [
        e.operator.regridder.norm for e in assembly.exchanges if isinstance(e.operator, QuantityRegridder)
    ]


def write_fraction(path: Path, values: np.ndarray, grid: Grid, units: str | None = "1") -> None:
    ds = grid.to_dataset()
    attributes = {} if units is None else {"units": units}
    ds["land"] = (("lat", "lon"), values.reshape(grid.shape), attributes)
    ds["sea"] = (("lat", "lon"), (1.0 - values).reshape(grid.shape), attributes)
    ds.to_netcdf(path)


def square(width: float, columns: int, rows: int) -> Grid:
    return Grid.latlon(width * (0.5 + np.arange(rows)), width * (0.5 + np.arange(columns)))


# ---------------------------------------------------------------------- sums
def test_two_sources_are_added(config):
    run = ran(config({"a": "merge: sum", "b": "merge: sum"}, a="value: 2.0", b="value: 3.0", sink=""))
    assert run.get("sink.field")[0, :2].tolist() == pytest.approx([5.0, 5.05], rel=1e-14)


@pytest.mark.parametrize(
    ("keys", "line"),
    [({"a": "", "b": ""}, 9), ({"a": "", "b": "merge: sum"}, 8), ({"a": "merge: sum", "b": ""}, 9)],
)
def test_each_must_say_how_they_go_together(config, only_fault, keys, line):
    fault = only_fault(config(keys, a="", b="", sink=""))
    assert f"run.yaml:{line}: exchanges.{line - 8}.to: the import 'sink.field' already comes from" in fault
    assert "say `merge: sum` in each, or give each a `fraction`" in fault


# ---------------------------------------------------------------------- numbers
def test_fractions_that_are_numbers(config):
    run = ran(config({"a": "fraction: 0.25", "b": "fraction: 0.75"}, a="value: 2.0", b="value: 4.0", sink=""))
    assert float(run.get("sink.field")[0, 0]) == pytest.approx(3.5, rel=1e-14)


def test_fractions_must_add_up(config, only_fault):
    fault = only_fault(config({"a": "fraction: 0.3", "b": "fraction: 0.6"}, a="", b="", sink=""))
    assert (
        "run.yaml:9: exchanges.1.fraction: sink.field: the fractions of what is merged add up to 0.9 "
        in fault
    )
    assert "at cell 0 (lat 5, lon 5)" in fault


def test_rounding_is_forgiven(config):
    keys = {"a": "fraction: 0.3333333", "b": "fraction: 0.3333333", "c": "fraction: 0.3333334"}
    assert check(config(keys, a="", b="", c="", sink="")).faults == ()


def test_a_sum_is_not_held_to_one(config):
    run = ran(config({"a": "fraction: 0.25, merge: sum"}, a="value: 2.0", sink=""))
    assert float(run.get("sink.field")[0, 0]) == 0.5


def test_what_a_fraction_keeps_back_is_withheld(config):
    run = ran(config({"a": "fraction: 0.25, merge: sum"}, a="value: 2.0", sink=""))
    entry = run.ledger[0]
    assert entry.arrived == pytest.approx(0.25 * entry.left, rel=1e-14)
    assert entry.withheld == pytest.approx(0.75 * entry.left, rel=1e-14)
    assert abs(entry.residual) <= 1e-14


# ---------------------------------------------------------------------- fields on the target's grid
def test_fractions_of_a_file(config, tmp_path):
    land = np.linspace(0, 1, 16)
    write_fraction(tmp_path / "f.nc", land, square(10, 4, 4))
    keys = {n: f"fraction: {{file: f.nc, variable: {v}}}" for n, v in {"a": "land", "b": "sea"}.items()}
    run = ran(config(keys, a=f"{STATE}, value: 300", b=f"{STATE}, value: 280", sink=STATE))
    growing = 1 + np.arange(16) / 100
    expected = (300 * land + 280 * (1 - land)) * growing
    assert run.get("sink.field")[0].tolist() == pytest.approx(expected.tolist(), rel=1e-14)


@pytest.mark.parametrize(("units", "times"), [("%", 100.0), (None, 1.0)])
def test_fractions_may_be_written_in_per_cent_or_without_units(config, tmp_path, units, times):
    grid = square(10, 4, 4)
    ds = grid.to_dataset()
    ds["land"] = (("lat", "lon"), np.full((4, 4), 0.25 * times), {} if units is None else {"units": units})
    ds.to_netcdf(tmp_path / "f.nc")
    path = config({"a": "fraction: {file: f.nc, variable: land}", "b": "fraction: 0.75"}, a="", b="", sink="")
    assert float(assemble(path).exchanges[0].fraction[0]) == 0.25


def test_a_fraction_beyond_one_is_refused_with_its_place(config, tmp_path, only_fault):
    land = np.full(16, 0.5)
    land[6] = 2.0
    write_fraction(tmp_path / "f.nc", land, square(10, 4, 4))
    fault = only_fault(config({"a": "fraction: {file: f.nc, variable: land}"}, a="", sink=""))
    assert "exchanges.0.fraction: sink.field: a fraction is 2 at cell 6 (lat 15, lon 25)" in fault


def test_the_worst_cell_is_named(config, tmp_path, only_fault):
    land = np.full(16, 0.5)
    land[[3, 9]] = 0.4, 0.2
    write_fraction(tmp_path / "f.nc", land, square(10, 4, 4))
    keys = {"a": "fraction: {file: f.nc, variable: land}", "b": "fraction: 0.5"}
    assert "add up to 0.7 at cell 9 (lat 25, lon 15)" in only_fault(config(keys, a="", b="", sink=""))


def test_masked_cells_need_no_fractions(config, tmp_path):
    land = np.full(16, 1.0)
    land[[0, 4, 8, 12]] = 0.0
    write_fraction(tmp_path / "f.nc", land, square(10, 4, 4))
    keys = {"a": "fraction: {file: f.nc, variable: land}"}
    assert check(config(keys, a="hidden: 1", sink="hidden: 1")).faults == ()


def test_means_over_what_is_covered_go_with_a_fraction_of_the_target(config):
    """Half of the second column is west: its mean there, times the fraction, is what half of it brings."""
    halves = {"a": "fraction: 0.5", "b": "fraction: 0.5"}
    path = config(halves, a=WEST, b=EAST, sink=BOTH)
    assert norms(assemble(path)) == [Norm.FRACAREA, Norm.FRACAREA]
    assert any("(means over what is covered, of which a fraction counts)" in n for n in assemble(path).notes)
    assert float(ran(path).get("sink.field")[0, 1]) == pytest.approx(1.0, rel=0.4)
    asked = {n: f"{keys}, norm: dstarea" for n, keys in halves.items()}
    assert norms(assemble(config(asked, a=WEST, b=EAST, sink=BOTH))) == [Norm.DSTAREA, Norm.DSTAREA]


def test_fractions_that_are_what_is_covered_close_the_ledger(config, tmp_path):
    west = np.array([1.0, 0.5, 0.0, 0.0] * 2)
    write_fraction(tmp_path / "f.nc", west, square(10, 4, 2))
    keys = {
        "a": "fraction: {file: f.nc, variable: land}, tolerance: 1.0e-12",
        "b": "fraction: {file: f.nc, variable: sea}, tolerance: 1.0e-12",
    }
    run = ran(config(keys, a=f"{WEST}, rows: 8", b=f"{EAST}, rows: 8", sink=BOTH))
    assert max(abs(e.residual) for e in run.ledger) <= 1e-13
    # what lies north of the target is unmapped; within it, nothing is withheld
    for entry in run.ledger[:2]:
        assert entry.unmapped > 0.1 * entry.left
        assert abs(entry.withheld) <= 1e-13 * entry.left


# ---------------------------------------------------------------------- the part that is covered
@pytest.mark.parametrize("kind", ["", STATE])
def test_what_each_covers_adds_up(config, kind):
    path = config(
        {"a": "fraction: covered", "b": "fraction: covered"},
        a=", ".join(filter(None, [WEST, kind])), b=", ".join(filter(None, [EAST, kind])),
        sink=", ".join(filter(None, [BOTH, kind])),
    )  # fmt: skip
    assembly = assemble(path)
    assert norms(assembly) == [Norm.DSTAREA, Norm.DSTAREA]
    assert any("what is missing of a cell, others bring" in n for n in assembly.notes) is bool(kind)
    west, east = (e.part for e in assembly.exchanges)
    assert west.tolist() == pytest.approx([1, 0.5, 0, 0] * 2, abs=1e-12)
    assert (west + east).tolist() == pytest.approx([1] * 8, abs=1e-12)
    ones = [torch.ones(1, e.source.layout.n_local, dtype=torch.float64) for e in assembly.exchanges]
    merged = sum(e.forward(x) for e, x in zip(assembly.exchanges, ones, strict=True))
    assert merged[0].tolist() == pytest.approx([1] * 8, abs=1e-12)


def test_a_gap_between_what_is_covered_is_found(config, only_fault):
    keys = {"a": "fraction: covered", "b": "fraction: covered"}
    fault = only_fault(config(keys, a="width: 5, columns: 2", b=EAST, sink=BOTH))
    assert "add up to 0.5 at cell" in fault


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("fraction: covered, norm: fracarea", "norm fracarea takes out again what a fraction"),
        ("fraction: covered, regrid: bilinear", "fraction: covered with bilinear, which knows no areas"),
    ],
)
def test_covered_needs_areas_and_its_norm(config, only_fault, keys, words):
    assert words in only_fault(config({"a": keys}, a=STATE, sink=f"{STATE}, {FINE}"))


# ---------------------------------------------------------------------- fields on the source's grid
def test_fractions_of_the_source_go_through_the_weights(config, tmp_path):
    land = np.linspace(0, 1, 16)
    write_fraction(tmp_path / "f.nc", land, square(10, 4, 4))
    keys = {
        n: f"fraction: {{file: f.nc, variable: {v}, on: source}}, tolerance: 1.0e-12"
        for n, v in {"a": "land", "b": "sea"}.items()
    }
    assembly = assemble(config(keys, a="value: 2.0", b="value: 4.0", sink=FINE))
    run = assembly.run()
    run.advance(run.clock.stop)
    coarse = (2 * land + 4 * (1 - land)) * (1 + np.arange(16) / 100)
    mixed_first = assembly.exchanges[0].operator.regridder.forward(torch.from_numpy(coarse))
    assert run.get("sink.field")[0].tolist() == pytest.approx(mixed_first.tolist(), rel=1e-13)
    assert all(e.part is not None and e.fraction is None for e in assembly.exchanges)
    assert sum(e.part for e in assembly.exchanges).tolist() == pytest.approx([1] * 64, abs=1e-12)


def test_an_offset_counts_for_the_fraction_only(config, tmp_path):
    write_fraction(tmp_path / "f.nc", np.full(16, 0.25), square(10, 4, 4))
    keys = "fraction: {file: f.nc, variable: land, on: source}, merge: sum"
    celsius = STATE.replace("K", "degC")
    run = ran(config({"a": keys}, a=f"{celsius}, value: 10.0", sink=STATE))
    assert float(run.get("sink.field")[0, 0]) == pytest.approx(0.25 * 283.15, rel=1e-14)
    assert abs(run.ledger[0].residual) <= 1e-14


def test_the_plan_of_fractions_and_offsets_can_be_shown(config, tmp_path):
    write_fraction(tmp_path / "f.nc", np.full(16, 0.25), square(10, 4, 4))
    keys = "fraction: {file: f.nc, variable: land, on: source}, merge: sum"
    report = check(config({"a": keys}, a=STATE.replace("K", "degC"), sink=STATE))
    assert report.faults == ()


def test_derivatives_go_through_fractions_of_the_source(config, tmp_path):
    write_fraction(tmp_path / "f.nc", np.linspace(0, 1, 16), square(10, 4, 4))
    keys = "fraction: {file: f.nc, variable: land, on: source}, merge: sum, scale: 2.0"
    (exchange,) = assemble(config({"a": keys}, a="", sink=FINE)).exchanges
    random = torch.Generator().manual_seed(0)
    x = torch.randn(2, 16, generator=random, dtype=torch.float64)
    y = torch.randn(2, 64, generator=random, dtype=torch.float64)
    there, back = exchange.tangent(x), exchange.adjoint(y)
    assert float((there * y).sum()) == pytest.approx(float((x * back).sum()), rel=1e-13)


# ---------------------------------------------------------------------- moving ones
def test_exported_fractions_weight_what_is_given_with_them(config):
    keys = {"a": "fraction: a.part", "b": "fraction: b.part"}
    run = ran(config(keys, a="value: 2.0, part: 0.25", b="value: 4.0, part: 0.75", sink=""))
    assert float(run.get("sink.field")[0, 0]) == pytest.approx(3.5, rel=1e-14)
    entry = run.ledger[0]
    assert entry.arrived == pytest.approx(0.25 * entry.left, rel=1e-14)
    assert abs(entry.residual) <= 1e-14


def test_they_go_with_fixed_ones(config):
    keys = {"a": "fraction: a.part", "b": "fraction: 0.75"}
    run = ran(config(keys, a="value: 2.0, part: 0.25", b="value: 4.0", sink=""))
    assert float(run.get("sink.field")[0, 0]) == pytest.approx(3.5, rel=1e-14)


def test_and_with_what_is_covered(config):
    """The west's own fraction is 1 everywhere in it, and reaches half of the second column."""
    keys = {"a": "fraction: a.part", "b": "fraction: covered"}
    run = ran(config(keys, a=f"{WEST}, part: 1.0, value: 2.0", b=f"{EAST}, value: 2.0", sink=BOTH))
    # fields rise from 2 by a hundredth from cell to cell: 24 cells in the west, 40 in the east
    assert 2.0 < float(run.get("sink.field")[0, 1]) < 2.4


def test_a_cell_that_bulges_beyond_its_sources_is_found(config):
    """Northern sides of 10 degrees reach beyond those of 5: the northern row is not covered whole."""
    keys = {"a": "fraction: a.part", "b": "fraction: covered"}
    with pytest.raises(DataError, match=r"add up to 0\.99\d+ at cell 5"):
        ran(config(keys, a=f"{WEST}, part: 1.0, rows: 4", b=f"{EAST}, rows: 4", sink=BOTH))


@pytest.mark.parametrize("part", [0.5, 1.5])
def test_the_run_stops_when_they_do_not_add_up(config, part):
    keys = {"a": "fraction: a.part", "b": "fraction: 0.75"}
    words = r"sink\.field: the fractions of what is merged add up to 1\.25 at cell 0 \(lat 5, lon 5\)"
    words = words if part == 0.5 else r"a fraction is 1\.5 at cell 0"
    with pytest.raises(DataError, match=words):
        ran(config(keys, a=f"part: {part}", b="", sink=""))


def test_a_lagged_fraction_needs_a_beginning(config, only_fault):
    keys = {"a": "lag: 1, initial: 0.0, fraction: a.part"}
    assert "fraction a.part: a lag needs a value" in only_fault(config(keys, a="", sink=""))
    lagged = {"a": "lag: 1, initial: 6.0, merge: sum, fraction: {from: a.part, initial: 0.5}"}
    assembly = assemble(config(lagged, a="part: 0.25, value: 8.0", sink=""))
    run, found = assembly.run(), []
    for _ in range(2):
        run.advance(run.time + run.clock.step)
        found.append(float(run.get("sink.field")[0, 0]))
    assert found == [3.0, 2.0]  # half of 6, then a quarter of 8


@pytest.mark.parametrize(
    ("fraction", "words"),
    [
        ("c.part", "there is no component 'c'"),
        ("a.parts", "a has no export 'parts', did you mean 'part'?"),
        ("b.field", "units 'kg m-2 s-1' cannot become '1'"),
    ],
)
def test_exports_that_are_no_fractions_are_refused(config, only_fault, fraction, words):
    fault = only_fault(config({"a": f"fraction: {fraction}", "b": "merge: sum"}, a="", b="", sink=""))
    assert "run.yaml:8: exchanges.0.fraction: " in fault
    assert words in fault


# ---------------------------------------------------------------------- what the target does not reach
def test_what_lies_outside_is_unmapped_and_nothing_else(config):
    # the target's columns begin at 20 E; its northern sides do not reach as far as the source's
    (exchange,) = assemble(config({"a": ""}, a="", sink="west: 20, columns: 2")).exchanges
    assert exchange.unmapped.reshape(4, 4).tolist() == [[1.0, 1.0, 0.0, 0.0]] * 4


def test_where_all_is_reached_there_is_nothing_unmapped(config):
    assert assemble(config({"a": ""}, a=FINE, sink="")).exchanges[0].unmapped is None
    assert assemble(config({"a": ""}, a="", sink="")).exchanges[0].unmapped is None


def test_masked_targets_reach_nothing(config):
    (exchange,) = assemble(config({"a": "regrid: conservative"}, a="", sink="hidden: 1")).exchanges
    assert exchange.unmapped.reshape(4, 4)[:, 0].tolist() == [1.0] * 4
    assert not exchange.unmapped.reshape(4, 4)[:, 1:].any()


@pytest.mark.parametrize(
    "sink", ["west: 17, columns: 2, width: 8", "west: 3, width: 16, hidden: 1", "width: 3"]
)
@pytest.mark.parametrize("keys", ["", "norm: fracarea"])
def test_what_is_reached_is_what_the_target_covers_the_other_way_round(config, keys, sink):
    """Weights from the target to the source are other polygons' pieces, and know the same parts of cells."""
    (exchange,) = assemble(config({"a": keys}, a="hidden: 1", sink=sink)).exchanges
    back = Regridder.build(exchange.target.layout, exchange.source.layout, "conservative", backend="native")
    active = torch.from_numpy(exchange.source.layout.grid.mask).double()
    assert torch.allclose(exchange.unmapped, active * (1.0 - back.frac_target), atol=1e-12)


@pytest.mark.parametrize("keys", ["", "regrid: conservative_2nd", "norm: dstarea"])
def test_the_ledger_closes_with_what_is_unmapped(config, keys):
    tolerance = ", ".join(filter(None, [keys, "tolerance: 1.0e-12"]))
    run = ran(config({"a": tolerance}, a="", sink="west: 20, columns: 2, width: 8"))
    assert max(abs(e.residual) for e in run.ledger) <= 1e-12
    assert run.ledger[0].unmapped > 0.5 * run.ledger[0].left


def test_a_loss_that_is_not_accounted_for_stops_the_run(config):
    """A uniform flux over cells that are covered in part grows with fracarea."""
    path = config({"a": "norm: fracarea, tolerance: 1.0e-6"}, a=WEST, sink="")
    with pytest.raises(LedgerError, match=r"a\.field -> sink\.field"):
        ran(path)


def test_areas_of_models_are_corrected_for_and_the_ledger_closes(config):
    path = config({"a": "tolerance: 1.0e-12"}, a=f"{FINE}, area: 0.03", sink="area: 0.03")
    run = ran(path)
    assert len(run.ledger) == 4
    assert all(abs(e.residual) <= 1e-13 and e.unmapped == 0.0 for e in run.ledger)
    factors = assemble(path).exchanges[0].operator
    assert float((factors.before - 1).abs().max()) > 0.01


def test_areas_of_models_do_not_hide_what_is_unmapped(config):
    path = config({"a": "tolerance: 1.0e-12"}, a="area: 0.03", sink="west: 20, columns: 2, area: 0.03")
    entry = ran(path).ledger[0]
    assert abs(entry.residual) <= 1e-13
    assert 0.4 < entry.unmapped / entry.left < 0.6


def test_a_tolerance_needs_areas(config, only_fault):
    path = config({"a": "tolerance: 1.0e-6, regrid: nearest_s2d"}, a=f"{STATE}, points: true", sink=STATE)
    fault = only_fault(path)
    assert "exchanges.0.tolerance: a.field lives on" in fault
    assert "nothing can be held to a tolerance" in fault


# ---------------------------------------------------------------------- totals
def test_a_total_that_a_method_loses_is_put_back(config):
    path = config({"a": "regrid: bilinear, conserve: global, tolerance: 1.0e-12"}, a="", sink=FINE)
    assembly = assemble(path)
    (exchange,) = assembly.exchanges
    assert isinstance(exchange.operator, GloballyConserving)
    assert exchange.unmapped is None
    assert dot_test(exchange.operator, batch=(2,)) <= 1e-14
    run = assembly.run()
    run.advance(run.clock.stop)
    assert max(abs(e.residual) for e in run.ledger) <= 1e-13


def test_what_comes_of_what_the_target_does_not_reach_is_said(config):
    for keys, words in (("", "is lost"), ("conserve: global", "is spread over the target's active cells")):
        notes = assemble(config({"a": keys}, a="", sink="west: 20, columns: 2")).notes
        assert any(n.endswith(f"what it sends from there {words}") for n in notes)


def test_without_it_the_method_is_refused(config, only_fault):
    fault = only_fault(config({"a": "regrid: bilinear"}, a="", sink=FINE))
    assert "bilinear does not keep its integral" in fault


def test_conservation_needs_areas(config, only_fault):
    path = config({"a": "conserve: global, regrid: nearest_s2d"}, a=f"{STATE}, points: true", sink=STATE)
    assert "exchanges.0.conserve: a.field: has no areas" in only_fault(path)


# ---------------------------------------------------------------------- weights
def test_exchanges_between_the_same_grids_share_their_weights(config):
    first, second = assemble(config({"a": "merge: sum", "b": "merge: sum"}, a="", b="", sink=FINE)).exchanges
    assert first.operator.regridder is second.operator.regridder
    other = assemble(config({"a": "merge: sum", "b": "merge: sum, norm: fracarea"}, a="", b="", sink=FINE))
    assert len({id(e.operator.regridder) for e in other.exchanges}) == 2


def test_where_others_bring_what_is_missing_it_is_said_how(config, only_fault):
    path = config({"a": "merge: sum"}, a=f"{STATE}, {WEST}", sink=f"{STATE}, {BOTH}")
    assert "where others bring what is missing, fraction: covered" in only_fault(path)
