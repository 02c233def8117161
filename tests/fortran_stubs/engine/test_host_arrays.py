"""Arrays of the host: what no field could take is refused before Python sees it, and NaN is found.

An array is put by kind, extents, strides in elements, offset (or null), first column, and values in memory.
"""

from __future__ import annotations

from typing import Any

import pytest

calls = pytest.mark.calls
OPEN = "init a.yaml; component double; "
REAL32, REAL64 = 1, 2
EIGHT = ",".join("11111111")


def put(*array: object) -> Any:
    return calls(f"{OPEN} array {' '.join(map(str, array))}; finalize")


@put(9, "3", "1", 0, 0, "1,2,3")
def test_a_kind_that_is_none(told: Any) -> None:
    assert told.answer("put").code == "kind"


@put(REAL64, EIGHT, EIGHT, 0, 0, "1")
def test_too_many_dimensions(told: Any) -> None:
    assert told.answer("put").code == "shape"


@put(REAL64, "3,-1", "1,3", 0, 0, "1,2,3")
def test_an_extent_below_zero(told: Any) -> None:
    assert (told.answer("put").code, told.answer("put").message) == ("shape", "extent 2 of the array is -1")


@put(REAL64, "3", "1", "null", 0, "1,2,3")
def test_an_array_that_is_not_allocated(told: Any) -> None:
    assert told.answer("put").code == "shape"
    assert "allocated" in told.answer("put").message


@put(REAL64, "0", "1", "null", 0, "1")
def test_no_memory_is_needed_for_no_elements(told: Any) -> None:
    assert told.answer("put").code == "ok"


@put(REAL64, "3", "0", 0, 0, "1")
def test_one_element_is_not_repeated(told: Any) -> None:
    assert told.answer("put").code == "shape"
    assert "broadcast" in told.answer("put").message


@put(REAL64, "3", "1", 0, -1, "1,2,3")
def test_columns_are_counted_from_one(told: Any) -> None:
    assert told.answer("put").code == "shape"


CASES = [
    ("3", "1", 0, "1,nan,3", "2"),
    ("3", "1", 0, "1,2,-inf", "3"),
    ("3", "-1", 2, "nan,2,3", "3"),  # last comes first
    ("2", "2", 0, "1,nan,inf", "2"),  # the nan between is not of it
    ("2,2", "1,2", 0, "1,2,3,nan", "2, 2"),
    ("2,2", "2,1", 0, "1,2,nan,4", "2, 1"),  # transposed
    ("2,1,3", "1,6,2", 0, "1,2,3,4,5,inf", "2, 1, 3"),
    ("900", "1", 0, ",".join(["1"] * 700 + ["nan"] + ["1"] * 199), "701"),
    (",", ",", 0, "nan", ""),  # a scalar
]
PUTS = [f"array {kind} {e} {s} {o} 0 {v}" for kind in (REAL32, REAL64) for e, s, o, v, _ in CASES]


@calls(f"{OPEN} {'; '.join(PUTS)}; finalize")
def test_where_nan_lies(told: Any) -> None:
    answers = told.answers("put")
    assert {(a.code, a.where) for a in answers} == {("data", "double.x")}
    assert [a.message.partition("first at ")[2] for a in answers] == [f"({where})" for *_, where in CASES] * 2


@put(REAL64, "3", "2", 0, 0, "1,nan,2,inf,3,nan")
def test_nan_beside_the_array_does_not_matter(told: Any) -> None:
    assert told.answer("put").code == "ok"


@calls(f"{OPEN} bind x nan,2,3; run; change 1,2,3; run; get y 3; finalize")
def test_what_is_bound_is_looked_at_when_it_is_read(told: Any) -> None:
    assert told.codes[2:] == ["bind ok", "run data", "run ok", "get ok", "finalize ok"]
    assert told.answers("run")[0].where == "double.x"
    assert told.rows("values") == [["2,4,6"]]


@calls(f"{OPEN} bind y nan,nan,nan; run; finalize")
def test_what_a_run_writes_may_be_nan_before(told: Any) -> None:
    assert told.codes[2:] == ["bind ok", "run ok", "finalize ok"]


@calls(f"{OPEN} bind x 1,2,3; put x 4,5,6; change nan,nan,nan; run; finalize")
def test_what_is_put_is_bound_no_more(told: Any) -> None:
    assert told.codes[2:] == ["bind ok", "put ok", "run ok", "finalize ok"]
