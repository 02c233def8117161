"""The background: a change at the sides reaches a column as its air does; OH works while air is inside."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import torch
from pydantic import ValidationError

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import State
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import DataError, SpecError
from tradewind.plugins.background.inflow import Inflow

NOTHING = {"boundary": torch.zeros(1, 4).double(), "oh": torch.ones(1, 2).double()}


def column(made, clock, name="methane_column", **changed):
    exports, _ = made.step(State(), {}, NOTHING | changed, next(iter(clock)))
    return exports[name]


def test_without_a_change_there_is_none(background, clock):
    assert not column(background, clock).any()


def test_the_same_change_at_all_sides_is_that_change_where_the_box_is_flushed(background, clock):
    found = column(background, clock, boundary=torch.full((1, 4), 7.0).double())
    # four days leave up to two hundredths of the air that was there before
    assert 7.0 * 0.97 < float(found.min()) <= float(found.max()) <= 7.0 * (1 + 1e-12)


def test_no_more_comes_in_than_there_is(background, clock):
    sides = torch.eye(4, dtype=torch.float64)
    found = column(background, clock, boundary=sides, oh=torch.ones(4, 2).double())
    assert bool((found >= 0).all())
    assert float(found.sum(0).max()) <= 1 + 1e-12


def test_the_transport_keeps_what_all_sides_and_the_inside_hold(make, clock):
    # a box that begins with ratio one inside as outside has ratio one for ever: to rounding
    made = make(spin_up="12h")
    march = Inflow(made.transport.flows, made.transport.solver, clock.start, ())
    full = march._empty()
    full[:, :, 1:-1, 1:-1] = made.transport.flows.at(clock.start).air[0] / 4
    held, now = full, clock.start
    for piece in march._pieces(now, clock.stop):
        held = march._advanced(held, piece)
    ratios = march._ratios(held, clock.stop).sum(0)
    torch.testing.assert_close(ratios, torch.ones_like(ratios), rtol=1e-12, atol=0)


def test_more_oh_takes_more(background, clock):
    found = column(background, clock, oh=torch.tensor([[1.1, 1.0]]).double())
    # 10 % of c T / tau, with T between nothing and the four days and a quarter since the beginning
    most = 0.1 * 1900.0 * 4.25 / (11.2 * 365.25)
    assert bool((found < 0).all())
    assert float(-found.min()) <= most


def test_oh_of_the_other_hemisphere_does_nothing(background, clock):
    assert not column(background, clock, oh=torch.tensor([[1.0, 5.0]]).double()).any()


def test_answers_are_linear_in_what_changes(background, clock):
    b, oh = torch.tensor([[3.0, -1.0, 0.5, 2.0]]).double(), torch.tensor([[0.8, 1.0]]).double()
    both = column(background, clock, boundary=b, oh=oh)
    torch.testing.assert_close(both, column(background, clock, boundary=b) + column(background, clock, oh=oh))
    torch.testing.assert_close(
        column(background, clock, boundary=2 * b), 2 * column(background, clock, boundary=b)
    )


def test_a_member_has_the_bits_that_it_has_alone(background, clock):
    b = torch.randn(3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    oh = torch.ones(3, 2).double() + 0.1
    together = column(background, clock, boundary=b, oh=oh)
    for k in range(3):
        assert torch.equal(together[k], column(background, clock, boundary=b[k : k + 1], oh=oh[k : k + 1])[0])


def test_layers_make_up_the_column(make, clock):
    made = make(asked=("methane_profile",))
    b = torch.tensor([[3.0, -1.0, 0.5, 2.0]]).double()
    layers = column(made, clock, "methane_profile", boundary=b)
    whole = (made.transport.domain.thickness[:, None] * layers).sum(-2)
    torch.testing.assert_close(whole, column(made, clock, boundary=b), rtol=1e-13, atol=1e-13)


def test_steps_may_be_asked_in_any_order(make, clock, background):
    first, second = list(clock)
    changed = NOTHING | {"boundary": torch.ones(1, 4).double()}
    made = make()
    late = made.step(State(), {}, changed, second)[0]["methane_column"]
    early = made.step(State(), {}, changed, first)[0]["methane_column"]
    assert torch.equal(early, background.step(State(), {}, changed, first)[0]["methane_column"])
    assert torch.equal(late, background.step(State(), {}, changed, second)[0]["methane_column"])


def test_its_elements_have_names(background):
    labels = {v.name: v.labels for v in background.describe().parameters}
    assert labels == {"boundary": ("north", "east", "south", "west"), "oh": ("northern", "southern")}


def test_its_exports_are_those_of_the_transport(background):
    assert background.describe().exports == background.transport.describe().exports


# ---------------------------------------------------------------------- what is refused, what is said
def test_old_air_is_told(make):
    (note,) = make(spin_up="6h").notes
    assert "older than spin_up" in note


def test_a_spin_up_before_the_weather_begins_is_refused(make):
    with pytest.raises(DataError, match=r"spin_up of 20 days.*begins 10.5 days before"):
        make(spin_up="20d")


def test_a_run_beyond_the_weather_is_refused(make, clock):
    later = Clock(clock.start + timedelta(days=30), clock.stop + timedelta(days=30), clock.step)
    with pytest.raises(DataError, match="no winds for 1996-02"):
        make(clock=later)


def test_a_substep_too_long_for_the_winds_of_the_spin_up_is_refused(make):
    with pytest.raises(DataError, match="too long for the winds"):
        make(substep=90_000.0)


def test_a_scheme_that_is_not_linear_is_refused(make):
    with pytest.raises(ValidationError, match="upwind"):
        make(scheme="van_leer")


def test_a_time_at_which_no_step_ends_is_refused(background, clock):
    odd = Interval(clock.start, clock.start + timedelta(hours=1))
    with pytest.raises(SpecError, match="no step of the clock ends"):
        background.step(State(), {}, NOTHING, odd)


def test_cells_shared_between_ranks_are_refused(background):
    class Shared(Layout):
        is_serial = False

    layouts = {"methane_column": Shared(background.transport.domain.grid)}
    with pytest.raises(SpecError, match="shared between ranks"):
        background.initialize(background.describe(), layouts, 1)


def test_it_holds_nothing_from_step_to_step(background):
    assert background.initialize(background.describe(), {}, 1) == State()
    assert replace(background.describe()).linear
