"""Streams of random numbers: whose they are, and that they go on."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.coupling.fields import PerMember, State
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import DataError, SpecError
from tradewind.plugins.prescribed.draws import Random, of_bytes, seeded, to_bytes

GRID = Grid.latlon([0.0, 1.0], [0.0, 10.0, 20.0])
LAYOUT = Layout(GRID)


def field(members=3, *levels):
    return torch.zeros(members, *levels, GRID.size, dtype=torch.float64)


def test_draws_have_the_shape_and_type_that_is_asked_for():
    random = Random(seeded(0, 3), LAYOUT)
    for like in (field(), field(3, 4), field()[:, 0]):
        for found in (random.normal(like), random.uniform(like)):
            assert (found.shape, found.dtype) == (like.shape, torch.float64)


def test_uniform_numbers_lie_between_0_and_1():
    found = Random(seeded(0, 50), LAYOUT).uniform(field(50, 20))
    assert 0.0 <= found.min() < 0.01
    assert 0.99 < found.max() < 1.0
    assert abs(found.mean() - 0.5) < 0.02  # 6000 numbers: five standard errors


def test_normal_numbers_have_mean_0_and_variance_1():
    found = Random(seeded(0, 50), LAYOUT).normal(field(50, 20))
    assert abs(found.mean()) < 5 / np.sqrt(found.numel())
    assert abs(found.var() - 1.0) < 5 * np.sqrt(2 / found.numel())


def test_what_was_drawn_is_not_drawn_again():
    random = Random(seeded(0, 3), LAYOUT)
    assert not torch.isclose(random.normal(field()), random.normal(field())).any()


def test_the_streams_are_told_by_where_they_stand_and_nothing_is_changed():
    begin = seeded(0, 2)
    before = json.dumps(begin)
    random = Random(begin, LAYOUT)
    first = random.normal(field(2))
    assert json.dumps(begin) == before
    assert random.streams != begin
    assert torch.equal(Random(begin, LAYOUT).normal(field(2)), first)


@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(0, 3))
def test_streams_go_on_from_where_they_stood(seed, members, drawn):
    random = Random(seeded(seed, members), LAYOUT)
    for _ in range(drawn):
        random.uniform(field(members))
    later = Random(of_bytes(to_bytes(random.streams)), LAYOUT)
    assert torch.equal(random.normal(field(members)), later.normal(field(members)))


@given(st.integers(0, 2**32), st.permutations(range(4)))
def test_members_keep_their_streams_when_they_are_selected(seed, order):
    state = State(extras={"random": seeded(seed, 4)})
    some = torch.tensor(order[:2])
    whole = Random(state.extras["random"], LAYOUT).normal(field(4))
    apart = Random(state.select(some).extras["random"], LAYOUT).normal(field(2))
    assert torch.equal(apart, whole[some])


def test_members_of_one_seed_are_not_members_of_the_next():
    # member 1 of seed 0 and member 0 of seed 1 would be alike if the two were added up
    one, other = seeded(0, 2)[1], seeded(1, 2)[0]
    assert one["state"] != other["state"]


def test_odd_numbers_of_draws_keep_what_is_left_over():
    # 32-bit halves that numpy keeps for the next draw are part of the state
    assert {"has_uint32", "uinteger"} <= set(seeded(0, 1)[0])


def test_states_are_plain_values():
    streams = seeded(7, 2)
    assert PerMember(json.loads(json.dumps(streams))) == streams


@pytest.mark.parametrize("shape", [(), (2,), (2, 6), (3, 5), (3, 6, 2)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(SpecError, match=r"draws are of shape \(3,\) or \(3, \*extra, 6\)"):
        Random(seeded(0, 3), LAYOUT).normal(torch.zeros(shape))


@pytest.mark.parametrize("saved", [b"", b"{}?", b"[{}]", b'[{"state": {"state": "x"}}]', b"3"])
def test_what_is_no_stream_is_refused(saved):
    with pytest.raises(DataError, match="holds no streams of random numbers"):
        of_bytes(saved)
