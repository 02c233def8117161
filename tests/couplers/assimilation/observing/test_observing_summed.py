"""Observations of a sum: the operator looks at each part by itself."""

from __future__ import annotations

import pytest
import torch

from tradewind.couplers.assimilation import FunctionLook
from tradewind.couplers.assimilation.observing import ObservationNetwork, SummedOperator
from tradewind.errors import ConfigError

FIELD, OTHER = torch.tensor([1.0, 2.0, 4.0]).double(), torch.tensor([10.0, 20.0, 40.0]).double()


@pytest.fixture
def towers(seen, fixed):
    return fixed("air.gas", seen([0.0, 2.0], [0.0] * 2, [10.0, 20.0]), [0, 2])


@pytest.fixture
def summed(towers):
    return SummedOperator(towers, ["air.gas", "far.gas"])


def test_every_part_is_looked_at_as_the_first_is(summed, windows):
    looks = summed.looks(windows[0])
    assert list(looks) == [("air.gas", windows[0].stop), ("far.gas", windows[0].stop)]
    assert looks["far.gas", windows[0].stop](OTHER).tolist() == [10.0, 40.0]


def test_the_looks_at_the_parts_add_up_to_that_at_the_sum(summed, towers, windows):
    parts = summed.looks(windows[0])
    (whole,) = towers.looks(windows[0]).values()
    found = sum(look(field) for look, field in zip(parts.values(), (FIELD, OTHER), strict=True))
    assert torch.equal(found, whole(FIELD + OTHER))


def test_what_is_added_is_added_once(summed, windows):
    assert summed.offset(windows[0]).tolist() == [0.0, 1.0]


def test_it_says_what_the_operator_says(summed, towers, windows):
    towers.units = "1e-9"
    assert summed.observes == ("air.gas", "far.gas")
    assert summed.units == "1e-9"
    assert summed.notes == ["something"]
    assert summed.windows(windows) == towers.windows(windows)


def test_a_network_of_sums_looks_at_each_part_once(summed, windows):
    network = ObservationNetwork({"one": summed, "two": summed})
    looks = network.looks(windows[0])
    assert network.observes == ("air.gas", "far.gas")
    assert looks["far.gas", windows[0].stop](OTHER).tolist() == [10.0, 40.0, 10.0, 40.0]


def test_an_operator_that_is_not_linear_is_refused(summed, towers, windows):
    towers.look = FunctionLook(torch.square, towers.look.operator.domain, 3)
    with pytest.raises(ConfigError, match="Fixed is not linear"):
        summed.looks(windows[0])
