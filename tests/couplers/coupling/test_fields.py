"""Variables, specs, intervals, and state as a value."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import datetime

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.coupling.component import Component, Interval, Mode, Step, StepCall
from tradewind.couplers.coupling.fields import Kind, PerMember, Spec, State, Variable

NEWS = Variable("u", "m s-1", extra=(("level", 2),), kind=Kind.STATE_INTENSIVE)


def test_a_variable_is_found_by_role_and_name():
    spec = Spec(imports=(NEWS,), exports=(Variable("u", "1"),))
    assert spec.variable("imports", "u").units == "m s-1"
    assert spec.variable("exports", "u").units == "1"
    with pytest.raises(KeyError, match="v"):
        spec.variable("imports", "v")


def test_a_spec_says_nothing_that_it_was_not_told():
    spec = Spec()
    assert (spec.imports, spec.linear, spec.differentiable, spec.step_seconds) == ((), False, True, None)


def test_equal_declarations_are_equal():
    assert Variable("u", "m") == Variable("u", "m")
    assert Variable("u", "m") != Variable("u", "m", halo=1)


def test_a_state_cannot_be_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        State().fields = {}


@given(st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True))
def test_selected_members_can_be_put_back(which):
    members = torch.tensor(which)
    state = State({"a": torch.arange(10.0).reshape(5, 2), "b": torch.arange(5.0)}, {"seed": 3})
    back = state.merge(state.select(members), members)
    assert all(torch.equal(back.fields[k], state.fields[k]) for k in state.fields)
    assert back.extras == {"seed": 3}


def test_merged_members_come_in_the_order_that_is_named():
    state, other = State({"a": torch.zeros(3)}), State({"a": torch.tensor([7.0, 8.0])})
    assert state.merge(other, torch.tensor([2, 0])).fields["a"].tolist() == [8.0, 0.0, 7.0]
    assert state.fields["a"].tolist() == [0.0, 0.0, 0.0]


def test_merging_can_be_differentiated():
    ours, theirs = torch.ones(2, requires_grad=True), torch.ones(1, requires_grad=True)
    merged = State({"a": ours}).merge(State({"a": 3 * theirs}), torch.tensor([1]))
    merged.fields["a"].sum().backward()
    assert ours.grad.tolist() == [1.0, 0.0]
    assert theirs.grad.tolist() == [3.0]


def test_an_interval_knows_its_length_and_says_what_it_is():
    interval = Interval(datetime(2000, 1, 1, 6), datetime(2000, 1, 2))
    assert interval.seconds == 18 * 3600
    assert str(interval) == "2000-01-01 06:00/2000-01-02 00:00"


def test_a_call_is_forward_and_alone_unless_told():
    call = StepCall("a", State(), {}, {}, Interval(datetime(2000, 1, 1), datetime(2000, 1, 2)))
    assert (call.mode, call.reference, call.branch, call.comm.size) == (Mode.FORWARD, None, None, 1)
    assert Step({}, State()).answered_by == ""


def test_what_lacks_a_method_is_no_component():
    class Half:
        def describe(self): ...

    assert not isinstance(Half(), Component)


def test_kinds_are_fluxes_or_states_and_amounts_or_densities():
    assert {k for k in Kind if k.is_flux} == {Kind.FLUX_INTENSIVE, Kind.FLUX_EXTENSIVE}
    assert {k for k in Kind if k.is_extensive} == {Kind.STATE_EXTENSIVE, Kind.FLUX_EXTENSIVE}


def test_what_members_have_of_their_own_goes_with_them():
    state = State({"u": torch.arange(3.0)[:, None]}, {"files": PerMember("abc"), "count": 4})
    some = torch.tensor([2, 0])
    picked = state.select(some)
    assert picked.extras == {"files": ("c", "a"), "count": 4}
    changed = State(picked.fields, {"files": PerMember("CA"), "count": 4})
    assert state.merge(changed, some).extras == {"files": ("A", "b", "C"), "count": 4}
    assert isinstance(state.merge(changed, some).extras["files"], PerMember)


def test_members_of_a_state_without_such_extras_can_be_put_back():
    state = State({"u": torch.zeros(2, 1)}, {"files": PerMember("ab")})
    assert state.merge(State({"u": torch.ones(1, 1)}), torch.tensor([1])).extras == {"files": ("a", "b")}
