"""Steps told as nested intervals, and lengths of time in words."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.coupling.time.sequence import Call
from tradewind.couplers.coupling.time.timing import Interpolation, Reduction, Timing
from tradewind.timetable import Again, folded, spoken, timetable, timing_words

HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("", ()),
        ("a", ("a",)),
        ("ab", ("a", "b")),
        ("aab", (Again(2, ("a",)), "b")),
        ("abab", (Again(2, ("a", "b")),)),
        ("aaabaaab", (Again(2, (Again(3, ("a",)), "b")),)),
        ("ababcababcababc", (Again(3, (Again(2, ("a", "b")), "c")),)),
        ("abcabcx", (Again(2, ("a", "b", "c")), "x")),
        ("xabab", ("x", Again(2, ("a", "b")))),
        ("aba", ("a", "b", "a")),
        ("aabbaabb", (Again(2, (Again(2, ("a",)), Again(2, ("b",)))),)),
    ],
)
def test_what_repeats_is_told_once(names, expected):
    assert folded(list(names)) == expected


def told(items) -> str:
    return "".join(item.count * told(item.body) if isinstance(item, Again) else item for item in items)


@given(st.text("abc", max_size=40))
def test_nothing_is_lost_by_it(names):
    assert told(folded(list(names))) == names


def test_a_day_of_minutes_is_two_lines():
    assert folded(list("ab" * 1440 + "c")) == (Again(1440, ("a", "b")), "c")


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (6 * HOUR, "6 h"), (HOUR / 2, "30 min"), (24 * HOUR, "1 d"), (36 * HOUR, "1 d 12 h"),
        (timedelta(seconds=90), "1 min 30 s"), (timedelta(seconds=0.5), "0.5 s"), (timedelta(0), "0 s"),
        (744 * HOUR, "31 d"),
    ],
)  # fmt: skip
def test_lengths_of_time_in_words(length, words):
    assert spoken(length) == words


def channel(timing: Timing, source: float = 6, target: float = 6, every: float = 6) -> SimpleNamespace:
    return SimpleNamespace(
        timing=timing, every=every * HOUR, source_step=source * HOUR, target_step=target * HOUR
    )


@pytest.mark.parametrize(
    ("reduction", "words"),
    [
        (Reduction.INSTANT, "last of 6 h"), (Reduction.MEAN, "mean over 6 h"),
        (Reduction.SUM, "sum over 6 h"),
        (Reduction.INTEGRAL, "integral over 6 h"), (Reduction.MIN, "minimum over 6 h"),
        (Reduction.MAX, "maximum over 6 h"),
    ],
)  # fmt: skip
def test_what_is_made_of_several_steps(reduction, words):
    assert list(timing_words(channel(Timing(reduction=reduction), source=1))) == [words]


@pytest.mark.parametrize("reduction", sorted(set(Reduction) - {Reduction.INTEGRAL}))
def test_of_one_step_nothing_is_made(reduction):
    assert list(timing_words(channel(Timing(reduction=reduction)))) == []


def test_the_integral_of_one_step_is_told_since_it_changes_the_value():
    assert list(timing_words(channel(Timing(reduction=Reduction.INTEGRAL)))) == ["integral over 6 h"]


@pytest.mark.parametrize(
    ("timing", "words"),
    [
        (Timing(), ["held for 6 h"]),
        (Timing(lag=2), ["lag 12 h", "held for 6 h"]),
        (Timing(interpolation=Interpolation.LINEAR), ["linear in time"]),
        (Timing(lag=1, interpolation=Interpolation.NEAREST), ["lag 6 h", "nearest in time"]),
    ],
)
def test_what_several_steps_of_the_target_are_given(timing, words):
    assert list(timing_words(channel(timing, target=1))) == words


def lines(names: str, **hours: float) -> list[str]:
    """Return the table of a plan without exchanges, whose steps are given by one letter each."""
    at, calls = dict.fromkeys(hours, 0 * HOUR), []
    for name in names:
        start = at[name]
        at[name] = start + hours[name] * HOUR
        calls.append(SimpleNamespace(call=Call(name, start, at[name])))
    return list(timetable(SimpleNamespace(steps=calls, cycle=max(at.values()), channels=())))


def test_intervals_nest():
    assert lines("aaabaaabc", a=1, b=3, c=6) == [
        "every 6 h:", "  every 3 h:", "    every 1 h:", "      a", "    b", "  c",
    ]  # fmt: skip


def test_steps_that_do_not_keep_pace_are_counted():
    # b lags behind a, and catches up after c
    assert lines("aabaabcbb", a=1, b=1, c=4) == [
        "every 4 h:", "  2 times:", "    every 1 h:", "      a", "    b", "  c", "  every 1 h:", "    b",
    ]  # fmt: skip
