"""Inversions that a host starts: of our models, or of a step that the host has registered."""

import numpy as np
import pytest

from tradewind.assembly import assemble
from tradewind.execute import invert
from tradewind.hosting.failing import CallError, Code

DAY = 86400.0
SOLVER = "solve: {method: 4dvar, options: {outer: 1, inner: 8}}\n"


def got(part, name, cells, what=0):
    out = np.empty(cells)
    part.get(what, name, out)
    return out


def test_the_posterior_is_that_of_a_run(inverted, begun):
    session = begun(inverted)
    session.solve()
    expected = invert(assemble(inverted))
    assert np.array_equal(session.solved.posterior.mean, expected.posterior.mean)


def test_the_run_goes_on_from_the_posterior(inverted, begun):
    session = begun(inverted)
    circle = session.component("circle")
    session.solve()
    assert np.array_equal(got(circle, "x", 12), session.solved.fields[0].posterior.numpy())
    session.advance(DAY)
    window = session.assembly.windows[0]
    seen = session.solved.posterior.simulated[window]["posterior"]
    assert np.abs(seen.numpy()[-12:] - got(circle, "x", 12)).max() < 0.3


class Ocean:
    """The host's model, as its Fortran would be: x turns by one cell, and decays."""

    def __init__(self, session, derivatives=True):
        self.part = session.component("ocean")
        if derivatives:
            self.part.enroll(self.step, self.tangent, self.adjoint)
        else:
            self.part.enroll(self.step, None, None)
        self.calls = 0

    def step(self, time, dt):
        self.calls += 1
        x = np.empty(8)
        self.part.get(0, "x", x)
        x = 0.9 * np.roll(x, 1) + 0.8
        self.part.put(0, "x", x)
        return 0

    def tangent(self, time, dt):
        x = np.empty(8)
        self.part.get(1, "x", x)
        self.part.put(1, "x", 0.9 * np.roll(x, 1))
        return 0

    def adjoint(self, time, dt):
        x = np.empty(8)
        self.part.get(2, "x", x)
        self.part.put(2, "x", 0.9 * np.roll(x, -1))
        return 0


@pytest.fixture
def ocean_config(write_host):
    return lambda: write_host(SOLVER)


def test_a_step_of_the_host_is_stepped(ocean_config, begun):
    session = begun(ocean_config())
    ocean = Ocean(session)
    ocean.part.put(0, "x", np.arange(1.0, 9.0))
    ocean.part.run(0.0, DAY / 4)
    np.testing.assert_allclose(got(ocean.part, "x", 8), [8.0, *np.arange(1.7, 7.5, 0.9)], rtol=1e-15)


def test_its_derivatives_pass_the_dot_test(ocean_config, begun):
    session = begun(ocean_config())
    ocean = Ocean(session)
    ocean.part.put(0, "x", np.arange(1.0, 9.0))
    ocean.part.run(0.0, DAY / 4)
    assert ocean.part.dot_test() <= 1e-15


def test_a_solver_finds_the_state_that_the_host_began_with(ocean_config, begun):
    """4 steps of a linear model, seen after each: against the normal equations."""
    session = begun(ocean_config())
    Ocean(session)
    session.solve()
    turn = 0.9 * np.roll(np.eye(8), 1, axis=0)
    rows, rest, offset, power = [], [], np.zeros(8), np.eye(8)
    hours = np.array([6.0, 12.0, 18.0, 24.0])
    for hour in hours:
        power, offset = turn @ power, turn @ offset + 0.8
        rows.append(power[:4])
        rest.append(8.0 + np.sin(np.arange(4) + hour / 24.0) - offset[:4])
    k, d = np.vstack(rows), np.concatenate(rest) - np.vstack(rows) @ np.full(8, 8.0)
    expected = 8.0 + np.linalg.solve(k.T @ k / 0.25 + np.eye(8), k.T @ d / 0.25)
    np.testing.assert_allclose(session.solved.fields[0].posterior.numpy(), expected, rtol=1e-9)


def test_a_host_without_a_step_is_refused(ocean_config, begun):
    with pytest.raises(CallError, match="has registered no restartable step") as caught:
        begun(ocean_config()).solve()
    assert caught.value.code is Code.ORDER
    assert caught.value.component == "ocean"


def test_a_step_without_an_adjoint_is_named(ocean_config, begun):
    from tradewind.errors import NotDifferentiableError

    session = begun(ocean_config())
    Ocean(session, derivatives=False)
    with pytest.raises(NotDifferentiableError, match="ocean"):
        session.solve()


def test_what_the_host_returns_is_told(ocean_config, begun):
    session = begun(ocean_config())
    part = session.component("ocean")
    part.enroll(lambda time, dt: 7, None, None)
    with pytest.raises(CallError, match="returned 7") as caught:
        part.run(0.0, DAY / 4)
    assert caught.value.code is Code.MODEL


def test_only_the_host_can_be_registered(inverted, begun):
    with pytest.raises(CallError, match="has a model of its own") as caught:
        begun(inverted).component("circle").enroll(lambda time, dt: 0, None, None)
    assert caught.value.code is Code.UNSUPPORTED


def test_not_after_it_was_put(ocean_config, begun):
    part = begun(ocean_config()).component("ocean")
    part.put(0, "x", np.zeros(8))
    with pytest.raises(CallError, match="described or advanced already") as caught:
        part.enroll(lambda time, dt: 0, None, None)
    assert caught.value.code is Code.ORDER


def test_not_without_a_solver(filtered, begun):
    with pytest.raises(CallError, match="names no solver") as caught:
        begun(filtered).solve()
    assert caught.value.code is Code.UNSUPPORTED
