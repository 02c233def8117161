"""Steps told as nested intervals, and lengths of time in words."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.timetable import Again, folded, spoken

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
