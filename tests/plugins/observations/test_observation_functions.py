"""Observations that are a few lines of the user's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tradewind.couplers.operators import dot_test
from tradewind.errors import PluginError
from tradewind.plugins.observations.function import FunctionOperator
from tradewind.plugins.observations.options import FunctionOptions

SQUARES = "def observe(field, places):\n    return (field[: len(places)] ** 2) * places.more['gain']\n"
MATRIX = (
    "from scipy import sparse\ndef observe(places, grid):\n    return sparse.eye(len(places), grid.size)\n"
)
FIELD = torch.tensor([1.0, 2.0, 3.0, 4.0]).double()


@pytest.fixture
def function(write, air, windows, tmp_path):
    """Return a function that gives an operator of code; observations at the given hours."""

    def function(code, hours=(1.0, 1.0), **options):
        n = len(hours)
        (tmp_path / "own.py").write_text(code)
        file = write(hours, [-101.4] * n, [30.4] * n, [0.0] * n, gain=("obs", np.arange(n) + 1.0))
        settings = FunctionOptions(file=file, variable="gas", code=tmp_path / "own.py", **options)
        operator = FunctionOperator(settings, air())
        operator.windows(windows)
        return operator

    return function


def test_a_function_of_the_field_and_the_places(function, windows):
    (look,) = function(SQUARES, variables=("gain",)).looks(windows[0]).values()
    assert look(FIELD).tolist() == [1.0, 8.0]
    assert look(torch.stack([FIELD, 2 * FIELD])).tolist() == [[1.0, 8.0], [4.0, 32.0]]


def test_its_derivative_is_that_of_finite_differences(function, windows):
    (look,) = function(SQUARES, variables=("gain",)).looks(windows[0]).values()
    tangent = look.linearize(FIELD)
    change = torch.tensor([0.5, -1.0, 2.0, 3.0]).double()
    difference = (look(FIELD + 1e-6 * change) - look(FIELD - 1e-6 * change)) / 2e-6
    assert tangent.forward(change).tolist() == pytest.approx(difference.tolist(), rel=1e-8)
    assert tangent.adjoint(torch.ones(2).double()).tolist() == [2.0, 8.0, 0.0, 0.0]
    assert dot_test(tangent) <= 1e-14


def test_each_look_gives_all_observations_and_only_its_own(function, windows):
    operator = function(SQUARES, (1.0, 2.0, 1.0), variables=("gain",))
    first, second = operator.looks(windows[0]).values()
    assert first(FIELD).tolist() == [1.0, 0.0, 4.0 * 3.0]
    assert second(FIELD).tolist() == [0.0, 2.0, 0.0]


def test_a_function_of_the_places_alone_gives_a_matrix(function, windows):
    (look,) = function(MATRIX).looks(windows[0]).values()
    assert look(FIELD).tolist() == [1.0, 2.0]
    assert dot_test(look.linearize(FIELD)) <= 1e-14


def test_between_two_steps_it_is_weighted(function, windows):
    operator = function(SQUARES, (1.25,), variables=("gain",), in_time="linear")
    shares = [look(FIELD).tolist() for look in operator.looks(windows[0]).values()]
    assert shares == [[0.75], [0.25]]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "def observe(field, places):\n    return field\n",
            r"returned a Tensor of shape \(4,\).*shape \(2,\)",
        ),
        ("def observe(field):\n    return 1 / 0\n", "own.py, function 'observe', line 2: ZeroDivisionError"),
        ("def observe(places):\n    return [[1.0]]\n", r"returned a list .*a matrix of shape \(2, 4\)"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_function(function, windows, code, message):
    operator = function(code)
    with pytest.raises(PluginError, match=message):
        next(iter(operator.looks(windows[0]).values()))(FIELD)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def look(field): pass\n", "defines no 'observe'"),
        ("def observe(wind): pass\n", "there is no 'wind' to be given"),
    ],
)
def test_a_function_that_cannot_be_called_is_refused_before_anything_runs(function, code, message):
    with pytest.raises(PluginError, match=message):
        function(code)
