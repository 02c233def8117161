"""The order of steps within a coupling interval: every need met, nothing left out, circles named."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tradewind.couplers.coupling.time.sequence import Call, Need, derive, refuse_order
from tradewind.errors import ConfigError

HOUR = timedelta(hours=1)
CYCLE = 12 * HOUR


def need(source: str, target: str, every: float, lag: int = 0) -> Need:
    return Need(source, target, every * HOUR, lag, f"{source}.x -> {target}.x")


def order(steps: dict[str, float], *needs: Need, cycle: timedelta = 6 * HOUR) -> str:
    """Return the names of the calls, one letter each."""
    calls = derive({name: hours * HOUR for name, hours in steps.items()}, needs, cycle)
    return "".join(call.component for call in calls)


# ---------------------------------------------------------------------- by hand
def test_a_source_steps_before_its_target_whatever_is_declared_first():
    assert order({"t": 6, "s": 6}, need("s", "t", 6)) == "st"


def test_what_needs_nothing_steps_as_declared():
    assert order({"b": 6, "a": 6, "c": 6}) == "bac"


def test_with_a_lag_the_target_may_step_first():
    assert order({"t": 6, "s": 6}, need("s", "t", 6, lag=1)) == "ts"


def test_a_fast_source_makes_all_its_steps_of_the_period_first():
    assert order({"t": 6, "s": 1}, need("s", "t", 6)) == "sssssst"


def test_a_slow_source_steps_before_all_steps_of_a_fast_target():
    assert order({"t": 1, "s": 6}, need("s", "t", 6)) == "stttttt"


def test_periods_shorter_than_the_interval_interleave():
    assert order({"t": 3, "s": 1}, need("s", "t", 3)) == "ssstssst"


def test_an_hourly_exchange_alternates():
    assert order({"a": 1, "b": 1}, need("a", "b", 1), cycle=3 * HOUR) == "ababab"


def test_short_steps_come_together_before_a_long_one():
    # land and air every hour, the ocean every six: an inner interval, then the outer step
    assert order({"l": 1, "o": 6, "a": 1}, need("l", "a", 1)) == "la" * 6 + "o"


def test_unless_they_need_it():
    assert order({"l": 1, "o": 6, "a": 1}, need("l", "a", 1), need("o", "a", 6)) == "llllll" + "o" + "aaaaaa"
    assert order({"l": 1, "o": 6, "a": 1}, need("l", "a", 1), need("o", "l", 6)) == "o" + "la" * 6


def test_three_rates_nest():
    # radiation every three hours from clouds every hour; the ocean from all of it after six
    steps, needs = {"o": 6, "r": 3, "c": 1}, (need("c", "r", 3), need("r", "o", 6))
    assert order(steps, *needs) == "cccrcccro"


def test_a_lag_breaks_a_circle():
    assert order({"a": 6, "o": 6}, need("a", "o", 6), need("o", "a", 6, lag=1)) == "ao"
    assert order({"a": 6, "o": 6}, need("a", "o", 6, lag=1), need("o", "a", 6)) == "oa"


def test_a_circle_of_fast_and_slow_is_broken_by_the_lag_of_the_slow():
    assert order({"o": 6, "a": 1}, need("a", "o", 6), need("o", "a", 6, lag=1)) == "aaaaaao"


def test_a_component_may_lag_behind_itself():
    assert order({"a": 3}, need("a", "a", 3, lag=1)) == "aa"


def test_a_lag_of_several_periods():
    # b at hour 2 needs a up to hour 1; without the lag it would need hour 3
    needs = need("a", "b", 1, lag=2), need("b", "a", 1)
    assert order({"a": 1, "b": 1}, *needs, cycle=3 * HOUR) == "bababa"


def test_calls_tell_their_times():
    assert derive({"a": 3 * HOUR}, (), 6 * HOUR) == (
        Call("a", 0 * HOUR, 3 * HOUR),
        Call("a", 3 * HOUR, 6 * HOUR),
    )


def test_needs_of_what_does_not_take_part_are_met():
    assert order({"t": 6}, need("elsewhere", "t", 6), need("t", "elsewhere", 6)) == "t"


def test_no_components_make_no_calls():
    assert derive({}, (), CYCLE) == ()


# ---------------------------------------------------------------------- circles
@pytest.mark.parametrize(
    ("needs", "circle"),
    [
        ((need("a", "b", 6), need("b", "a", 6)), "a -> b -> a"),
        ((need("a", "a", 6),), "a -> a"),
        ((need("a", "b", 6), need("b", "c", 6), need("c", "a", 6)), "a -> b -> c -> a"),
        # what only hangs on a circle is not named
        ((need("b", "c", 6), need("c", "b", 6), need("b", "a", 6)), "b -> c -> b"),
    ],
)
def test_a_circle_is_named_in_the_direction_of_its_exchanges(needs, circle):
    with pytest.raises(ConfigError) as caught:
        order({"a": 6, "b": 6, "c": 6}, *needs)
    found = caught.value.what.removeprefix("exchanges form a circle: ").split(" -> ")
    wanted = circle.split(" -> ")
    turns = [wanted[k:-1] + wanted[: k + 1] for k in range(len(wanted) - 1)]
    assert found in turns


def test_the_hint_names_the_exchanges_of_the_circle_and_no_other():
    with pytest.raises(ConfigError) as caught:
        order({"a": 6, "b": 6, "c": 6}, need("a", "b", 6), need("b", "a", 6), need("a", "c", 6))
    hint = caught.value.hint
    assert "let one lag" in hint
    assert "a.x -> b.x (every 6:00:00)" in hint
    assert "b.x -> a.x (every 6:00:00)" in hint
    assert "c.x" not in hint


def test_a_lag_shorter_than_what_the_other_needs_breaks_no_circle():
    # a needs six hours of b at once, b's next hour the last hour of a
    with pytest.raises(ConfigError, match=r"a -> b -> a|b -> a -> b") as caught:
        order({"a": 1, "b": 1}, need("b", "a", 6), need("a", "b", 1, lag=1))
    assert "a.x -> b.x (every 1:00:00, lag 1:00:00)" in caught.value.hint


# ---------------------------------------------------------------------- what does not fit
@pytest.mark.parametrize("hours", [4, 12, 0, -6])
def test_a_step_that_does_not_divide_the_interval(hours):
    with pytest.raises(ConfigError, match=r"sequence: the step of a .* does not divide 6:00:00"):
        order({"a": hours})


@pytest.mark.parametrize("hours", [4, 12, 0])
def test_a_period_that_does_not_divide_the_interval(hours):
    with pytest.raises(ConfigError, match=r"the period of a\.x -> b\.x .* does not divide 6:00:00"):
        order({"a": 6, "b": 6}, need("a", "b", hours))


def test_a_negative_lag_would_need_the_future():
    with pytest.raises(ConfigError, match="would need the future"):
        order({"a": 6, "b": 6}, need("a", "b", 6, lag=-1))


# ---------------------------------------------------------------------- an order that is asked for
def test_an_order_that_keeps_the_needs_is_accepted():
    refuse_order(["s", "u", "t"], [need("s", "t", 6), need("u", "t", 6), need("t", "s", 6, lag=1)])


def test_a_target_before_its_source_is_refused():
    with pytest.raises(
        ConfigError, match=r"t stands before s, but needs s\.x -> t\.x .* of the same period"
    ) as caught:
        refuse_order(["t", "s"], [need("s", "t", 6)])
    assert caught.value.hint == "swap them, or let s.x -> t.x lag"


def test_an_order_says_nothing_of_components_that_it_does_not_name():
    refuse_order(["t"], [need("s", "t", 6), need("t", "s", 6)])


# ---------------------------------------------------------------------- any coupling
DIVISORS = [1, 2, 3, 4, 6, 12]


@st.composite
def couplings(draw, most_lag=2):
    """Steps of up to five components and needs between any two of them, periods multiples of both steps."""
    names = list("abcde")[: draw(st.integers(1, 5))]
    steps = {name: draw(st.sampled_from(DIVISORS)) for name in names}
    needs = []
    for _ in range(draw(st.integers(0, 6))):
        ends = draw(st.sampled_from(names)), draw(st.sampled_from(names))
        fitting = [d for d in DIVISORS if all(d % steps[end] == 0 for end in ends)]
        needs.append(need(*ends, draw(st.sampled_from(fitting)), draw(st.integers(0, most_lag))))
    return {name: hours * HOUR for name, hours in steps.items()}, needs


def possible(steps, needs) -> bool:
    """Tell whether any order exists: take any step that can be taken, until none can."""
    at, dice = dict.fromkeys(steps, 0 * HOUR), random.Random(1)
    while True:
        can = [
            n
            for n in steps
            if at[n] < CYCLE and all(at[x.source] >= x.bound(at[n]) for x in needs if x.target == n)
        ]
        if not can:
            return all(time == CYCLE for time in at.values())
        name = dice.choice(can)
        at[name] += steps[name]


def derived(coupling):
    steps, needs = coupling
    try:
        return derive(steps, needs, CYCLE)
    except ConfigError:
        return None


@given(couplings())
def test_it_is_refused_only_when_no_order_exists(coupling):
    assert (derived(coupling) is not None) == possible(*coupling)


@given(couplings())
def test_every_component_covers_the_interval_once_without_gap(coupling):
    calls = derived(coupling)
    assume(calls is not None)
    for name, step in coupling[0].items():
        own = [call for call in calls if call.component == name]
        assert (own[0].start, own[-1].stop) == (0 * HOUR, CYCLE)
        assert all(a.stop == b.start for a, b in pairwise(own))
        assert {call.stop - call.start for call in own} == {step}


@given(couplings())
def test_every_step_comes_after_those_that_it_needs(coupling):
    calls = derived(coupling)
    assume(calls is not None)
    for i, call in enumerate(calls):
        for x in (x for x in coupling[1] if x.target == call.component):
            # the end of the period that is given to it, counted by hand from the definition of a lag
            period = int(call.start / x.every)
            end = (period + 1 - x.lag) * x.every
            passed = max((c.stop for c in calls[:i] if c.component == x.source), default=0 * HOUR)
            assert passed >= end


@given(couplings(), st.randoms(use_true_random=False))
def test_the_order_in_which_needs_are_named_does_not_matter(coupling, dice):
    steps, needs = coupling
    shuffled = dice.sample(needs, len(needs))
    assert derived((steps, needs)) == derived((steps, shuffled))


@given(couplings(), st.randoms(use_true_random=False))
def test_the_order_of_declaration_decides_only_between_equals(coupling, dice):
    steps, needs = coupling
    names = dice.sample(list(steps), len(steps))
    one, other = derived((steps, needs)), derived(({n: steps[n] for n in names}, needs))
    assert (one is None) == (other is None)
    assert one is None or Counter(one) == Counter(other)


@given(couplings(most_lag=0))
def test_a_refusal_names_a_real_circle(coupling):
    steps, needs = coupling
    try:
        derive(steps, needs, CYCLE)
    except ConfigError as error:
        circle = error.what.removeprefix("exchanges form a circle: ").split(" -> ")
        assert circle[0] == circle[-1]
        assert len(set(circle)) == len(circle) - 1
        assert set(pairwise(circle)) <= {(x.source, x.target) for x in needs}


@given(couplings())
def test_lags_of_a_whole_interval_break_every_circle(coupling):
    steps, needs = coupling
    late = [Need(x.source, x.target, x.every, int(CYCLE / x.every), x.exchange) for x in needs]
    assert derive(steps, late, CYCLE)


@given(couplings(most_lag=0))
def test_an_accepted_order_of_equal_steps_is_the_order_of_steps(coupling):
    steps, needs = coupling
    names = list(steps)
    try:
        refuse_order(names, needs)
    except ConfigError:
        return
    if all(x.source != x.target for x in needs):
        whole = derive(dict.fromkeys(names, CYCLE), [Need(x.source, x.target, CYCLE) for x in needs], CYCLE)
        assert [call.component for call in whole] == names
