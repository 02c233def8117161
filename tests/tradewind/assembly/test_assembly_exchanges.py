"""Exchanges of a run config: what the kinds choose, what is refused with its line, what is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tradewind.assembly import Assembly, assemble
from tradewind.check import check
from tradewind.couplers.operators import IdentityOperator, dot_test
from tradewind.couplers.regrid.quantities import QuantityRegridder
from tradewind.couplers.regrid.scheme import InverseDistance, Method, NearestSource, Norm, PoleKind, Poles

ENDS = '''
"""Two ends of an exchange: one sends a field that the options describe, the other takes it and keeps it."""
import numpy as np
import torch
from tradewind import Grid, Spec, State, Variable, hookimpl
from tradewind.couplers.coupling.fields import Kind
from tradewind.plugins.options import Options


class EndOptions(Options):
    kind: str = "FLUX_INTENSIVE"
    units: str = "kg m-2 s-1"
    step: float = 10.0
    west: float = 0.0
    points: bool = False
    area: float = 0.0
    hidden: int = 0


def variable(options):
    o = options
    if o.points:
        grid = Grid.points([5.0, 7.0, 33.0], [1.0, 2.0, 13.0])
    else:
        lat, lon = (a + o.step / 2 + np.arange(0, 40 - 1e-9, o.step) for a in (0.0, o.west))
        plain = Grid.latlon(lat, lon)
        off = 1 + o.area * np.random.default_rng(int(o.step)).uniform(-1, 1, plain.shape)
        area = plain.area.reshape(plain.shape) * off if o.area else None
        mask = np.ones(plain.shape, dtype=bool)
        mask[:, : o.hidden] = False
        grid = Grid.latlon(lat, lon, area=area, mask=mask)
    return Variable("field", o.units, grid, Kind[o.kind])


class Source:
    def __init__(self, options):
        self.variable = variable(options)

    def describe(self):
        return Spec(exports=(self.variable,))

    def initialize(self, spec, layouts, members):
        return State(extras={"members": members})

    def step(self, state, imports, parameters, interval):
        n = self.variable.grid.size
        return {"field": (1.0 + torch.arange(float(n)).double()).expand(state.extras["members"], n)}, state

    def finalize(self):
        pass


class Sink(Source):
    def describe(self):
        return Spec(imports=(self.variable,))

    def step(self, state, imports, parameters, interval):
        return {}, state


@hookimpl
def tradewind_register_component(register):
    register("source", factory=f"{__name__}:Source", options=f"{__name__}:EndOptions", summary="sends")
    register("sink", factory=f"{__name__}:Sink", options=f"{__name__}:EndOptions", summary="takes")
'''
CONFIG = """\
plugins: [ends.py]
run: {{start: 2000-01-01, stop: 2000-01-02, step: 6h{run}}}
components:
  a: {{plugin: source, options: {{{source}}}}}
  b: {{plugin: sink, options: {{{target}}}}}
exchanges:
  - {{from: a.field, to: b.field{exchange}}}
"""
STATE = "kind: STATE_INTENSIVE, units: K"
AMOUNT = "kind: FLUX_EXTENSIVE, units: kg s-1"
FLUX = "kind: FLUX_INTENSIVE"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(
        kind: str = FLUX, exchange: str = "", source: str = "", target: str = "step: 20", run=""
    ) -> Path:
        (tmp_path / "ends.py").write_text(ENDS)
        parts = {
            name: f"{kind}, {text}".rstrip(", ") for name, text in (("source", source), ("target", target))
        }
        extra = f", {exchange}" if exchange else ""
        text = CONFIG.format(**parts, exchange=extra, run=f", {run}" if run else "")
        (tmp_path / "run.yaml").write_text(text)
        return tmp_path / "run.yaml"

    return write


def operator_of(assembly: Assembly) -> QuantityRegridder:
    (exchange,) = assembly.exchanges
    assert isinstance(exchange.operator, QuantityRegridder)
    return exchange.operator


def only_fault(path: Path) -> str:
    report = check(path)
    assert len(report.faults) == 1, report.faults
    return report.faults[0]


# ---------------------------------------------------------------------- what the kinds choose
@pytest.mark.parametrize(
    ("kind", "norm", "why"),
    [
        (FLUX, Norm.DSTAREA, "flux, intensive: its total is kept"),
        (AMOUNT, Norm.DSTAREA, "flux, extensive: its total is kept"),
        (STATE, Norm.FRACAREA, "state, intensive: means over cells keep its bounds"),
    ],
)
def test_without_regrid_the_kind_chooses_and_it_is_said(write, kind, norm, why):
    assembly = assemble(write(kind))
    operator = operator_of(assembly)
    assert (operator.regridder.method, operator.regridder.norm) == (Method.CONSERVATIVE, norm)
    assert dot_test(operator) <= 1e-14
    (note,) = [n for n in assembly.notes if "backend" in n]
    assert note.startswith(f"a.field -> b.field: conservative, {norm} by the ")
    assert note.endswith(f"({why})")


def test_with_a_name_only_the_norm_is_the_kinds(write):
    assembly = assemble(write(FLUX, "regrid: conservative"))
    assert operator_of(assembly).regridder.norm is Norm.DSTAREA
    assert not any("its total is kept" in note for note in assembly.notes)


def test_the_same_grid_is_left_alone(write):
    assembly = assemble(write(target=""))
    assert isinstance(assembly.exchanges[0].operator, IdentityOperator)
    assert assembly.notes == []


def test_none_asks_for_the_same_grid(write):
    assert isinstance(
        assemble(write(exchange="regrid: none", target="")).exchanges[0].operator, IdentityOperator
    )
    fault = only_fault(write(exchange="regrid: none"))
    assert "run.yaml:7: exchanges.0: a.field and b.field live on different grids" in fault
    assert "or leave it out and the import's kind chooses" in fault


def test_amounts_at_points_are_added_to_their_cells(write):
    assembly = assemble(write(AMOUNT, source="points: true"))
    operator = operator_of(assembly)
    assert operator.regridder.method is Method.NEAREST_D2S
    assert sorted(operator(torch.tensor([1.0, 2.0, 4.0]).double()).tolist()) == [0.0, 0.0, 3.0, 4.0]


# ---------------------------------------------------------------------- the long form
def test_a_mapping_reaches_the_weights(write):
    long = "regrid: {method: bilinear, extrapolate: {inverse_distance: {points: 2}}}"
    operator = operator_of(assemble(write(STATE, long, target="step: 5")))
    assert operator.regridder.how.scheme.extrapolation == InverseDistance(2)
    assert not operator.regridder.unmapped.any()


def test_a_mapping_without_a_method_leaves_it_to_the_kind(write):
    operator = operator_of(assemble(write(FLUX, "regrid: {norm: fracarea, poles: none}")))
    scheme = operator.regridder.how.scheme
    assert (scheme.method, scheme.norm, scheme.poles) == (
        Method.CONSERVATIVE,
        Norm.FRACAREA,
        Poles(PoleKind.NONE),
    )


def test_what_the_kind_chooses_may_not_go_with_the_rest(write):
    fault = only_fault(write(FLUX, "regrid: {extrapolate: nearest}"))
    assert "run.yaml:7: exchanges.0: " in fault
    assert "conservative with extrapolation" in fault


def test_weights_are_kept_where_the_run_says(write, tmp_path):
    path = write(run="cache: weights")
    first, again = (operator_of(assemble(path)) for _ in range(2))
    assert len(list((tmp_path / "weights").iterdir())) == 1
    x = first.domain.random(1)
    assert torch.equal(first(x), again(x))


# ---------------------------------------------------------------------- wrong pairs
@pytest.mark.parametrize(
    ("kind", "exchange", "words"),
    [
        (FLUX, "regrid: bilinear", "'field' is a flux, intensive: bilinear does not keep its integral"),
        (FLUX, "regrid: {method: nearest_s2d}", "use conservative"),
        (AMOUNT, "regrid: conservative, norm: fracarea", "use norm dstarea"),
        (AMOUNT, "regrid: patch", "use conservative or nearest_d2s"),
        (STATE, "regrid: conservative, norm: dstarea", "use norm fracarea"),
        (STATE, "norm: dstarea", "dilutes cells that are covered in part"),
        (STATE, "regrid: nearest_d2s", "adds what several sources send"),
    ],
)
def test_wrong_pairs_are_refused_with_their_line(write, kind, exchange, words):
    fault = only_fault(write(kind, exchange))
    assert "run.yaml:7: exchanges.0: regrid: 'field' is a" in fault
    assert words in fault


def test_amounts_do_not_become_densities(write, tmp_path):
    path = write(FLUX)
    path.write_text(
        path.read_text().replace(
            "sink, options: {kind: FLUX_INTENSIVE", "sink, options: {kind: FLUX_EXTENSIVE"
        )
    )
    fault = only_fault(path)
    assert "a.field is a flux, intensive, b.field a flux, extensive" in fault


@pytest.mark.parametrize(("sent", "taken"), [("FLUX", "STATE"), ("STATE", "FLUX")])
def test_where_one_end_says_flux_its_total_is_kept(write, sent, taken):
    """Whoever declares no kind declares a state; the other end knows better."""
    path = write(FLUX)
    text = path.read_text().replace("source, options: {kind: FLUX", f"source, options: {{kind: {sent}")
    path.write_text(text.replace("sink, options: {kind: FLUX", f"sink, options: {{kind: {taken}"))
    assert operator_of(assemble(path)).regridder.norm is Norm.DSTAREA
    path.write_text(path.read_text().replace("to: b.field", "to: b.field, regrid: bilinear"))
    assert "'field' is a flux, intensive: bilinear does not keep its integral" in only_fault(path)


def test_a_state_that_does_not_reach_every_cell_is_refused(write):
    fault = only_fault(write(STATE, target="step: 20, west: 30"))
    assert "b.field is a state, intensive, and 2 of its 4 cells receive nothing: they would be 0" in fault
    assert "extrapolate: nearest" in fault


@pytest.mark.parametrize("how", ["regrid: {method: bilinear, extrapolate: nearest}", "regrid: nearest_s2d"])
def test_unless_something_reaches_it(write, how):
    assert check(write(STATE, how, target="step: 20, west: 30")).faults == ()


def test_or_it_is_masked(write):
    # columns from 30 E to 70 E, the second of which the source, which ends at 40 E, does not reach
    masked = write(STATE, source="", target="step: 20, west: 20, hidden: 0")
    assert "2 of its 4 cells" in only_fault(masked)
    assert check(write(STATE, source="west: 20", target="step: 20, hidden: 1")).faults == ()


def test_a_flux_that_reaches_some_cells_only_is_sound(write):
    assert check(write(FLUX, target="step: 20, west: 20")).faults == ()


# ---------------------------------------------------------------------- what is said
def test_what_is_lost_beyond_the_target_is_said(write):
    # half of the source's longitudes, and with either norm
    for norm in ("dstarea", "fracarea"):
        notes = assemble(write(FLUX, f"norm: {norm}", target="step: 20, west: 20")).notes
        assert any("50.0" in note and "of the source's area lies outside" in note for note in notes)


def test_half_covered_cells_that_get_a_whole_flux_are_said(write):
    notes = assemble(write(FLUX, "norm: fracarea", source="west: 10", target="step: 20")).notes
    assert any("norm fracarea gives cells that are covered in part the whole flux" in note for note in notes)


def test_second_order_is_allowed_with_a_warning(write):
    report = check(write(FLUX, "regrid: conservative_2nd"))
    assert report.faults == ()
    assert any("conservative_2nd may overshoot" in line for line in report.lines)


def test_areas_of_models_are_said_and_the_ledger_closes(write):
    assembly = assemble(write(FLUX, source="area: 0.03", target="step: 20, area: 0.03"))
    assert sum("areas that the" in note for note in assembly.notes) == 2
    run = assembly.run()
    run.advance(run.clock.stop)
    assert len(run.ledger) == 4
    # the wider cells' northern sides bulge, so that all of the source lies within the target
    assert all(abs(entry.residual) < 1e-13 for entry in run.ledger)


def test_extrapolation_is_part_of_the_note(write):
    assembly = assemble(write(STATE, "regrid: {method: bilinear, extrapolate: nearest}"))
    assert operator_of(assembly).regridder.how.scheme.extrapolation == NearestSource()
    assert any("bilinear, extrapolated by nearest by the" in note for note in assembly.notes)
