"""Threads of a rank: what was asked for, else what the environment says, else its own cpus."""

from __future__ import annotations

import os
import platform

import pytest

from tradewind.hosting.threads import ranks_sharing, threads


def test_the_config_comes_first():
    assert threads(3, {"OMP_NUM_THREADS": "7"}) == 3


@pytest.mark.parametrize(("told", "expected"), [("4", 4), ("2,1", 2), (" 5 ", 5)])
def test_the_environment_comes_next(told, expected):
    assert threads(None, {"OMP_NUM_THREADS": told}) == expected


@pytest.mark.parametrize("nonsense", ["", "0", "-1", "many"])
def test_nonsense_in_the_environment_says_nothing(monkeypatch, nonsense):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert threads(None, {"OMP_NUM_THREADS": nonsense}) == 3


def test_a_rank_that_is_pinned_nowhere_leaves_the_others_to_its_neighbours(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert threads(None, {}) == 1


@pytest.mark.parametrize(("sharing", "expected"), [(1, 4), (2, 2), (3, 1), (8, 1)])
def test_ranks_that_are_pinned_to_the_same_cpus_share_them(monkeypatch, sharing, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)))
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert threads(None, {}, sharing=sharing) == expected


class Ranks:
    """What other ranks have told, beside this one."""

    def __init__(self, *others):
        self.others = others

    def allgather(self, item):
        return [item, *self.others]


@pytest.mark.parametrize(
    ("others", "sharing"),
    [
        ((), 1),
        ((("here", {2, 3}),), 1),
        ((("here", {1, 2}), ("here", {0, 1})), 3),
        ((("elsewhere", {0, 1}),), 1),
    ],
)
def test_who_shares_cpus_is_known_by_node_and_mask(monkeypatch, others, sharing):
    monkeypatch.setattr(platform, "node", lambda: "here")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert ranks_sharing(Ranks(*others)) == sharing
