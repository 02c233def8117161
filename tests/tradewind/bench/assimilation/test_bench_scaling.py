"""The planet on which the local filter is scaled, and the counts for many ranks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tradewind.bench.assimilation import thousand
from tradewind.bench.assimilation.planet import Planet
from tradewind.bench.assimilation.scaling import digest, local_filter, run
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import Serial

SMALL = Planet(rows=12, columns=24, levels=2, members=8, observations=400, waves=30)


def test_any_part_of_the_planet_is_what_it_is_in_the_whole():
    longitude, latitude = SMALL.places
    whole = SMALL.fields(longitude, latitude, SMALL.members)
    part = SMALL.fields(longitude[37:101], latitude[37:101], SMALL.members)
    assert torch.equal(part, whole[:, 37:101])


def test_members_have_unit_variance_and_no_mean():
    many = Planet(rows=12, columns=24, members=200, waves=300, observations=300)
    fields = many.fields(*many.places, many.members)
    assert float(fields.var()) == pytest.approx(1.0, abs=0.1)
    assert float(fields.mean()) == pytest.approx(0.0, abs=0.1)


def test_the_truth_is_not_among_the_members():
    layout = Layout(SMALL.grid)
    _, simulated = SMALL.seen(Serial())
    members = SMALL.ensemble(layout, simulated).fields["x"]
    gaps = (members - SMALL.truth(layout)).abs().amax(dim=(1, 2))
    assert float(gaps.min()) > 0.1


def test_observations_miss_the_truth_by_their_errors():
    observations, _ = SMALL.seen(Serial())
    truth = SMALL.fields(*SMALL.places, SMALL.members + 1)[-1]
    assert float((observations.y - truth).std()) == pytest.approx(SMALL.sigma, rel=0.1)


def test_the_analysis_is_nearer_to_the_truth_than_the_forecast():
    found = run(Serial(), SMALL)
    assert found.variables == 12 * 24 * 2
    assert found.rmse_after < found.rmse_before
    assert (found.messages, found.sent_bytes) == (0, 0)


def test_one_bit_makes_another_digest():
    layout = Layout(SMALL.grid)
    members = torch.zeros(2, 1, layout.n_local, dtype=torch.float64)
    other = members.clone()
    other[1, 0, -1] = 5e-324
    assert digest(members, layout) == digest(members.clone(), layout)
    assert digest(members, layout) != digest(other, layout)


def test_one_rank_needs_all_observations_and_many_need_few():
    balance, needed, owners = thousand.counted(SMALL, 1)
    assert (balance, needed, owners) == (1.0, SMALL.observations, 1)
    shared, fewer, _ = thousand.counted(SMALL, 24)
    assert shared >= 1.0
    assert fewer < needed


def test_work_grows_where_observations_are_dense():
    work = local_filter().work(np.array([0.0, 0.0]), np.array([0.0, 89.0]), SMALL.everything)
    assert work.shape == (2,)
    assert (work > 0).all()
