"""Asking in pieces: every column has the same bits wherever it stands."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.surrogates.columns import evaluation
from tradewind.surrogates.columns.evaluation import ONE_SIZE, SIZES, ColumnEvaluator, Counts, Piece, pieces
from tradewind.surrogates.columns.header import ColumnField
from tradewind.surrogates.columns.network import ACTIVATIONS, MLP


def test_pieces_by_hand():
    assert pieces(0, SIZES) == ()
    assert pieces(1, SIZES) == (Piece(0, 1, 16),)
    assert pieces(64, SIZES) == (Piece(0, 64, 64),)
    # 300 = 256 + 44, and 44 is no 85 % of 64
    assert pieces(300, SIZES) == (
        Piece(0, 256, 256), Piece(256, 16, 16), Piece(272, 16, 16), Piece(288, 12, 16),
    )  # fmt: skip
    # 1000 is nearly 1024
    assert pieces(1000, SIZES) == (Piece(0, 1000, 1024),)


@given(count=st.integers(0, 5000), sizes=st.sampled_from([SIZES, ONE_SIZE]))
def test_pieces_cover_all_columns_once(count, sizes):
    found = pieces(count, sizes)
    assert [p.start for p in found] == [sum(q.length for q in found[:i]) for i in range(len(found))]
    assert sum(p.length for p in found) == count
    assert all(p.length <= p.size for p in found)


def test_answers_are_those_of_the_network(network, features):
    with torch.no_grad():
        torch.testing.assert_close(ColumnEvaluator(network)(features), network(features))


@settings(max_examples=25)
@given(first=st.integers(0, 699), length=st.integers(0, 700))
def test_a_column_does_not_know_its_neighbours(first, length):
    torch.manual_seed(0)
    fields = ColumnField(name="a", units="1", size=16), ColumnField(name="b", units="1", size=8)
    ask = ColumnEvaluator(MLP(fields[:1], fields[1:]))
    x = torch.randn(16, 700)
    some = slice(first, first + length)
    with torch.no_grad():
        assert torch.equal(ask(x[:, some].contiguous()), ask(x)[:, some])


def test_gradients_do_not_change_the_bits(network, features):
    ask = ColumnEvaluator(network)
    with torch.no_grad():
        plain = ask(features)
    assert torch.equal(ask(features.clone().requires_grad_()).detach(), plain)


def test_a_gradient_does_not_know_its_neighbours(network, features):
    ask = ColumnEvaluator(network)

    def gradient(x):
        x = x.clone().requires_grad_()
        ask(x).square().sum().backward()
        return x.grad

    assert torch.equal(gradient(features[:, 100:237]), gradient(features)[:, 100:237])


def test_no_columns_have_no_answers(network):
    assert ColumnEvaluator(network)(torch.zeros(6, 0)).shape == (3, 0)
    with torch.no_grad():
        assert ColumnEvaluator(network)(torch.zeros(6, 0)).shape == (3, 0)


def test_where_sizes_disagree_all_pieces_have_one(network, features, monkeypatch):
    monkeypatch.setattr(evaluation, "_give_the_same", lambda *given: False)
    ask = ColumnEvaluator(network)
    assert ask.sizes == ONE_SIZE
    with torch.no_grad():
        torch.testing.assert_close(ask(features), network(features))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_in_place_is_the_same_function(name, features):
    fields = (
        ColumnField(name="a", units="1", size=6, scale=(2.0,)),
        ColumnField(name="b", units="1", mean=(1.0,)),
    )
    network = MLP(fields[:1], fields[1:], (5,), name, name)
    with torch.no_grad():
        # elu, gelu and their like have other kernels in place: to rounding
        torch.testing.assert_close(ColumnEvaluator(network)(features), network(features))


@pytest.mark.parametrize("counts", Counts)
def test_one_process_alone_asks_few_columns_as_they_are(network, features, counts):
    with torch.no_grad():
        found = ColumnEvaluator(network, counts)(features[:, :5].contiguous())
        torch.testing.assert_close(found, network(features[:, :5]))


def test_what_is_asked_is_left_alone(network, features):
    before = features.clone()
    with torch.no_grad():
        ColumnEvaluator(network)(features)
    assert torch.equal(features, before)
