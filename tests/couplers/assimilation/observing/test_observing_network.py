"""Several streams of observations as one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tradewind.couplers.assimilation import FunctionLook
from tradewind.couplers.assimilation.covariance import BlockCovariance, DenseCovariance, DiagonalCovariance
from tradewind.couplers.assimilation.observing import ObservationNetwork
from tradewind.couplers.operators import dot_test

FIELD = torch.tensor([1.0, 2.0, 4.0]).double()


@pytest.fixture
def towers(seen, fixed):
    return fixed("air.gas", seen([0.0, 1.0], [0.0] * 2, [10.0, 20.0], count=np.array([3, 4])), [0, 1])


@pytest.fixture
def ships(seen, fixed):
    return fixed("air.gas", seen([2.0], [0.0], [30.0], sigma=2.0, vertical=np.array([5.0])), [2])


def test_streams_stand_one_after_the_other_and_are_told(towers, ships, windows):
    seen = ObservationNetwork({"towers": towers, "ships": ships}).windows(windows)[windows[0]]
    assert seen.y.tolist() == [10.0, 20.0, 30.0]
    assert seen.coordinates["stream"].tolist() == ["towers", "towers", "ships"]
    assert isinstance(seen.covariance, DiagonalCovariance)
    assert seen.covariance.diagonal().tolist() == [1.0, 1.0, 4.0]


def test_a_coordinate_that_a_stream_has_not_is_missing(towers, ships, windows):
    where = ObservationNetwork({"t": towers, "s": ships}).windows(windows)[windows[0]].coordinates
    assert np.array_equal(where["vertical"], [np.nan, np.nan, 5.0], equal_nan=True)
    assert where["count"].tolist() == [3, 4, 1]


def test_so_are_times_of_a_stream_without(towers, ships, windows):
    ships.observations = replace(ships.observations, coordinates={})
    where = ObservationNetwork({"t": towers, "s": ships}).windows(windows)[windows[0]].coordinates
    assert np.isnat(where["time"]).tolist() == [False, False, True]


def test_looks_at_one_field_become_one_that_gives_all(towers, ships, windows):
    network = ObservationNetwork({"towers": towers, "ships": ships})
    ((at, look),) = network.looks(windows[0]).items()
    assert at == ("air.gas", windows[0].stop)
    assert look(FIELD).tolist() == [1.0, 2.0, 4.0]
    assert look(torch.stack([FIELD, FIELD])).shape == (2, 3)
    assert dot_test(look.linearize(FIELD)) <= 1e-14
    assert network.offset(windows[0]).tolist() == [0.0, 1.0, 0.0]
    assert network.observes == ("air.gas",)
    assert network.notes == ["towers: something", "ships: something"]


def test_looks_at_several_fields_are_zero_where_others_look(towers, seen, fixed, windows):
    land = fixed("land.flux", seen([0.0], [0.0], [1.0]), [2])
    network = ObservationNetwork({"towers": towers, "land": land})
    assert network.observes == ("air.gas", "land.flux")
    looks = network.looks(windows[0])
    assert looks["air.gas", windows[0].stop](FIELD).tolist() == [1.0, 2.0, 0.0]
    assert looks["land.flux", windows[0].stop](FIELD).tolist() == [0.0, 0.0, 4.0]


def test_functions_and_matrices_look_together(towers, ships, windows):
    towers.look = FunctionLook(lambda field: field[:2] ** 2, towers.look.operator.domain, 2)
    (look,) = ObservationNetwork({"towers": towers, "ships": ships}).looks(windows[0]).values()
    assert look(2 * FIELD).tolist() == [4.0, 16.0, 8.0]
    tangent = look.linearize(FIELD)
    assert dot_test(tangent) <= 1e-14
    assert tangent.adjoint(torch.ones(3).double()).tolist() == [2.0, 4.0, 1.0]


def test_what_repeats_is_joined_once(towers, ships, windows):
    network = ObservationNetwork({"towers": towers, "ships": ships})
    seen = network.windows(windows)
    assert seen[windows[0]].coordinates["latitude"] is seen[windows[1]].coordinates["latitude"]
    assert seen[windows[0]].covariance is seen[windows[1]].covariance
    one, other = (next(iter(network.looks(w).values())) for w in windows)
    assert one is other


def test_errors_that_know_of_each_other_stay_among_themselves(towers, ships, windows):
    matrix = torch.tensor([[2.0, 1.0], [1.0, 2.0]]).double()
    towers.observations = replace(towers.observations, covariance=DenseCovariance(matrix))
    found = ObservationNetwork({"t": towers, "s": ships}).windows(windows)[windows[0]].covariance
    assert isinstance(found, BlockCovariance)
    assert found.apply(torch.ones(3).double()).tolist() == [3.0, 3.0, 4.0]


def test_a_stream_without_observations_is_no_trouble(towers, seen, fixed, windows):
    none = fixed("air.gas", seen([], [], []), [])
    network = ObservationNetwork({"none": none, "towers": towers})
    assert len(network.windows(windows)[windows[0]]) == 2
    (look,) = network.looks(windows[0]).values()
    assert look(FIELD).tolist() == [1.0, 2.0]
    empty = ObservationNetwork({"none": none, "nothing": none})
    assert empty.windows(windows)[windows[0]].covariance is None
