"""The files of a recorded session: digests of any blocks, numbers without rounding, plain lines."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.errors import blaming
from tradewind.hosting.journal import Journal, bits, digest, extents

MASK = 2**64 - 1


def by_hand(values: np.ndarray) -> int:
    """Sum up splitmix64's finaliser in Python's integers, element by element."""
    total = 0
    for place, number in enumerate(values.reshape(-1).view(np.uint64).tolist(), 1):
        x = (number + place * 0x9E3779B97F4A7C15) & MASK
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
        total += x ^ (x >> 31)
    return total & MASK


def test_a_digest_is_that_of_the_formula():
    values = np.array([[0.5, -1.0, 2.0], [0.0, 1e300, 3.0]])
    assert digest(values, 1, 3) == by_hand(values)


def test_blocks_of_columns_add_up_to_the_whole():
    values = np.arange(12.0).reshape(2, 6)
    parts = digest(values[:, :2], 1, 6) + digest(values[:, 2:], 3, 6)
    assert parts % 2**64 == digest(values, 1, 6)


def test_values_that_change_places_make_another_digest():
    assert digest(np.array([1.0, 2.0]), 1, 2) != digest(np.array([2.0, 1.0]), 1, 2)


def test_single_precision_and_no_columns_have_digests():
    assert digest(np.ones(3, dtype=np.float32), 1, 3) != digest(np.ones(3), 1, 3)
    assert digest(np.ones((2, 0)), 1, 0) == 0


def test_numbers_are_written_with_all_their_bits():
    assert bits(1.0) == "3ff0000000000000"
    assert bits(-0.0) == "8000000000000000"


@pytest.mark.parametrize(("shape", "text"), [((), "-"), ((16, 4), "16,4"), ((-1, 2), "*,2")])
def test_extents_are_as_fortran_writes_them(shape, text):
    assert extents(shape) == text


def test_a_line_keeps_its_tokens_whatever_they_hold(tmp_path):
    journal = Journal(tmp_path / "record", 1, 2)
    journal.line("date", "a\tb\nc\\d")
    journal.close()
    lines = (tmp_path / "record" / "rank-00001.txt").read_text().splitlines()
    assert lines == ["tradewind recording 1\t2\t1\tlittle", "date\ta\\tb\\nc\\\\d", "end"]


def test_what_comes_out_of_a_component_is_marked_once():
    with pytest.raises(ZeroDivisionError) as fault, blaming("outer"), blaming("pond"):
        raise ZeroDivisionError
    assert fault.value.in_component == "pond"
