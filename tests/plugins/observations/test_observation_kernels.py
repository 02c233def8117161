"""Columns that a retrieval makes of a profile by layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tradewind.couplers.operators import dot_test
from tradewind.errors import ConfigError, UnitsError
from tradewind.plugins.observations.column import ColumnOperator
from tradewind.plugins.observations.options import ColumnOptions, RetrievalOptions

PROFILE = torch.tensor([2000.0, 1800.0]).double()
"""Mole fractions of the lower and the upper layer, ppb."""
FIELD = PROFILE[:, None] * torch.ones(4).double()
PRIOR = [[1900.0, 1700.0]]
KERNEL = [[1.0, 0.5]]
WEIGHTS = [[0.75, 0.25]]
# by hand: 0.75 (1900 + 1 (2000 - 1900)) + 0.25 (1700 + 0.5 (1800 - 1700))
COLUMN = 0.75 * 2000.0 + 0.25 * 1750.0
LAYERED = ("obs", "layer")


def by_layer(values, units="1"):
    return LAYERED, np.array(values, dtype=float), {"units": units}


@pytest.fixture
def column(write, air, windows):
    """Return a function that gives an operator of one column in the first cell."""

    def column(levels=2, places=1, retrieval=None, **variables):
        variables = {"h": by_layer(WEIGHTS), "ak": by_layer(KERNEL), "a": by_layer(PRIOR, "ppb")} | variables
        file = write([1.0] * places, [-101.4] * places, [30.4] * places, [0.0] * places, **variables)
        said = {"weights": "h", "averaging_kernel": "ak", "prior": "a"} | (retrieval or {})
        options = ColumnOptions(file=file, variable="gas", retrieval=RetrievalOptions(**said))
        operator = ColumnOperator(options, air(levels))
        operator.windows(windows)
        return operator

    return column


def shown(operator, windows, field=FIELD):
    (look,) = operator.looks(windows[0]).values()
    assert dot_test(look.linearize(field)) <= 1e-14
    return (look(field) + operator.offset(windows[0])).tolist()


def test_a_column_is_the_prior_and_what_the_kernel_sees_of_the_difference(column, windows):
    assert shown(column(), windows) == pytest.approx([COLUMN], rel=1e-14)


def test_the_background_is_added(write, air, windows, column):
    operator = column(retrieval=None, background=("obs", [5.0], {"units": "1e-9"}))
    with_background = ColumnOperator(operator.options.model_copy(update={"background": "background"}), air(2))
    with_background.windows(windows)
    assert shown(with_background, windows) == pytest.approx([COLUMN + 5.0], rel=1e-14)


def test_sub_columns_are_made_fractions(column, windows):
    # d = 300 and 100 mol m-2 of dry air, a = 1900 ppb and 1700 ppb of these
    d = by_layer([[300.0, 100.0]], "mol m-2")
    a = by_layer([[300.0 * 1900e-9, 100.0 * 1700e-9]], "mol m-2")
    assert shown(column(h=d, a=a), windows) == pytest.approx([COLUMN], rel=1e-12)


def test_without_a_kernel_layers_are_weighed(column, windows):
    operator = column(retrieval={"averaging_kernel": None, "prior": None})
    assert shown(operator, windows) == pytest.approx([0.75 * 2000 + 0.25 * 1800])


def test_layers_of_a_retrieval_are_read_between_the_models(column, windows):
    # three layers at 1000, 700 and 100 hPa of a model at 900 and 500: constant beyond, half way between
    wide = {
        "h": by_layer([[0.5, 0.3, 0.2]]), "ak": by_layer([[1.0, 1.0, 0.5]]),
        "a": by_layer([[0.0, 0.0, 1600.0]], "ppb"), "p": by_layer([[1000.0, 700.0, 100.0]], "hPa"),
    }  # fmt: skip
    operator = column(retrieval={"pressure": "p", "levels": (900.0, 500.0)}, **wide)
    expected = 0.5 * 2000 + 0.3 * 1900 + 0.2 * (1600 + 0.5 * (1800 - 1600))
    assert shown(operator, windows) == pytest.approx([expected], rel=1e-14)


def test_other_layers_without_pressures_are_refused(column):
    with pytest.raises(ConfigError, match=r"retrievals have 2 layers, air.gas has 3 .*`pressure`"):
        column(levels=3)


def test_kernels_that_are_missing_and_weights_that_do_not_sum_are_counted(column, windows):
    many = {
        "h": by_layer([[0.75, 0.25], [0.75, 0.25], [0.7, 0.2]]),
        "ak": by_layer([[1.0, 0.5], [1.0, np.nan], [1.0, 0.5]]),
        "a": by_layer(PRIOR * 3, "ppb"),
    }
    operator = column(places=3, **many)
    assert operator.notes == [
        "1 of 3 observations dropped: its averaging kernel is missing",
        "1 of 2 observations dropped: its pressure weights do not sum to 1",
    ]
    assert shown(operator, windows) == pytest.approx([COLUMN])


def test_places_outside_take_their_kernels_with_them(write, air, windows):
    two = {"h": by_layer(WEIGHTS * 2), "ak": by_layer([[0.0, 0.0], *KERNEL]), "a": by_layer(PRIOR * 2, "ppb")}
    file = write([1.0, 1.0], [0.0, -101.4], [0.0, 30.4], [0.0, 0.0], **two)
    said = RetrievalOptions(weights="h", averaging_kernel="ak", prior="a")
    operator = ColumnOperator(ColumnOptions(file=file, variable="gas", retrieval=said), air(2))
    operator.windows(windows)
    assert shown(operator, windows) == pytest.approx([COLUMN])


def test_a_prior_in_other_units_is_refused(column):
    with pytest.raises(UnitsError):
        column(a=by_layer(PRIOR, "K"))


def test_layers_need_a_retrieval(write, air):
    file = write([1.0], [-101.4], [30.4], [0.0])
    with pytest.raises(ConfigError, match=r"has 2 levels .*tell the `retrieval`"):
        ColumnOperator(ColumnOptions(file=file, variable="gas"), air(2))


def test_a_kernel_goes_with_a_prior():
    with pytest.raises(ValidationError, match="goes with a prior"):
        RetrievalOptions(weights="h", averaging_kernel="ak")
