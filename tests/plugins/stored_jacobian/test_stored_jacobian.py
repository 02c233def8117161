"""A stored Jacobian: what a file holds is what is answered, and what it lacks is named."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.operators import dot_test
from tradewind.errors import DataError, DomainError, UnitsError
from tradewind.plugins.stored_jacobian.layout import read
from tradewind.plugins.stored_jacobian.options import StoredOptions
from tradewind.plugins.stored_jacobian.surrogate import StoredJacobian


@pytest.fixture
def windows(pieces):
    return [piece.interval for piece in pieces]


@pytest.fixture
def operator(write, model, windows):
    return lambda number, **how: StoredJacobian(
        StoredOptions(file=write(**how)), object()
    ).tradewind_linearize(model, None, windows[number])


def vector(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_a_window_answers_with_its_matrix(operator):
    # 1*1 + 2*3 seen in the first cell, 3*2 in the second, 4*3 in the third; the second window tenfold
    assert operator(0).forward(vector(1, 2, 3, 0)).tolist() == [7.0, 6.0, 12.0]
    assert operator(1).forward(vector(1, 2, 3, 0)).tolist() == [70.0, 60.0, 120.0]


def test_the_adjoint_is_the_transpose(operator):
    assert operator(0).adjoint(vector(1, 1, 1)).tolist() == [1.0, 3.0, 6.0, 0.0]


def test_a_batch_is_answered_row_by_row(operator):
    rows = torch.stack([vector(1, 0, 0, 0), vector(0, 1, 0, 0)])
    assert operator(0).forward(rows).tolist() == [[1.0, 0.0, 0.0], [0.0, 3.0, 0.0]]
    assert operator(0).adjoint(torch.eye(3, dtype=torch.float64)).shape == (3, 4)


def test_forward_and_adjoint_agree_where_columns_are_known(operator):
    known = operator(0, change=lambda ds: ds.drop_vars("known"))
    dot_test(known)


def test_a_column_that_is_not_known_is_refused(operator):
    with pytest.raises(DomainError, match=r"knows 3 columns, 1 more are asked for, the first of cell 3"):
        operator(0).forward(vector(0, 0, 0, 1))
    assert operator(0).valid.tolist() == [True, True, True, False]


def test_a_window_that_the_file_lacks_is_named(write, model, windows):
    later = Interval(windows[1].stop, windows[1].stop + timedelta(days=1))
    with pytest.raises(DataError, match=r"nothing of window 2019-01-03.*2 windows begin with 2019-01-01"):
        StoredJacobian(StoredOptions(file=write()), object()).tradewind_linearize(model, None, later)


def with_attribute(ds, **attributes):
    return ds.assign(jacobian=ds.jacobian.assign_attrs(**attributes))


def test_other_units_are_converted(operator):
    grams = operator(
        0, change=lambda ds: ds.assign(jacobian=ds.jacobian.assign_attrs(column_units="g m-2 s-1"))
    )
    assert grams.forward(vector(1, 0, 0, 0)).tolist() == pytest.approx([1000.0, 0.0, 0.0])


def test_units_of_something_else_are_refused(operator):
    with pytest.raises(UnitsError):
        operator(0, change=lambda ds: with_attribute(ds, row_units="K"))


def dense(ds):
    """Return the file with matrices in place of entries."""
    out = np.zeros((2, 3, 4))
    starts = np.concatenate([[0], np.cumsum(ds.entries.values)])
    for number in range(2):
        some = slice(starts[number], starts[number + 1])
        out[number, ds.row.values[some], ds.column.values[some]] = ds.jacobian.values[some]
    matrices = xr.Variable(("window", "row_cell", "column_cell"), out, ds.jacobian.attrs)
    return ds.drop_vars(["jacobian", "row", "column", "entries"]).assign(jacobian=matrices)


def test_matrices_may_stand_in_the_file_instead_of_entries(operator):
    assert operator(1, change=dense).forward(vector(1, 2, 3, 0)).tolist() == [70.0, 60.0, 120.0]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda ds: ds.assign(jacobian=ds.jacobian * np.nan), "8 entries are not finite"),
        (lambda ds: ds.assign(row=ds.row + 2), "'row' names cells beyond the 3 of its grid"),
        (lambda ds: ds.assign(column=ds.column - 1), "'column' names cells beyond the 4 of its grid"),
        (lambda ds: ds.assign(entries=ds.entries + 1), "windows claim 10 entries, there are 8"),
        (lambda ds: ds.assign(column_lat=ds.column_lat + 1.0), "'column_lat' are not the centres"),
        (lambda ds: ds.isel(row_cell=[0, 1]), "rows of 2 cells, the model's grid has 3"),
        (lambda ds: dense(ds).isel(window=[0]).drop_vars(["known"]).drop_dims("window").assign(
            jacobian=(("a", "b"), np.ones((3, 4)))
        ), "time_bnds"),
        (lambda ds: ds.drop_vars("entries"), "no variable 'entries'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_named(operator, change, named):
    with pytest.raises(DataError, match=named):
        operator(0, change=lambda ds: with_units(change(ds)))


def with_units(ds):
    ds.jacobian.attrs |= {"row_units": "1e-9", "column_units": "kg m-2 s-1"}
    return ds


def test_matrices_of_another_shape_are_refused(operator):
    small = (("window", "a", "b"), np.ones((2, 3, 3)))
    with pytest.raises(DataError, match=r"entries of shape \(2, 3, 3\) for 2 windows of \(3, 4\)"):
        operator(0, change=lambda ds: with_units(dense(ds).assign(jacobian=small)))


def test_a_file_that_does_not_tell_its_units_is_refused(operator):
    with pytest.raises(DataError, match=r"'jacobian' has no attribute 'column_units'"):
        operator(0, change=lambda ds: ds.assign(jacobian=ds.jacobian.drop_attrs()))


def test_a_file_that_is_not_there_is_named(model, windows, tmp_path):
    with pytest.raises(DataError, match=r"absent\.nc"):
        StoredJacobian(StoredOptions(file=tmp_path / "absent.nc"), object()).tradewind_linearize(
            model, None, windows[0]
        )


def test_what_is_written_is_read_with_all_digits(write, pieces, ends):
    for before, after in zip(pieces, read(write(), ends), strict=True):
        assert after.interval == before.interval
        assert np.array_equal(after.matrix.toarray(), before.matrix.toarray())
        assert np.array_equal(after.known, before.known)
