"""Vertical mixing: conserving, positive, and on its way to a constant mixing ratio."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.plugins.transport.domain import Domain
from tradewind.plugins.transport.mixing import Mixing, mix
from tradewind.plugins.transport.options import LAYERS

SIX = Domain(0.0, 2.0, 0.0, 2.0, 1.0, LAYERS)
TWO = Domain(0.0, 2.0, 0.0, 2.0, 1.0, (1.0, 0.5, 0.0))


def test_two_layers_by_hand():
    # heights -7500 ln(0.75) and -7500 ln(0.25), 7500 ln 3 apart; their middle lies above 1000 m, so that
    # the rate of exchange is above * 0.5 / (7500 * 7500 ln 3) per second, and with equal halves of air
    # backward Euler gives r / (1 + 2 r) to the other layer, where r = dt rate / 0.5
    r = 1e6 * 2.0 * 0.5 / (7500.0**2 * math.log(3.0)) / 0.5
    given_away = r / (1.0 + 2.0 * r)
    matrix = Mixing(depth=1000.0, inside=50.0, above=2.0).matrix(TWO, 1e6)
    assert matrix[0].tolist() == pytest.approx([1.0 - given_away, given_away], rel=1e-13)
    assert matrix[1].tolist() == pytest.approx([given_away, 1.0 - given_away], rel=1e-13)


@given(seconds=st.floats(1.0, 1e7), inside=st.floats(1e-3, 1e3), depth=st.floats(100.0, 9000.0))
@settings(max_examples=50, deadline=None)
def test_mass_is_kept_and_nothing_becomes_negative(seconds, inside, depth):
    matrix = Mixing(depth, inside, 1.0).matrix(SIX, seconds)
    assert torch.allclose(matrix.sum(0), torch.ones(6).double(), rtol=0, atol=1e-15)
    assert float(matrix.min()) >= 0.0


@given(seconds=st.floats(1.0, 1e7))
@settings(max_examples=20, deadline=None)
def test_a_constant_mixing_ratio_stays(seconds):
    matrix = Mixing().matrix(SIX, seconds)
    assert torch.allclose(matrix @ SIX.thickness, SIX.thickness, rtol=1e-12)


def test_in_the_end_the_mixing_ratio_is_the_same_everywhere():
    start = torch.tensor([1.0, 0, 0, 0, 0, 0], dtype=torch.float64)
    assert torch.allclose(Mixing().matrix(SIX, 1e12) @ start, SIX.thickness, rtol=1e-3)


def test_no_time_no_mixing():
    assert torch.equal(Mixing().matrix(SIX, 0.0), torch.eye(6, dtype=torch.float64))


def test_the_boundary_layer_mixes_faster_than_the_air_above():
    matrix = Mixing(depth=1000.0, inside=50.0, above=1.0).matrix(SIX, 600.0)
    shares = matrix / SIX.thickness[:, None]
    assert float(shares[1, 0]) > 10.0 * float(shares[5, 4])


def test_one_layer_has_nothing_to_mix_with():
    assert Mixing().matrix(Domain(0.0, 2.0, 0.0, 2.0, 1.0, (1.0, 0.0)), 600.0).tolist() == [[1.0]]


def test_columns_are_mixed_one_by_one():
    tracer = torch.rand(3, 6, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    matrix = Mixing().matrix(SIX, 600.0)
    mixed = mix(matrix, tracer)
    assert mixed[1, :, 7].tolist() == pytest.approx((matrix @ tracer[1, :, 7]).tolist(), rel=1e-14)
