"""The model as a component: its spec, its units, restart, and runs that are refused."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import torch

from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Participant
from tradewind.couplers.coupling.component import Component, Interval, Step
from tradewind.couplers.coupling.fields import Kind, State
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import DataError, SpecError
from tradewind.plugins.transport.domain import GRAVITY
from tradewind.plugins.transport.model import COLUMN, FLUX, TRACER
from tradewind.plugins.transport.options import TransportOptions

START = datetime(1996, 1, 15, 18)
CLOCK = Clock(START, START + timedelta(days=1), timedelta(hours=6))


def coupled(transport, members=1):
    spec = transport.describe()
    layout = Layout(spec.imports[0].grid)

    def answer(call):
        return Step(*transport.step(call.state, call.imports, call.parameters, call.interval))

    layouts = dict.fromkeys((FLUX, COLUMN, TRACER), layout)
    return CoupledRun(CLOCK, [Participant("transport", transport, spec, answer, layouts)], [], members)


def step(transport, flux, interval, state=None):
    state = state or transport.initialize(transport.describe(), {}, len(flux))
    exports, after = transport.step(state, {FLUX: flux}, {}, interval)
    return exports[COLUMN], after


def test_it_is_a_component(transport):
    assert isinstance(transport, Component)


def test_the_spec_names_what_crosses_its_boundary(make_transport):
    spec = make_transport().describe()
    (flux,), (column,), (tracer,) = spec.imports, spec.exports, spec.state
    assert (flux.name, flux.units, flux.kind) == (FLUX, "kg m-2 s-1", Kind.FLUX_INTENSIVE)
    assert (column.name, column.units) == (COLUMN, "1e-9")
    assert (tracer.name, tracer.units, tracer.extra) == (TRACER, "kg", (("layer", 6),))
    assert flux.grid.size == 12 * 14


def test_the_spec_is_known_without_reading_the_weather(make_transport, tmp_path):
    absent = make_transport(weather=tmp_path / "absent.nc")
    assert absent.describe().exports[0].name == COLUMN
    with pytest.raises(DataError, match="weather file not found"):
        absent.verify(CLOCK)


def test_only_the_upwind_scheme_says_that_it_is_linear(make_transport):
    assert make_transport(scheme="upwind").describe().linear
    assert not make_transport(scheme="van_leer").describe().linear


def test_a_uniform_flux_gives_columns_by_hand(transport):
    # 1e-9 kg m-2 s-1 for an hour in air of 1e5 Pa: 3.6e-6 kg over 1e5 / 9.80665 kg, as moles in 1e-9;
    # winds move air from like to like, so that the mean over an inner box stays near
    interval = Interval(START, START + timedelta(hours=1))
    flux = torch.full((1, 12 * 14), 1e-9, dtype=torch.float64)
    column, _ = step(transport, flux, interval)
    inner = float(column.view(12, 14)[4:-4, 4:-4].mean())
    assert inner == pytest.approx(3.6e-6 * GRAVITY / 1.015e5 * 28.9644 / 16.0425 * 1e9, rel=0.05)


def test_columns_hold_the_mass_of_the_tracer(transport, draw):
    interval = Interval(START, START + timedelta(hours=1))
    column, state = step(transport, draw(1, 12 * 14), interval)
    air = transport.flows.at(START).air_at(interval.stop).sum(0).flatten()
    mass = column[0] * 1e-9 * air * 16.0425 / 28.9644
    assert torch.allclose(mass, state.fields[TRACER][0].sum(0), rtol=1e-13)


def test_the_model_starts_with_clean_air(transport):
    state = transport.initialize(transport.describe(), {}, 3)
    assert state.fields[TRACER].shape == (3, 6, 12 * 14)
    assert not state.fields[TRACER].any()


def test_an_interval_is_cut_where_the_analyses_change(transport):
    day = Interval(START + timedelta(hours=1), START + timedelta(hours=13))
    assert [part.seconds / 3600 for part in transport.parts(day)] == [5.0, 6.0, 1.0]


def test_a_long_step_is_its_parts_one_after_the_other(transport, draw):
    flux = draw(1, 12 * 14)
    whole, _ = step(transport, flux, Interval(START, START + timedelta(hours=12)))
    _, half = step(transport, flux, Interval(START, START + timedelta(hours=6)))
    rest = Interval(START + timedelta(hours=6), START + timedelta(hours=12))
    assert torch.equal(step(transport, flux, rest, half)[0], whole)


def test_an_interval_between_analyses_is_advanced_over_with_its_own_air(transport, draw):
    inside = Interval(START + timedelta(hours=2), START + timedelta(hours=3))
    column, _ = step(transport, draw(1, 12 * 14), inside)
    assert bool((column > 0).all())


def test_a_state_kept_in_the_middle_goes_on_with_the_same_bits(transport, draw):
    run, flux = coupled(transport), draw(1, 12 * 14)
    run.put(f"transport.{FLUX}", flux)
    run.advance(START + timedelta(hours=6))
    middle = run.moment
    run.advance(START + timedelta(hours=18))
    once = run.get(f"transport.{COLUMN}")
    run.rewind(middle)
    run.advance(START + timedelta(hours=18))
    assert torch.equal(run.get(f"transport.{COLUMN}"), once)


def test_a_run_saved_in_the_middle_goes_on_with_the_same_bits(make_transport, draw, tmp_path):
    run = coupled(make_transport(scheme="van_leer"))
    run.put(f"transport.{FLUX}", draw(1, 12 * 14))
    run.advance(START + timedelta(hours=6))
    run.save(tmp_path / "middle")
    run.advance(START + timedelta(hours=18))
    later = coupled(make_transport(scheme="van_leer"))
    later.restore(tmp_path / "middle")
    later.advance(START + timedelta(hours=18))
    assert torch.equal(later.get(f"transport.{COLUMN}"), run.get(f"transport.{COLUMN}"))


def test_the_state_is_a_value(transport, draw):
    interval = Interval(START, START + timedelta(hours=1))
    _, state = step(transport, draw(1, 12 * 14), interval)
    before = {name: field.clone() for name, field in state.fields.items()}
    step(transport, draw(1, 12 * 14), interval, state)
    assert isinstance(state, State)
    assert torch.equal(state.fields[TRACER], before[TRACER])


@pytest.mark.parametrize("days", [10, 365])
def test_a_run_beyond_the_weather_is_refused(transport, days):
    with pytest.raises(DataError, match="no winds for"):
        transport.verify(Clock(START, START + timedelta(days=days), timedelta(hours=6)))


def test_a_run_within_the_weather_is_accepted(transport):
    transport.verify(CLOCK)


def test_a_region_beyond_the_weather_is_refused(make_transport):
    far = make_transport(region={"west": 0, "east": 14, "south": 26, "north": 38})
    with pytest.raises(DataError, match="choose a smaller region"):
        far.verify(CLOCK)


def test_cells_shared_between_ranks_are_refused(transport):
    class Shared:
        is_serial = False

    with pytest.raises(SpecError, match="parallel over members and windows, not over cells"):
        transport.initialize(transport.describe(), {FLUX: Shared()}, 1)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"region": {"west": -96, "east": -110, "south": 26, "north": 38}}, "east must exceed west"),
        ({"spacing": 0.0}, "greater than 0"),
        ({"substep": -1.0}, "greater than 0"),
        ({"scheme": "centred"}, "upwind"),
        ({"spacings": 1.0}, "Extra inputs"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, fault):
    region = {"west": -110, "east": -96, "south": 26, "north": 38}
    with pytest.raises(ValueError, match=fault):
        TransportOptions.model_validate({"weather": "winds.nc", "region": region, **settings})
