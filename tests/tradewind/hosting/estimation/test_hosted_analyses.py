"""One analysis at a time: of the members that a session steps, or that the host has put itself."""

from pathlib import Path

import numpy as np
import pytest

from tradewind.assembly import assemble
from tradewind.assimilation import EnsembleLoop
from tradewind.hosting.failing import CallError, Code

HOUR = 3600.0


def members_of(part, name="x", shape=(5, 12)):
    out = np.empty(shape)
    part.get(0, name, out)
    return out


def test_advancing_and_analysing_is_the_loop_of_the_filter(filtered, begun):
    loop = EnsembleLoop(assemble(filtered))
    session = begun(filtered)
    circle = session.component("circle")
    for k, window in enumerate(loop.assembly.windows):
        loop.cycle(window)
        session.advance(6 * HOUR * (k + 1))
        session.analyse()
        found = members_of(circle)
        assert np.array_equal(found, loop.waves[0].moment.states["circle"].fields["x"].numpy())
    expected, result = loop.result(), session.analyses.result
    assert result.windows == expected.windows
    assert np.array_equal(result.fields[0].analysis, expected.fields[0].analysis)


def test_advancing_in_small_steps_is_the_same(write, begun):
    config = write("ensemble: {members: 5}\nsolve: {method: etkf}\n", window="12h")
    found = []
    for steps in ((12.0,), (6.0, 12.0)):
        session = begun(config)
        for hours in steps:
            session.advance(hours * HOUR)
        session.analyse()
        found.append(members_of(session.component("circle")))
    assert np.array_equal(*found)


def test_members_that_the_host_has_put_are_analysed(filtered, begun):
    """Five members around 10 are drawn to the observations, around 8."""
    session = begun(filtered)
    circle = session.component("circle")
    session.advance(6 * HOUR)
    circle.put(0, "x", 10.0 + np.random.default_rng(1).standard_normal((5, 12)))
    session.analyse()
    assert abs(members_of(circle).mean() - 8.0) < 1.0
    session.advance(12 * HOUR)
    assert members_of(circle).shape == (5, 12)


def test_a_host_may_bring_all_members(write_host, begun):
    """The ocean is the host's alone: it puts what it has stepped, and gets the analysis."""
    session = begun(write_host("ensemble: {members: 4}\nsolve: {method: etkf}\n"))
    ocean = session.component("ocean")
    prior = 6.0 + np.random.default_rng(2).standard_normal((4, 8))
    ocean.put(0, "x", prior)
    session.advance(24 * HOUR)
    session.analyse()
    after = members_of(ocean, shape=(4, 8))[:, :4]
    assert np.abs(after.mean(0) - 8.0).max() < np.abs(prior[:, :4].mean(0) - 8.0).max()


def test_a_window_is_analysed_once(filtered, begun):
    session = begun(filtered)
    session.advance(6 * HOUR)
    session.analyse()
    with pytest.raises(CallError, match="was analysed already") as caught:
        session.analyse()
    assert caught.value.code is Code.ORDER


def test_not_within_a_window(write, begun):
    session = begun(write("ensemble: {members: 5}\nsolve: {method: etkf}\n", window="12h"))
    session.advance(6 * HOUR)
    with pytest.raises(CallError, match="no window ends at"):
        session.analyse()


def test_not_without_a_filter(inverted, begun):
    with pytest.raises(CallError, match="names no filter") as caught:
        begun(inverted).analyse()
    assert caught.value.code is Code.UNSUPPORTED


def test_members_cannot_be_dropped(write, begun):
    session = begun(write("ensemble: {members: 5, failure: drop}\nsolve: {method: etkf}\n"))
    with pytest.raises(CallError, match="cannot be followed"):
        session.advance(6 * HOUR)


def test_a_window_that_was_passed_is_not_in_the_report(filtered, begun, tmp_path):
    session = begun(filtered)
    session.advance(12 * HOUR)
    session.analyse()
    session.report(str(tmp_path / "report.nc"))
    assert len(session.analyses.result.windows) == 1
    assert Path(tmp_path / "report.nc").stat().st_size > 0
