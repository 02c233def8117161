"""What a window has given goes into a file and comes back as it was."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import cftime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.ledger import LedgerEntry
from tradewind.simulation.record import Record, packed, unpacked

HOUR = timedelta(hours=1)
STARTS = [datetime(2000, 2, 28), cftime.datetime(2000, 2, 28, calendar="noleap"),
          cftime.datetime(2000, 2, 30, calendar="360_day")]  # fmt: skip


def record(start=STARTS[0]) -> Record:
    edges = [start + n * HOUR for n in range(0, 72, 24)]
    ledger = [
        LedgerEntry("b -> c", Interval(edges[0], edges[1]), 0.1, 0.2, 0.3, 0.4),
        LedgerEntry("a -> c", Interval(edges[1], edges[2]), float("nan"), -0.0),
    ]
    found = Record(ledger)
    for n, time in enumerate(edges):
        found.read(time, {"x.y": torch.full((2, 3), n / 3).double(), "z.w": torch.ones(4).double() * n})
    return found


def passed_through(found: Record, since=STARTS[0]) -> Record:
    tensors, plain = packed(found, since)
    return unpacked(tensors, json.loads(json.dumps(plain)), since)


@pytest.mark.parametrize("start", STARTS, ids=["standard", "noleap", "360_day"])
def test_it_comes_back_as_it_was(start):
    """A day over the end of February: its length is that of the calendar."""
    found = record(start)
    back = passed_through(found, start)
    assert back.times == found.times
    assert [type(t) for t in back.times] == [type(t) for t in found.times]
    assert [(e.exchange, e.interval) for e in back.ledger] == [(e.exchange, e.interval) for e in found.ledger]
    for port, values in found.fields.items():
        assert all(torch.equal(a, b) for a, b in zip(back.fields[port], values, strict=True))


def test_numbers_keep_their_bits():
    back = passed_through(record()).ledger
    assert (back[0].left, back[0].arrived, back[0].unmapped, back[0].withheld) == (0.1, 0.2, 0.3, 0.4)
    assert back[1].left != back[1].left
    assert str(back[1].arrived) == "-0.0"


@pytest.mark.parametrize("finished", [True, False])
def test_whether_it_is_finished_is_kept(finished):
    assert passed_through(Record(finished=finished)).finished is finished


def test_an_empty_one_stays_empty():
    back = passed_through(Record())
    assert (back.ledger, back.times, back.fields, len(back.simulated)) == ([], [], {}, 0)


@given(st.lists(st.floats(allow_nan=False), max_size=8))
def test_simulated_observations_keep_their_bits(values):
    found = Record(simulated=torch.tensor(values, dtype=torch.float64), finished=True)
    assert passed_through(found).simulated.tolist() == values


def test_moments_keep_their_microseconds():
    time = STARTS[0] + timedelta(microseconds=1234567)
    found = Record()
    found.read(time, {})
    assert passed_through(found).times == [time]


@pytest.mark.parametrize("start", STARTS, ids=["standard", "noleap", "360_day"])
def test_what_was_seen_comes_back_by_port_and_time(start):
    same = torch.arange(3.0).double()[None]
    found = Record(seen={("a.b", start + HOUR): same, ("c.d", start + HOUR): same, ("a.b", start): 2 * same})
    back = passed_through(found, start).seen
    assert back.keys() == found.seen.keys()
    assert all(torch.equal(back[event], value) for event, value in found.seen.items())
