"""Single calls of a component: what is put goes in, what is got has been answered, and nothing is guessed."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.couplers.ranks.parallel import Serial
from tradewind.hosting.failing import CallError, Code
from tradewind.hosting.session import Session

SOURCE = np.arange(12.0).reshape(2, 6)
SUM = np.array([6.0, 8.0, 10.0, 12.0, 14.0, 16.0])
FLOAT = np.float64


def got(part, name: str, shape=(6,), what: int = 0, dtype=FLOAT) -> np.ndarray:
    out = np.full(shape, -999, dtype=dtype)
    part.get(what, name, memoryview(out))
    return out


def refused(call, *arguments) -> CallError:
    with pytest.raises(CallError) as caught:
        call(*arguments)
    return caught.value


# ---------------------------------------------------------------------- what is declared
def test_fields_are_told_as_fortran_declares_them(pond):
    assert pond.fields() == [
        ("source", "kg", 1, 2, (6, 2)),
        ("twice", "kg", 2, 2, (6,)),
        ("amount", "kg", 3, 2, (6,)),
        ("kept", "1", 4, 2, ()),
    ]


def test_an_unknown_component_is_named_with_the_nearest(session):
    error = refused(session.component, "pont")
    assert error.code is Code.FIELD
    assert error.hint == "did you mean 'pond'?"


# ---------------------------------------------------------------------- one call
def test_a_call_steps_once_with_what_was_put(pond):
    pond.put(0, "source", memoryview(SOURCE))
    pond.run(0.0, 60.0)
    assert np.array_equal(got(pond, "amount"), 0.5 + SUM)
    assert np.array_equal(got(pond, "twice"), 1 + 2 * SUM)


def test_state_is_carried_from_call_to_call(pond):
    pond.put(0, "source", SOURCE)
    pond.run(0.0, 60.0)
    pond.run(60.0, 60.0)
    assert np.array_equal(got(pond, "amount"), 0.5 * (0.5 + SUM) + SUM)


def test_a_state_that_is_put_replaces_what_was_there(pond):
    pond.put(0, "source", SOURCE)
    pond.put(0, "amount", np.full(6, 10.0))
    assert np.array_equal(got(pond, "amount"), np.full(6, 10.0))
    pond.run(0.0, 60.0)
    assert np.array_equal(got(pond, "amount"), 5 + SUM)


def test_a_parameter_holds_until_another_is_put(pond):
    pond.put(0, "source", SOURCE)
    pond.put(0, "kept", np.array(0.0))
    for _ in range(2):
        pond.run(0.0, 60.0)
        assert np.array_equal(got(pond, "amount"), SUM)


def test_what_is_put_is_copied(pond):
    mine = SOURCE.copy()
    pond.put(0, "source", mine)
    mine[:] = 1e9
    pond.run(0.0, 60.0)
    assert np.array_equal(got(pond, "amount"), 0.5 + SUM)


def test_rows_and_columns_of_a_grid_may_be_given_as_such(pond):
    pond.put(0, "source", SOURCE.reshape(2, 2, 3))
    pond.run(0.0, 60.0)
    assert np.array_equal(got(pond, "twice", (2, 3)), (1 + 2 * SUM).reshape(2, 3))


@pytest.mark.parametrize(
    "strided", [SOURCE[:, ::-1], np.asfortranarray(SOURCE), np.repeat(SOURCE, 2, 1)[:, ::2]]
)
def test_any_strides_are_read(pond, strided):
    pond.put(0, "source", strided)
    pond.run(0.0, 60.0)
    assert np.array_equal(got(pond, "amount"), 0.5 + strided.sum(0))


def test_negative_strides_are_written(pond):
    pond.put(0, "source", SOURCE)
    pond.run(0.0, 60.0)
    out = np.zeros(6)
    pond.get(0, "amount", out[::-1])
    assert np.array_equal(out[::-1], 0.5 + SUM)


# ---------------------------------------------------------------------- blocks of columns
def test_blocks_that_cover_all_columns_are_as_good_as_one(pond):
    for first, last in ((1, 4), (5, 5), (6, 6)):
        pond.put(0, "source", SOURCE[:, first - 1 : last], None, first)
    pond.run(0.0, 60.0)
    assert np.array_equal(got(pond, "amount"), 0.5 + SUM)


def test_a_column_that_no_block_has_covered_is_named(pond):
    pond.put(0, "source", SOURCE[:, :2], None, 1)
    pond.put(0, "source", SOURCE[:, 3:], None, 4)
    error = refused(pond.run, 0.0, 60.0)
    assert (error.code, error.field) == (Code.FIELD, "source")
    assert "column 3 has not been put" in str(error)


def test_a_block_changes_its_columns_of_a_state_only(pond):
    pond.put(0, "amount", np.array([7.0, 8.0]), None, 3)
    assert np.array_equal(got(pond, "amount"), [1, 1, 7, 8, 1, 1])


def test_a_block_can_be_got(pond):
    pond.put(0, "source", SOURCE)
    pond.run(0.0, 60.0)
    out = np.zeros(2)
    pond.get(0, "amount", out, None, 5)
    assert np.array_equal(out, (0.5 + SUM)[4:])


@pytest.mark.parametrize("first", [-1, 6, 7])
def test_a_block_beyond_the_columns_is_refused(pond, first):
    error = refused(pond.put, 0, "amount", np.zeros(2), None, first)
    assert error.code is Code.SHAPE


def test_blocks_do_not_change_what_a_run_was_given(session, pond):
    session.record(True)
    pond.put(0, "source", SOURCE)
    pond.run(0.0, 60.0)
    pond.put(0, "source", np.zeros((2, 1)), None, 1)
    assert np.array_equal(pond.kept[0].call.imports["source"][0], SOURCE)


# ---------------------------------------------------------------------- misuse
@pytest.mark.parametrize(
    "array", [SOURCE.T.copy(), SOURCE[:1], SOURCE[None, None], np.zeros(()), np.zeros((2, 0)), SOURCE[0]]
)
def test_other_shapes_are_never_broadcast(pond, array):
    error = refused(pond.put, 0, "source", array)
    assert (error.code, error.component, error.field) == (Code.SHAPE, "pond", "source")
    assert "(6, 2)" in error.what


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.int64])
def test_other_kinds_are_refused_unless_a_cast_is_asked_for(pond, dtype):
    assert refused(pond.put, 0, "source", SOURCE.astype(dtype)).code is Code.KIND
    pond.put(0, "source", SOURCE.astype(dtype), None, 0, True)
    pond.run(0.0, 60.0)
    assert np.array_equal(got(pond, "amount"), 0.5 + SUM)


def test_what_is_got_is_not_cast_unless_asked_for(pond):
    out = np.zeros(6, dtype=np.float32)
    assert refused(pond.get, 0, "amount", out).code is Code.KIND
    pond.get(0, "amount", out, None, 0, True)
    assert np.array_equal(out, np.ones(6))


def test_other_units_are_refused_unless_a_conversion_is_asked_for(pond):
    assert refused(pond.put, 0, "amount", np.ones(6), "g").code is Code.UNITS
    pond.put(0, "amount", np.full(6, 2000.0), "g", 0, False, True)
    assert np.array_equal(got(pond, "amount"), np.full(6, 2.0))
    out = np.zeros(6)
    pond.get(0, "amount", out, "g", 0, False, True)
    assert np.array_equal(out, np.full(6, 2000.0))


def test_units_that_mean_the_same_are_no_conversion(pond):
    pond.put(0, "amount", np.ones(6), "1000 g")


@pytest.mark.parametrize("units", ["m", "nonsense", ""])
def test_units_of_another_dimension_never_pass(pond, units):
    assert refused(pond.put, 0, "amount", np.ones(6), units, 0, False, True).code is Code.UNITS


def test_nothing_is_taken_for_what_was_not_put(pond):
    error = refused(pond.run, 0.0, 60.0)
    assert (error.code, error.field) == (Code.FIELD, "source")


def test_an_export_cannot_be_got_before_it_was_made(pond):
    assert refused(got, pond, "twice").code is Code.FIELD


def test_a_misspelled_field_is_refused_with_the_nearest(pond):
    error = refused(pond.put, 0, "sorce", SOURCE)
    assert (error.code, error.field, error.hint) == (Code.FIELD, "sorce", "did you mean 'source'?")


def test_an_export_cannot_be_put(pond):
    assert refused(pond.put, 0, "twice", SUM).code is Code.FIELD


@pytest.mark.parametrize(
    ("time", "dt"), [(0.0, 0.0), (0.0, -1.0), (0.0, np.nan), (np.inf, 1.0), (1e300, 1.0)]
)
def test_lengths_and_times_that_are_none_are_refused(pond, time, dt):
    pond.put(0, "source", SOURCE)
    assert refused(pond.run, time, dt).code is Code.DATA


# ---------------------------------------------------------------------- failures
def test_a_run_that_fails_leaves_everything_as_it_was(write):
    session = Session(write("fail"), Serial())
    pond = session.component("pond")
    pond.put(0, "source", SOURCE)
    pond.run(0.0, 60.0)
    before = got(pond, "amount")
    pond.put(0, "source", SOURCE * 100)
    pond.put(0, "amount", np.full(6, 3.0))
    with pytest.raises(Exception, match="too much"):
        pond.run(60.0, 60.0)
    assert np.array_equal(got(pond, "twice"), 2 * before)
    pond.put(0, "source", SOURCE)
    pond.run(60.0, 60.0)
    assert np.array_equal(got(pond, "amount"), 1.5 + SUM)


# ---------------------------------------------------------------------- bound memory
def test_bound_imports_are_read_at_every_run_and_bound_exports_written(pond):
    source, twice = SOURCE.copy(), np.zeros(6)
    pond.bind("source", memoryview(source))
    pond.bind("twice", memoryview(twice))
    pond.run(0.0, 60.0)
    assert np.array_equal(twice, 1 + 2 * SUM)
    source[:] = 0
    pond.run(60.0, 60.0)
    assert np.array_equal(twice, 0.5 + SUM)


def test_a_bound_import_is_not_copied(pond):
    source = SOURCE.copy()
    pond.bind("source", source)
    pond.run(0.0, 60.0)
    assert pond.kept[-1].call.imports["source"].numpy().base is not None
    assert np.shares_memory(pond.kept[-1].call.imports["source"].numpy(), source)


def test_a_bound_state_is_read_and_written(pond):
    amount = np.full(6, 4.0)
    pond.put(0, "source", SOURCE)
    pond.bind("amount", amount)
    pond.run(0.0, 60.0)
    assert np.array_equal(amount, 2 + SUM)


def test_bound_memory_of_other_kind_and_strides_is_copied(pond):
    wide = np.zeros((2, 12), dtype=np.float32)
    pond.bind("source", wide[:, ::2], None, 0, True)
    wide[:, ::2] = SOURCE
    pond.run(0.0, 60.0)
    assert np.array_equal(got(pond, "amount"), 0.5 + SUM)


def test_what_is_not_a_number_in_bound_memory_that_is_copied_is_named(pond):
    source = np.zeros((2, 12))[:, ::2]
    pond.bind("source", source)
    source[1, 2] = np.nan
    error = refused(pond.run, 0.0, 60.0)
    assert (error.code, error.field) == (Code.DATA, "source")


def test_large_numbers_in_bound_memory_are_finite(pond):
    source = np.full((2, 6), 1e308)
    source[1] = -1e308
    pond.bind("source", source)
    pond.run(0.0, 60.0)
    assert np.array_equal(got(pond, "amount"), np.full(6, 0.5))


def test_a_put_ends_what_was_bound(pond):
    pond.bind("source", np.full((2, 6), 1e9))
    pond.put(0, "source", SOURCE)
    pond.run(0.0, 60.0)
    assert np.array_equal(got(pond, "amount"), 0.5 + SUM)


def test_what_is_recorded_does_not_change_with_bound_memory(session, pond):
    session.record(True)
    source = SOURCE.copy()
    pond.bind("source", source)
    pond.run(0.0, 60.0)
    source[:] = 0
    assert np.array_equal(pond.kept[0].call.imports["source"][0], SOURCE)


def test_derivatives_about_memory_that_may_have_changed_are_refused(pond):
    pond.bind("source", SOURCE.copy())
    pond.run(0.0, 60.0)
    pond.put(1, "source", SOURCE)
    error = refused(pond.tangent)
    assert error.code is Code.ORDER
    assert "record" in error.hint


# ---------------------------------------------------------------------- derivatives, through the handle
def test_tangent_and_adjoint_of_the_last_run(pond):
    pond.put(0, "source", SOURCE)
    pond.run(0.0, 60.0)
    pond.put(1, "amount", np.ones(6))
    pond.tangent()
    assert np.array_equal(got(pond, "twice", what=1), np.full(6, 1.0))
    pond.put(2, "twice", np.arange(6.0))
    pond.adjoint()
    assert np.array_equal(got(pond, "amount", what=2), np.arange(6.0))
    assert np.array_equal(got(pond, "source", (2, 6), 2), np.stack([2 * np.arange(6.0)] * 2))
    assert pond.dot_test() <= 1e-15


def test_a_tangent_cannot_be_got_before_it_was_made(pond):
    assert refused(got, pond, "twice", (6,), 1).code is Code.ORDER
